"""`antiphon record`: a scenario set against live providers, its answers kept as cassettes."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import typer
from rich.table import Table
from rich.text import Text

from antiphon.adapter.credentials import Credentials
from antiphon.adapter.providers import Providers
from antiphon.cli import assembly, exits, spending, terminal
from antiphon.cli.failure import EXITS
from antiphon.cli.harness_errors import told
from antiphon.cli.provider_rows import provider_rows
from antiphon.cli.recording import Recorder, Result, State, Target
from antiphon.cli.spending import Ledger, Prices
from antiphon.cli.tables import json_out
from antiphon.core.call import Call
from antiphon.core.errors import Code, Reason, ServiceError, invalid
from antiphon.core.settings import Settings, credentials_environment, load
from antiphon.harness import scenarios
from antiphon.harness.library import Library
from antiphon.harness.scenarios import CHAT_MODEL, Scenario, ScenarioSet
from antiphon.v1 import models_pb2

STANDARD: Final = "standard"
"""The name of the set that comes with antiphon."""

_SHIPPED: Final = Path(__file__).with_name("scenarios.yaml")
_STYLES: Final = {State.RECORDED: "green", State.NOT_OFFERED: "dim", State.FAILED: "red", State.STOPPED: "yellow"}
_LIST_PATIENCE: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user asked for."""

    scenarios: str
    providers: Sequence[str]
    """`name` or `name/model`."""
    only: Sequence[str] = ()
    models: Sequence[str] = ()
    """`[slot=]provider/model`."""
    prices: Sequence[str] = ()
    """`provider/model=input/output`."""
    cassettes: Path | None = None
    limit: str = ""
    allow_unknown: bool = False
    retries: int = 2
    timeout: float = 300.0
    keep_failed: bool = False
    dry_run: bool = False


def scenario_set(name: str) -> ScenarioSet:
    """The set of that name or file. Raises ScenarioError."""
    return scenarios.read(_SHIPPED if name == STANDARD else Path(name))


def run(options: Options, *, as_json: bool) -> None:
    """Record and print. Raises typer.Exit."""
    with told(as_json=as_json):
        settings = load(cassettes=options.cassettes)
        whole = scenario_set(options.scenarios)
        chosen = whole.only(options.only)
        ledger = Ledger(limit=_money(options.limit), allow_unknown=options.allow_unknown)
        if options.dry_run:
            _plan(chosen, options, as_json=as_json)
            raise typer.Exit(exits.OK)
        results = asyncio.run(_record(chosen, whole, options, settings, ledger, quiet=as_json))
        _print(results, ledger, as_json=as_json)
        raise typer.Exit(_status(results))


async def _record(
    chosen: Sequence[Scenario],
    whole: ScenarioSet,
    options: Options,
    settings: Settings,
    ledger: Ledger,
    *,
    quiet: bool,
) -> list[Result]:
    environment = credentials_environment()
    with tempfile.TemporaryDirectory(prefix="antiphon-record-") as staging:
        recording = replace(settings, mode="record", allow_modes=["live"], cassettes=Path(staging), pace=1.0)
        backend = assembly.adapter(recording, environment)
        try:
            facts = {each.name: each for each in (await backend.list_providers(_ALL, Call())).providers}
            targets = [
                await _target(name, whole, options, facts, backend if options.limit else None)
                for name in options.providers
            ]
            providers = Providers(provider_rows(settings))
            shelf = Library(settings.cassettes)
            shelf.lend(Path(staging))
            recorder = Recorder(
                backend,
                staging=Path(staging),
                library=shelf,
                ledger=ledger,
                retries=options.retries,
                timeout=options.timeout,
                keep_failed=options.keep_failed,
                secrets=Credentials(environment).secrets(providers),
                waiting=lambda said: _say(Text(f"    {terminal.line(said)}", style="dim"), quiet=quiet),
            )
            results = []
            for target in targets:
                for scenario in chosen:
                    results.append(await recorder.record(scenario, target))
                    _say(_line(results[-1], ledger), quiet=quiet)
            return results
        finally:
            await backend.close()


