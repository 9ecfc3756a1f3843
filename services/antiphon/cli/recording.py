"""Scenarios asked of live providers, one call at a time, and their exchanges kept as cassettes.

A scenario is recorded apart and put into the folder once it went as expected: a rate limit, a lost key or Ctrl-C
leaves what was there before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from antiphon.cli import spending
from antiphon.cli.asking import Turn, chat_spec, embed_request
from antiphon.cli.spending import Ledger, Prices
from antiphon.core.backends import ChatBackend, EmbeddingsBackend, ModelsBackend
from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import Fold
from antiphon.harness.errors import HarnessError
from antiphon.harness.interaction import Interaction, Provenance
from antiphon.harness.library import Library
from antiphon.harness.scenarios import CHAT_MODEL, Scenario, ScenarioError, Step
from antiphon.v1 import chat_pb2, models_pb2, usage_pb2

_LONGEST_WAIT: Final = 60.0
_NOT_OFFERED: Final = frozenset({Reason.UNSUPPORTED_OPERATION, Reason.UNSUPPORTED_PARAMETER})
_BILLED_MAYBE: Final = frozenset({Reason.OUTCOME_UNKNOWN, Reason.MALFORMED_RESPONSE, Reason.DEADLINE_EXCEEDED})
"""Failures after which the provider may have done the work. After the others it has refused it."""


class Recordable(ChatBackend, EmbeddingsBackend, ModelsBackend, Protocol):
    """What is asked: the provider adapter, with a recording transport under it."""


class State(StrEnum):
    """How a scenario ended."""

    RECORDED = "recorded"
    NOT_OFFERED = "not offered"
    """The provider has no such thing, or its format no way to ask for it; nothing was sent."""
    FAILED = "failed"
    STOPPED = "stopped"
    """Not asked, or not to its end, because of the spending limit."""


class StoppedError(Exception):
    """The spending limit forbids the next call; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One scenario of one provider. `cost` is in US dollars, None where that of any call is unknown."""

    provider: str
    scenario: str
    state: State
    message: str = ""
    cassette: str = ""
    calls: int = 0
    cost: Decimal | None = Decimal(0)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A provider to ask: the models of its slots, which of them have a price, and whether it bills at all."""

    provider: str
    models: Mapping[str, str]
    embeds: bool = True
    free: bool = False
    prices: Mapping[str, Prices] = field(default_factory=dict)

    def model(self, scenario: Scenario) -> str:
        """The `provider/model` that a scenario asks; the provider's name alone where nobody named one."""
        own = scenario.exact_model or self.models.get(scenario.model, "")
        if not own and scenario.feature != "embeddings":
            own = self.models.get(CHAT_MODEL, "")
        return f"{self.provider}/{own}" if own else self.provider


