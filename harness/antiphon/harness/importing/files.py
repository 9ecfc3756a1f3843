"""Writes what was read of another recorder as a cassette, under the same rules as a recording."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from antiphon.harness import cassette, files
from antiphon.harness.errors import CassetteUnreadable, HarnessError, RecordingRefused, SecretFound
from antiphon.harness.importing.dialects import exchanges
from antiphon.harness.interaction import Interaction
from antiphon.harness.matching import CREDENTIAL_QUERY
from antiphon.harness.recorder import (
    REQUEST_HEADERS,
    RESPONSE_HEADERS,
    allowed,
    model_in,
    one_each,
    version,
    without_credentials,
)
from antiphon.harness.secrets import SecretScanner, accepted_in, credential_values


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of one file: the cassette's name and number of exchanges, or the problem."""

    source: str
    cassette: str | None = None
    interactions: int = 0
    problem: HarnessError | None = None


def import_file(
    source: Path | str,
    folder: Path | str,
    name: str,
    *,
    secrets: Iterable[str] = (),
    scrub: bool = False,
    licence: str | None = None,
) -> Imported:
    """Write one file of another recorder as the cassette `name` under `folder`, in place of what was there.

    `secrets` are values that may not be in it; `scrub` masks what is found, at its own length, where that
    can be done. `licence` is noted in each exchange. Raises CassetteUnreadable, SecretFound, RecordingRefused
    or BadRecordingCall; nothing is written then.
    """
    root, file = Path(folder), Path(source)
    path = files.path_of(root, name)
    known = list(secrets)
    found: list[Interaction] = []
    for interaction in exchanges(_content(file), file=str(file)):
        cookies = [pair for pair in interaction.answer.headers if pair[0] == "set-cookie"]
        sent = credential_values([*interaction.request.headers, *cookies])
        real = [value for value in sent if not _PLACEHOLDER.search(value)]
        scanner = SecretScanner([*known, *real], accepted=accepted_in(root))
        kept = _kept(interaction, licence)
        kept = scanner.scrub(kept) if scrub else kept
        places = [f"interaction {len(found)}: {place}" for place in scanner.places(kept)]
        if places:
            raise SecretFound(places, cassette=name)
        found.append(kept)
    try:
        with files.locked(root):
            cassette.save(path, cassette.document_of(found))
    except OSError as error:
        raise RecordingRefused(f"{path} was not written: {error.strerror}") from error
    return Imported(source=str(file), cassette=name, interactions=len(found))


def import_folder(
    source: Path | str,
    folder: Path | str,
    *,
    secrets: Iterable[str] = (),
    scrub: bool = False,
    licence: str | None = None,
) -> Iterator[Imported]:
    """Write every cassette of other recorders under `source`, one after the other, by its path there.

    A file that is refused doesn't stop the others; its problem is in what is yielded.
    """
    root = Path(source)
    known = tuple(secrets)
    for file in sorted(path for path in root.rglob("*") if path.is_file() and _CASSETTE.search(path.name)):
        bare = _CASSETTE.sub("", file.relative_to(root).as_posix())
        name = "/".join(_slug(part) for part in bare.split("/")[-_MOST_PARTS:])
        try:
            yield import_file(file, folder, name, secrets=known, scrub=scrub, licence=licence)
        except HarnessError as error:
            yield Imported(source=str(file), problem=error)


def _content(file: Path) -> bytes:
    try:
        if file.stat().st_size > cassette.MAX_BYTES:
            raise CassetteUnreadable(str(file), f"it is larger than {cassette.MAX_BYTES} bytes")
        return file.read_bytes()
    except OSError as error:
        raise CassetteUnreadable(str(file), error.strerror or "it can't be read") from error


def _kept(interaction: Interaction, licence: str | None) -> Interaction:
    """Return what may be stored of an exchange, with its provenance filled in."""
    asked, answer = interaction.request, interaction.answer
    facts = answer.provenance
    return Interaction(
        request=replace(
            asked,
            url=without_credentials(asked.url, CREDENTIAL_QUERY),
            headers=one_each(allowed(asked.headers, REQUEST_HEADERS)),
        ),
        answer=replace(
            answer,
            headers=allowed(answer.headers, RESPONSE_HEADERS),
            provenance=facts
            and replace(
                facts,
                version=version(),
                model_asked=model_in(asked.body),
                model_answered=model_in(answer.body),
                licence=licence,
            ),
        ),
    )


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.\-]+|\.{2,}|^[.\-]+", "-", text).lstrip("-.")[:60] or "unnamed"


_MOST_PARTS: Final = 4
_CASSETTE: Final = re.compile(r"\.(?:ya?ml|json)(?:\.gz)?$")
# What other tools put where a credential was: it is no secret, and looking for it would find ordinary words.
_PLACEHOLDER: Final = re.compile(
    r"(?i)redact|filtered|scrub|sanitiz|placeholder|dummy|fake|test|xxx|\*\*\*|<[^>]*>|^(?:bearer )?[a-z_\- ]*$"
    r"|^\[.*\]$"
)
