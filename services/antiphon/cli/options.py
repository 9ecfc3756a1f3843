"""Options that several commands share, so that they are spelled and explained once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from antiphon.cli.client import Connection


class Mode(StrEnum):
    """Where answers of providers come from."""

    LIVE = "live"
    RECORD = "record"
    REPLAY = "replay"
    RECORD_ON_MISS = "record-on-miss"


class LogLevel(StrEnum):
    """The least important lines that the log holds."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


Server = Annotated[
    str, typer.Option(help="host:port of the gateway, or of any service. (default: ANTIPHON_SERVER, 127.0.0.1:50051)")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, errors too; field names as in the contract.")]
CallMode = Annotated[
    Mode | None, typer.Option("--mode", help="Ask for this mode for this call; the server has to allow it.")
]
Replay = Annotated[bool, typer.Option("--replay", help="Answer from recordings only, as --mode replay.")]
Session = Annotated[str, typer.Option(help="Replay session: each session gets equal requests answered in order.")]

Listen = Annotated[str, typer.Option(help="host:port to listen on; port 0 takes a free one.")]
Http = Annotated[
    str | None,
    typer.Option(
        "--http", help="host:port for the HTTP edges (OpenAI, Anthropic, ...). (default: ANTIPHON_HTTP, none)"
    ),
]
UpHttp = Annotated[
    str,
    typer.Option(
        "--http",
        envvar="ANTIPHON_HTTP",
        help="host:port for the HTTP edges; 'none' for none. (default: 127.0.0.1:50080, or a free port)",
    ),
]
ServiceMode = Annotated[
    Mode | None, typer.Option("--mode", help="Where answers of providers come from. (default: ANTIPHON_MODE, live)")
]
AllowMode = Annotated[
    list[Mode] | None, typer.Option("--allow-mode", help="A mode that callers may ask for; repeatable.")
]
Cassettes = Annotated[Path | None, typer.Option(help="Folder of recordings. (default: ANTIPHON_CASSETTES, cassettes)")]
Pace = Annotated[
    float | None,
    typer.Option(min=0, help="Factor on recorded delays: 1 as recorded, 0 none. (default: ANTIPHON_PACE, 1)"),
]
Otlp = Annotated[str, typer.Option("--otlp-endpoint", help="Collector for traces and metrics, gRPC.")]
Level = Annotated[LogLevel | None, typer.Option("--log-level", help="(default: ANTIPHON_LOG_LEVEL, info)")]
Grace = Annotated[float | None, typer.Option(min=0, help="Seconds that running calls get at the end.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes that share the ports; live only. (default: ANTIPHON_WORKERS, 1)"),
]
ReadyFile = Annotated[
    Path | None,
    typer.Option(envvar="ANTIPHON_READY_FILE", help="Write the address there once calls are taken."),
]

MAX_SECONDS = 24 * 3600.0


def connection(server: str, timeout: float, mode: Mode | None, replay: bool, session: str) -> Connection:
    """What a call's options say together. Raises typer.BadParameter where they contradict each other."""
    from antiphon.cli.client import Connection

    if replay and mode not in (None, Mode.REPLAY):
        raise typer.BadParameter("--replay and another --mode exclude each other", param_hint="--mode")
    asked = Mode.REPLAY if replay else mode
    return Connection(server=server, timeout=timeout, mode=asked.value if asked else "", session=session)
