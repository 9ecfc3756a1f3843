"""One connection: calls out of frames, and what its client may do with it (RFC 9113, sections 5 and 8)."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, Protocol, cast

from antiphon.core.http2 import answers, frames, refusals
from antiphon.core.http2.exchange import Exchange
from antiphon.core.http2.frames import MOST_STREAM, MOST_WINDOW, ErrorCode, ProtocolError, Setting
from antiphon.core.http2.handlers import answer
from antiphon.core.http2.heads import Heads, MalformedError
from antiphon.core.http2.limits import Limits
from antiphon.core.http2.messages import PREFIX, Inbox, RefusedError
from antiphon.core.http2.outbox import HIGH_WATER, Outbox
from antiphon.core.http2.reader import FrameReader, WrongProtocolError
from antiphon.core.http2.watch import Budget, Pulse, peer_of

log = logging.getLogger(__name__)

DRAIN_SECONDS: Final = 1.0
"""How long a client may take to hear that the server ends, before its new calls are refused."""

_DRAIN: Final = b"drained?"


class Home(Protocol):
    """The server, as a connection sees it."""

    limits: Limits
    connections: set[Connection]
    running: set[Exchange]

    def method(self, path: str) -> Any:
        """The handler of a method, None for none."""

    def left(self) -> None:
        """A connection or a call has ended."""


class Connection(FrameReader):
    """A client's connection."""

    def __init__(self, home: Home, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._home = home
        self._loop = loop
        self._limits = home.limits
        self.most, self.stall = home.limits.message, home.limits.stall
        self._heads = Heads()
        self._calls: dict[int, Exchange] = {}
        self._last = 0  # the highest stream that was begun
        self._draining = self._refusing = False
        self._allowance = home.limits.connection_window
        self._resets = Budget(home.limits.resets, home.limits.resets / home.limits.resets_seconds, loop)
        self._controls = 0
        self._held = 0  # bytes of requests that are not whole
        self._peer = ""

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connects."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER)
        self._outbox = Outbox(self.transport, self._loop)
        self._pulse = Pulse(self._limits, self._loop, self._outbox.send, self.transport.abort)
        self._late = self._loop.call_later(self._limits.preface, self._unheard)
        self._home.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of frames."""
        self._pulse.heard = True
        if self.deaf:
            return
        try:
            self.read(data)
        except ProtocolError as error:
            self._end(error.code, error.why)
        except WrongProtocolError as error:
            self.deaf = True
            if error.http1:
                self.transport.write(refusals.WRONG_DOOR)
            self.transport.close()

    def eof_received(self) -> None:
        """The client says nothing more: its calls are not wanted either."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.deaf = True
        self._pulse.stop()
        self._late.cancel()
        self._home.connections.discard(self)
        self._leave_all()
        self._home.left()

    def pause_writing(self) -> None:
        """The client does not read as fast as is written."""
        self._outbox.pause()

    def resume_writing(self) -> None:
        """It does again."""
        self._controls = 0
        self._outbox.resume()

    # What the server calls.

    def drain(self) -> None:
        """Take no new calls, and close once the running ones are answered.

        Calls that are on their way when the client hears of it are still taken: RFC 9113, section 6.8.
        """
        if self._draining or self.deaf:
            return
        self._draining = True
        if not self.greeted:
            self.transport.close()
            return
        self._outbox.send(frames.goaway(MOST_STREAM) + frames.ping(_DRAIN))
        self._loop.call_later(DRAIN_SECONDS, self._refuse_more)

    def cut(self) -> None:
        """Close at once, whatever still runs: its clients are told that the server ends."""
        if self.deaf or not self.greeted:
            self.transport.abort()
            return
        for call in list(self._calls.values()):
            call.refuse(refusals.ENDS)
        self._end(ErrorCode.NO_ERROR, refusals.ENDS.details)

    # What calls call.

    def peer(self) -> str:
        """Who is on the other side, as grpc spells it."""
        self._peer = self._peer or peer_of(self.transport)
        return self._peer

    def closed(self, call: Exchange) -> None:
        """The answer of a call is sent, or not wanted."""
        self._calls.pop(call.id, None)
        if call.inbox is not None:
            self._held -= call.inbox.drop()
        if self._refusing:
            self._close_if_idle()

    def give_up(self, call: Exchange) -> None:
        """Nobody reads the rest of an answer."""
        self._break_off(call, ErrorCode.CANCEL)

    def ran(self, call: Exchange) -> None:
        """The handler of a call has ended."""
        self._home.running.discard(call)
        self._home.left()

    def taken(self, call: Exchange) -> None:
        """A streamed request's messages were read."""
        if not call.ended and not call.left and not call.complete:
            self._widen(call)

    # Requests.

    def got_preface(self) -> None:
        """Only now may frames be sent: a client of HTTP/1.1 could not read them."""
        self._outbox.send(self._limits.hello())

    def got_block(self, stream: int, block: bytes, *, ends: bool) -> None:
        """A new call, or the trailers of its request."""
        if stream <= self._last:
            self._heads.skip(block)
            self._got_trailers(stream, ends=ends)
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
        method = self._home.method(head.path)
        refusal = head.refusal or (refusals.NOT_FOUND if method is None else None)
        if refusal is not None:
            data = frames.header_frames(stream, answers.refused(refusal), end=True)
            self._outbox.send(data if ends else data + frames.reset(stream, ErrorCode.NO_ERROR))
            return
        call = Exchange(stream, head, method, self, self._outbox, self._loop, self._limits.window)
        call.ended = ends
        self._calls[stream] = call
        if method.request_streaming:
            self._start(call)
        elif ends:
            call.refuse(refusals.NO_MESSAGE)

    def _got_trailers(self, stream: int, *, ends: bool) -> None:
        call = self._calls.get(stream)
        if call is None:
            return  # answered or reset here, before the client knew
        if not ends:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a second head does not end its request")
        if call.ended:
            self._break_off(call, ErrorCode.STREAM_CLOSED)
            return
        self._take(call, b"", ends=True)

    def got_data(self, stream: int, payload: bytes, size: int, ends: int) -> None:
        """A piece of a request."""
        self._allowance -= size
        if self._allowance < self._limits.connection_window // 2:
            if self._allowance < 0:
                raise ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "more was sent than the connection's window holds")
            more = self._limits.connection_window - self._allowance
            self._allowance += more
            self._outbox.send(frames.window_update(0, more))
        call = self._calls.get(stream)
        if call is None:  # it may have been on its way when the call was answered
            self._known(stream, "DATA")
            return
        if call.ended:
            self._break_off(call, ErrorCode.STREAM_CLOSED)
            return
        call.allowance -= size
        if call.allowance < 0:
            self._break_off(call, ErrorCode.FLOW_CONTROL_ERROR)
            return
        if ends and call.inbox is None and not call.method.request_streaming:  # the usual case: all in one
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
        self._held -= inbox.waiting
        try:
            for message in inbox.take(payload) if payload else ():
                if not streamed and call.messages:
                    call.refuse(refusals.MANY)
                    return
                call.offer(message)
        except RefusedError as error:
            call.refuse(error.refusal)
            return
        finally:
            self._held += inbox.waiting
        if self._held > self._limits.held:
            call.refuse(refusals.FULL)
            return
        if not ends:
            if not streamed or not call.messages:
                self._widen(call)
            return
        call.end_request()
        if inbox.waiting:
            call.refuse(refusals.CUT)
        elif not streamed:
            if call.messages:
                self._start(call)
            else:
                call.refuse(refusals.NO_MESSAGE)

    def _widen(self, call: Exchange) -> None:
        """Let the client send more of a request: all of a message that has begun."""
        window = max(self._limits.window, call.inbox.missing if call.inbox is not None else 0)
        if call.allowance <= window // 2:
            more = window - call.allowance
            call.allowance += more
            self._outbox.send(frames.window_update(call.id, more))

    def _start(self, call: Exchange) -> None:
        self._home.running.add(call)
        call.task = self._loop.create_task(answer(call))

    # Other frames.

    def got_reset(self, stream: int) -> None:
        """The client gives a call up."""
        self._known(stream, "RST_STREAM")
        call = self._calls.pop(stream, None)
        if call is not None:
            answered = call.answered
            call.leave()
            self.closed(call)
            if not answered:
                self._spend()

    def got_settings(self, values: list[tuple[int, int]]) -> None:
        """Only the window matters here: no table is used, nothing is pushed, and no frame is over 16 KiB."""
        for key, value in values:
            if key != Setting.INITIAL_WINDOW_SIZE:
                continue
            change = value - self._outbox.initial
            self._outbox.initial = value
            for call in self._calls.values():
                call.window += change
                if call.window > MOST_WINDOW:
                    raise ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "a stream's window is too large")
        self._control(frames.SETTINGS_ACK)
        self._outbox.pump()

    def got_ping(self, payload: bytes, *, ack: bool) -> None:
        """The client asks whether we are there, or answers that it is."""
        if not ack:
            self._control(frames.ping(payload, ack=True))
        elif payload == _DRAIN:
            self._refuse_more()

    def got_goaway(self) -> None:
        """The client begins no more calls."""
        self._draining = self._refusing = True
        self._close_if_idle()

    def got_window(self, stream: int, more: int) -> None:
        """The client takes more."""
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
            self._break_off(call, ErrorCode.FLOW_CONTROL_ERROR if more else ErrorCode.PROTOCOL_ERROR)
        elif stream in self._outbox.blocked:
            self._outbox.pump()

    # What follows from them.

    def _break_off(self, call: Exchange, code: ErrorCode) -> None:
        self._calls.pop(call.id, None)
        self._outbox.send(frames.reset(call.id, code))
        call.leave()
        self.closed(call)

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
                self.deaf = True
                self.transport.abort()
                return
        self._outbox.send(data)

    def _refuse_more(self) -> None:
        if not self._refusing and not self.deaf:
            self._refusing = True
            self._outbox.send(frames.goaway(self._last))
            self._close_if_idle()

    def _close_if_idle(self) -> None:
        if not self._calls and not self.transport.is_closing():
            self._close()

    def _end(self, code: ErrorCode, why: str) -> None:
        """Say why, and close."""
        self.deaf = True
        if code is not ErrorCode.NO_ERROR:
            log.info("the gRPC connection of %s is closed: %s (%s)", self.peer(), why, code.name)
        self._leave_all()
        self._outbox.send(frames.goaway(self._last, code, why))
        self._close()

    def _close(self) -> None:
        self._outbox.flush()
        self.transport.close()
        self._loop.call_later(self._limits.tick, self.transport.abort)  # it may read nothing

    def _leave_all(self) -> None:
        calls = list(self._calls.values())
        self._calls.clear()
        for call in calls:
            call.leave()

    def _unheard(self) -> None:
        if not self.greeted:
            self.deaf = True
            self.transport.abort()
