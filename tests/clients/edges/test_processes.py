"""The HTTP edges of real processes: where they listen, what they show, and how they end."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from antiphon.cli.app import app
from antiphon.cli.assembly import auth_for
from antiphon.cli.questions import ANTHROPIC, OPENAI, SING, WHAT
from antiphon.cli.suite import RunningSuite, SuiteOptions, running_suite
from antiphon.cli.up import DEFAULT_HTTP, http_for, panel
from antiphon.core.auth import hash_of, new_key
from antiphon.core.errors import ServiceError
from antiphon.core.settings import load
from tests.clients.edges.sdks import Door
from tests.fixtures_suite import suite_options
from tests.gateway.edges.opened import until

KEY = new_key()


def asked(model: str, text: str, **more: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


async def test_a_gateway_apart_serves_both_doors_and_says_where() -> None:
    options = replace(suite_options(apart=True), http="127.0.0.1:0")
    async with running_suite(options) as suite:
        assert suite.http_address not in ("", suite.address)
        async with httpx.AsyncClient(base_url=f"http://{suite.http_address}", trust_env=False) as client:
            for model in (OPENAI, ANTHROPIC):
                answer = await client.post("/v1/chat/completions", json=asked(model, WHAT))
                assert "antiphon" in answer.json()["choices"][0]["message"]["content"].lower()
            assert (await client.get("/health")).json() == {"status": "degraded"}  # Triton does not run
            assert (await client.get("/health/cache")).json()["recordings"]["status"] == "healthy"
        shown = str(list(panel(suite, mode="replay", log_folder=suite.folder).renderable.columns[1].cells))  # type: ignore[union-attr]
        assert suite.http_address in shown


def test_no_http_is_served_unasked() -> None:
    assert SuiteOptions().http == load().http == ""


async def test_keys_of_the_grpc_door_are_keys_of_this_one(guarded: RunningSuite, door: Door) -> None:
    async with httpx.AsyncClient(base_url=door.url, trust_env=False) as client:
        assert (await client.get("/v1/models")).status_code == 401
        assert (await client.get("/v1/models", headers={"x-api-key": door.key})).status_code == 200
    log = guarded.folder / "suite.log"
    await until(lambda: '"caller":"team"' in log.read_text())  # lines of the access log wait a moment for company
    assert door.key not in log.read_text()


async def test_a_stream_over_http_is_finished_when_the_process_is_told_to_end(tmp_path: Path) -> None:
    options = replace(suite_options(apart=False, pace=1.0), http="127.0.0.1:0", grace=10.0, folder=tmp_path)
    async with (
        running_suite(options) as suite,
        httpx.AsyncClient(base_url=f"http://{suite.http_address}", trust_env=False) as client,
        client.stream("POST", "/v1/chat/completions", json=asked(OPENAI, SING, stream=True)) as answer,
    ):
        got = ""
        async for text in answer.aiter_text():
            if not got:
                os.kill(suite.services[0].pid, signal.SIGTERM)
            got += text
        assert got.endswith("data: [DONE]\n\n")
        assert await asyncio.wait_for(suite.services[0].exited(), 5) == 0
    assert "Traceback" not in (tmp_path / "suite.log").read_text()


def test_up_listens_at_its_own_port_unless_it_is_told_another() -> None:
    assert http_for("127.0.0.1:50051", "") == DEFAULT_HTTP
    assert http_for("127.0.0.1:0", "") == "127.0.0.1:0"
    assert http_for("127.0.0.1:50051", "127.0.0.1:8000") == "127.0.0.1:8000"
    assert http_for("127.0.0.1:50051", "none") == "none"


def test_a_service_without_edges_refuses_to_be_told_where_they_are() -> None:
    ran = CliRunner().invoke(app, ["serve", "adapter", "--http", "127.0.0.1:0"])
    assert ran.exit_code == 2
    assert "adapter does not" in ran.output


def test_an_http_door_that_stands_open_to_others_is_refused() -> None:
    with pytest.raises(ServiceError, match=r"0\.0\.0\.0:8000 can be reached by others"):
        auth_for(load(), "127.0.0.1:50051", "0.0.0.0:8000")
    auth_for(load(caller_keys={"team": hash_of(KEY)}), "127.0.0.1:50051", "0.0.0.0:8000")
