"""Fixtures that several folders of tests use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest_plugins = ["tests.fixtures_triton", "tests.fixtures_suite"]

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of public recordings that judge the codecs; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("ANTIPHON_RECORDINGS", ROOT.parent / "shared" / "recordings"))
    if not (folder / "INDEX.tsv").is_file():
        pytest.skip(f"no recordings at {folder}; set ANTIPHON_RECORDINGS to a folder that holds INDEX.tsv")
    return folder
