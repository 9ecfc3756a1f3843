"""What a plan of chaos walks: faults, and what a good client does after each.

Authored: what is expected follows from what a fault says of the call. A client that may not have been billed asks
again; one that was told that its request is wrong does not; one that may have been billed decides for itself; and
none waits for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import yaml

from antiphon.harness.errors import BadRecordingCall
from antiphon.harness.faults.catalogue import Fault, fault_of

MAX_BYTES: Final = 1024 * 1024
MAX_CELLS: Final = 500


class Retry(StrEnum):
    """Whether a client asks again."""

    SHOULD = "should"
    NEVER = "never"
    MAY = "may"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One fault, and what is expected after it.

    `notices` says that a client which neither asks again nor fails has taken a broken answer for a good one.
    `streams` says that the fault is for streams alone; where the client's call is none, the cell is skipped.
    """

    fault: str
    retry: Retry = Retry.MAY
    notices: bool = True
    streams: bool = False
    group: str = "other"

    @property
    def parsed(self) -> Fault:
        """The fault, read."""
        return fault_of(self.fault)

    @property
    def retry_after(self) -> float | None:
        """Seconds before which the client was told not to come back."""
        found: float | None = self.parsed.steps[0][1].get("retry-after")
        return found


def _cells(group: str, words: Iterable[str], **expected: Any) -> tuple[Cell, ...]:
    return tuple(Cell(fault=word, group=group, **expected) for word in words)


MATRIX: Final[tuple[Cell, ...]] = (
    *_cells("refusals", ("400", "401", "403", "404", "413", "422"), retry=Retry.NEVER),
    *_cells("limits", ("429", "429;retry-after=1", "503;retry-after=1"), retry=Retry.SHOULD),
    *_cells("failures", ("408", "409", "500", "502", "503", "504", "529"), retry=Retry.SHOULD),
    *_cells("connection", ("refused", "reset"), retry=Retry.SHOULD),
    *_cells("connection", ("cut@event=1", "reset@event=1", "cut@byte=1")),
    *_cells("time", ("stall;seconds=3600", "stall@event=1;seconds=3600")),
    *_cells("time", ("slow@rate=400",), notices=False),
    *_cells("streams", ("error-event@event=1;status=529", "error-event@event=0;status=500"), streams=True),
    *_cells("streams", ("missing-done", "duplicated-finish"), streams=True, notices=False),
    *_cells("bodies", ("malformed-json", "invalid-utf8", "bad-gzip")),
    *_cells("bodies", ("wrong-content-type", "oversized;bytes=20000000"), notices=False),
    *_cells("bodies", ("truncated-arguments",), notices=False),
)
"""The whole matrix, in the order in which it is walked."""
GROUPS: Final = tuple(dict.fromkeys(cell.group for cell in MATRIX))


def chosen(words: Sequence[str]) -> tuple[Cell, ...]:
    """The cells of the matrix that the words name: a group, a fault's name, or a fault with settings of its own.

    Raises BadRecordingCall for a word that is no fault.
    """
    if not words:
        return MATRIX
    found: dict[str, Cell] = {}
    for word in words:
        of_group = [cell for cell in MATRIX if cell.group == word]
        of_name = [cell for cell in MATRIX if cell.fault == word] or [
            cell for cell in MATRIX if cell.fault.split("@")[0].split(";")[0] == word
        ]
        for cell in of_group or of_name or [_own(word)]:
            found[cell.fault] = cell
    return tuple(found.values())


def _own(word: str) -> Cell:
    """A cell for a fault that is not in the matrix as it stands: with what is expected of its kind."""
    name = fault_of(word).steps[0][0].name
    like = next((cell for cell in MATRIX if fault_of(cell.fault).steps[0][0].name == name), None)
    return Cell(fault=word) if like is None else replace(like, fault=word)


def read_cells(path: Path) -> tuple[Cell, ...]:
    """The cells in a YAML file: a list of faults, each a text or a mapping of `fault`, `retry`, `notices`, `group`.

    Raises BadRecordingCall, naming the place.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadRecordingCall(f"{path}: is larger than {MAX_BYTES} bytes")
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise BadRecordingCall(f"{path}: it can't be read ({' '.join(str(error).split())[:200]})") from error
    items = value.get("cells") if isinstance(value, dict) else value
    if not isinstance(items, list) or not 0 < len(items) <= MAX_CELLS:
        raise BadRecordingCall(f"{path}: it has to be a list of 1 to {MAX_CELLS} faults")
    return tuple(_cell(item, f"{path}: [{number}]") for number, item in enumerate(items))


def _cell(item: Any, where: str) -> Cell:
    given: Mapping[str, Any] = {"fault": item} if isinstance(item, str | int) else item
    if not isinstance(given, dict) or "fault" not in given:
        raise BadRecordingCall(f"{where} has to be a fault, or a mapping with 'fault'")
    if unknown := sorted(str(name) for name in given if name not in ("fault", "retry", "notices", "group")):
        raise BadRecordingCall(f"{where}: unknown {', '.join(unknown)}; known: fault, retry, notices, group")
    try:
        cell = _own(str(given["fault"]))
        return replace(
            cell,
            retry=Retry(given.get("retry", cell.retry)),
            notices=bool(given.get("notices", cell.notices)),
            group=str(given.get("group", cell.group)),
        )
    except (BadRecordingCall, ValueError) as error:
        raise BadRecordingCall(f"{where}: {error}") from error
