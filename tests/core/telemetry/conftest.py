"""Telemetry into memory, and the process as it was before after each test."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from antiphon.core.telemetry.setup import configure
from tests.core.telemetry.parts import Counted, Measured


@pytest.fixture
async def measured() -> AsyncIterator[Measured]:
    found = Measured(spans=Counted())
    shutdown = configure("test", span_processors=[found.spans], metric_readers=[found.reader])
    yield found
    await shutdown()


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    yield root
    root.handlers[:] = before[0]
    root.setLevel(before[1])
