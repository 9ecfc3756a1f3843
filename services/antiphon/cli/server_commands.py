"""The commands that start something. Only signatures: what they do is imported when one runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from antiphon.cli import options as o


class Role(StrEnum):
    """What one process is."""

    GATEWAY = "gateway"
    ADAPTER = "adapter"
    INFERENCE = "inference"
    SUITE = "suite"


def serve(
    role: Annotated[Role, typer.Argument(help="Which service; `suite` is all three in one process.")],
    listen: o.Listen = "",
    http: o.Http = None,
    mode: o.ServiceMode = None,
    allow_mode: o.AllowMode = None,
    cassettes: o.Cassettes = None,
    pace: o.Pace = None,
    adapter: Annotated[str, typer.Option(help="Where the gateway finds the adapter.")] = "",
    inference: Annotated[str, typer.Option(help="Where the gateway finds the inference service.")] = "",
    triton: Annotated[str, typer.Option(help="Where the inference service finds Triton (gRPC).")] = "",
    otlp_endpoint: o.Otlp = "",
    log_level: o.Level = None,
    grace: o.Grace = None,
    ready_file: o.ReadyFile = None,
    workers: o.Workers = None,
    parent: Annotated[int, typer.Option(hidden=True)] = 0,
    worker: Annotated[int, typer.Option(hidden=True)] = 0,
) -> None:
    """Run one service until SIGTERM or Ctrl-C. Options win over ANTIPHON_* variables, these over ANTIPHON_CONFIG."""
    from antiphon.cli import serving
    from antiphon.cli.process import WITH_EDGES

    if not serving.serves_http(role.value, http):
        said = f"{' and '.join(WITH_EDGES)} serve HTTP, {role.value} does not"
        raise typer.BadParameter(said, param_hint="--http")
    given = {
        "listen": listen or None,
        "http": http,
        "mode": mode.value if mode else None,
        "allow_modes": [each.value for each in allow_mode] if allow_mode else None,
        "cassettes": cassettes,
        "pace": pace,
        "adapter": adapter or None,
        "inference": inference or None,
        "triton": triton or None,
        "otlp_endpoint": otlp_endpoint or None,
        "log_level": log_level.value if log_level else None,
        "grace": grace,
        "workers": workers,
    }
    serving.run(serving.Asked(role=role.value, settings=given, ready_file=ready_file, parent=parent, worker=worker))


def up(
    listen: o.Listen = "127.0.0.1:50051",
    http: o.UpHttp = "",
    apart: Annotated[bool, typer.Option("--apart", help="Three processes instead of one.")] = False,
    mode: o.ServiceMode = None,
    allow_mode: o.AllowMode = None,
    cassettes: o.Cassettes = None,
    pace: o.Pace = None,
    no_triton: Annotated[bool, typer.Option("--no-triton", help="Start no Triton.")] = False,
    triton: Annotated[str, typer.Option(help="Use the Triton that runs there (gRPC) instead of starting one.")] = "",
    repository: Annotated[
        list[Path] | None, typer.Option(help="Model repository of the Triton that is started; repeatable.")
    ] = None,
    otlp_endpoint: o.Otlp = "",
    log_level: o.Level = None,
    grace: o.Grace = None,
    workers: o.Workers = None,
    logs: Annotated[Path | None, typer.Option(help="Folder for the logs. (default: a temporary one)")] = None,
    ready_file: o.ReadyFile = None,
) -> None:
    """Keep the whole suite running until Ctrl-C: Triton where this machine can, and the services."""
    if no_triton and triton:
        raise typer.BadParameter("--no-triton and --triton exclude each other", param_hint="--triton")
    from antiphon.cli import up as work
    from antiphon.cli.suite import SuiteOptions

    options = SuiteOptions(
        listen=listen,
        http=http,
        apart=apart,
        mode=mode.value if mode else "",
        allow_modes=tuple(each.value for each in allow_mode or ()),
        cassettes=cassettes,
        pace=pace,
        triton="none" if no_triton else triton or "start",
        repositories=tuple(repository or ()),
        otlp_endpoint=otlp_endpoint,
        log_level=log_level.value if log_level else "",
        grace=30.0 if grace is None else grace,
        workers=workers or 0,
        folder=logs,
    )
    work.run(options, ready_file=ready_file)


def triton_up(
    repository: Annotated[
        list[Path] | None, typer.Option(help="Model repository; repeatable. (default: models/default)")
    ] = None,
    model: Annotated[list[str] | None, typer.Option(help="Load only this model; repeatable.")] = None,
    python: Annotated[
        Path | None, typer.Option(help="Interpreter or environment whose packages the models import.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="gRPC port; 0 takes a free one.")] = 8001,
    http_port: Annotated[int | None, typer.Option(min=0, max=65535, help="HTTP port. (default: off)")] = None,
    metrics_port: Annotated[int | None, typer.Option(min=0, max=65535, help="Metrics port. (default: off)")] = None,
) -> None:
    """Run a real tritonserver here, without Docker, until Ctrl-C."""
    import asyncio

    from antiphon.cli import up as work
    from antiphon.triton import TritonOptions
    from antiphon.triton import serve as run

    repositories = tuple(repository or ()) or work.default_repositories()
    if not repositories:
        raise typer.BadParameter(work.MODELS_HINT, param_hint="--repository")
    options = TritonOptions(
        repositories=repositories,
        models=tuple(model or ()),
        python=python,
        host=host,
        grpc_port=port,
        http_port=http_port,
        metrics_port=metrics_port,
    )
    raise typer.Exit(asyncio.run(run(options)))


def keys_new(
    name: Annotated[str, typer.Argument(help="Name of the caller, for logs and traces.")],
    as_json: o.Json = False,
) -> None:
    """Make a caller key. It is shown once; the server keeps only its hash."""
    from antiphon.cli import keys

    keys.run(name, as_json=as_json)


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Keep the suite running afterwards, until Ctrl-C.")] = False,
    cassettes: o.Cassettes = None,
) -> None:
    """Show what antiphon does, from recordings, in under a minute: no key and no network needed."""
    from antiphon.cli.demo import run

    run(keep=keep, cassettes=cassettes)
