"""Results of tools: of the caller's functions, of code that Google ran, and of Google's other tools.

A function answers with a JSON object. Google reads `output` as the answer and `error` as a failure; what is neither is
the answer as a whole. The contract has text: the words themselves where they are all, else the object's JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from antiphon.v1 import content_pb2
from antiphon.wire.fields import Fields, Place, objects, whole_text
from antiphon.wire.gemini.media import lift_media, lower_media
from antiphon.wire.gemini.quirks import WIRE
from antiphon.wire.gemini.writer import Writer
from antiphon.wire.jsontext import Json, JsonObject, loads, text_of
from antiphon.wire.plain_text import as_text

CODE = "code_execution"
FUNCTION_RESPONSE = "functionResponse"
CODE_RESULT = "codeExecutionResult"
TOOL_RESPONSE = "toolResponse"

_OUTER = Fields(content_pb2.ToolResult, id="call_id", name="name")
_ID = Fields(content_pb2.ToolResult, id="call_id")
_TOOL = Fields(content_pb2.ToolResult, id="call_id", toolType="name")
NO_ID, _NO_NAME = "no_id", "no_name"
_WORDS = ("output", "result", "content")
_WORD = "word:"
_ERROR = "error"
_OUTCOMES: Mapping[str, content_pb2.ToolStatus.ValueType] = {
    "OUTCOME_OK": content_pb2.TOOL_STATUS_COMPLETED,
    "OUTCOME_FAILED": content_pb2.TOOL_STATUS_FAILED,
    "OUTCOME_DEADLINE_EXCEEDED": content_pb2.TOOL_STATUS_INCOMPLETE,
}
_STATUSES = {status: word for word, status in _OUTCOMES.items()}

LiftMedia = Callable[[JsonObject, Place], content_pb2.Part]


def lift_function_result(value: JsonObject, part: content_pb2.Part, place: Place, lift_part: LiftMedia) -> bool:
    """Set the result of a part from `functionResponse`; whether the typed fields can hold it."""
    result = part.tool_result
    result.executor = content_pb2.TOOL_EXECUTOR_CLIENT
    _OUTER.lift(value, result, place)
    if not result.name:
        Writer(direction=place.direction).spell(part, _NO_NAME)
    response = value.get("response")
    if isinstance(response, dict):
        _lift_response(response, part, Writer(direction=place.direction))
    elif response is not None:
        place.wrong("response", "must be an object")
        return False
    inner = place.at("parts")
    result.content.extend(lift_part(item, inner.at(n)) for n, item in enumerate(objects(value.get("parts"))))
    return True


def lower_function_result(part: content_pb2.Part, name: str, writer: Writer, path: str) -> JsonObject:
    """`functionResponse`; `name` is that of the function, which the result may not say itself."""
    result = part.tool_result
    lowered: JsonObject = {"name": result.name or ("" if writer.spelled(part, _NO_NAME) else name)}
    if result.call_id and not writer.spelled(part, NO_ID):
        lowered["id"] = result.call_id
    texts: list[str] = []
    media: list[JsonObject] = []
    for number, item in enumerate(result.content):
        text = as_text(item)
        if item.WhichOneof("kind") == "media" and not item.media.media_type.startswith("text/"):
            found = lower_media(item, writer, f"{path}.tool_result.content[{number}]")
            if found is not None:
                media.append(writer.restore(item, found))
        elif text is not None:
            texts.append(text)
        else:
            writer.unsupported(f"{path}.tool_result.content[{number}]", "Gemini takes text and media of a result")
    lowered["response"] = _lower_response(part, texts, writer)
    if media:
        lowered["parts"] = media
    return {FUNCTION_RESPONSE: lowered}


def lift_code_result(value: JsonObject, part: content_pb2.Part, place: Place) -> bool:
    """Set the result of a part from `codeExecutionResult`."""
    result = part.tool_result
    result.executor = content_pb2.TOOL_EXECUTOR_PROVIDER
    result.name, result.provider_type = CODE, CODE_RESULT
    _ID.lift(value, result, place)
    outcome, output = value.get("outcome"), value.get("output")
    result.status = _OUTCOMES.get(str(outcome), content_pb2.TOOL_STATUS_UNSPECIFIED)
    failed = result.status not in (content_pb2.TOOL_STATUS_COMPLETED, content_pb2.TOOL_STATUS_UNSPECIFIED)
    if failed:
        result.is_error = True
    if isinstance(output, str):
        code = result.content.add().code_result
        code.SetInParent()
        setattr(code, "stderr" if failed else "stdout", whole_text(output))
    return True


def lower_code_result(part: content_pb2.Part) -> JsonObject:
    """`codeExecutionResult`."""
    result = part.tool_result
    status = result.status or (
        content_pb2.TOOL_STATUS_FAILED if result.is_error or result.error_code else content_pb2.TOOL_STATUS_COMPLETED
    )
    lowered: JsonObject = {"outcome": _STATUSES.get(status, "OUTCOME_OK")}
    if result.provider_type == CODE_RESULT and not has_no_id(part):
        _ID.lower(result, lowered)
    texts = [text for item in result.content if (text := as_text(item)) is not None]
    if texts:
        lowered["output"] = "".join(texts)
    return {CODE_RESULT: lowered}


def lift_tool_result(value: JsonObject, part: content_pb2.Part, place: Place) -> bool:
    """Set the result of a part from `toolResponse`, the answer of one of Google's own tools."""
    result = part.tool_result
    result.executor = content_pb2.TOOL_EXECUTOR_PROVIDER
    result.provider_type = TOOL_RESPONSE
    _TOOL.lift(value, result, place)
    if isinstance(value.get("response"), dict):
        result.content.add().text.text = text_of(value["response"])
    return True


def lower_tool_result(part: content_pb2.Part) -> JsonObject:
    """`toolResponse`."""
    result = part.tool_result
    lowered = _TOOL.lower(result, {})
    if has_no_id(part):
        lowered.pop("id", None)
    if result.content:
        lowered["response"] = object_of_text("".join(as_text(item) or "" for item in result.content))
    return {TOOL_RESPONSE: lowered}


def lift_inner(value: JsonObject, place: Place) -> content_pb2.Part:
    """A medium inside of a function's result."""
    part = content_pb2.Part()
    if not lift_media(value, part, place):
        part.Clear()
    return part


def has_no_id(part: content_pb2.Part) -> bool:
    """Whether Gemini, in a request or an answer, gave a call or result no identifier: it has one of ours."""
    return part.form.wire.startswith(f"{WIRE}/") and NO_ID in part.form.spellings


def object_of_text(text: str) -> JsonObject:
    """The JSON object that a text is, or one that holds the text as its output."""
    found = _object(text)
    return {"output": text} if found is None else found


def _lift_response(response: JsonObject, part: content_pb2.Part, writer: Writer) -> None:
    result = part.tool_result
    key, value = next(iter(response.items())) if len(response) == 1 else ("", None)
    if isinstance(value, str) and key in (*_WORDS, _ERROR):
        result.content.add().text.text = whole_text(value)
        if key == _ERROR:
            result.is_error = True
        elif key != "output" or _object(value) is not None:
            writer.spell(part, f"{_WORD}{key}")
    elif response:
        result.content.add().text.text = text_of(response)


def _lower_response(part: content_pb2.Part, texts: list[str], writer: Writer) -> Json:
    if not texts:
        return {}
    text = "\n".join(texts)
    if part.tool_result.is_error:
        return {_ERROR: text}
    word = writer.spelling(part, _WORD)
    return {word: text} if word else object_of_text(text)


def _object(text: str) -> JsonObject | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
