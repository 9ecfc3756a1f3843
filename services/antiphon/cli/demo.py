"""`antiphon demo`: the whole suite at work on this machine, from recordings, in under a minute.

It is a real client of real services in processes of their own; only the providers are replaced by recordings.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

import typer
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from antiphon.cli import exits, terminal
from antiphon.cli.client import HINT
from antiphon.cli.demo_sections import SECTIONS, DemoError, Stage
from antiphon.cli.failure import panel as error_panel
from antiphon.cli.failure import reported
from antiphon.cli.process import SuiteError
from antiphon.cli.suite import RunningSuite, SuiteOptions, running_suite
from antiphon.cli.tracetree import TraceReceiver
from antiphon.cli.up import default_repositories
from antiphon.core.errors import ServiceError
from antiphon.core.remote import RemoteBackend
from antiphon.core.signals import signalled
from antiphon.core.telemetry.setup import configure

SECTION_SECONDS: Final = 20.0
SPAN_MILLISECONDS: Final = 100
"""How often spans are sent: the usual five seconds would be most of the demo."""


def run(*, keep: bool, cassettes: Path | None) -> None:
    """Run the demo. Status 0 where every section worked, 1 otherwise. Raises typer.Exit."""
    console = terminal.out()
    folder = cassettes or _cassettes()
    if folder is None:
        console.print(
            "the demo's recordings are in the folder `cassettes` of a checkout: run it there, or give --cassettes"
        )
        raise typer.Exit(exits.FAILED)
    with reported():
        try:
            failures = asyncio.run(_until_signalled(keep=keep, cassettes=folder))
        except SuiteError as error:
            console.print(Panel(Text(terminal.safe(str(error))), title="the suite did not start", border_style="red"))
            raise typer.Exit(exits.FAILED) from error
    if failures is None:
        raise typer.Exit(exits.INTERRUPTED)
    for failure in failures:
        console.print(Text(f"failed: {failure}", style="bold red"))
    raise typer.Exit(exits.FAILED if failures else exits.OK)


async def _until_signalled(*, keep: bool, cassettes: Path) -> list[str] | None:
    """What failed; None where a signal ended it first."""
    told = asyncio.create_task(signalled())
    work = asyncio.create_task(_demo(keep=keep, cassettes=cassettes, told=told))
    try:
        if not keep:
            await asyncio.wait({told, work}, return_when=asyncio.FIRST_COMPLETED)
            return work.result() if work.done() else None
        return await work
    finally:
        for task in (work, told):
            task.cancel()
            await asyncio.wait({task})


async def _demo(*, keep: bool, cassettes: Path, told: asyncio.Task[None]) -> list[str]:
    console = terminal.out()
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(TraceReceiver())
        options = SuiteOptions(
            apart=True,
            mode="replay",
            cassettes=cassettes,
            pace=1.0,
            repositories=default_repositories(),
            otlp_endpoint=receiver.endpoint,
            grace=2.0,
            own_environment=False,
            environment={"OTEL_BSP_SCHEDULE_DELAY": str(SPAN_MILLISECONDS)},
        )
        if not options.repositories:
            options = replace(options, triton="none")
        console.print(Rule("antiphon: one side calls, the other answers"))
        console.print(Text("Starting the suite: gateway, provider adapter, inference and Triton ...", style="dim"))
        suite = await stack.enter_async_context(running_suite(options))
        _introduce(suite, cassettes)
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        exporter = BatchSpanProcessor(
            OTLPSpanExporter(endpoint=receiver.endpoint), schedule_delay_millis=SPAN_MILLISECONDS
        )
        stack.push_async_callback(configure("antiphon-demo", span_processors=[exporter]))
        client = RemoteBackend("gateway", suite.address, hint=HINT)
        stack.push_async_callback(client.close)
        failures = await _sections(Stage(client=client, suite=suite, receiver=receiver, console=console))
        console.print(Rule())
        if keep:
            console.print(Text(f"The suite stays at {suite.address} until Ctrl-C.", style="bold"))
            await told
        return failures


async def _sections(stage: Stage) -> list[str]:
    failures: list[str] = []
    for number, section in enumerate(SECTIONS, 1):
        stage.console.print()
        stage.console.print(Text.assemble((f"{number}. {section.title}", "bold cyan"), ("  " + section.says, "dim")))
        try:
            async with asyncio.timeout(SECTION_SECONDS):
                await section.show(stage)
        except ServiceError as error:
            stage.console.print(error_panel(error))
            failures.append(f"{section.title}: {error.reason}")
        except DemoError as error:
            failures.append(f"{section.title}: {error}")
        except TimeoutError:
            failures.append(f"{section.title}: took longer than {SECTION_SECONDS:g} s")
    return failures


def _introduce(suite: RunningSuite, cassettes: Path) -> None:
    console = terminal.out()
    where = f"gateway {suite.gateway_address} -> adapter {suite.adapter_address}, inference {suite.inference_address}"
    console.print(Text(f"{where}, triton {suite.triton_address or 'none'}", style="dim"))
    console.print(
        Text(
            f"No provider is called: their answers are replayed from {cassettes}/, written by hand for this demo "
            "(origin: authored) in the providers' own formats, with pauses like theirs. Everything else is real.",
            style="yellow",
        )
    )
    if suite.triton_missing:
        console.print(Text(f"Triton does not run here: {suite.triton_missing}. Going on without it.", style="yellow"))


def _cassettes() -> Path | None:
    beside = Path(__file__).resolve().parents[3] / "cassettes"
    return next((folder for folder in (Path("cassettes"), beside) if (folder / "openai").is_dir()), None)
