"""The HTTP edges of real processes: where they listen, what they show, and how they end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from antiphon.cli.assembly import auth_for
from antiphon.cli.questions import ANTHROPIC, OPENAI, SING, WHAT
from antiphon.cli.suite import running_suite
from antiphon.cli.up import DEFAULT_HTTP, http_for, panel
from antiphon.core.auth import hash_of, new_key
from antiphon.core.errors import ServiceError
from antiphon.core.settings import load
from tests.fixtures_suite import suite_options

KEY = new_key()


def asked(model: str, text: str, **more: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


@pytest.mark.parametrize("apart", [False, True])
async def test_a_gateway_serves_both_doors_and_says_where(*, apart: bool) -> None:
    options = replace(suite_options(apart=apart), http="127.0.0.1:0")
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


async def test_no_http_is_served_unasked() -> None:
    async with running_suite(suite_options(apart=False)) as suite:
        assert suite.http_address == ""


async def test_keys_of_the_grpc_door_are_keys_of_this_one() -> None:
    environment = {"ANTIPHON_CALLER_KEYS": json.dumps({"team": hash_of(KEY)})}
    options = replace(suite_options(apart=False), http="127.0.0.1:0", environment=environment)
    async with (
        running_suite(options) as suite,
        httpx.AsyncClient(base_url=f"http://{suite.http_address}", trust_env=False) as client,
    ):
        assert (await client.get("/v1/models")).status_code == 401
        assert (await client.get("/v1/models", headers={"x-api-key": KEY})).status_code == 200
        log = (suite.folder / "suite.log").read_text()
    assert KEY not in log
    assert '"caller": "team"' in log


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


def test_an_http_door_that_stands_open_to_others_is_refused() -> None:
    with pytest.raises(ServiceError, match=r"0\.0\.0\.0:8000 can be reached by others"):
        auth_for(load(), "127.0.0.1:50051", "0.0.0.0:8000")
    auth_for(load(caller_keys={"team": hash_of(KEY)}), "127.0.0.1:50051", "0.0.0.0:8000")
