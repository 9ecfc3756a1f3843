"""The command that tries a client's nerves. Only its signature: what it does is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from antiphon.cli import options as o


def chaos(
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- COMMAND...]",
            help="The client, run once a fault; it has to end by itself. Without: watch a client that runs on.",
        ),
    ] = None,
    cassettes: o.Cassettes = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this fault (429, 'cut@event=3') or group (refusals, limits, failures, connection, time, "
            "streams, bodies); repeatable. (default: all)"
        ),
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="A YAML list of faults and what is expected after each.")] = None,
    url: Annotated[str, typer.Option(help="Only requests like this, such as 'api.openai.com/*'.")] = "",
    model: Annotated[str, typer.Option(help="Only requests for models like this.")] = "",
    call: Annotated[int, typer.Option(min=1, help="The fault happens to this call of the run.")] = 1,
    times: Annotated[int, typer.Option(min=1, help="And to so many attempts in a row.")] = 1,
    patience: Annotated[
        float, typer.Option(min=0.1, max=o.MAX_SECONDS, help="Seconds after which a client counts as hung.")
    ] = 60.0,
    settle: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Seconds of silence that end a fault, for a client that runs on.")
    ] = 5.0,
    arrival: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Seconds to wait for the next request of such a client.")
    ] = 60.0,
    junit: Annotated[Path | None, typer.Option(help="Write the report as JUnit XML here too.")] = None,
    http: Annotated[str, typer.Option("--http", help="host:port for HTTP; port 0 takes a free one.")] = "127.0.0.1:0",
    listen: Annotated[str, typer.Option(help="host:port for gRPC; port 0 takes a free one.")] = "127.0.0.1:0",
    pace: o.Pace = None,
    upstream: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=URL", help="Serve URL at /NAME, or a known provider from another address."),
    ] = None,
    log_level: o.Level = None,
) -> None:
    """Let things go wrong while your own client runs against recordings, and report what it did after each fault."""
    from antiphon.cli.failure import reported

    with reported():
        from antiphon.cli import chaos as work
        from antiphon.core.settings import load
        from antiphon.harness.chaos import Limits

        settings = load(
            listen=listen,
            http=http,
            mode="replay",
            cassettes=cassettes,
            pace=0.0 if pace is None else pace,
            log_level=log_level.value if log_level else "error",
            grace=0.5,
        )
        options = work.Options(
            command=command or (),
            faults=fault or (),
            plan=plan,
            url=url,
            model=model,
            limits=Limits(patience=patience, settle=settle, arrival=arrival),
            after=call - 1,
            times=times,
            junit=junit,
            upstreams=upstream or (),
        )
        status = work.run(options, settings)
    raise typer.Exit(status)
