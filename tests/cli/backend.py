"""A server with a backend whose answers the tests choose, on a loopback port, in a thread of its own.

The command under test runs its own event loop, so the server needs another.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from antiphon.core.auth import Auth
from antiphon.core.call import Call
from antiphon.core.chain import Layer
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.health import answered
from antiphon.core.paging import page
from antiphon.core.server import Server
from antiphon.core.streams import Events, published
from antiphon.core.validation import Validation
from antiphon.v1 import chat_pb2, content_pb2, embeddings_pb2, health_pb2, models_pb2, usage_pb2

Event = chat_pb2.StreamChatResponse


def text_completion(text: str = "A sung response.") -> chat_pb2.Completion:
    """An answer of reasoning and text, with usage and a warning."""
    completion = chat_pb2.Completion(id="one", model="small-1", provider="test")
    output = completion.outputs.add(finish_reason=chat_pb2.FINISH_REASON_STOP)
    message = output.messages.add(role=content_pb2.ROLE_ASSISTANT)
    message.parts.add(reasoning=content_pb2.ReasoningPart(text="They ask what it is."))
    message.parts.add(text=content_pb2.TextPart(text=text))
    completion.usage.input_tokens = 7
    completion.usage.output_tokens = 5
    completion.warnings.add(code="UNSUPPORTED_PARAMETER", field="spec.seed", message="left out")
    return completion


def events_of(completion: chat_pb2.Completion) -> list[Event]:
    """The same answer as a stream, its text word by word."""
    head = chat_pb2.Completion(id=completion.id, model=completion.model, provider=completion.provider)
    events = [Event(started=chat_pb2.Started(completion=head))]
    parts = completion.outputs[0].messages[0].parts
    for number, part in enumerate(parts):
        first = content_pb2.Part()
        first.CopyFrom(part)
        text = ""
        if part.HasField("text"):
            text, first.text.text = part.text.text, ""
        elif part.HasField("reasoning"):
            text, first.reasoning.text = part.reasoning.text, ""
        started = chat_pb2.PartStarted(part_index=number, role=content_pb2.ROLE_ASSISTANT, part=first)
        events.append(Event(part_started=started))
        for delta in re.findall(r"\S+\s*", text):
            events.append(Event(part_delta=chat_pb2.PartDelta(part_index=number, text=delta)))
        events.append(Event(part_done=chat_pb2.PartDone(part_index=number)))
    done = chat_pb2.Output(finish_reason=completion.outputs[0].finish_reason)
    events.append(Event(output_done=chat_pb2.OutputDone(output=done)))
    last = chat_pb2.Completion()
    last.CopyFrom(completion)
    del last.outputs[:]
    events.append(Event(completed=chat_pb2.Completed(completion=last)))
    return events


@dataclass(slots=True, kw_only=True)
class Choices:
    """What the backend answers, and what it was asked."""

    completion: chat_pb2.Completion = field(default_factory=text_completion)
    error: ServiceError | None = None
    error_after: int = 0
    """With `error`: events of a stream that come before it."""
    silence: float = 0.0
    """Seconds before anything is answered."""
    vectors: Sequence[Sequence[float]] = ((1.0, 0.0), (1.0, 1.0))
    models: Sequence[models_pb2.Model] = ()
    unreachable: Sequence[models_pb2.UnreachableProvider] = ()
    providers: list[models_pb2.Provider] = field(default_factory=list)
    parts: Sequence[health_pb2.ComponentHealth] = ()
    specs: list[chat_pb2.ChatSpec] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    abandoned: threading.Event = field(default_factory=threading.Event)
    """Set when a caller left in the middle."""


class ChosenBackend:
    """A backend that answers what the test chose."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices

    async def chat(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
        await self._begin(call, spec)
        self._fail()
        self._choices.completion.replayed = call.metadata.get("x-antiphon-mode") == "replay"
        return self._choices.completion

    def stream_chat(self, request: chat_pb2.StreamChatRequest, call: Call) -> Events:
        return published(self._events(request.spec, call), request, lambda: usage_pb2.Usage(output_tokens=2))

    async def _events(self, spec: chat_pb2.ChatSpec, call: Call) -> Events:
        await self._begin(call, spec)
        for number, event in enumerate(events_of(self._choices.completion)):
            if number >= self._choices.error_after:
                self._fail()
            yield event

    async def count_tokens(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.CountTokensResponse:
        raise ServiceError(Reason.UNSUPPORTED_OPERATION, "not counted here")

    async def embed(self, request: embeddings_pb2.EmbedRequest, call: Call) -> embeddings_pb2.EmbedResponse:
        await self._begin(call)
        self._fail()
        response = embeddings_pb2.EmbedResponse(model="embed-1", provider="test")
        for number, vector in enumerate(self._choices.vectors):
            response.embeddings.add(index=number, float32=embeddings_pb2.FloatVector(values=vector))
        return response

    async def list_models(self, request: models_pb2.ListModelsRequest, call: Call) -> models_pb2.ListModelsResponse:
        await self._begin(call)
        self._fail()
        request.page_size = 2  # so that every longer list comes in pages
        return page(self._choices.models, request, self._choices.unreachable)

    async def get_model(self, request: models_pb2.GetModelRequest, call: Call) -> models_pb2.Model:
        return models_pb2.Model(name=request.name)

    async def list_providers(
        self, request: models_pb2.ListProvidersRequest, call: Call
    ) -> models_pb2.ListProvidersResponse:
        self._fail()
        return models_pb2.ListProvidersResponse(providers=self._choices.providers)

    async def get_health(self, request: health_pb2.GetHealthRequest, call: Call) -> health_pb2.GetHealthResponse:
        await self._begin(call)
        self._fail()
        return answered("gateway", self._choices.parts, request)

    async def close(self) -> None:
        """Nothing to give back."""

    async def _begin(self, call: Call, spec: chat_pb2.ChatSpec | None = None) -> None:
        self._choices.calls.append(call)
        if spec is not None:
            self._choices.specs.append(spec)
        try:
            await asyncio.sleep(self._choices.silence)
        except asyncio.CancelledError:
            self._choices.abandoned.set()
            raise

    def _fail(self) -> None:
        if self._choices.error is not None:
            raise self._choices.error


@contextmanager
def serving(choices: Choices, *, keys: dict[str, str] | None = None) -> Iterator[str]:
    """A server with these choices; its address. `keys` maps hashes of caller keys to names."""
    loop = asyncio.new_event_loop()
    started = threading.Event()
    stop: Callable[[], object] = lambda: None  # noqa: E731 - replaced before it is called
    address = ""

    async def main() -> None:
        nonlocal stop, address
        ended = asyncio.Event()
        stop = lambda: loop.call_soon_threadsafe(ended.set)  # noqa: E731
        layers: list[Layer] = [Auth(keys or {}), Validation()]
        async with Server(ChosenBackend(choices), layers, listen="127.0.0.1:0", grace=0.5) as server:
            address = server.address
            started.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),), daemon=True)
    thread.start()
    assert started.wait(20), "the test server did not start"
    try:
        yield address
    finally:
        stop()
        thread.join(10)
        loop.close()
