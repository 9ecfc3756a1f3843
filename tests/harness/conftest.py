from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.harness.streaming_server import StreamingServer


@pytest.fixture
async def server() -> AsyncIterator[StreamingServer]:
    async with StreamingServer() as running:
        yield running
