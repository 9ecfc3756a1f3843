"""`antiphon embed`: texts as vectors, and how alike they are."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from antiphon.cli import exits, terminal
from antiphon.cli.chat import json_text
from antiphon.cli.client import Connection, perform
from antiphon.cli.render import AnswerPrinter
from antiphon.cli.vectors import cosine, numbers
from antiphon.core.remote import RemoteBackend
from antiphon.v1 import chat_pb2, embeddings_pb2


def request(model: str, texts: Sequence[str]) -> embeddings_pb2.EmbedRequest:
    """The texts in the contract's words."""
    return embeddings_pb2.EmbedRequest(model=model, inputs=[embeddings_pb2.EmbedInput(text=text) for text in texts])


def similarities(texts: Sequence[str], vectors: Sequence[Sequence[float]]) -> Table:
    """Every text with its length as a vector, and its cosine similarity to each of the others."""
    # Sparse vectors end with their last number, so their lengths differ.
    width = max((len(vector) for vector in vectors), default=0)
    level = [[*vector, *([0.0] * (width - len(vector)))] for vector in vectors]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("#", justify="right", style="dim")
    table.add_column("text", overflow="fold")
    table.add_column("dims", justify="right", no_wrap=True)
    if len(vectors) > 1:
        for number in range(1, len(vectors) + 1):
            table.add_column(f"~{number}", justify="right", no_wrap=True)
    for row, text in enumerate(texts):
        alike = [f"{cosine(level[row], other):.3f}" for other in level] if len(vectors) > 1 else []
        table.add_row(str(row + 1), Text(terminal.line(text)), str(len(vectors[row])), *alike)
    return table


def run(model: str, texts: Sequence[str], connection: Connection, *, as_json: bool) -> None:
    """Embed and print. Raises typer.Exit."""

    async def work(backend: RemoteBackend) -> int:
        response = await backend.embed(request(model, texts), connection.call())
        if as_json:
            terminal.write(json_text(response))
            return exits.OK
        terminal.out().print(similarities(texts, [numbers(item) for item in response.embeddings]))
        printer = AnswerPrinter()
        printer.warnings(chat_pb2.Completion(warnings=response.warnings))
        name = "/".join(part for part in (response.provider, response.model) if part)
        replayed = " | replayed from a recording" if response.replayed else ""
        used = f" | {response.usage.input_tokens} tokens" if response.usage.HasField("input_tokens") else ""
        printer.aside(f"{name}{used} | ~ is the cosine similarity{replayed}")
        return exits.OK

    perform(work, connection, as_json=as_json)
