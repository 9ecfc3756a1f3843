"""`antiphon models`: what can be called, and which providers could not be asked."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from antiphon.cli import exits, terminal
from antiphon.cli.chat import json_text
from antiphon.cli.client import Connection, perform
from antiphon.core.call import Call
from antiphon.core.remote import RemoteBackend
from antiphon.v1 import models_pb2

_CAPABILITIES = ("chat", "embeddings", "streaming", "tools", "json_schema", "reasoning")


async def everything(
    backend: RemoteBackend, call: Call, *, provider: str = "", search: str = ""
) -> models_pb2.ListModelsResponse:
    """All pages as one answer."""
    whole = models_pb2.ListModelsResponse()
    asked = models_pb2.ListModelsRequest(provider=provider, search=search)
    while True:
        page = await backend.list_models(asked, call)
        asked.page_token = page.next_page_token
        whole.models.extend(page.models)
        known = {item.provider for item in whole.unreachable_providers}
        whole.unreachable_providers.extend(item for item in page.unreachable_providers if item.provider not in known)
        if not asked.page_token:
            return whole


def table(models: Iterable[models_pb2.Model]) -> Table:
    """The models, one a row: the name, then what is known of it."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    for model in models:
        facts = Text(", ".join(_facts(model)), style="green")
        said = terminal.line(model.description or model.display_name)
        if said:
            facts.append(f"  {said}" if facts else said, style="dim")
        rows.add_row(Text(terminal.line(model.name)), facts)
    return rows


def run(connection: Connection, *, provider: str, search: str, as_json: bool) -> None:
    """List and print. Raises typer.Exit."""

    async def work(backend: RemoteBackend) -> int:
        found = await everything(backend, connection.call(), provider=provider, search=search)
        if as_json:
            terminal.write(json_text(found))
            return exits.OK
        if found.models:
            terminal.rows().print(table(found.models))
        console = terminal.err()
        for item in found.unreachable_providers:
            said = f"{terminal.line(item.provider)} could not be asked: {item.reason}: {terminal.line(item.message)}"
            console.print(Text(said, style="yellow"))
        if not found.models and not found.unreachable_providers:
            console.print(Text("no model fits" if provider or search else "no provider is configured", style="dim"))
        return exits.OK

    perform(work, connection, as_json=as_json)


def _facts(model: models_pb2.Model) -> list[str]:
    said = [f"= {terminal.line(alias)}" for alias in model.aliases]
    said += [name.replace("_", " ") for name in _CAPABILITIES if getattr(model.capabilities, name)]
    if model.HasField("embedding_dimensions"):
        said.append(f"{model.embedding_dimensions} dimensions")
    if model.HasField("context_window_tokens"):
        said.append(f"{model.context_window_tokens} tokens of context")
    return said
