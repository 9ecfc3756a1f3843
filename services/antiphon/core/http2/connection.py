"""One connection: frames as they come in, calls out of them, and what the peer may do with it (RFC 9113)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, cast

import grpc

from antiphon.core.http2 import answers, frames
from antiphon.core.http2.exchange import Exchange
from antiphon.core.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES,
    GOAWAY,
    HAS_PRIORITY,
    HEAD,
    HEAD_SIZE,
    HEADERS,
    MOST_FRAME_BYTES,
    MOST_STREAM,
    MOST_WINDOW,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW,
    WINDOW_UPDATE,
    ErrorCode,
    ProtocolError,
    Setting,
)
from antiphon.core.http2.handlers import answer
from antiphon.core.http2.heads import Head, Heads, MalformedError, Refusal
from antiphon.core.http2.limits import BLOCK_BYTES, BLOCK_FRAMES, Limits
from antiphon.core.http2.messages import PREFIX, Inbox, RefusedError
from antiphon.core.http2.outbox import HIGH_WATER, Outbox
from antiphon.core.http2.watch import Budget, Pulse

log = logging.getLogger(__name__)

DRAIN_PING: Final = b"drained?"
DRAIN_SECONDS: Final = 1.0
"""How long a client may take to hear that the server ends, before its new calls are refused."""

_NOT_FOUND: Final = Refusal(code=grpc.StatusCode.UNIMPLEMENTED, details="Method not found!")
_NO_MESSAGE: Final = Refusal(code=grpc.StatusCode.INTERNAL, details="the call came without a request message")
_MANY: Final = Refusal(code=grpc.StatusCode.INTERNAL, details="the call came with more than one request message")
_CUT: Final = Refusal(code=grpc.StatusCode.INTERNAL, details="the request ended within a message")
_PLAIN: Final = b"this is the gRPC port of antiphon: it speaks HTTP/2 with prior knowledge, and gRPC only\n"
_WRONG_DOOR: Final = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_PLAIN), _PLAIN)
)
_NO_PRIORITY: Final = 5


class Home(Protocol):
    """The server, as a connection sees it."""

    limits: Limits
    connections: set[Connection]
    running: set[Exchange]

    def method(self, path: str) -> Any:
        """The handler of a method, None for none."""

    def left(self) -> None:
        """A connection or a call has ended."""


class Connection(asyncio.Protocol):
    """A client's connection."""

    def __init__(self, home: Home, loop: asyncio.AbstractEventLoop) -> None:
        self._home = home
        self._loop = loop
        self._limits = home.limits
        self.most = home.limits.message
        self._heads = Heads()
        self._calls: dict[int, Exchange] = {}
        self._rest = b""
        self._greeted = False
        self._deaf = False
        self._last = 0  # the highest stream that was begun
        self._draining = False
        self._refusing = False
        self._block: tuple[int, int, list[bytes]] | None = None  # stream, flags, pieces
        self._allowance = home.limits.connection_window
        self._resets = Budget(home.limits.resets, home.limits.resets / home.limits.resets_seconds, loop)
        self._controls = 0
        self._peer = ""

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connects."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER)
        self._outbox = Outbox(self.transport, self._loop)
        self._pulse = Pulse(self._limits, self._loop, self._outbox.send, self._silent)
        self._home.connections.add(self)
        limits = self._limits
        hello = frames.settings(
            {
                Setting.MAX_CONCURRENT_STREAMS: limits.streams,
                Setting.INITIAL_WINDOW_SIZE: limits.window,
                Setting.MAX_HEADER_LIST_SIZE: 16 * 1024,
            }
        )
        self._outbox.send(hello + frames.window_update(0, limits.connection_window - WINDOW))

    def data_received(self, data: bytes) -> None:
        """Bytes of frames."""
        self._pulse.heard = True
        if self._deaf:
            return
        if self._rest:
            data = self._rest + data
            self._rest = b""
        try:
            at = 0 if self._greeted else self._greet(data)
            if at >= 0:
                at = self._read(data, at)
                self._rest = data[at:] if at < len(data) else b""
        except ProtocolError as fault:
            self._end(fault.code, fault.why)

    def eof_received(self) -> None:
        """The client says nothing more: its calls are not wanted either."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._deaf = True
        self._rest = b""
        self._pulse.stop()
        self._home.connections.discard(self)
        calls = list(self._calls.values())
        self._calls.clear()
        for call in calls:
            call.leave()
        self._home.left()

    def pause_writing(self) -> None:
        """The client does not read as fast as is written."""
        self._outbox.pause()

    def resume_writing(self) -> None:
        """It does again."""
        self._controls = 0
        self._outbox.resume()

    # What a server and calls call.

    def drain(self) -> None:
        """Take no new calls, and close once the running ones are answered.

        Calls that are on their way when the client hears of it are still taken: RFC 9113, section 6.8.
        """
        if self._draining or self._deaf:
            return
        self._draining = True
        if not self._greeted:
            self.transport.close()
            return
        self._outbox.send(frames.goaway(MOST_STREAM) + frames.ping(DRAIN_PING))
        self._loop.call_later(DRAIN_SECONDS, self._refuse_more)

    def cut(self) -> None:
        """Close at once, whatever still runs: its clients are told that the server is gone."""
        if self._deaf:
            self.transport.abort()
            return
        for call in list(self._calls.values()):
            call.refuse(grpc.StatusCode.UNAVAILABLE, "the server ends")
        self._end(ErrorCode.NO_ERROR, "the server ends")

    def peer(self) -> str:
        """Who is on the other side, as grpc spells it."""
        if not self._peer:
            name = self.transport.get_extra_info("peername")
            if isinstance(name, tuple):
                host, port = name[:2]
                self._peer = f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"
            else:
                self._peer = "unix:"
        return self._peer

    def closed(self, call: Exchange) -> None:
        """The answer of a call is sent."""
        self._calls.pop(call.id, None)
        if self._refusing and not self._calls:
            self._outbox.flush()
            self.transport.close()

    def ran(self, call: Exchange) -> None:
        """The handler of a call has ended."""
        self._home.running.discard(call)
        self._home.left()

    def taken(self, call: Exchange) -> None:
        """A streamed request's messages were read."""
        if not call.ended and not call.left and not call.complete:
            self._widen(call)

    # Frames.

    def _greet(self, data: bytes) -> int:
        """Where the preface ends; -1 while it is not whole."""
        if data.startswith(PREFACE):
            self._greeted = True
            return len(PREFACE)
        if PREFACE.startswith(data):
            self._rest = data
            return -1
        self._deaf = True
        if b"HTTP/1" in data[:4096] or data[:5].isalpha():
            self.transport.write(_WRONG_DOOR)
        self.transport.close()
        return -1

    def _read(self, data: bytes, at: int) -> int:
        """Read the frames that are whole; where they end."""
        size = len(data)
        unpack = HEAD.unpack_from
        while size - at >= HEAD_SIZE and not self._deaf:
            high, low, kind, flags, stream = unpack(data, at)
            length = high << 8 | low
            if length > FRAME_BYTES:
                raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {length} bytes is too long")
            start = at + HEAD_SIZE
            stop = start + length
            if stop > size:
                break
            if self._block is not None and kind != CONTINUATION:
                raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a header block was interrupted")
            read = _READERS.get(kind)
            if read is not None:
                read(self, stream & MOST_STREAM, flags, data[start:stop])
            at = stop
        return at

    def _on_data(self, stream: int, flags: int, payload: bytes) -> None:
        size = len(payload)
        self._allowance -= size
        if self._allowance < self._limits.connection_window // 2:
            if self._allowance < 0:
                raise ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "more was sent than the connection's window holds")
            more = self._limits.connection_window - self._allowance
            self._allowance += more
            self._outbox.send(frames.window_update(0, more))
        if flags & PADDED:
            payload = _unpadded(payload)
        call = self._calls.get(stream)
        if call is None or call.ended:
            self._stray(stream, call)
            return
        call.allowance -= size
        if call.allowance < 0:
            self._reset(call, ErrorCode.FLOW_CONTROL_ERROR)
            return
        ends = flags & END_STREAM
        if ends and call.inbox is None and not call.method.request_streaming:
            length = len(payload) - PREFIX
            if length >= 0 and payload[0] == 0 and int.from_bytes(payload[1:PREFIX], "big") == length <= self.most:
                call.ended = True
                call.messages.append(payload[PREFIX:])
                self._start(call)
                return
        self._take(call, payload, ends=bool(ends))

    def _take(self, call: Exchange, payload: bytes, *, ends: bool) -> None:
        """Bytes of a request that are not just its one message."""
        inbox = call.inbox
        if inbox is None:
            inbox = call.inbox = Inbox(call.head.encoding, self.most)
        streamed = call.method.request_streaming
        try:
            for message in inbox.take(payload) if payload else ():
                if not streamed and call.messages:
                    self._refuse(call, _MANY)
                    return
                call.offer(message)
        except RefusedError as error:
            self._refuse(call, error.refusal)
            return
        if not ends:
            if not streamed or not call.messages or inbox.waiting:
                self._widen(call)
            return
        call.end_request()
        if inbox.waiting:
            self._refuse(call, _CUT)
        elif not streamed:
            if call.messages:
                self._start(call)
            else:
                self._refuse(call, _NO_MESSAGE)

    def _widen(self, call: Exchange) -> None:
        """Let the client send more of a request: all of a message that has begun."""
        window = max(self._limits.window, call.inbox.missing if call.inbox is not None else 0)
        if call.allowance <= window // 2:
            more = window - call.allowance
            call.allowance += more
            self._outbox.send(frames.window_update(call.id, more))

    def _on_headers(self, stream: int, flags: int, payload: bytes) -> None:
        if flags & PADDED:
            payload = _unpadded(payload)
        if flags & HAS_PRIORITY:
            if len(payload) < _NO_PRIORITY:
                raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, "HEADERS has no room for its priority")
            if int.from_bytes(payload[:4], "big") & MOST_STREAM == stream:
                raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a stream depends on itself")
            payload = payload[_NO_PRIORITY:]
        if not stream & 1:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "clients open streams with odd numbers")
        if flags & END_HEADERS:
            self._head(stream, flags, payload)
        else:
            self._block = (stream, flags, [payload])

    def _on_continuation(self, stream: int, flags: int, payload: bytes) -> None:
        if self._block is None or self._block[0] != stream:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "CONTINUATION continues nothing")
        _, first, pieces = self._block
        pieces.append(payload)
        if len(pieces) > BLOCK_FRAMES or sum(map(len, pieces)) > BLOCK_BYTES:
            raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "a header block is far too long")
        if flags & END_HEADERS:
            self._block = None
            self._head(stream, first, b"".join(pieces))

    def _head(self, stream: int, flags: int, block: bytes) -> None:
        """A whole header block: a new call, or the trailers of its request."""
        if stream <= self._last:
            self._heads.skip(block)
            self._trailers(stream, flags)
            return
        self._last = stream
        try:
            head = self._heads.read(block)
        except MalformedError:
            self._spend()
            self._outbox.send(frames.reset(stream, ErrorCode.PROTOCOL_ERROR))
            return
        if self._refusing or len(self._calls) >= self._limits.streams:
            self._outbox.send(frames.reset(stream, ErrorCode.REFUSED_STREAM))
            return
        ends = bool(flags & END_STREAM)
        method = self._home.method(head.path)
        refusal = head.refusal or (_NOT_FOUND if method is None else None)
        if refusal is not None:
            self._refuse_at_once(stream, refusal, ended=ends)
            return
        self._open(stream, head, method, ended=ends)

    def _open(self, stream: int, head: Head, method: Any, *, ended: bool) -> None:
        call = Exchange(stream, head, method, self, self._outbox, self._loop, self._limits.window)
        self._calls[stream] = call
        if ended:
            call.ended = True
        if method.request_streaming:
            self._start(call)
        elif ended:
            self._refuse(call, _NO_MESSAGE)

    def _trailers(self, stream: int, flags: int) -> None:
        call = self._calls.get(stream)
        if call is None:
            return  # answered or reset here, before the client knew
        if not flags & END_STREAM:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a second head does not end its request")
        if call.ended:
            self._reset(call, ErrorCode.STREAM_CLOSED)
            return
        self._take(call, b"", ends=True)

    def _on_reset(self, stream: int, flags: int, payload: bytes) -> None:
        _sized(payload, 4, "RST_STREAM")
        self._known(stream, "RST_STREAM")
        call = self._calls.pop(stream, None)
        if call is not None:
            if not call.answered:
                self._spend()
            call.leave()
            self.closed(call)

    def _on_settings(self, stream: int, flags: int, payload: bytes) -> None:
        if stream:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "SETTINGS are the connection's")
        if flags & ACK:
            _sized(payload, 0, "SETTINGS")
            return
        if len(payload) % 6:
            raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS come in sixes of bytes")
        for at in range(0, len(payload), 6):
            self._set(int.from_bytes(payload[at : at + 2], "big"), int.from_bytes(payload[at + 2 : at + 6], "big"))
        self._control(frames.SETTINGS_ACK)

    def _set(self, key: int, value: int) -> None:
        least, most, code = _ALLOWED.get(key, (0, value, ErrorCode.PROTOCOL_ERROR))
        if not least <= value <= most:
            raise ProtocolError(code, f"setting {key} cannot be {value}")
        if key != Setting.INITIAL_WINDOW_SIZE:
            return  # the others bind what is not done here: no table, no push, no frame over 16 KiB
        change = value - self._outbox.initial
        self._outbox.initial = value
        for call in self._calls.values():
            call.window += change
            if call.window > MOST_WINDOW:
                raise ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "a stream's window is too large")
        self._outbox.pump()

    def _on_ping(self, stream: int, flags: int, payload: bytes) -> None:
        if stream:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "PING is the connection's")
        _sized(payload, 8, "PING")
        if not flags & ACK:
            self._control(frames.ping(payload, ack=True))
        elif payload == DRAIN_PING:
            self._refuse_more()

    def _on_goaway(self, stream: int, flags: int, payload: bytes) -> None:
        if stream or len(payload) < 8:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a GOAWAY is wrong")
        self._draining = self._refusing = True
        if not self._calls:
            self.transport.close()

    def _on_window_update(self, stream: int, flags: int, payload: bytes) -> None:
        _sized(payload, 4, "WINDOW_UPDATE")
        more = int.from_bytes(payload, "big") & MOST_WINDOW
        if not stream:
            if not more:
                raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE adds nothing")
            self._outbox.widen(more)
            return
        self._known(stream, "WINDOW_UPDATE")
        call = self._calls.get(stream)
        if call is None:
            return
        call.window += more
        if not more or call.window > MOST_WINDOW:
            self._reset(call, ErrorCode.FLOW_CONTROL_ERROR if more else ErrorCode.PROTOCOL_ERROR)
        elif stream in self._outbox.blocked:
            self._outbox.pump()

    def _on_priority(self, stream: int, flags: int, payload: bytes) -> None:
        if not stream:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "PRIORITY is a stream's")
        _sized(payload, 5, "PRIORITY")

    def _on_push(self, stream: int, flags: int, payload: bytes) -> None:
        raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "clients do not push")

    # What follows from them.

    def _start(self, call: Exchange) -> None:
        self._home.running.add(call)
        call.task = self._loop.create_task(answer(call))

    def _refuse(self, call: Exchange, refusal: Refusal) -> None:
        """Answer a call with a status whose request is wrong, and end its handler where there is one."""
        call.refuse(refusal.code, refusal.details)

    def _refuse_at_once(self, stream: int, refusal: Refusal, *, ended: bool) -> None:
        data = frames.header_frames(stream, answers.refused(refusal), end=True)
        self._outbox.send(data if ended else data + frames.reset(stream, ErrorCode.NO_ERROR))

    def _reset(self, call: Exchange, code: ErrorCode) -> None:
        self._calls.pop(call.id, None)
        self._outbox.send(frames.reset(call.id, code))
        call.leave()
        self.closed(call)

    def _stray(self, stream: int, call: Exchange | None) -> None:
        """DATA that no request waits for: it may have been on its way when the call was answered."""
        if call is not None:
            self._reset(call, ErrorCode.STREAM_CLOSED)
        else:
            self._known(stream, "DATA")

    def _known(self, stream: int, what: str) -> None:
        if stream > self._last or not stream & 1:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, f"{what} on a stream that was never opened")

    def _spend(self) -> None:
        """A call was given up before it was answered: a client that does nothing else is an attack."""
        if not self._resets.spend():
            raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "too many calls are given up at once")

    def _control(self, data: bytes) -> None:
        """Answer a PING or SETTINGS, unless too many answers wait already."""
        if self._outbox.paused:
            self._controls += 1
            if self._controls > self._limits.controls:
                self.transport.abort()
                self._deaf = True
                return
        self._outbox.send(data)

    def _refuse_more(self) -> None:
        if self._refusing or self._deaf:
            return
        self._refusing = True
        self._outbox.send(frames.goaway(self._last))
        if not self._calls:
            self._outbox.flush()
            self.transport.close()

    def _end(self, code: ErrorCode, why: str) -> None:
        """The peer broke the protocol: say why, and close."""
        self._deaf = True
        if code is not ErrorCode.NO_ERROR:
            log.info("a gRPC connection of %s is closed: %s (%s)", self.peer(), why, code.name)
        self._outbox.send(frames.goaway(self._last, code, why))
        self._outbox.flush()
        self.transport.close()
        calls = list(self._calls.values())
        self._calls.clear()
        for call in calls:
            call.leave()
        self._loop.call_later(self._limits.tick, self.transport.abort)  # it may read nothing

    def _silent(self) -> None:
        self.transport.abort()


