"""The suite as processes for tests: one a session, apart, replaying the demo's recordings, without Triton.

Registered by tests/conftest.py (`pytest_plugins`). `suite.address` is where clients call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from antiphon.cli.suite import RunningSuite, SuiteOptions, running_suite
from antiphon.triton import unsupported_reason

ROOT = Path(__file__).resolve().parents[1]


def suite_options(*, apart: bool = True, triton: str = "none", pace: float = 0.0) -> SuiteOptions:
    """A suite that depends on nothing but this checkout: no settings, keys or recordings of the machine."""
    return SuiteOptions(
        apart=apart,
        mode="replay",
        cassettes=ROOT / "cassettes",
        pace=pace,
        triton=triton,
        repositories=(ROOT / "models" / "default",),
        grace=3.0,
        own_environment=False,
        log_level="debug",
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def suite() -> AsyncIterator[RunningSuite]:
    """Three processes that replay without pace; calls of Triton's models say that none runs."""
    async with running_suite(suite_options()) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def suite_with_triton() -> AsyncIterator[RunningSuite]:
    """The same with a real tritonserver; its tests skip where that cannot run, and say why."""
    if reason := unsupported_reason():
        pytest.skip(reason)
    async with running_suite(suite_options(triton="start")) as running:
        assert not running.triton_missing, running.triton_missing
        yield running
