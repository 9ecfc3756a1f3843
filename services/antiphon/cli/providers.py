"""`antiphon providers`: which providers there are, whether each can be called, and what is missing where not."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from antiphon.cli import exits, terminal
from antiphon.cli.chat import json_text
from antiphon.cli.client import Connection, perform
from antiphon.core.remote import RemoteBackend
from antiphon.v1 import models_pb2


def table(providers: Iterable[models_pb2.Provider]) -> Table:
    """The providers, one a row, those that can be called first."""
    rows = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("provider", "wire", "state", "key", "default model", "features"):
        rows.add_column(title, overflow="fold", no_wrap=title == "provider")
    for provider in sorted(providers, key=lambda each: (not each.configured, each.name)):
        rows.add_row(
            Text(terminal.line(provider.name)),
            Text(terminal.line(provider.wire), style="dim"),
            _state(provider),
            "needed" if provider.key_required else "not needed",
            Text(terminal.line(provider.default_model)),
            Text(terminal.line(", ".join(provider.features)), style="dim"),
        )
    return rows


def run(connection: Connection, *, as_json: bool) -> None:
    """List and print. Raises typer.Exit."""

    async def work(backend: RemoteBackend) -> int:
        found = await backend.list_providers(models_pb2.ListProvidersRequest(), connection.call())
        if as_json:
            terminal.write(json_text(found))
        else:
            terminal.rows().print(table(found.providers))
        return exits.OK

    perform(work, connection, as_json=as_json)


def _state(provider: models_pb2.Provider) -> Text:
    if not provider.configured:
        return Text(terminal.line(provider.missing), style="yellow")
    if provider.warning:
        return Text(f"configured, but {terminal.line(provider.warning)}", style="yellow")
    return Text("local" if provider.local else "configured", style="green")
