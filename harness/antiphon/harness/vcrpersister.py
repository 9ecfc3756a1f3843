"""Gives plain vcrpy the exact bytes: its persister hook, for suites that go on using vcrpy.

Without it, vcrpy loads every cassette and replays the readable form: the same JSON laid out, and a mark where
a blob lies beside the cassette.

    my_vcr = vcr.VCR()
    my_vcr.register_persister(AntiphonPersister)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vcr.persisters.filesystem import CassetteNotFoundError  # type: ignore[import-untyped]  # vcrpy ships no types

from antiphon.harness import cassette, files, rawform


class AntiphonPersister:
    """vcrpy's persister protocol over antiphon's reading and writing; the serializer is always YAML."""

    @staticmethod
    def load_cassette(cassette_path: Path | str, serializer: Any) -> tuple[list[Any], list[Any]]:
        """Return vcrpy's requests and responses with exact bodies. Raises CassetteUnreadable."""
        path = Path(cassette_path)
        if not path.is_file():
            raise CassetteNotFoundError()
        document = cassette.read(path)
        return [entry.request for entry in document.entries], [entry.response for entry in document.entries]

    @staticmethod
    def save_cassette(cassette_path: Path | str, cassette_dict: dict[str, Any], serializer: Any) -> None:
        """Write what vcrpy recorded, whole or not at all. No secret is looked for: that is vcrpy's filters' work."""
        path = Path(cassette_path)
        pairs = zip(cassette_dict["requests"], cassette_dict["responses"], strict=True)
        entries = [
            cassette.Entry(interaction=rawform.from_raw(request, response), request=request, response=response)
            for request, response in pairs
        ]
        with files.locked(path.parent):
            cassette.save(path, cassette.Document(entries=tuple(entries)))