async def _target(
    asked: str, whole: ScenarioSet, options: Options, facts: Mapping[str, models_pb2.Provider], backend: Any
) -> Target:
    name, _, own = asked.partition("/")
    fact = facts.get(name)
    if fact is None:
        raise invalid("--provider", f"{name!r} is not known; known: {', '.join(sorted(facts))}")
    if not fact.configured:
        raise ServiceError(Reason.CREDENTIALS_MISSING, f"{name} cannot be called: {fact.missing}")
    models = dict(whole.models.get(name, {}))
    if fact.default_model:
        models.setdefault(CHAT_MODEL, fact.default_model)
    if own:
        models[CHAT_MODEL] = own
    for given in options.models:
        slot, equals, model = given.rpartition("=")
        provider, _, named = model.partition("/")
        if not named or (equals and not slot):
            raise invalid("--model", f"{given!r} must be [SLOT=]PROVIDER/MODEL")
        if provider == name:
            models[slot or CHAT_MODEL] = named
    if CHAT_MODEL not in models:
        raise invalid("--provider", f"{name} has no default model; name one: --provider {name}/MODEL")
    prices = await _listed(name, backend) if backend is not None and not fact.local else {}
    stated = {each: spending.price(*pair) for each, pair in whole.prices.items()} | _stated(options.prices)
    prices |= {each.partition("/")[2]: value for each, value in stated.items() if each.startswith(f"{name}/")}
    return Target(provider=name, models=models, embeds="embeddings" in fact.features, free=fact.local, prices=prices)


async def _listed(provider: str, backend: Any) -> dict[str, Prices]:
    """What the provider's own list of models says of prices; nothing where it offers none or cannot be asked."""
    call = Call(deadline=asyncio.get_running_loop().time() + _LIST_PATIENCE, metadata={"x-antiphon-mode": "live"})
    found: dict[str, Prices] = {}
    asked = models_pb2.ListModelsRequest(provider=provider)
    while True:
        page = await backend.list_models(asked, call)
        for model in page.models:
            prices = spending.prices_of(model)
            if prices is not None:
                found[model.provider_model_id] = prices
        asked.page_token = page.next_page_token
        if not asked.page_token:
            return found


def _stated(given: Sequence[str]) -> dict[str, Prices]:
    stated = {}
    for each in given:
        model, equals, pair = each.rpartition("=")
        input_usd, slash, output_usd = pair.partition("/")
        if not equals or not slash or "/" not in model:
            raise invalid("--price", f"{each!r} must be PROVIDER/MODEL=INPUT/OUTPUT, dollars for a million tokens")
        try:
            stated[model] = spending.price(input_usd, output_usd)
        except ValueError as error:
            raise invalid("--price", str(error)) from error
    return stated


def _money(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        value = Decimal(text.removeprefix("$"))
    except InvalidOperation as error:
        raise invalid("--limit", f"{text!r} is no amount of US dollars, such as 0.50") from error
    if not value.is_finite() or value < 0:
        raise invalid("--limit", "must be 0 or more")
    return value


def _plan(chosen: Sequence[Scenario], options: Options, *, as_json: bool) -> None:
    if as_json:
        json_out({"scenarios": [each.name for each in chosen], "providers": list(options.providers)})
        return
    rows = Table.grid(padding=(0, 2))
    for scenario in chosen:
        calls = ", ".join(step.kind for step in scenario.steps)
        rows.add_row(scenario.name, Text(calls, style="dim"), Text(terminal.line(scenario.about)))
    terminal.out().print(rows)
    total = sum(len(each.steps) for each in chosen) * len(options.providers)
    terminal.err().print(Text(f"{total} calls, had they been made", style="dim"))


def _say(text: Text, *, quiet: bool) -> None:
    if not quiet:
        terminal.err().print(text, soft_wrap=True)


def _line(result: Result, ledger: Ledger) -> Text:
    text = Text.assemble(
        f"{result.provider}  {result.scenario}  ",
        (result.state.value, _STYLES[result.state]),
        (f"  {result.seconds:.1f} s  so far {ledger.said()}", "dim"),
    )
    if result.message:
        text.append(f"  {terminal.line(result.message)}", style="dim")
    return text


def _print(results: Sequence[Result], ledger: Ledger, *, as_json: bool) -> None:
    if as_json:
        json_out(
            {
                "results": [_document(result) for result in results],
                "calls": ledger.calls,
                "cost_usd": spending.dollars(ledger.known),
                "calls_of_unknown_cost": ledger.unknown,
            }
        )
        return
    counts = Counter(result.state for result in results)
    said = ", ".join(f"{counts[state]} {state.value}" for state in State if counts[state])
    terminal.out().print(Text(f"{said}; {ledger.said()}"))


def _document(result: Result) -> dict[str, Any]:
    return {
        "provider": result.provider,
        "scenario": result.scenario,
        "state": result.state.value,
        "message": result.message,
        "cassette": result.cassette,
        "calls": result.calls,
        "cost_usd": None if result.cost is None else spending.dollars(result.cost),
        "seconds": round(result.seconds, 3),
    }


def _status(results: Sequence[Result]) -> int:
    states = {result.state for result in results}
    if State.STOPPED in states:
        return EXITS[Code.RESOURCE_EXHAUSTED]
    return exits.FAILED if State.FAILED in states else exits.OK


_ALL: Final = models_pb2.ListProvidersRequest()
