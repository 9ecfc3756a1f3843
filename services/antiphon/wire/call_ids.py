"""Identifiers of tool calls as a provider takes them, so that a conversation can go on at another one.

Providers differ in what they make and what they take: Mistral takes nine letters and digits, Bedrock 64 characters of
few kinds, OpenAI 40 of any; older servers of open models make none at all, and join results by their order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256

from antiphon.v1 import chat_pb2, content_pb2

ANY = re.compile(r".+", re.DOTALL)
_LENGTH = 9
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def with_call_ids(spec: chat_pb2.ChatSpec, taken: re.Pattern[str] = ANY) -> chat_pb2.ChatSpec:
    """`spec`, or a copy in which every identifier of a call and of its result is one that the pattern takes.

    The same identifier always becomes the same other one. A call that has none gets one by its place, and a result
    that names no call is that of the oldest call without one, of the same name where it has a name.
    """
    if all(taken.fullmatch(place.call_id) for place in _places(spec)):
        return spec
    copied = chat_pb2.ChatSpec()
    copied.CopyFrom(spec)
    waiting: list[content_pb2.ToolCall] = []
    for number, place in enumerate(_places(copied)):
        if taken.fullmatch(place.call_id):
            continue
        if place.call_id:
            place.call_id = _made(place.call_id)
        elif isinstance(place, content_pb2.ToolCall):
            place.call_id = _made(f"call {number}")
            waiting.append(place)
        else:
            _answer(place, waiting)
    return copied


def _places(spec: chat_pb2.ChatSpec) -> Iterator[content_pb2.ToolCall | content_pb2.ToolResult]:
    for message in spec.messages:
        for part in message.parts:
            kind = part.WhichOneof("kind")
            if kind in ("tool_call", "tool_result"):
                place: content_pb2.ToolCall | content_pb2.ToolResult = getattr(part, kind)
                if place.executor <= content_pb2.TOOL_EXECUTOR_CLIENT:
                    yield place


def _answer(result: content_pb2.ToolResult, waiting: list[content_pb2.ToolCall]) -> None:
    call = next((call for call in waiting if result.name in ("", call.name)), None)
    if call is not None:
        waiting.remove(call)
        result.call_id = call.call_id


def _made(seed: str) -> str:
    number = int.from_bytes(sha256(seed.encode("utf-8", "surrogatepass")).digest())
    letters = []
    for _ in range(_LENGTH):
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    return "".join(letters)
