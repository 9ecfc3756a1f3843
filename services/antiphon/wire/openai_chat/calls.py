"""Tool calls in messages, run by the caller or by the provider, in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from antiphon.v1 import content_pb2
from antiphon.wire.fields import word as octets
from antiphon.wire.jsontext import JsonObject, loads, text_of, word
from antiphon.wire.openai_chat.quirks import WIRE
from antiphon.wire.openai_chat.spelling import RESPONSE, spell, spelled
from antiphon.wire.remainder import keep, restore

Part = content_pb2.Part
_INDEX = "index"
_OBJECT = "arguments_object"
SIGNED = "extra_content"
"""The signature of a call stands in `extra_content.google.thought_signature` (Gemini's OpenAI door)."""


def lift_call(data: JsonObject, position: int, direction: str) -> Part:
    """One element of `tool_calls`."""
    part = Part()
    call = part.tool_call
    call.call_id = word(data.get("id"))
    custom = data.get("custom")
    function = data.get("function")
    if isinstance(custom, dict) and not isinstance(function, dict):
        call.name = word(custom.get("name"))
        call.text = word(custom.get("input"))
    else:
        lift_function(part, function if isinstance(function, dict) else {}, direction)
    if data.get("index") == position:
        spell(part, direction, _INDEX)
    signature = signature_of(data)
    if signature:
        part.signature = signature
        spell(part, direction, SIGNED)
    keep(part, WIRE, direction, _lowered(part, position, direction), data)
    return part


def lift_function(part: Part, function: JsonObject, direction: str) -> None:
    """The `{name, arguments}` of a call; arguments stay the text that the provider wrote."""
    part.tool_call.name = word(function.get("name"))
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        part.tool_call.arguments_json = arguments
    elif isinstance(arguments, dict | list):  # some servers of open models forget to write the text
        part.tool_call.arguments_json = text_of(arguments)
        spell(part, direction, _OBJECT)


def lower_call(part: Part, position: int, direction: str) -> JsonObject:
    """One element of `tool_calls`."""
    return restore(part, WIRE, direction, _lowered(part, position, direction))


def signature_of(data: JsonObject) -> bytes:
    """The signature that Gemini's OpenAI door puts beside a call."""
    extra = data.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return signature.encode() if isinstance(signature, str) else b""


def provider_run(part: Part) -> bool:
    """Whether a part is a call that the provider ran itself, or its result."""
    kind = part.WhichOneof("kind")
    executor = getattr(part, kind).executor if kind in ("tool_call", "tool_result") else 0
    return bool(executor > content_pb2.TOOL_EXECUTOR_CLIENT)


def lift_executed(tools: Any, direction: str) -> list[Part]:
    """`executed_tools`: tools that Groq ran, each a call followed by its result. Empty where one is no object."""
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        return []
    parts: list[Part] = []
    for position, tool in enumerate(tools):
        parts += _lift_run(tool, position, direction)
    return parts


def lower_executed(parts: Iterable[Part], direction: str) -> list[JsonObject]:
    """`executed_tools` from calls that the provider ran, and their results."""
    tools = []
    for position, (call, result) in enumerate(_runs(parts)):
        tools.append(restore(call, WIRE, direction, _lowered_run(call, result, position)))
    return tools


def _lift_run(tool: JsonObject, position: int, direction: str) -> list[Part]:
    index = tool.get("index", position)
    call = Part()
    call.tool_call.call_id = str(index)
    call.tool_call.name = word(tool.get("type"))
    call.tool_call.executor = content_pb2.TOOL_EXECUTOR_PROVIDER
    call.tool_call.arguments_json = word(tool.get("arguments"))
    results = tool.get("search_results")
    found = results.get("results") if isinstance(results, dict) else None
    output = tool.get("output")
    result: Part | None = None
    if isinstance(output, str) or isinstance(found, list):
        result = Part()
        answer = result.tool_result
        answer.call_id, answer.name = call.tool_call.call_id, call.tool_call.name
        answer.executor = content_pb2.TOOL_EXECUTOR_PROVIDER
        if isinstance(output, str):
            answer.content.add().text.text = output
        for item in found if isinstance(found, list) else ():
            if isinstance(item, dict):
                _lift_found(item, answer.content.add())
    keep(call, WIRE, direction, _lowered_run(call, result, position), tool)
    return [call] if result is None else [call, result]


def _lift_found(item: JsonObject, part: Part) -> None:
    found = part.search_result
    found.source, found.title = word(item.get("url")), word(item.get("title"))
    if isinstance(item.get("content"), str):
        found.content.add().text.text = item["content"]
    if isinstance(item.get("score"), int | float):
        found.score = item["score"]


def _lowered(part: Part, position: int, direction: str) -> JsonObject:
    call = part.tool_call
    data: JsonObject = {"id": call.call_id}
    if call.WhichOneof("input") == "text":
        data |= {"type": "custom", "custom": {"name": call.name, "input": call.text}}
    else:
        data |= {"type": "function", "function": lower_function(part)}
    if spelled(part, _INDEX, direction):
        data["index"] = position
    if part.signature and (direction == RESPONSE or spelled(part, SIGNED)):  # clients send back what they got
        data[SIGNED] = {"google": {"thought_signature": octets(part.signature)}}
    return data


def lower_function(part: Part) -> JsonObject:
    """The `{name, arguments}` of a call."""
    call = part.tool_call
    arguments: Any = call.arguments_json if call.WhichOneof("input") != "text" else call.text
    if spelled(part, _OBJECT):
        arguments = _value(arguments)
    return {"name": call.name, "arguments": arguments}


def _runs(parts: Iterable[Part]) -> Iterator[tuple[Part, Part | None]]:
    parts = list(parts)
    results = {part.tool_result.call_id: part for part in parts if part.WhichOneof("kind") == "tool_result"}
    for part in parts:
        if part.WhichOneof("kind") == "tool_call":
            yield part, results.get(part.tool_call.call_id)


def _lowered_run(call: Part, result: Part | None, position: int) -> JsonObject:
    call_id = call.tool_call.call_id
    tool: JsonObject = {"index": int(call_id) if call_id.isdecimal() else position, "type": call.tool_call.name}
    tool["arguments"] = call.tool_call.arguments_json
    if result is not None:
        content = result.tool_result.content
        output = "".join(part.text.text for part in content if part.WhichOneof("kind") == "text")
        found = [_lower_found(part) for part in content if part.WhichOneof("kind") == "search_result"]
        tool["output"] = output
        if found:
            tool["search_results"] = {"results": found}
    return tool


def _lower_found(part: Part) -> JsonObject:
    found = part.search_result
    item: JsonObject = {"title": found.title, "url": found.source}
    if found.content:
        item["content"] = "".join(inner.text.text for inner in found.content)
    if found.HasField("score"):
        item["score"] = found.score
    return item


def _value(text: str) -> Any:
    try:
        return loads(text)
    except ValueError:
        return text
