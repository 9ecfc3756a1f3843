"""What a handler gets and gives: one HTTP request that has passed the door, and its answer, whole or as events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlencode

from antiphon.core.backends import Backend
from antiphon.core.call import Call
from antiphon.core.errors import ServiceError
from antiphon.core.streams import Events
from antiphon.gateway.edges.asked import put_policy
from antiphon.gateway.edges.keys import KEY_HEADERS, KEY_QUERY
from antiphon.gateway.edges.query import Query
from antiphon.gateway.edges.shapes import Shape
from antiphon.v1 import chat_pb2, embeddings_pb2
from antiphon.wire.base import HttpCall, HttpReply, StreamEncoder


@dataclass(slots=True, kw_only=True)
class Exchange:
    """A request: admitted, received whole, unpacked. `parameters` are those of the route's path, decoded.

    Not frozen, as none of these three: a frozen dataclass is made by a call for each of its fields.
    """

    backend: Backend
    call: Call
    method: str
    path: str
    parameters: Mapping[str, str]
    query: Query
    headers: Mapping[str, str]
    body: bytes

    def wired(self) -> HttpCall:
        """The request as a wire reads it, without the caller's key."""
        path = self.path
        if self.query and (kept := [pair for pair in self.query.pairs if pair[0] != KEY_QUERY]):
            path = f"{path}?{urlencode(kept)}"
        headers = {name: value for name, value in self.headers.items() if name not in KEY_HEADERS}
        return HttpCall(method=self.method, path=path, body=self.body, headers=headers)

    def put_policy(self, request: chat_pb2.ChatSpec | embeddings_pb2.EmbedRequest) -> None:
        """Write into a request what the caller's headers say of it. Raises ServiceError INVALID_REQUEST."""
        put_policy(request, self.headers)


@dataclass(slots=True, kw_only=True)
class Answer:
    """A whole answer, and what the caller should know beside it."""

    reply: HttpReply
    warnings: Sequence[chat_pb2.Warning] = ()


@dataclass(slots=True, kw_only=True)
class Streamed:
    """An answer as events. `failed` writes the event of an error that comes after the first one; `note` writes a
    warning that comes too late for a header, where the format has room for one."""

    events: Events
    encoder: StreamEncoder
    failed: Callable[[ServiceError], bytes]
    content_type: str = "text/event-stream; charset=utf-8"
    note: Callable[[chat_pb2.Warning], bytes] | None = None


@dataclass(slots=True, kw_only=True)
class PassedOn:
    """An answer that is passed on in the bytes in which it came."""

    body: bytes


@dataclass(slots=True, kw_only=True)
class Relayed:
    """A stream that is passed on in the bytes in which it comes. `pour` gives them to the first it is called with, and
    awaits the second where that says that the client is behind. The head is due with the first bytes, which may be
    empty; `failed` writes the event of an error that comes after it."""

    pour: Callable[[Callable[[bytes], bool], Callable[[], Awaitable[None]]], Awaitable[None]]
    failed: Callable[[ServiceError], bytes]
    content_type: str = "text/event-stream; charset=utf-8"


Handler: TypeAlias = Callable[[Exchange], Awaitable[Answer | Streamed | PassedOn | Relayed]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One route: a row of the table.

    `path` is Starlette's. Where several rows share method and path, a row is for requests with one of the headers
    `given`, or for all: the first that fits wins. `keyless` rows answer strangers.
    """

    method: str
    path: str
    shape: Shape
    handler: Handler
    given: tuple[str, ...] = ()
    keyless: bool = False


class HttpFault(Exception):  # noqa: N818 - not always an error of the server
    """A refusal that HTTP has its own status for, such as 405. `headers` go with it."""

    def __init__(self, status: int, error: ServiceError, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = dict(headers or {})


class ClientLeft(Exception):  # noqa: N818 - nobody is left to be told of an error
    """The client closed its connection before the answer was whole."""
