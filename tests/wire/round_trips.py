"""What every chat wire's tests do with authored samples, where recordings cover only what is in use."""

from __future__ import annotations

import json
from typing import Any

from antiphon.v1 import chat_pb2
from antiphon.wire.base import ChatWire, HttpCall, HttpReply
from antiphon.wire.jsontext import loads
from tests.laws.chat import ChatLaws
from tests.laws.recordings import Recorded
from tests.laws.verdict import first_difference, untyped

Json = dict[str, Any]


def read_request(wire: ChatWire, body: Json, path: str = "") -> chat_pb2.ChatSpec:
    """The spec of a request."""
    return wire.decode_request(HttpCall(method="POST", path=path, body=json.dumps(body).encode())).spec


def request_difference(wire: ChatWire, body: Json, path: str = "") -> tuple[str | None, int]:
    """The first difference of a request that is read and written, and how much of it is untyped."""
    call = wire.decode_request(HttpCall(method="POST", path=path, body=json.dumps(body).encode()))
    again = wire.encode_request(call.spec, stream=call.stream)
    assert again.warnings == ()
    return first_difference(body, loads(again.body)), untyped(call.spec, wire.name)


def answer_difference(wire: ChatWire, body: Json) -> tuple[str | None, int]:
    """The first difference of an answer that is read and written, and how much of it is untyped."""
    completion = wire.decode_response(HttpReply(status=200, body=json.dumps(body).encode()))
    return first_difference(body, loads(wire.encode_response(completion).body)), untyped(completion, wire.name)


def stream_failures(laws: ChatLaws, url: str, body: bytes, asked: Json | None = None) -> tuple[list[Any], int]:
    """What L3 and L4 find in a stream, and how much of it is untyped."""
    recorded = Recorded(
        file="sample",
        number=0,
        provider="",
        method="POST",
        url=url,
        request_body=json.dumps(asked).encode() if asked is not None else b"",
        status=200,
        body=body,
    )
    verdict = laws.examine(recorded)
    assert {law for law, _ in verdict.checks} >= {"L3", "L4"}
    return [(law, difference) for law, difference in verdict.checks if difference], verdict.untyped
