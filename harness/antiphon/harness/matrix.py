"""A table of words against words, as text for a terminal's caller, Markdown for a pull request, HTML for a page.

Coverage (scenario x provider) and conformance (feature x provider) are such tables. The page stands alone: no script,
no style sheet, no font from elsewhere, so it can be kept as a CI artefact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from html import escape
from typing import Final


class State(StrEnum):
    """How good a cell is; it decides the colour."""

    GOOD = "good"
    PARTIAL = "partial"
    BAD = "bad"
    EMPTY = "empty"
    NOT_OFFERED = "not offered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell: its state, a few words, and more of them for whoever points at it."""

    state: State
    text: str
    detail: str = ""


EMPTY: Final = Cell(state=State.EMPTY, text="-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Cells by (row, column); a missing one is empty. `notes` are lines below the table."""

    title: str
    corner: str
    rows: Sequence[str]
    columns: Sequence[str]
    cells: Mapping[tuple[str, str], Cell]
    notes: Sequence[str] = field(default=())

    def cell(self, row: str, column: str) -> Cell:
        """Return a cell."""
        return self.cells.get((row, column), EMPTY)

    def empty(self) -> list[tuple[str, str]]:
        """Return (row, column) of every empty cell, row by row."""
        return [
            (row, column) for row in self.rows for column in self.columns if self.cell(row, column).state is State.EMPTY
        ]


def markdown(matrix: Matrix) -> str:
    """Return the matrix as a heading, a table and its notes."""
    lines = [
        f"## {_plain(matrix.title)}",
        "",
        _row([matrix.corner, *matrix.columns]),
        _row(["---"] * (len(matrix.columns) + 1)),
    ]
    for row in matrix.rows:
        lines.append(_row([row, *(matrix.cell(row, column).text for column in matrix.columns)]))
    lines += ["", *(f"- {_plain(note)}" for note in matrix.notes)]
    return "\n".join(lines).rstrip() + "\n"


def html(*matrices: Matrix, title: str) -> str:
    """Return one page with the matrices on it."""
    body = "\n".join(_section(matrix) for matrix in matrices)
    return _PAGE.format(title=escape(title), style=_STYLE, body=body)


def _section(matrix: Matrix) -> str:
    head = "".join(f"<th scope=col>{escape(column)}</th>" for column in matrix.columns)
    rows = "\n".join(
        f"<tr><th scope=row>{escape(row)}</th>"
        + "".join(_cell(matrix.cell(row, column)) for column in matrix.columns)
        + "</tr>"
        for row in matrix.rows
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in matrix.notes)
    return (
        f"<h2>{escape(matrix.title)}</h2>\n<table>\n<thead><tr><th>{escape(matrix.corner)}</th>{head}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>\n" + (f"<ul>{notes}</ul>\n" if notes else "")
    )


def _cell(cell: Cell) -> str:
    about = f' title="{escape(cell.detail)}"' if cell.detail else ""
    return f'<td class="{cell.state.value.replace(" ", "-")}"{about}>{escape(cell.text)}</td>'


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(cell) for cell in cells) + " |"


def _plain(text: str) -> str:
    """Return the text on one line, with what Markdown or HTML would take for its own made harmless."""
    return escape(" ".join(text.split()), quote=False).replace("|", "\\|")


_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #1c1c1c; background: #fff }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { border: 1px solid #d5d5d5; padding: .3rem .6rem; text-align: left; vertical-align: top }
thead th { background: #f4f4f4; position: sticky; top: 0 }
.good { background: #dff3e3 } .partial { background: #fdf3d0 } .bad { background: #f9dcdc }
.empty { background: #fff; color: #a33 } .not-offered { background: #f0f0f0; color: #666 }
"""
_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
<h1>{title}</h1>
{body}
</html>
"""
