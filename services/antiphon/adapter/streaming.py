"""One streamed answer of a provider: read as events, which the adapter labels, and of which it notes what was used."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from antiphon.adapter.labels import label
from antiphon.adapter.providers import Provider
from antiphon.adapter.replies import OpenReply
from antiphon.core.streams import Batches, together
from antiphon.core.telemetry.genai import Operation
from antiphon.v1 import chat_pb2, usage_pb2
from antiphon.wire.base import StreamDecoder

Event = chat_pb2.StreamChatResponse


class Streaming:
    """The reading of one answer. `warnings` are those of its request, `fates` tells what became of its parameters, and
    `used` is filled in with what was used by the end, whichever end that is."""

    def __init__(
        self,
        decoder: StreamDecoder,
        op: Operation,
        provider: Provider,
        *,
        warnings: Sequence[chat_pb2.Warning],
        fates: Callable[[], Sequence[chat_pb2.ParameterFate]],
        used: usage_pb2.Usage,
    ) -> None:
        self._decoder = decoder
        # Some decoders need not make texts apart that are told together.
        self._feed: Callable[[bytes], list[Event]] = getattr(decoder, "feed_together", decoder.feed)
        self._op = op
        self._provider = provider
        self._warnings = warnings
        self._fates = fates
        self._used = used
        self._booked = False
        self._finish_reasons: list[str] = []

    async def events(self, reply: OpenReply) -> Batches:
        """The events, those together that came together. Raises ServiceError."""
        while chunk := await reply.next():
            # A decoder gives the events before an error first: asking again tells of it at once.
            while events := together(self._feed(chunk)):
                yield self._noted(events, reply)
                chunk = b""
        if events := self._decoder.close():
            yield self._noted(events, reply)

    def end(self) -> None:
        """Book what was used, as partial unless the answer is whole. However the stream ended, once."""
        if not self._booked:
            self._used.CopyFrom(self._decoder.usage())
            self._op.so_far(self._used)

    def _noted(self, events: list[Event], reply: OpenReply) -> list[Event]:
        for event in events:
            kind = event.WhichOneof("event")
            if kind == "started":
                label(event.started.completion, self._provider, reply)
                event.started.completion.warnings.extend(self._warnings)  # while a head can say them
            elif kind == "part_started":
                self._op.first_chunk()
            elif kind == "output_done":
                self._finish_reasons.append(event.output_done.output.provider_finish_reason)
            elif kind == "completed":
                self._complete(event.completed.completion, reply)
        return events

    def _complete(self, completion: chat_pb2.Completion, reply: OpenReply) -> None:
        label(completion, self._provider, reply)
        completion.warnings.extend(self._warnings)
        completion.parameter_fates.extend(self._fates())
        finish(self._op, completion, self._finish_reasons)
        self._used.CopyFrom(completion.usage)
        self._booked = completion.HasField("usage")


def finish(op: Operation, completion: chat_pb2.Completion, finish_reasons: Sequence[str]) -> None:
    """Tell the span of a whole answer."""
    op.finished(
        usage=completion.usage, model=completion.model, response_id=completion.id, finish_reasons=finish_reasons
    )