def _unpadded(payload: bytes) -> bytes:
    if not payload or payload[0] >= len(payload):
        raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a frame has more padding than bytes")
    return payload[1 : len(payload) - payload[0]]


def _sized(payload: bytes, size: int, what: str) -> None:
    if len(payload) != size:
        raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"{what} has {len(payload)} bytes, not {size}")


_READERS: Final[Mapping[int, Callable[[Connection, int, int, bytes], None]]] = {
    DATA: Connection._on_data,
    HEADERS: Connection._on_headers,
    PRIORITY: Connection._on_priority,
    RST_STREAM: Connection._on_reset,
    SETTINGS: Connection._on_settings,
    PUSH_PROMISE: Connection._on_push,
    PING: Connection._on_ping,
    GOAWAY: Connection._on_goaway,
    WINDOW_UPDATE: Connection._on_window_update,
    CONTINUATION: Connection._on_continuation,
}
"""Frames of other kinds are passed over: section 4.1."""

_ALLOWED: Final[Mapping[int, tuple[int, int, ErrorCode]]] = {
    Setting.ENABLE_PUSH: (0, 1, ErrorCode.PROTOCOL_ERROR),
    Setting.INITIAL_WINDOW_SIZE: (0, MOST_WINDOW, ErrorCode.FLOW_CONTROL_ERROR),
    Setting.MAX_FRAME_SIZE: (FRAME_BYTES, MOST_FRAME_BYTES, ErrorCode.PROTOCOL_ERROR),
}
"""Values that settings may have: section 6.5.2."""
