"""OpenAI's `functions` and `function_call`, as clients from before November 2023 send and expect them.

The wire reads them; providers answer with tool calls all the same. So the answer for such a client is rewritten here,
on its way out.
"""

from __future__ import annotations

from dataclasses import replace

from antiphon.v1 import chat_pb2
from antiphon.wire.base import HttpReply, StreamEncoder
from antiphon.wire.jsontext import JsonObject, dumps, loads, objects

SPELLING = "functions"
"""How the wire spells a tool of such a request."""


def is_legacy(spec: chat_pb2.ChatSpec) -> bool:
    """Whether the client speaks of functions."""
    return any(SPELLING in tool.form.spellings for tool in spec.tools)


def reply(whole: HttpReply) -> HttpReply:
    """A whole answer with `function_call`."""
    data = loads(whole.body)
    for choice in objects(data.get("choices")):
        _rewrite(choice, "message")
    return replace(whole, body=dumps(data))


class Encoder:
    """Another encoder's chunks with `function_call`."""

    def __init__(self, inner: StreamEncoder) -> None:
        self._inner = inner

    def encode(self, event: chat_pb2.StreamChatResponse) -> bytes:
        """The bytes of an event."""
        written = self._inner.encode(event)
        if b'"tool_calls"' not in written:
            return written
        return b"".join(map(_chunk, written.split(b"\n\n")))


def _chunk(event: bytes) -> bytes:
    head, _, text = event.partition(b"data: ")
    if head or not text.startswith(b"{"):
        return event + b"\n\n" if event else b""
    data = loads(text)
    for choice in objects(data.get("choices")):
        _rewrite(choice, "delta")
    return b"data: " + dumps(data) + b"\n\n"


def _rewrite(choice: JsonObject, name: str) -> None:
    said = choice.get(name)
    if isinstance(said, dict) and objects(said.get("tool_calls")):
        calls = said.pop("tool_calls")
        # There is room for one call: the first. A model that asks for several asks for the others again.
        first = [call["function"] for call in calls if call.get("index", 0) == 0 and "function" in call][:1]
        if first:
            said["function_call"] = {key: first[0][key] for key in ("name", "arguments") if key in first[0]}
    if choice.get("finish_reason") == "tool_calls":
        choice["finish_reason"] = "function_call"