class Recorder:
    """Runs scenarios over `backend`, whose recording transport writes into `staging`; keeps them in `library`."""

    def __init__(
        self,
        backend: Recordable,
        *,
        staging: Path,
        library: Library,
        ledger: Ledger,
        retries: int = 2,
        timeout: float = 300.0,
        keep_failed: bool = False,
        secrets: Sequence[str] = (),
        waiting: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._backend = backend
        self._staging = Library(staging)
        self._library = library
        self._ledger = ledger
        self._retries = retries
        self._timeout = timeout
        self._keep_failed = keep_failed
        self._secrets = tuple(secrets)
        self._waiting = waiting

    async def record(self, scenario: Scenario, target: Target) -> Result:
        """Ask a scenario's steps in turn. Errors are told in the result, not raised."""
        if scenario.feature == "embeddings" and target.embeds and scenario.model not in target.models:
            missing = f"no model is named for it: --model {scenario.model}={target.provider}/MODEL"
            return Result(provider=target.provider, scenario=scenario.name, state=State.FAILED, message=missing)
        began = time.perf_counter()
        before = (self._ledger.calls, self._ledger.known, self._ledger.unknown)
        name = f"{target.provider}/{scenario.name}"
        try:
            state, message = await self._attempts(scenario, target, name)
        except HarnessError as error:
            state, message = State.FAILED, str(error)
        kept = ""
        exchanges = self._staged(name)
        if exchanges and (state is State.RECORDED or (state is State.FAILED and self._keep_failed)):
            try:
                self._library.put(name, exchanges, scenario=scenario.name, secrets=self._secrets)
                kept = name
            except HarnessError as error:
                state, message = State.FAILED, str(error)
        self._clear(name)
        return Result(
            provider=target.provider,
            scenario=scenario.name,
            state=state,
            message=message,
            cassette=kept,
            calls=self._ledger.calls - before[0],
            cost=self._ledger.known - before[1] if self._ledger.unknown == before[2] else None,
            seconds=time.perf_counter() - began,
        )

    async def _attempts(self, scenario: Scenario, target: Target, name: str) -> tuple[State, str]:
        for attempt in range(self._retries + 1):
            self._clear(name)
            try:
                await self._steps(scenario, target)
            except StoppedError as error:
                return State.STOPPED, str(error)
            except ScenarioError as error:
                return State.FAILED, str(error)
            except ServiceError as error:
                if error.reason.value in scenario.expect and self._staged(name):
                    return State.RECORDED, f"as expected: {error.reason.value}"
                if error.reason in _NOT_OFFERED:
                    if not self._staged(name):
                        return State.NOT_OFFERED, error.message
                    self._ledger.book(Decimal(0))
                if not error.retryable or attempt == self._retries:
                    return State.FAILED, f"{error.reason.value}: {error.message}"
                pause = min(error.retry_after if error.retry_after is not None else 2.0**attempt, _LONGEST_WAIT)
                self._waiting(f"{error.reason.value}; trying again in {pause:g} s")
                await asyncio.sleep(pause)
            else:
                if scenario.expect:
                    return State.FAILED, f"it was answered, and had to fail with {' or '.join(scenario.expect)}"
                if not self._staged(name):
                    return State.FAILED, "nothing passed the recorder: this provider is not called over HTTP"
                return State.RECORDED, ""
        raise AssertionError("unreachable")  # the last attempt returns

    async def _steps(self, scenario: Scenario, target: Target) -> None:
        turn: Turn | None = None
        for step in scenario.steps:
            turn = await self._step(step, scenario, target, turn)

    async def _step(self, step: Step, scenario: Scenario, target: Target, before: Turn | None) -> Turn | None:
        model = target.model(scenario)
        prices = target.prices.get(model.partition("/")[2])
        call = Call(
            deadline=asyncio.get_running_loop().time() + self._timeout,
            metadata={
                "x-antiphon-cassette": f"{target.provider}/{scenario.name}",
                "x-antiphon-scenario": scenario.name,
            },
        )
        if step.kind == "models":
            self._allow(None)
            await self._models(target, call)
            return None
        if step.kind == "embed":
            request = embed_request(step, model)
            self._allow(spending.worst_of(prices, request.ByteSize(), 0))
            with self._booked(target, prices) as book:
                book((await self._backend.embed(request, call)).usage)
            return None
        spec = chat_spec(step, model, before)
        bound = spec.max_output_tokens if spec.HasField("max_output_tokens") else None
        self._allow(spending.worst_of(prices, spec.ByteSize(), bound))
        if step.kind == "count":
            await self._backend.count_tokens(spec, call)
            self._ledger.book(Decimal(0))  # counting is not generating: no provider bills it
            return None
        with self._booked(target, prices) as book:
            completion = await (self._streamed if step.kind == "stream" else self._backend.chat)(spec, call)
            book(completion.usage)
        return Turn(spec=spec, completion=completion)

    async def _streamed(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
        fold = Fold()
        request = chat_pb2.StreamChatRequest(spec=spec)
        async with aclosing(self._backend.stream_chat(request, call)) as events:
            async for event in events:
                fold.add(event)
        return fold.completion()

    async def _models(self, target: Target, call: Call) -> None:
        asked = models_pb2.ListModelsRequest(provider=target.provider)
        answer = await self._backend.list_models(asked, call)
        for lost in answer.unreachable_providers:
            raise ServiceError(Reason(lost.reason), lost.message)
        self._ledger.book(Decimal(0))

    def _allow(self, worst: Decimal | None) -> None:
        if refusal := self._ledger.refusal(worst):
            raise StoppedError(refusal)

    def _booked(self, target: Target, prices: Prices | None) -> _Booking:
        return _Booking(self._ledger, target, prices)

    def _staged(self, name: str) -> list[Interaction]:
        try:
            return [_labelled(item.interaction, name) for item in self._staging.find(name)]
        except LookupError:
            return []

    def _clear(self, name: str) -> None:
        with_name = [item for item in self._staging.read().items if item.cassette == name]
        self._staging.remove(with_name)


def _labelled(interaction: Interaction, name: str) -> Interaction:
    """The exchange, saying which scenario it is of."""
    said = replace(interaction.answer.provenance or Provenance(), scenario=name.partition("/")[2])
    return replace(interaction, answer=replace(interaction.answer, provenance=said))


class _Booking:
    """Books one call, whatever becomes of it."""

    def __init__(self, ledger: Ledger, target: Target, prices: Prices | None) -> None:
        self._ledger = ledger
        self._target = target
        self._prices = prices

    def __enter__(self) -> Callable[[usage_pb2.Usage], None]:
        return self._answered

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        refused = isinstance(error, ServiceError) and error.reason not in _BILLED_MAYBE and error.partial is None
        if isinstance(error, ServiceError) and error.reason in _NOT_OFFERED:
            return  # most often nothing was sent; whoever sees the exchange knows
        self._ledger.book(Decimal(0) if refused or self._target.free else None)

    def _answered(self, usage: usage_pb2.Usage) -> None:
        self._ledger.book(Decimal(0) if self._target.free else spending.cost_of(usage, self._prices))
