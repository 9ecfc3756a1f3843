"""Requests and whole answers that another speaker of this wire may have as they are.

By the laws of the codec, writing what was read gives the same JSON. Between a client and a provider that both speak
this wire, a plain request and its plain answer need therefore be neither: each is parsed once, to be sure that it is
plain and to read what the books want. What is plain is an allow-list; all else takes the general way, which knows
everything. Tests hold both ways to the same JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from antiphon.wire.base import HttpCall, Relayed, Told
from antiphon.wire.jsontext import JsonObject
from antiphon.wire.openai_chat.finish import OWN_WORDS
from antiphon.wire.openai_chat.plain_usage import PlainUsage, read_plain
from antiphon.wire.openai_chat.quirks import Quirks
from antiphon.wire.openai_chat.request import FIELDS, PATH

_HEADERS: Final = {"content-type": "application/json"}
_ROLES: Final = frozenset({"system", "user", "assistant"})
"""Roles that every quirk leaves alone."""
_MOST_BYTES: Final = 16 * 1024 * 1024
"""Longer requests are measured by the general way, which may refuse them."""
MOST_AGAIN: Final = 16 * 1024
"""Bytes of an answer that is kept for `read_again`."""
_LIMIT: Final = 2**31
_NAMES: Final = {name: field for field in FIELDS for name in field.names if "." not in name}
_RENAMED: Final = frozenset({"max_tokens", "max_completion_tokens"})
_LEAST: Final = {"n": 1, "max_tokens": 1, "max_completion_tokens": 1}
_FRAME: Final = frozenset({"model", "messages", "stream", "stream_options"})


def relayed_request(data: Mapping[str, Any], size: int, quirks: Quirks, model: str) -> Relayed | None:
    """The request for the provider; None for one that the general way might change, refuse or complete.

    `data` is the request's JSON and `size` its length in bytes; `model` is the provider's own name.
    """
    if size > _MOST_BYTES or not _is_plain_talk(data.get("messages")):
        return None
    stream, options = data.get("stream", False), data.get("stream_options")
    if type(stream) is not bool:
        return None
    wanted: Any = None
    if options is not None:
        if not stream or type(options) is not dict or len(options) != 1:
            return None
        wanted = options.get("include_usage")
        if type(wanted) is not bool:
            return None
    elif "stream_options" in data:
        return None
    body: JsonObject = {"model": model, "messages": data["messages"]}
    for name, value in data.items():
        if name not in _FRAME:
            said = _said(name, value, quirks)
            if said is None or said in body:
                return None
            body[said] = value
    if stream:
        body["stream"] = True
        asked = quirks.stream_usage
        if asked or (asked is None and wanted):
            body["stream_options"] = {"include_usage": True}
        elif asked is None and wanted is False:
            body["stream_options"] = {"include_usage": False}
    call = HttpCall(method="POST", path=PATH, body=orjson.dumps(body), headers=_HEADERS)
    return Relayed(call=call, stream=stream, usage=wanted is True)


def read_answer(body: bytes) -> Told | None:
    """What the books want of a plain answer that may be passed on as it is; None for any other."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if type(data) is not dict or not is_plain_frame(data, "chat.completion"):
        return None
    choices = data["choices"]
    if not choices or not all(map(_is_plain_choice, choices)):
        return None
    usage = plain_usage(data)
    if usage is None:
        return None
    reasons = [choice["finish_reason"] for choice in choices]
    return Told(id=data["id"], model=data["model"], plain=usage, finish_reasons=reasons)


@lru_cache(maxsize=512)
def read_again(body: bytes) -> Told | None:
    """The same for answers that come again and again as the same object, whose hash is known: recorded ones."""
    return read_answer(body)


def is_plain_frame(data: Mapping[str, Any], kind: str) -> bool:
    """Whether the fields beside the choices are those of the wire's inventor, and none is missing that clients count
    on."""
    if data.get("object") != kind or type(data.get("choices")) is not list:
        return False
    created = data.get("created")
    if type(created) is not int or not 0 < created < 2**33:
        return False
    for name in ("id", "model"):
        if type(data.get(name)) is not str or not data[name]:
            return False
    for name, value in data.items():
        if name in _WORDS:
            if value is not None and (type(value) is not str or not value):
                return False
        elif name not in _KNOWN and value is not None:
            return False
    return True


def plain_usage(data: JsonObject) -> PlainUsage | None:
    """The usage of an answer where nothing about it has to be completed or searched for."""
    block = data.get("usage")
    if type(block) is not dict or "total_tokens" not in block:
        return None
    return read_plain(data)


_WORDS: Final = frozenset({"service_tier", "system_fingerprint"})
_KNOWN: Final = frozenset({"id", "object", "created", "model", "choices", "usage"})
_CHOICE: Final = frozenset({"index", "message", "finish_reason"})
_EMPTY: Final = frozenset({"refusal", "audio", "function_call", "tool_calls", "annotations"})


def _is_plain_choice(choice: Any) -> bool:
    if type(choice) is not dict or not choice.keys() >= _CHOICE:
        return False
    index, word, message = choice["index"], choice["finish_reason"], choice["message"]
    if type(index) is not int or not 0 <= index < _LIMIT or type(word) is not str or word not in OWN_WORDS:
        return False
    for name, value in choice.items():
        if name not in _CHOICE and value is not None:
            return False
    if type(message) is not dict or message.get("role") != "assistant":
        return False
    text = message.get("content")
    if type(text) is not str or not text:
        return False
    for name, value in message.items():
        if name in ("role", "content"):
            continue
        if name not in _EMPTY or not (value is None or (name == "annotations" and value == [])):
            return False
    return True


def _is_plain_talk(messages: Any) -> bool:
    if type(messages) is not list or not messages:
        return False
    for message in messages:
        if type(message) is not dict or len(message) != 2:
            return False
        text, role = message.get("content"), message.get("role")
        if type(text) is not str or not text or type(role) is not str or role not in _ROLES:
            return False
    return True


def _said(name: str, value: Any, quirks: Quirks) -> str | None:
    """The name under which the provider has a field; None where it might be refused or changed."""
    if name == "stop":
        is_text = type(value) is str and value
        is_list = type(value) is list and value and all(type(item) is str and item for item in value)
        return name if (is_text or is_list) and name not in quirks.refuses else None
    field = _NAMES.get(name)
    if field is None:
        return None
    if name in _RENAMED and quirks.max_tokens_field:
        name = quirks.max_tokens_field
    if name in quirks.refuses or not _KINDS[field.kind](value) or (name in _LEAST and value < _LEAST[name]):
        return None
    return name


def _is_whole(value: Any) -> bool:
    return type(value) is int and -_LIMIT <= value < _LIMIT


_KINDS: Final[Mapping[type, Any]] = {
    float: lambda value: type(value) is float or _is_whole(value),
    int: _is_whole,
    bool: lambda value: type(value) is bool,
    str: lambda value: type(value) is str and bool(value),
}
