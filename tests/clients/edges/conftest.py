"""The suite with its HTTP edges, in one process of its own, replaying the demo's recordings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest_asyncio

from antiphon.cli.suite import running_suite
from tests.fixtures_suite import suite_options


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def base_url() -> AsyncIterator[str]:
    """Where the edges are, without a path."""
    async with running_suite(replace(suite_options(apart=False), http="127.0.0.1:0")) as running:
        assert running.http_address
        yield f"http://{running.http_address}"
