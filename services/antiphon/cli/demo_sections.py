"""The sections of the demo, in order: each shows one thing, and fails where what it got is not what it is about."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
from rich.padding import Padding
from rich.text import Text

from antiphon.cli import health, models, questions, terminal
from antiphon.cli.embed import request as embed_request
from antiphon.cli.embed import similarities
from antiphon.cli.render import calls_of, summary, text_of, tokens
from antiphon.cli.suite import RunningSuite
from antiphon.cli.terminal import Terminal
from antiphon.cli.tracetree import TraceReceiver, tree
from antiphon.cli.vectors import cosine, numbers
from antiphon.core.call import Call
from antiphon.core.fold import Fold
from antiphon.core.remote import RemoteBackend
from antiphon.v1 import chat_pb2, health_pb2, models_pb2

TRACE_SPANS: Final = 5
"""Client, gateway's two sides, adapter, provider."""
TRACE_SECONDS: Final = 6.0


class DemoError(Exception):
    """A section did not show what it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What every section works with."""

    client: RemoteBackend
    suite: RunningSuite
    receiver: TraceReceiver
    console: Terminal

    def say(self, text: str, style: str = "") -> None:
        """One line, safe and indented."""
        self.console.print(Padding(Text(terminal.safe(text), style=style), (0, 0, 0, 3), expand=False))

    def expect(self, holds: bool, otherwise: str) -> None:
        """Raise DemoError where a section did not show what it is about."""
        if not holds:
            self.say(otherwise, "bold red")
            raise DemoError(otherwise)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section: its title, what it shows in one line, and how."""

    title: str
    says: str
    show: Callable[[Stage], Awaitable[None]]


async def list_models(stage: Stage) -> None:
    """Models of recorded providers and of Triton, in one list."""
    found = await models.everything(stage.client, Call())
    stage.console.print(Padding(models.table(found.models), (0, 0, 0, 3), expand=False))
    for item in found.unreachable_providers:
        stage.say(f"{item.provider} could not be asked: {item.message}", "yellow")
    providers = {model.provider for model in found.models}
    wanted = {"openai", "anthropic"} | ({"triton"} if stage.suite.triton_address else set())
    stage.expect(wanted <= providers, f"no models of {', '.join(sorted(wanted - providers))}")


async def ask_two(stage: Stage) -> None:
    """The same question to two providers."""
    for model in questions.CHAT_MODELS:
        began = time.perf_counter()
        completion = await stage.client.chat(questions.ask(model, questions.WHAT), Call())
        stage.say(f"{model}: {questions.WHAT}", "bold")
        stage.say(text_of(completion))
        stage.say(summary(completion, seconds=time.perf_counter() - began), "dim")
        stage.expect(bool(text_of(completion)), f"{model} answered nothing")


async def stream_one(stage: Stage) -> None:
    """An answer as it comes."""
    await _streamed(stage, questions.ANTHROPIC, questions.SING)


async def call_a_tool(stage: Stage) -> None:
    """A tool call, its result, and the answer that uses it."""
    spec = questions.ask_weather(questions.OPENAI)
    stage.say(f"{questions.OPENAI}: {questions.WEATHER}", "bold")
    first = await stage.client.chat(spec, Call())
    calls = calls_of(first)
    stage.expect(bool(calls), "the model called no tool")
    for call in calls:
        stage.say(f"the model calls   {call.name}({call.arguments_json})", "cyan")
        stage.say(f"we answer         {json.dumps(questions.weather_in(call.arguments_json))}", "cyan")
    last = await stage.client.chat(questions.with_results(spec, first), Call())
    stage.say(text_of(last))
    stage.say(
        f"{tokens(first.usage)}, then {tokens(last.usage)}" + (" | replayed from a recording" if last.replayed else ""),
        "dim",
    )
    stage.expect(bool(text_of(last)), "the model made nothing of the result")


async def embed(stage: Stage) -> None:
    """Sentences as vectors from Triton."""
    if not await _introduced(stage, questions.TRITON_EMBEDDING):
        return
    response = await stage.client.embed(embed_request(questions.TRITON_EMBEDDING, questions.SENTENCES), Call())
    vectors = [numbers(item) for item in response.embeddings]
    stage.console.print(Padding(similarities(questions.SENTENCES, vectors), (0, 0, 0, 3), expand=False))
    near, far = cosine(vectors[0], vectors[1]), cosine(vectors[0], vectors[2])
    stage.expect(near > far, f"near sentences came out at {near:.3f}, far ones at {far:.3f}")


async def chat_with_triton(stage: Stage) -> None:
    """An answer that Triton makes now, streamed."""
    if await _introduced(stage, questions.TRITON_TEXT):
        await _streamed(stage, questions.TRITON_TEXT, questions.LISTEN)


async def show_health(stage: Stage) -> None:
    """Every part, asked now."""
    response = await stage.client.get_health(health_pb2.GetHealthRequest(), Call())
    unused = (health_pb2.STATUS_UNCONFIGURED, health_pb2.STATUS_UNSPECIFIED)
    seen = health_pb2.GetHealthResponse(components=(part for part in response.components if part.status not in unused))
    stage.console.print(Padding(health.table(seen), (0, 0, 0, 3), expand=False))
    stage.say(f"and {len(response.components) - len(seen.components)} providers that were not called", "dim")
    stage.console.print(
        Padding(Text.assemble("all in all: ", health.word(response.status)), (0, 0, 0, 3), expand=False)
    )
    if stage.suite.triton_address:
        stage.expect(response.status == health_pb2.STATUS_SERVING, "not all that is configured serves")


async def show_trace(stage: Stage) -> None:
    """One call's spans from four processes, as an OpenTelemetry collector gets them."""
    trace_id = secrets.randbits(128) or 1
    context = SpanContext(
        trace_id, secrets.randbits(64) or 1, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    call = Call(trace=set_span_in_context(NonRecordingSpan(context)))
    await stage.client.chat(questions.ask(questions.ANTHROPIC, questions.WHAT), call)
    spans = await stage.receiver.wait_for(f"{trace_id:032x}", at_least=TRACE_SPANS, timeout=TRACE_SECONDS)
    stage.console.print(Padding(tree(spans), (0, 0, 0, 3), expand=False))
    services = {span.service for span in spans}
    wanted = {"antiphon-demo", "antiphon-gateway", "antiphon-adapter"}
    stage.expect(wanted <= services, f"no spans came from {', '.join(sorted(wanted - services))}")


SECTIONS: Final = (
    Section(title="Models", says="what every provider and Triton offer, in one list", show=list_models),
    Section(title="Chat", says="one question, two providers, one API", show=ask_two),
    Section(title="Streaming", says="token by token, at the recorded pace", show=stream_one),
    Section(title="Tools", says="the model calls a function, we send the result back", show=call_a_tool),
    Section(title="Embeddings", says="computed now, by the Triton server on this machine", show=embed),
    Section(title="Own model", says="made now, by the Triton server on this machine, streamed", show=chat_with_triton),
    Section(title="Health", says="how every part is", show=show_health),
    Section(title="Trace", says="one call through all processes, with times and tokens", show=show_trace),
)


async def _streamed(stage: Stage, model: str, text: str) -> None:
    fold = Fold()
    began = time.perf_counter()
    first: float | None = None
    pieces = 0
    stage.say(f"{model}: {text}", "bold")
    stage.console.print("   ", end="")
    request = chat_pb2.StreamChatRequest(spec=questions.ask(model, text))
    try:
        async with aclosing(stage.client.stream_chat(request, Call())) as events:
            async for event in events:
                fold.add(event)
                if event.WhichOneof("event") == "part_delta":
                    first = first or time.perf_counter() - began
                    pieces += 1
                    shown = terminal.safe(event.part_delta.text).replace("\n", "\n   ")
                    stage.console.print(Text(shown), end="", soft_wrap=True)
    finally:
        stage.console.print()
    line = summary(fold.completion(), seconds=time.perf_counter() - began, first_token=first)
    stage.say(f"{line} | {pieces} pieces", "dim")
    stage.expect(pieces > 1, f"{model} did not stream: {pieces} pieces came")


async def _introduced(stage: Stage, name: str) -> bool:
    """Say what a model of Triton's is, in its own description's words; False where no Triton runs."""
    if not stage.suite.triton_address:
        stage.say(f"left out: {stage.suite.triton_missing}", "yellow")
        return False
    model = await stage.client.get_model(models_pb2.GetModelRequest(name=name), Call())
    stage.say(f"{name} is no real language model: {model.description}", "yellow")
    return True
