"""The answer as most providers write it most of the time, read in one pass.

The general way (`response`) reads an answer, writes it again and compares, to find what the contract does not type.
Of a plain answer that outcome is known: only nulls and an empty list of annotations are spelled rather than typed. A
test holds both ways to the same result over every recording, so this can only be faster, never different.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.jsontext import JsonObject, dumps
from antiphon.wire.openai_chat.finish import finish_word, meaning
from antiphon.wire.openai_chat.plain_usage import lift_plain as lift_plain_usage
from antiphon.wire.openai_chat.quirks import WIRE

_FORM = f"{WIRE}/response"
_FRAME = frozenset({"id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint"})
_NEEDED = frozenset({"id", "object", "model", "choices"})
_WORDS = ("id", "model", "service_tier", "system_fingerprint")
_CHOICE = frozenset({"index", "message", "finish_reason"})
_MESSAGE = frozenset({"role", "content"})
_CALL = frozenset({"id", "type", "function"})
_FUNCTION = frozenset({"name", "arguments"})
_MAY_BE_NULL = frozenset({"refusal", "audio", "function_call", "tool_calls", "annotations"})


def lift_plain(data: JsonObject) -> chat_pb2.Completion | None:
    """The answer in the JSON of a plain one; None for any other, which the general way has to read."""
    if not data.keys() >= _NEEDED or data["object"] != "chat.completion":
        return None
    nulls: list[str] = []
    for key, value in data.items():
        if value is None and key not in _NEEDED:
            nulls.append(key)
        elif key not in _FRAME:
            return None
    choices, created = data["choices"], data.get("created")
    named: dict[str, Any] = {}
    for name in _WORDS:
        word = data.get(name)
        if type(word) is str and word:
            named[name] = word
        elif word is not None or name in _NEEDED:
            return None
    if type(choices) is not list or (created is not None and (type(created) is not int or not 0 <= created < 2**33)):
        return None
    completion = chat_pb2.Completion(**named)
    if not all(_lift_choice(completion, choice) for choice in choices):
        return None
    if data.get("usage") is not None and not lift_plain_usage(data, completion.usage):
        return None
    if created is not None:
        completion.create_time.seconds = created
    _spell(completion, nulls)
    return completion


def _lift_choice(completion: chat_pb2.Completion, choice: Any) -> bool:
    if type(choice) is not dict or not choice.keys() >= _CHOICE:
        return False
    message, index, word = choice["message"], choice["index"], choice["finish_reason"]
    if type(index) is not int or not 0 <= index < 2**31 or not (word is None or type(word) is str):
        return False
    nulls: list[str] = []
    for key, value in choice.items():
        if key not in _CHOICE:
            if value is not None:
                return False
            nulls.append(key)
    output = completion.outputs.add(index=index)
    if word is not None:
        finish = _finish(word)
        if finish is None:
            return False
        output.finish_reason = finish
        output.provider_finish_reason = word
    if type(message) is not dict or not _lift_message(output, message):
        return False
    _spell(output, nulls)
    return True


@lru_cache(maxsize=64)
def _finish(word: str) -> chat_pb2.FinishReason.ValueType | None:
    """The meaning of a reason; None where clients are told another word, so that the general way has to keep it."""
    finish = meaning(word)
    output = chat_pb2.Output(finish_reason=finish, provider_finish_reason=word)
    return finish if word and finish_word(output) == word else None


def _lift_message(output: chat_pb2.Output, data: JsonObject) -> bool:
    content, tool_calls = data.get("content"), data.get("tool_calls")
    if data.get("role") != "assistant" or "content" not in data:
        return False
    if content is not None and (type(content) is not str or not content):
        return False
    if tool_calls and not (type(tool_calls) is list and all(map(_is_plain_call, tool_calls))):
        return False
    empty: list[str] = []
    for key, value in data.items():
        if key in _MESSAGE or (key == "tool_calls" and value):
            continue
        if key not in _MAY_BE_NULL or not (value is None or (value == [] and key == "annotations")):
            return False
        empty.append(key if value is None else f"{key}[]")
    message = output.messages.add(role=content_pb2.ROLE_ASSISTANT)
    if content is not None:
        message.parts.add().text.text = content
    for call in tool_calls or ():
        part = message.parts.add().tool_call
        part.call_id, part.name = call["id"], call["function"]["name"]
        part.arguments_json = call["function"]["arguments"]
    _spell(message, empty)
    return True


def _is_plain_call(call: Any) -> bool:
    if type(call) is not dict or call.keys() != _CALL or call["type"] != "function":
        return False
    function = call["function"]
    words = (*function.values(), call["id"]) if type(function) is dict and function.keys() == _FUNCTION else ()
    return bool(words) and all(type(word) is str and word for word in words)


def _spell(carrier: Any, names: list[str]) -> None:
    if names:
        carrier.form.wire = _FORM
        carrier.form.patch_json = _patch(tuple(names))


@lru_cache(maxsize=256)
def _patch(names: tuple[str, ...]) -> str:
    """The steps that put nulls, and empty lists as `name[]`, back where they stood."""
    steps: list[JsonObject] = []
    for name in names:
        key = name.removesuffix("[]").replace("~", "~0").replace("/", "~1")
        steps.append({"op": "add", "path": f"/{key}", "value": [] if name.endswith("[]") else None})
    return dumps(steps).decode()
