"""Suites with their HTTP edges, each in a process of its own, replaying recorded answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from antiphon.cli.suite import RunningSuite, running_suite
from antiphon.core.auth import hash_of, new_key
from tests.clients.edges import authored
from tests.clients.edges.matrix import CELL
from tests.clients.edges.sdks import Door
from tests.fixtures_suite import ROOT, suite_options

KEY = new_key()
SDK, FEATURE = "sdk", "feature"


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark of the matrix."""
    config.addinivalue_line("markers", f"{FEATURE}(name): a column of the SDK matrix")


@pytest.fixture(autouse=True)
def cell(request: pytest.FixtureRequest, record_property: object) -> None:
    """Tell the matrix which cell a test fills: the SDK that it is given, and the feature that it is marked with."""
    mark = request.node.get_closest_marker(FEATURE)
    parameters = getattr(request.node, "callspec", None)
    if mark is not None and parameters is not None and SDK in parameters.params:
        record_property(CELL, f"{parameters.params[SDK].name}|{mark.args[0]}")  # type: ignore[operator]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningSuite]:
    """A suite that wants a caller key, with the demo's recordings and those of these tests."""
    folder = tmp_path_factory.mktemp("edges")
    cassettes = folder / "cassettes"
    shutil.copytree(ROOT / "cassettes", cassettes)
    authored.write(cassettes)
    environment = {"ANTIPHON_CALLER_KEYS": json.dumps({"team": hash_of(KEY)})}
    options = replace(suite_options(apart=False), cassettes=cassettes, environment=environment, folder=folder)
    async with running_suite(replace(options, http="127.0.0.1:0")) as running:
        yield running


@pytest.fixture
def door(guarded: RunningSuite) -> Door:
    """Where the edges are, and a key that lets in."""
    return Door(url=f"http://{guarded.http_address}", key=KEY)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def open_suite() -> AsyncIterator[RunningSuite]:
    """A suite as `antiphon up --mode replay` runs it: no keys, the demo's recordings."""
    async with running_suite(replace(suite_options(apart=False), http="127.0.0.1:0")) as running:
        yield running
