"""What a client says in headers of ours, beside its request: `x-antiphon-*`.

Two are for this door: how long the client waits, and what to do with what a provider cannot take. All others are words
for whoever answers (mode, session, cassette, pace, ...): they become metadata of the call, as over gRPC.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from antiphon.core.call import Call
from antiphon.core.errors import invalid
from antiphon.v1 import chat_pb2, embeddings_pb2

OURS: Final = "x-antiphon-"
TIMEOUT_HEADER: Final = "x-antiphon-timeout"
"""Seconds that the client still waits: the deadline of the call."""
UNSUPPORTED_HEADER: Final = "x-antiphon-unsupported"
"""`warn`: leave out what the provider cannot take, and say so in a header; `error`, the default: refuse the call."""
POLICIES: Final[Mapping[str, chat_pb2.UnsupportedPolicy.ValueType]] = {
    "warn": chat_pb2.UNSUPPORTED_POLICY_WARN,
    "error": chat_pb2.UNSUPPORTED_POLICY_ERROR,
}
MOST_BYTES: Final = 4096
"""Of all that is handed on: a gRPC server further on takes 8 KiB of metadata, the trace and its own key included."""


def lookup(raw: Sequence[tuple[str, bytes]]) -> dict[str, str]:
    """Headers by their names; of several with the same name the first counts."""
    found = {name: value.decode("latin-1") for name, value in raw}
    if len(found) < len(raw):
        found = {name: value.decode("latin-1") for name, value in reversed(raw)}
    return found


def call_of(headers: Mapping[str, str]) -> Call:
    """The call that a request makes, before anything of it is checked."""
    if OURS not in "\n".join(headers):  # names hold no line feed
        return Call.plain()
    handed = [
        (name, value)
        for name, value in headers.items()
        if name[: len(OURS)] == OURS and name != TIMEOUT_HEADER and name != UNSUPPORTED_HEADER
    ]
    return Call.received(handed, None) if handed else Call()


def checked(call: Call, headers: Mapping[str, str]) -> Call:
    """The call, fit for gRPC, with its deadline. Raises ServiceError INVALID_REQUEST that names the header."""
    size = 0
    for name, value in call.metadata.items():
        size += len(name) + len(value)
        if not (value.isascii() and value.isprintable()):
            raise invalid(name, f"is {value[:40]!a}; write it in printable ASCII")
        if size > MOST_BYTES:
            raise invalid(name, f"is too long: all x-antiphon headers together may take {MOST_BYTES} bytes")
    waits = headers.get(TIMEOUT_HEADER)
    if waits is None:
        return call
    try:
        seconds = float(waits)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise invalid(TIMEOUT_HEADER, f"is {waits[:40]!r}; give the seconds that you wait, such as 30")
    return replace(call, deadline=asyncio.get_running_loop().time() + seconds)


def put_policy(request: chat_pb2.ChatSpec | embeddings_pb2.EmbedRequest, headers: Mapping[str, str]) -> None:
    """Write into a request what the caller's headers say of it. Raises ServiceError INVALID_REQUEST."""
    word = headers.get(UNSUPPORTED_HEADER)
    if word is None:
        return
    if word not in POLICIES:
        raise invalid(UNSUPPORTED_HEADER, f"is {word[:40]!r}; say {' or '.join(POLICIES)}")
    request.on_unsupported = POLICIES[word]
