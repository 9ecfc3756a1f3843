"""What README.md, docs/http.md and compose.yaml say of HTTP is true: their examples run against a suite as they say."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import shutil
from dataclasses import asdict
from typing import Any

import pytest
import yaml

from antiphon.cli.suite import RunningSuite
from antiphon.cli.up import DEFAULT_HTTP
from antiphon.core.chain import STALL_SECONDS
from antiphon.core.settings import HttpSettings
from antiphon.gateway.edges.asked import MOST_BYTES
from antiphon.gateway.edges.bodies import BodyLimits
from antiphon.gateway.edges.guard import HEAD_BYTES
from antiphon.gateway.edges.routes import ROWS
from tests.fixtures_suite import ROOT

PAGE = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
HTTP_SECTION = README.split("## Call it over HTTP", 1)[1].split("\n## ", 1)[0]


def blocks(text: str, language: str) -> list[str]:
    """The code of a page, as far as it calls the edges."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for block in found if DEFAULT_HTTP in block and "antiphon up" not in block]


def printed(suite: RunningSuite, code: str) -> str:
    """What Python code prints, with the suite's address in place of the usual one. The suite is another process."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code.replace(DEFAULT_HTTP, suite.http_address), "<example>", "exec"), {})
    return said.getvalue()


async def shell(suite: RunningSuite, code: str) -> str:
    """What the shell prints."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-s"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, wrong = await process.communicate(code.replace(DEFAULT_HTTP, suite.http_address).encode())
    assert process.returncode == 0, wrong.decode()
    return said.decode()


def test_there_are_examples() -> None:
    assert [len(blocks(text, "python")) for text in (HTTP_SECTION, PAGE)] == [1, 4]
    assert [len(blocks(text, "sh")) for text in (HTTP_SECTION, PAGE)] == [1, 2]


def test_the_readmes_lines_for_every_sdk_are_answered(open_suite: RunningSuite) -> None:
    (code,) = blocks(HTTP_SECTION, "python")
    said = printed(open_suite, code)
    assert len([line for line in said.lower().splitlines() if "antiphon" in line]) == 4


@pytest.mark.parametrize("code", blocks(PAGE, "python"), ids=lambda code: code.split()[1])
def test_an_example_in_python_runs(open_suite: RunningSuite, code: str) -> None:
    said = printed(open_suite, code)
    assert "antiphon" in said.lower()
    assert ("We answer" in said) is ("Sing" in code)


@pytest.mark.parametrize("code", [*blocks(HTTP_SECTION, "sh"), *blocks(PAGE, "sh")])
async def test_the_lines_for_curl_are_answered(open_suite: RunningSuite, code: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    joined = code.replace("\\\n", " ")
    commands = re.findall(r"^curl .*?(?='\n|#|\Z)'?", joined, re.MULTILINE | re.DOTALL)
    assert commands
    for command in commands:
        said = await shell(open_suite, command.replace("curl", "curl --fail", 1))
        if "-sSN" in command:
            assert said.endswith("data: [DONE]\n\n")
        else:
            assert "error" not in json.loads(said)


async def test_the_answers_for_tools_have_the_fields_that_the_page_names(open_suite: RunningSuite) -> None:
    async def got(path: str) -> Any:
        return json.loads(await shell(open_suite, f"curl -sS http://{DEFAULT_HTTP}{path}"))

    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    listed = await got("/api/models")
    assert listed["count"] == len(listed["models"]) == 5
    for model in (listed["models"][0], (await got("/api/models/openai/gpt-4o-mini"))["model"]):
        assert all(f"`{name}`" in PAGE for name in model)
    assert (await got("/health/cache"))["recordings"]["status"] == "healthy"
    assert (await got("/health/providers"))["anthropic"] == "healthy"


def test_the_page_names_every_path() -> None:
    for row in ROWS:
        if row.path.startswith(("/v1alpha/", "/v1/models/{model:path}:")) or row.path.endswith("models/{model:path}"):
            continue  # "alike", and single models
        _, _, method = row.path.partition("{model:path}")
        assert f"`{row.path}`" in PAGE or f"{method}`" in PAGE, row.path


def test_the_page_names_every_bound_and_its_default() -> None:
    for name, value in asdict(HttpSettings()).items():
        number = int(value)
        assert re.search(rf"^\| `ANTIPHON_HTTP_BOUNDS__{name.upper()}` \| {number} \|", PAGE, re.MULTILINE), name


def test_the_page_says_how_large_a_body_may_be() -> None:
    assert f"One body may have {BodyLimits().max_bytes >> 20} MiB" in PAGE
    assert f"may have {HEAD_BYTES >> 10} KiB. A reader who takes nothing for {STALL_SECONDS:g} s" in PAGE
    assert f"all together may have {MOST_BYTES >> 10} KiB" in PAGE


def test_every_gateway_of_the_compose_file_publishes_its_http_port_as_the_page_says() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    for name, port in (("gateway", 50080), ("gateway-replay", 50081), ("gateway-gpu", 50082)):
        inside = services[name]["environment"]["ANTIPHON_HTTP"].rpartition(":")[2]
        assert any(line.endswith(f":-{port}}}:{inside}") for line in services[name]["ports"]), name
        assert str(port) in PAGE
