"""What a folder of cassettes holds, as records: recordings with their places, counts over them, what may go.

Nothing here touches the disk; `library` reads and writes it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import httpx

from antiphon.harness import age
from antiphon.harness.errors import CassetteUnreadable
from antiphon.harness.interaction import Interaction, Provenance

PLACE: Final = re.compile(r"(?P<name>.+?)(?:\.yaml)?(?:\s*#(?P<position>\d+))?")
"""A cassette's name, with or without suffix, and the position of a recording in it: `openai/chat#2`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # compared by identity: bodies are large
class Item:
    """A recording and its place: cassette name without suffix, position in it, `METHOD host/path`, and match key."""

    cassette: str
    position: int
    endpoint: str
    key: str
    interaction: Interaction

    @property
    def label(self) -> str:
        """The place as a person reads and writes it, such as `openai/chat#2`."""
        return f"{self.cassette}#{self.position}"

    @property
    def provider(self) -> str:
        """The folder that the cassette lies in; for one that lies in none, the host that answered."""
        folder, slash, _ = self.cassette.partition("/")
        return folder if slash else httpx.URL(self.interaction.request.url).host or "unnamed"

    @property
    def provenance(self) -> Provenance:
        """Where it comes from; one of plain vcrpy says nothing, which reads as recorded."""
        return self.interaction.answer.provenance or Provenance()

    @property
    def size(self) -> int:
        """Bytes of both bodies."""
        return len(self.interaction.request.body) + len(self.interaction.answer.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a folder holds: its recordings in the order of their names, and the files that cannot be read."""

    items: tuple[Item, ...] = ()
    unreadable: tuple[CassetteUnreadable, ...] = ()

    def chosen(
        self, *, provider: str = "", endpoint: str = "", scenario: str = "", origin: str = ""
    ) -> tuple[Item, ...]:
        """Return the recordings that fit: `endpoint` is a part of it in any case, the others are exact words."""
        return tuple(
            item
            for item in self.items
            if provider in ("", item.provider)
            and endpoint.lower() in item.endpoint.lower()
            and scenario in ("", item.provenance.scenario)
            and origin in ("", item.provenance.origin)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Counts over recordings; the mappings go from a word to how many."""

    recordings: int
    cassettes: int
    unreadable: int
    body_bytes: int
    by_provider: Mapping[str, int]
    by_endpoint: Mapping[tuple[str, str], int]
    """(provider, endpoint) -> how many."""
    by_origin: Mapping[str, int]
    by_outcome: Mapping[str, int]
    by_status: Mapping[str, int]
    by_scenario: Mapping[str, int]
    """Those without one stand under the empty word."""
    oldest: datetime | None
    newest: datetime | None
    undated: int


def stats(contents: Contents) -> Stats:
    """Return the counts."""
    items = contents.items
    moments = [moment for item in items if (moment := age.recorded_at(item.interaction)) is not None]
    return Stats(
        recordings=len(items),
        cassettes=len({item.cassette for item in items}),
        unreadable=len(contents.unreadable),
        body_bytes=sum(item.size for item in items),
        by_provider=_counted(item.provider for item in items),
        by_endpoint=dict(sorted(Counter((item.provider, item.endpoint) for item in items).items())),
        by_origin=_counted(item.provenance.origin for item in items),
        by_outcome=_counted(item.interaction.answer.outcome.value for item in items),
        by_status=_counted(_status(item) for item in items),
        by_scenario=_counted(item.provenance.scenario or "" for item in items),
        oldest=min(moments, default=None),
        newest=max(moments, default=None),
        undated=len(items) - len(moments),
    )


def prunable(
    items: Iterable[Item],
    *,
    now: datetime,
    older_than: timedelta | None = None,
    undated: bool = False,
    used: Collection[str] | None = None,
) -> Iterator[tuple[Item, str]]:
    """Yield the recordings that may go, each with the reason.

    `older_than` goes by the recording's own date, see `age`. `used` are the labels (`openai/chat#2`) that a run
    answered with; the others may go. A condition that is None counts for nothing.
    """
    kept = None if used is None else {label_of(label) for label in used}
    for item in items:
        if older_than is not None and age.expired(item.interaction, older_than=older_than, now=now, undated=undated):
            moment = age.recorded_at(item.interaction)
            yield item, "it has no date" if moment is None else f"it is {(now - moment).days} days old"
        elif kept is not None and item.label not in kept:
            yield item, "it was not used"


def label_of(text: str) -> str:
    """Return the label that a text means: `openai/chat.yaml #2` and `openai/chat#2` are the same."""
    read = PLACE.fullmatch(text.strip())
    return text if read is None or read["position"] is None else f"{read['name']}#{read['position']}"


def _status(item: Item) -> str:
    return str(item.interaction.answer.status) if item.interaction.answer.answered else "none"


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))
