"""A matrix of the harness on the terminal, and the three ways in which a report leaves the command."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from antiphon.cli import terminal
from antiphon.cli.terminal import Terminal
from antiphon.core.errors import Reason, ServiceError
from antiphon.harness.matrix import Matrix, State

STYLES: Final = {
    State.GOOD: "green",
    State.PARTIAL: "yellow",
    State.BAD: "red",
    State.EMPTY: "red",
    State.NOT_OFFERED: "dim",
}


def print_matrix(matrix: Matrix, console: Terminal) -> None:
    """Print the matrix in as many blocks of columns as the terminal is wide for; in one where it is none.

    States are coloured; the words say the same without colour.
    """
    first = max(map(len, (matrix.corner, *matrix.rows)))
    widths = {
        column: max(len(column), *(len(matrix.cell(row, column).text) for row in matrix.rows), 1)
        for column in matrix.columns
    }
    room = console.width - first if console.is_terminal else sum(widths.values()) + 2 * len(widths)
    for number, columns in enumerate(_blocks(widths, room)):
        if number:
            console.print()
        head = "".join(f"  {terminal.line(column).ljust(widths[column])}" for column in columns)
        console.print(Text(f"{terminal.line(matrix.corner).ljust(first)}{head}".rstrip(), style="bold"), soft_wrap=True)
        for row in matrix.rows:
            text = Text(terminal.line(row).ljust(first))
            for column in columns:
                cell = matrix.cell(row, column)
                text.append("  ")
                text.append(terminal.line(cell.text).ljust(widths[column]), style=STYLES[cell.state])
            text.rstrip()
            console.print(text, soft_wrap=True)


def _blocks(widths: Mapping[str, int], room: int) -> list[list[str]]:
    blocks: list[list[str]] = [[]]
    taken = 0
    for column, width in widths.items():
        if blocks[-1] and taken + width + 2 > room:
            blocks.append([])
            taken = 0
        blocks[-1].append(column)
        taken += width + 2
    return blocks


def matrix_document(matrix: Matrix) -> dict[str, Any]:
    """The matrix as JSON: rows by name, in each the cells by column."""
    return {
        row: {
            column: {"state": cell.state.value, "text": cell.text, "detail": cell.detail}
            for column in matrix.columns
            for cell in [matrix.cell(row, column)]
        }
        for row in matrix.rows
    }


def aligned(rows: Sequence[Sequence[str]], console: Terminal) -> None:
    """Print rows in columns, the first one bold, and never fold them: a pipe is as wide as it has to be."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        console.print(Text(text, style="" if number else "bold"), soft_wrap=True)


def json_out(document: Any) -> None:
    """Print a document as JSON."""
    terminal.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def write_file(path: Path, text: str) -> None:
    """Write a report. Raises ServiceError where that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ServiceError(Reason.INVALID_REQUEST, f"{path} cannot be written: {error.strerror}") from error
