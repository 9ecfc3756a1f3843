"""`antiphon cassettes coverage | conformance | verify`: what recordings cover and show, and whether they are sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from antiphon.adapter.providers import Provider
from antiphon.cli import exits, shown_features, terminal
from antiphon.cli.cassettes import library, warn_unreadable
from antiphon.cli.cassettes_change import secrets
from antiphon.cli.harness_errors import told
from antiphon.cli.provider_rows import provider_rows
from antiphon.cli.record import scenario_set
from antiphon.cli.tables import json_out, matrix_document, print_matrix, write_file
from antiphon.core.settings import load
from antiphon.harness import conformance as table
from antiphon.harness import scan as scanning
from antiphon.harness.coverage import coverage as covered
from antiphon.harness.holdings import Contents
from antiphon.harness.matrix import Matrix, html, markdown
from antiphon.harness.scenarios import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a table leaves the command."""

    markdown: bool = False
    html: Path | None = None
    as_json: bool = False


def coverage(folder: Path | None, *, scenarios: str, providers: Sequence[str], strict: bool, form: Form) -> None:
    """Print the matrix. Raises typer.Exit: 1 where `strict` and a cell is empty."""
    with told(as_json=form.as_json):
        contents = library(folder).read()
        wanted = scenario_set(scenarios).scenarios if scenarios else ()
        found = covered(
            contents.items,
            scenarios=[scenario.name for scenario in wanted],
            providers=providers,
            not_offered=_not_offered(wanted, contents, providers),
        )
        missing = [{"scenario": scenario, "provider": provider} for scenario, provider in found.missing]
        _print(found.matrix, form, {"filled": found.filled, "missing": missing})
        if not form.as_json:
            warn_unreadable(contents)
        raise typer.Exit(exits.FAILED if strict and found.missing else exits.OK)


def conformance(folder: Path | None, *, provider: str, form: Form) -> None:
    """Print the table."""
    with told(as_json=form.as_json):
        contents = library(folder).read()
        _print(conformance_of(contents, provider), form, {})
        if not form.as_json:
            warn_unreadable(contents)


def conformance_of(contents: Contents, provider: str = "") -> Matrix:
    """The table of features and providers."""
    shown = shown_features.evidence(contents.chosen(provider=provider))
    return table.conformance(shown, features=shown_features.NAMES)


def verify(folder: Path | None, *, strict: bool, as_json: bool) -> None:
    """Print what is wrong. Raises typer.Exit: 1 where something is."""
    with told(as_json=as_json):
        shelf = library(folder)
        problems = shelf.verify(secrets=secrets())
        wrong = [problem for problem in problems if strict or not problem.warning]
        if as_json:
            json_out({"sound": not wrong, "problems": [asdict(problem) for problem in problems]})
        else:
            for problem in problems:
                style = "yellow" if problem.warning else "red"
                text = Text.assemble((terminal.line(problem.place), style), f": {terminal.line(problem.problem)}")
                terminal.out().print(text, soft_wrap=True)
            warnings = sum(1 for problem in problems if problem.warning)
            said = f"{len(problems) - warnings} problems and {warnings} warnings under {shelf.root}"
            terminal.err().print(Text(said, style="dim"))
        raise typer.Exit(exits.FAILED if wrong else exits.OK)


def scan(folder: Path | None, *, as_json: bool) -> None:
    """Print where credentials are. Raises typer.Exit: 1 where there are any."""
    with told(as_json=as_json):
        shelf = library(folder)
        done = scanning.scan(shelf.root, secrets=secrets())
        if as_json:
            json_out(
                {"files": done.files, "interactions": done.interactions, "findings": [*map(asdict, done.findings)]}
            )
        else:
            for finding in done.findings:
                text = Text.assemble((terminal.line(finding.file), "red"), f": {terminal.line(finding.place)}")
                terminal.out().print(text, soft_wrap=True)
            said = f"{done.files} files and {done.interactions} recordings searched, {len(done.findings)} findings"
            terminal.err().print(Text(said, style="dim"))
        raise typer.Exit(exits.FAILED if done.findings else exits.OK)


def _print(matrix: Matrix, form: Form, facts: dict[str, Any]) -> None:
    if form.html is not None:
        write_file(form.html, html(matrix, title=f"antiphon: {matrix.title.lower()}"))
    if form.as_json:
        json_out({**facts, "cells": matrix_document(matrix)})
    elif form.markdown:
        terminal.write(markdown(matrix))
    else:
        print_matrix(matrix, terminal.out())
        for note in matrix.notes:
            terminal.err().print(Text(terminal.line(note), style="dim"), soft_wrap=True)


def _not_offered(wanted: Sequence[Scenario], contents: Contents, providers: Sequence[str]) -> set[tuple[str, str]]:
    """Scenarios that a provider's row says it has nothing for."""
    rows = provider_rows(load())
    names = {*providers, *(item.provider for item in contents.items)}
    return {
        (scenario.name, name)
        for name in names
        if (row := rows.get(name)) is not None
        for scenario in wanted
        if not _offers(row, scenario.feature)
    }


def _offers(row: Provider, feature: str) -> bool:
    return bool({"embeddings": row.embeddings, "models": row.models}.get(feature, "yes"))
