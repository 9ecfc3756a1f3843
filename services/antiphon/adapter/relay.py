"""A request that goes to a provider of its own wire as it came, and its answer back: watched like any other call.

The same connection, limits, span, metrics and errors as `service`, without a message of ours in between.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from antiphon.adapter.health import Observations
from antiphon.adapter.labels import label, note, refused
from antiphon.adapter.providers import Provider
from antiphon.adapter.upstream import Target, Upstream
from antiphon.core.call import Call
from antiphon.core.telemetry.genai import Operation, operation
from antiphon.v1 import chat_pb2
from antiphon.wire.base import ChatWire, HttpReply, Relayed, Relays, Told


class RelayingWire(ChatWire, Relays, Protocol):
    """A chat format that can do both."""


class ProviderRelay:
    """See `core.backends.Relay`."""

    def __init__(
        self,
        provider: Provider,
        model: str,
        wire: RelayingWire,
        wired: Relayed,
        target: Callable[[Call], Target],
        upstream: Upstream,
        observed: Observations,
        call: Call,
    ) -> None:
        self.stream = wired.stream
        self._provider = provider
        self._model = model
        self._wire = wire
        self._wired = wired
        self._target = target
        self._upstream = upstream
        self._observed = observed
        self._call = call

    async def whole(self) -> bytes | chat_pb2.Completion:
        """The provider's answer."""
        wire, provider, model = self._wire, self._provider, self._model
        with self._observed.watch(provider), operation(self._call, "chat", provider=provider.name, model=model) as op:
            async with self._upstream.open(self._target(self._call), self._wired.call, op.call) as reply:
                note(op, reply)
                body = await reply.body()
                if reply.status >= 400:
                    raise refused(provider, model, wire.decode_error(reply.of(body)), reply)
                whole = HttpReply(status=reply.status, body=body)
                if (told := wire.relay_answer(whole, again=bool(reply.recording.get("replayed")))) is None:
                    whole = reply.of(body)
            if told is not None:
                _finish(op, told)
                return body
            completion = wire.decode_response(whole)
            label(completion, provider, reply)
            reasons = [output.provider_finish_reason for output in completion.outputs]
            _finish(
                op,
                Told(id=completion.id, model=completion.model, usage=completion.usage, finish_reasons=reasons),
            )
            return completion

    async def pour(
        self,
        write: Callable[[Sequence[chat_pb2.StreamChatResponse]], bytes],
        put: Callable[[bytes], bool],
        room: Callable[[], Awaitable[None]],
    ) -> None:
        """The provider's answer as it comes."""
        provider, model = self._provider, self._model
        reader = self._wire.relay_stream(usage=self._wired.usage, write=write)
        with (
            self._observed.watch(provider),
            operation(self._call, "chat", provider=provider.name, model=model, stream=True) as op,
        ):
            try:
                async with self._upstream.open(self._target(self._call), self._wired.call, op.call) as reply:
                    note(op, reply)
                    if reply.status >= 400:
                        raise refused(provider, model, self._wire.decode_error(await reply.whole()), reply)
                    began = finished = False
                    while chunk := await reply.next():
                        data = reader.feed(chunk)
                        if reader.spoken:
                            op.first_chunk()
                        if reader.ended and not finished:
                            finished = True
                            _finish(op, reader.told())
                        if data or (reader.begun and not began):
                            began = True
                            if put(data):
                                await room()
                        if reader.error is not None:
                            raise reader.error
                    data = reader.close()
                    if reader.spoken:
                        op.first_chunk()
                    if reader.ended and not finished:
                        _finish(op, reader.told())
                    if data and put(data):
                        await room()
                    if reader.error is not None:
                        raise reader.error
            finally:
                if not reader.ended:
                    op.so_far(reader.usage())


def _finish(op: Operation, told: Told) -> None:
    plain = told.plain
    usage, counts = (told.usage, None) if plain is None else (None, plain.counts)
    op.finished(usage=usage, counts=counts, model=told.model, response_id=told.id, finish_reasons=told.finish_reasons)
