"""The command that answers in providers' places. Only its signature: what it does is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from antiphon.cli import options as o


def replay(
    cassettes: o.Cassettes = None,
    http: Annotated[
        str, typer.Option("--http", help="host:port for HTTP; port 0 takes a free one.")
    ] = "127.0.0.1:50080",
    listen: Annotated[str, typer.Option(help="host:port for gRPC; port 0 takes a free one.")] = "127.0.0.1:50051",
    mode: Annotated[
        o.Mode,
        typer.Option(help="replay answers from recordings only; record and record-on-miss record what passes through."),
    ] = o.Mode.REPLAY,
    allow_mode: o.AllowMode = None,
    pace: o.Pace = None,
    upstream: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=URL", help="Serve URL at /NAME, or a known provider from another address; repeatable."
        ),
    ] = None,
    faults: Annotated[
        Path | None,
        typer.Option(help="A plan of faults (YAML): what goes wrong for which requests, by chance and seed."),
    ] = None,
    triton: Annotated[str, typer.Option(help="Where the inference service finds Triton (gRPC).")] = "",
    log_level: o.Level = None,
    grace: o.Grace = None,
    ready_file: o.ReadyFile = None,
) -> None:
    """Answer from recordings in the place of every provider: any SDK whose base URL is changed replays, or records."""
    from antiphon.cli.failure import reported

    with reported():
        from antiphon.core.settings import load

        settings = load(
            listen=listen,
            http=http,
            mode=mode.value,
            allow_modes=[each.value for each in allow_mode] if allow_mode else None,
            cassettes=cassettes,
            pace=pace,
            triton=triton or None,
            log_level=log_level.value if log_level else "warning",
            grace=grace if grace is not None else 5.0,
        )
        from antiphon.cli.replay import serve

        serve(settings, given=upstream or [], ready_file=ready_file, faults=faults)
