"""Candidates: the answers of one reply, their parts aside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.fields import RESPONSE, Fields, Place, object_at, objects, whole_text
from antiphon.wire.gemini.grounding import lift_metadata, lower_metadata
from antiphon.wire.gemini.logprobs import lift_logprobs, lower_logprobs
from antiphon.wire.gemini.parts import lower_part, name_calls
from antiphon.wire.gemini.spelling import plain
from antiphon.wire.gemini.turns import SINGLE, keep_content, lift_parts
from antiphon.wire.gemini.writer import Writer
from antiphon.wire.jsontext import JsonObject

FINISH: Mapping[str, chat_pb2.FinishReason.ValueType] = {
    "FINISH_REASON_UNSPECIFIED": chat_pb2.FINISH_REASON_UNSPECIFIED,
    "STOP": chat_pb2.FINISH_REASON_STOP,
    "MAX_TOKENS": chat_pb2.FINISH_REASON_LENGTH,
    "SAFETY": chat_pb2.FINISH_REASON_CONTENT_FILTER,
    "RECITATION": chat_pb2.FINISH_REASON_RECITATION,
    "LANGUAGE": chat_pb2.FINISH_REASON_OTHER,
    "OTHER": chat_pb2.FINISH_REASON_OTHER,
    "BLOCKLIST": chat_pb2.FINISH_REASON_CONTENT_FILTER,
    "PROHIBITED_CONTENT": chat_pb2.FINISH_REASON_CONTENT_FILTER,
    "SPII": chat_pb2.FINISH_REASON_CONTENT_FILTER,
    "MALFORMED_FUNCTION_CALL": chat_pb2.FINISH_REASON_MALFORMED_TOOL_CALL,
    "UNEXPECTED_TOOL_CALL": chat_pb2.FINISH_REASON_MALFORMED_TOOL_CALL,
    "TOO_MANY_TOOL_CALLS": chat_pb2.FINISH_REASON_OTHER,
    "MISSING_THOUGHT_SIGNATURE": chat_pb2.FINISH_REASON_ERROR,
    "MALFORMED_RESPONSE": chat_pb2.FINISH_REASON_ERROR,
    "MODEL_ARMOR": chat_pb2.FINISH_REASON_CONTENT_FILTER,
    "IMAGE_SAFETY": chat_pb2.FINISH_REASON_CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": chat_pb2.FINISH_REASON_CONTENT_FILTER,
    "IMAGE_RECITATION": chat_pb2.FINISH_REASON_RECITATION,
    "IMAGE_OTHER": chat_pb2.FINISH_REASON_OTHER,
    "NO_IMAGE": chat_pb2.FINISH_REASON_OTHER,
    "ESCALATION": chat_pb2.FINISH_REASON_OTHER,
    "PUP_LIMITED_DISABLED": chat_pb2.FINISH_REASON_OTHER,
    "CONTINUATION": chat_pb2.FINISH_REASON_PAUSE_TURN,
}
FINISH_WORDS: Mapping[chat_pb2.FinishReason.ValueType, str] = {
    chat_pb2.FINISH_REASON_UNSPECIFIED: "",
    chat_pb2.FINISH_REASON_STOP: "STOP",
    chat_pb2.FINISH_REASON_STOP_SEQUENCE: "STOP",
    chat_pb2.FINISH_REASON_LENGTH: "MAX_TOKENS",
    chat_pb2.FINISH_REASON_CONTEXT_WINDOW: "MAX_TOKENS",
    chat_pb2.FINISH_REASON_TOOL_CALLS: "STOP",
    chat_pb2.FINISH_REASON_CONTENT_FILTER: "SAFETY",
    chat_pb2.FINISH_REASON_REFUSAL: "SAFETY",
    chat_pb2.FINISH_REASON_RECITATION: "RECITATION",
    chat_pb2.FINISH_REASON_PAUSE_TURN: "OTHER",
    chat_pb2.FINISH_REASON_MALFORMED_TOOL_CALL: "MALFORMED_FUNCTION_CALL",
    chat_pb2.FINISH_REASON_TIME_LIMIT: "MAX_TOKENS",
    chat_pb2.FINISH_REASON_COMPACTION: "OTHER",
    chat_pb2.FINISH_REASON_ERROR: "OTHER",
    chat_pb2.FINISH_REASON_OTHER: "OTHER",
}
_STOPS = (
    chat_pb2.FINISH_REASON_STOP,
    chat_pb2.FINISH_REASON_STOP_SEQUENCE,
    chat_pb2.FINISH_REASON_TOOL_CALLS,
)
_LENIENT = Place(RESPONSE)
_REST = Fields(
    chat_pb2.Output,
    finishMessage="finish_message",
    avgLogprobs="average_logprob",
    tokenCount="token_count",
)
_SAFETY = Fields(
    chat_pb2.SafetyRating,
    category="category",
    probability="probability",
    probabilityScore="score",
    blocked="blocked",
    severity="severity",
    severityScore="severity_score",
)
_ROLE = "role:"


def lift_candidate(
    read: JsonObject, output: chat_pb2.Output, found: list[content_pb2.SearchResult], prefix: str
) -> None:
    """Set `output` from a whole candidate; what it found is added to `found`. Calls without a name are named after
    `prefix`."""
    content = read.get("content")
    if isinstance(content, dict):
        message = output.messages.add(role=content_pb2.ROLE_ASSISTANT)
        message.parts.extend(lift_parts(content, message, _LENIENT))
        lift_shell(content, message)
    if type(read.get("index")) is int and 0 <= read["index"] < 1 << 31:
        output.index = read["index"]
    for message in output.messages:
        name_calls(message.parts, call_prefix(prefix, output.index))
    lift_rest(read, output, found)


def lift_shell(content: JsonObject, message: content_pb2.Message) -> None:
    """What a content says beside its parts."""
    role = content.get("role")
    if isinstance(role, str) and role != "model":
        Writer(direction=RESPONSE).spell(message, f"{_ROLE}{role}")
    keep_content(message, _role(message), content, RESPONSE)


def lift_rest(read: JsonObject, output: chat_pb2.Output, found: list[content_pb2.SearchResult]) -> None:
    """Set what a candidate says beside its content, whose parts `output` has already."""
    rest = {key: item for key, item in read.items() if key != "content" or not isinstance(item, dict)}
    value, _ = plain(rest)
    writer = Writer(direction=RESPONSE)
    _REST.lift(value, output, _LENIENT)
    reason = value.get("finishReason")
    if isinstance(reason, str):
        output.provider_finish_reason = whole_text(reason)
        output.finish_reason = FINISH.get(reason, chat_pb2.FINISH_REASON_OTHER)
        if output.finish_reason == chat_pb2.FINISH_REASON_STOP and _waits(output):
            output.finish_reason = chat_pb2.FINISH_REASON_TOOL_CALLS
    output.safety.extend(lift_safety(value.get("safetyRatings")))
    lift_logprobs(value, output)
    lift_metadata(value, output, found)
    if "citations" in object_at(value, "citationMetadata"):
        writer.spell(output, "citations")
    kept = chat_pb2.Completion(search_results=found, outputs=[output])
    writer.keep(output, _lower_rest(output, kept, writer), rest)


def lower_candidate(output: chat_pb2.Output, completion: chat_pb2.Completion, writer: Writer) -> JsonObject:
    """A whole candidate."""
    candidate: JsonObject = {}
    if output.messages:
        candidate["content"] = lower_content(output.messages, writer, f"completion.outputs[{output.index}]")
    return candidate | lower_rest(output, completion)


def lower_content(messages: Sequence[content_pb2.Message], writer: Writer, path: str) -> JsonObject:
    """The content of a candidate; what several messages say is put in a row."""
    content: JsonObject = {}
    parts: list[JsonObject] = []
    names: dict[str, str] = {}
    for number, message in enumerate(messages):
        content |= writer.restore(message, _role(message))
        for place, part in enumerate(message.parts):
            lowered = lower_part(part, writer, f"{path}.messages[{number}].parts[{place}]", names)
            if lowered is not None:
                parts.append(lowered)
    if not parts:
        return content
    single = len(parts) == 1 and any(writer.spelled(message, SINGLE) for message in messages)
    return {**content, "parts": parts[0] if single else parts}


def lower_rest(output: chat_pb2.Output, completion: chat_pb2.Completion) -> JsonObject:
    """What a candidate says beside its content."""
    writer = Writer(direction=RESPONSE)
    return writer.restore(output, _lower_rest(output, completion, writer))


def lift_safety(ratings: object) -> list[chat_pb2.SafetyRating]:
    """`safetyRatings`."""
    found = []
    for item in objects(ratings):
        rating = chat_pb2.SafetyRating()
        _SAFETY.lift(item, rating, _LENIENT)
        found.append(rating)
    return found


_HARM = "HARM_CATEGORY_"


def lower_safety(ratings: Iterable[chat_pb2.SafetyRating]) -> list[JsonObject]:
    """`safetyRatings`, of categories that this wire has: clients hold what they read to its words."""
    return [_SAFETY.lower(rating, {}) for rating in ratings if rating.category.startswith(_HARM)]


def finish_word(output: chat_pb2.Output) -> str:
    """The wire's word for why an answer ended: the provider's own where it is one of this wire."""
    own = output.provider_finish_reason
    same = FINISH.get(own, chat_pb2.FINISH_REASON_OTHER) == output.finish_reason
    if own and own.isupper() and (same or (own == "STOP" and output.finish_reason in _STOPS)):
        return own
    return FINISH_WORDS[output.finish_reason]


def call_prefix(response_id: str, index: int) -> str:
    """How calls without a name of their own are named, so that those of several answers differ."""
    return f"{response_id or 'call'}-{index}"


def _role(message: content_pb2.Message) -> JsonObject:
    return {"role": Writer(direction=RESPONSE).spelling(message, _ROLE) or "model"}


def _lower_rest(output: chat_pb2.Output, completion: chat_pb2.Completion, writer: Writer) -> JsonObject:
    lowered: JsonObject = {"index": output.index}
    if reason := finish_word(output):
        lowered["finishReason"] = reason
    _REST.lower(output, lowered)
    if output.safety:
        lowered["safetyRatings"] = lower_safety(output.safety)
    lowered |= lower_logprobs(output)
    lowered |= lower_metadata(output, completion)
    return lowered


def _waits(output: chat_pb2.Output) -> bool:
    return any(
        part.HasField("tool_call") and part.tool_call.executor == content_pb2.TOOL_EXECUTOR_CLIENT
        for message in output.messages
        for part in message.parts
    )
