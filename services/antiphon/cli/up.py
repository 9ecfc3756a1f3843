"""`antiphon up`: the suite until Ctrl-C, with a panel that says where it is and how to call it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import typer
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from antiphon.cli import exits, terminal
from antiphon.cli.failure import reported
from antiphon.cli.process import SuiteError
from antiphon.cli.suite import RunningSuite, SuiteOptions, running_suite
from antiphon.core.settings import load
from antiphon.core.signals import signalled

MODELS_HINT = "give --repository, or run from a checkout, whose models/default is used"


def default_repositories() -> tuple[Path, ...]:
    """The model repository of a checkout: beside the sources, or in the folder at hand."""
    beside = Path(__file__).resolve().parents[3] / "models" / "default"
    here = Path("models/default")
    return next(((folder.resolve(),) for folder in (here, beside) if folder.is_dir()), ())


DEFAULT_HTTP = "127.0.0.1:50080"


def http_for(listen: str, asked: str) -> str:
    """Where the HTTP edges listen: as asked, else at their own port, or at a free one where the gateway takes one."""
    host, _, port = listen.rpartition(":")
    return asked or (f"{host}:0" if port == "0" else DEFAULT_HTTP)


def run(options: SuiteOptions, *, ready_file: Path | None = None) -> None:
    """Run the suite until SIGINT or SIGTERM (status 0), or until a part ends by itself (status 1)."""
    with reported():
        settings = load()
        options = replace(options, http=http_for(options.listen, options.http or settings.http))
        if not options.repositories and options.triton == "start":
            options = replace(options, repositories=default_repositories())
        if not options.repositories and options.triton == "start":
            terminal.err().print(Text(f"no model repository: {MODELS_HINT}; going on without Triton", style="yellow"))
            options = replace(options, triton="none")
        if not options.allow_modes and not settings.allow_modes and (options.workers or settings.workers) == 1:
            # To replay costs nothing and calls nobody, so a caller may always ask one process for it.
            options = replace(options, allow_modes=("replay",))
        try:
            asyncio.run(_run(options, options.mode or settings.mode, ready_file))
        except SuiteError as error:
            terminal.err().print(Panel(Text(terminal.safe(str(error))), title="the suite ended", border_style="red"))
            raise typer.Exit(exits.FAILED) from error


async def _run(options: SuiteOptions, mode: str, ready_file: Path | None) -> None:
    told = asyncio.create_task(signalled())
    work = asyncio.create_task(_until_died(options, mode, ready_file))
    try:
        await asyncio.wait({told, work}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
        else:
            terminal.err().print(Text("ending: running calls may finish", style="dim"))
    finally:
        work.cancel()  # also ends a suite that is still starting
        await asyncio.wait({work})
        told.cancel()
        await asyncio.wait({told})


async def _until_died(options: SuiteOptions, mode: str, ready_file: Path | None) -> None:
    with terminal.err().status("starting the suite ..."):
        context = running_suite(options)
        suite = await context.__aenter__()
    try:
        _write(ready_file, suite.address)
        terminal.out().print(panel(suite, mode=mode, log_folder=suite.folder))
        raise await suite.died()
    finally:
        await context.__aexit__(None, None, None)


def panel(suite: RunningSuite, *, mode: str, log_folder: Path) -> Panel:
    """Where everything is, in which mode, and how to call it."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    rows.add_row("gateway", Text(suite.gateway_address, style="bold"))
    if suite.adapter_address != suite.gateway_address:
        rows.add_row("adapter", suite.adapter_address)
        rows.add_row("inference", suite.inference_address)
    else:
        rows.add_row("", Text("adapter and inference in the same process", style="dim"))
    if suite.http_address:
        base = f"http://{suite.http_address}"
        rows.add_row("http", Text.assemble((base, "bold"), ("  base URL for SDKs; OpenAI's: /v1", "dim")))
    triton = suite.triton_address or Text(f"none: {suite.triton_missing}", style="yellow")
    rows.add_row("triton", triton)
    rows.add_row("mode", mode)
    rows.add_row("logs", str(log_folder))
    for label, command in _examples(suite, mode):
        rows.add_row(label, Text(command, style="cyan"))
    rows.add_row("end", "Ctrl-C")
    return Panel(rows, title="antiphon is up", title_align="left", border_style="green", expand=False)


def _examples(suite: RunningSuite, mode: str) -> Sequence[tuple[str, str]]:
    server = "" if suite.address == "127.0.0.1:50051" else f" --server {suite.address}"
    replay = " --replay" if mode not in ("replay", "record-on-miss") else ""
    return (
        ("call it", f'antiphon chat openai/gpt-4o-mini "What is an antiphon?"{replay}{server}'),
        ("", f"antiphon models{server}"),
        ("", f"antiphon health{server}"),
    )


def _write(ready_file: Path | None, address: str) -> None:
    if ready_file is not None:
        temporary = ready_file.with_name(f".{ready_file.name}.part")
        temporary.write_text(address, encoding="utf-8")
        temporary.replace(ready_file)
