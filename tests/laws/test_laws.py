"""Every recording keeps the laws of its wire."""

from __future__ import annotations

import pytest

from tests.laws.recordings import Folder, default_folder
from tests.laws.report import LEAST_TYPED, Report

PATH = default_folder()
ABSENT = "no recordings: set ANTIPHON_RECORDINGS to a folder with reader.py and INDEX.tsv"
FOLDER = Folder(PATH) if PATH else None
TOTAL = Report()


@pytest.mark.skipif(FOLDER is None, reason=ABSENT)
@pytest.mark.parametrize("file", FOLDER.files if FOLDER else [])
def test_a_recording_keeps_the_laws(file: str) -> None:
    assert FOLDER is not None
    known = len(TOTAL.failures)
    for recorded in FOLDER.exchanges(file):
        TOTAL.add(recorded)
    assert TOTAL.failures[known:] == []


@pytest.mark.skipif(FOLDER is None, reason=ABSENT)
def test_at_least_97_percent_of_the_values_are_typed() -> None:
    if not any(wire.in_scope for wire in TOTAL.wires.values()):
        pytest.skip("run together with the recordings: the share is counted over them")
    low = {wire.wire: wire.typed_share for wire in TOTAL.wires.values() if wire.typed_share < LEAST_TYPED}
    assert low == {}
