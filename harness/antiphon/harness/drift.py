"""Whether a provider still answers in the shape that was recorded.

Recordings keep a test suite green for ever, also after the provider has changed. So a sample of them is asked again,
live, into another folder, and compared: what was added is information, what is gone a warning, a type that changed an
error. What a model says is no drift; what fields it says it in is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Final

import httpx

from antiphon.harness import age
from antiphon.harness.differing import Finding, Severity, findings, interaction_shape
from antiphon.harness.holdings import Item
from antiphon.harness.interaction import Interaction
from antiphon.harness.library import Library
from antiphon.harness.modes import EXTENSION, Mode, Outcome, RecordingCall
from antiphon.harness.shapes import Shape, union
from antiphon.harness.transport import CassetteTransport

Prepare = Callable[[Item, httpx.Request], httpx.Request]
"""Makes a stored request one that may be sent: address and credentials. Raises CannotAskError."""

_NOT_DRIFT: Final = frozenset({401, 403, 407, 408, 425, 429})
"""Answers that say something of our key or the hour, and nothing of the shape."""
_PATIENCE: Final = 120.0
_FOLDER: Final = "again"


class CannotAskError(Exception):
    """A recording cannot be asked again; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One recording that was asked again. `failure` says why there was no answer to compare; empty where there was."""

    item: Item
    findings: tuple[Finding, ...] = ()
    failure: str = ""
    live: Interaction | None = None

    @property
    def worst(self) -> Severity | None:
        """The highest severity; None where nothing differs."""
        return max((finding.severity for finding in self.findings), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run found, in the order of the sample, and the recordings that are too old."""

    checked: tuple[Checked, ...]
    expired: tuple[Item, ...] = ()

    @property
    def worst(self) -> Severity | None:
        """The highest severity of all; None where nothing differs."""
        return max((each.worst for each in self.checked if each.worst is not None), default=None)

    @property
    def failed(self) -> int:
        """How many could not be asked."""
        return sum(1 for each in self.checked if each.failure)


def sample(items: Iterable[Item], *, limit: int) -> list[Item]:
    """Return at most `limit` recordings to ask again: each endpoint and scenario in turn, the oldest first.

    Only whole answers count, and equal requests once. The same folder gives the same sample.
    """
    groups: dict[tuple[str, str, str], dict[str, Item]] = {}
    for item in items:
        if item.interaction.answer.outcome is Outcome.COMPLETE:
            group = groups.setdefault((item.provider, item.endpoint, item.provenance.scenario or ""), {})
            group.setdefault(item.key, item)
    ordered = [sorted(groups[name].values(), key=_age_order) for name in sorted(groups)]
    turns = (item for turn in zip_longest(*ordered) for item in turn if item is not None)
    return [item for _, item in zip(range(limit), turns, strict=False)]


async def ask_again(
    items: Sequence[Item],
    folder: Path,
    *,
    inner: httpx.AsyncBaseTransport,
    prepare: Prepare,
    secrets: Sequence[str] = (),
    known: Sequence[Item] = (),
    seen: Callable[[Checked], None] = lambda _: None,
) -> list[Checked]:
    """Send stored requests over `inner`, record the answers into `folder`, and compare.

    One at a time: a provider's rate limit is the caller's own. `known` are recordings whose words are no news, and
    `seen` is told of each result as it comes. Closes `inner`.
    """
    words = _known_words([*known, *items])
    transport = CassetteTransport(
        folder, inner=inner, default=RecordingCall(mode=Mode.RECORD), allowed=(), secrets=secrets
    )
    done: list[Checked] = []
    try:
        for number, item in enumerate(items):
            name = f"{_FOLDER}/{number:04}"
            try:
                await _send(transport, item, name, prepare)
                live = Library(folder).find(name)[0].interaction
            except CannotAskError as error:
                checked = Checked(item=item, failure=str(error))
            except (httpx.HTTPError, TimeoutError) as error:
                checked = Checked(item=item, failure=f"{type(error).__name__}: {error}".rstrip(": "))
            else:
                checked = compare(item, live, words=words.get((item.provider, item.endpoint)))
            done.append(checked)
            seen(checked)
    finally:
        await transport.aclose()
    return done


def compare(item: Item, live: Interaction, *, words: Shape | None = None) -> Checked:
    """Return how an answer of today differs from the stored one; `words` are those that are no news."""
    stored, answer = item.interaction.answer, live.answer
    if stored.status != answer.status and (answer.status in _NOT_DRIFT or answer.status >= 500):
        return Checked(item=item, live=live, failure=f"the provider answered {answer.status} {answer.reason}".rstrip())
    return Checked(item=item, live=live, findings=findings(item.interaction, live, words=words))


async def _send(transport: CassetteTransport, item: Item, name: str, prepare: Prepare) -> None:
    asked = item.interaction.request
    headers = [(key, value) for key, value in asked.headers if key not in ("content-length", "host")]
    bare = httpx.Request(asked.method, asked.url, headers=headers, content=asked.body or None)
    bare.headers["accept-encoding"] = "gzip"
    request = prepare(item, bare)
    request.extensions = {
        **request.extensions,
        "timeout": {"connect": 10.0, "pool": 10.0, "read": _PATIENCE, "write": _PATIENCE},
        EXTENSION: {"cassette": name, "scenario": item.provenance.scenario},
    }
    async with asyncio.timeout(_PATIENCE):
        response = await transport.handle_async_request(request)
        try:
            await response.aread()
        finally:
            await response.aclose()


def _known_words(items: Iterable[Item]) -> dict[tuple[str, str], Shape]:
    groups: dict[tuple[str, str], list[Shape]] = {}
    for item in {id(item): item for item in items}.values():
        shape = replace(interaction_shape(item.interaction), types={})
        groups.setdefault((item.provider, item.endpoint), []).append(shape)
    return {group: union(shapes) for group, shapes in groups.items()}


def _age_order(item: Item) -> tuple[datetime, str]:
    return (age.recorded_at(item.interaction) or datetime.min.replace(tzinfo=UTC), item.label)
