"""What docs/testing.md tells a reader to type does what the page says."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
import typer.main
import yaml

from antiphon.cli.app import app
from antiphon.harness import authored_json, write_cassette
from antiphon.harness.server import KNOWN, upstreams
from tests.pytest_plugin.project import CHAT, Project, completion
from tests.replay.snippets import Snippet, snippets

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "testing.md"
SECONDS = 90
SNIPPETS = snippets(PAGE)
GREETING = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Greet Ada in three words."}]}


def named(file: str) -> Snippet:
    [found] = [snippet for snippet in SNIPPETS if snippet.file == file]
    return found


def shell_lines() -> list[str]:
    return [line for snippet in SNIPPETS if snippet.language == "sh" for line in snippet.text.splitlines()]


def author(folder: Path, *names: str) -> None:
    for name in names:
        said = authored_json(url=CHAT, request=GREETING, response=completion("Hello, dear Ada."))
        write_cassette(folder, name, [said])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(folder=tmp_path)
    for file in ("tests/test_greeting.py", "tests/test_marked.py", "pytest.ini"):
        made.write(file, named(file).text)
    author(made.cassettes, "test_greeting/test_greets_by_name", "shared/greeting")
    return made


def test_the_tests_of_the_page_pass_under_the_configuration_of_the_page(project: Project) -> None:
    ran = project.run(warnings="default")  # the page's client is not closed: the shortest that works
    assert ran.outcome() == {"passed": 3}, ran.output


def test_every_option_and_setting_of_the_plugin_that_the_page_names_exists(project: Project) -> None:
    ran = project.run("--help")
    words = {word for word in PAGE.read_text().replace("`", " ").replace("=", " ").split() if "antiphon_" in word}
    assert words
    assert [word for word in words if word.strip(",.") not in ran.output] == []
    assert "--antiphon-mode" in ran.output
    assert "--antiphon-strict" in ran.output


def test_every_command_of_the_page_is_one_with_options_that_it_takes() -> None:
    lines = [line for line in shell_lines() if line.startswith("antiphon ")]
    assert lines
    for line in lines:
        _, name, *arguments = shlex.split(line)
        command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
        command.make_context(name, list(arguments))


def test_the_base_urls_of_the_page_are_those_of_the_server() -> None:
    rows = [
        line.split("|")[2:4] for line in PAGE.read_text().splitlines() if line.startswith("| ") and ":50080/" in line
    ]
    told = {old.strip().strip("`"): new.strip().strip("`") for new, old in rows if "after" not in old}
    known = upstreams(KNOWN)
    urls = {f"{each.origin}{each.sdk_path}": each.base_url("http://127.0.0.1:50080") for each in known.values()}
    assert len(told) >= 5
    assert told.items() <= urls.items()


def test_the_workflows_jobs_run(tmp_path: Path) -> None:
    workflow = yaml.safe_load(named(".github/workflows/test.yml").text)
    steps = {name: [step for step in job["steps"] if "run" in step] for name, job in workflow["jobs"].items()}
    assert steps["python"][-1]["run"] == "pytest --antiphon-strict"
    last = steps["node"][-1]
    author(tmp_path / "tests" / "cassettes", "openai/greeting")
    port = _free_port()
    _shim(tmp_path, "antiphon", port)
    _write_npm(tmp_path)
    environment = {name: value.replace("50080", str(port)) for name, value in last["env"].items()}
    with _group(["bash", "-e", "-c", last["run"]], tmp_path, environment) as process:
        assert "Hello, dear Ada." in process.output()


def test_the_container_of_the_page_serves_what_its_tests_ask_for(tmp_path: Path) -> None:
    services = yaml.safe_load(named("compose.yaml").text)["services"]
    providers, tests = services["providers"], services["tests"]
    author(tmp_path / "cassettes", "openai/greeting")
    port = _free_port()
    _shim(tmp_path, "antiphon", port)
    command = [*providers["entrypoint"], *providers["command"]]
    assert providers["volumes"] == ["./tests/cassettes:/cassettes:ro"]
    command[command.index("/cassettes")] = str(tmp_path / "cassettes")
    [image] = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("FROM base AS serv")]
    assert image == "FROM base AS service"
    with _group([*command, "--ready-file", str(tmp_path / "ready")], tmp_path, {}):
        _until(tmp_path / "ready")
        base = tests["environment"]["OPENAI_BASE_URL"].replace("providers:50080", f"127.0.0.1:{port}")
        assert _asked(base)["choices"][0]["message"]["content"] == "Hello, dear Ada."
        health = providers["healthcheck"]["test"]
        address = (tmp_path / "ready").read_text().replace("0.0.0.0", "127.0.0.1")
        alive = [part.replace("127.0.0.1:50051", address) for part in health[1:]]
        with _group(alive, tmp_path, {}) as asking:
            asking.output()


@pytest.mark.timeout(200)
def test_the_test_in_node_passes(tmp_path: Path) -> None:
    installed = ROOT / ".work" / "replay-node" / "node_modules"
    if shutil.which("node") is None or not (installed / "openai").is_dir():
        pytest.skip("OpenAI's SDK for JavaScript is not installed; the tests in tests/clients/replay install it")
    snippet = named("greeting.test.js")
    (tmp_path / snippet.file).write_text(snippet.text)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(installed)
    author(tmp_path / "cassettes", "openai/greeting")
    port = _free_port()
    _shim(tmp_path, "antiphon", port)
    ready = tmp_path / "ready"
    with _group(["antiphon", "replay", "--cassettes", "cassettes", "--ready-file", str(ready)], tmp_path, {}):
        _until(ready)
        environment = {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/openai/v1", "OPENAI_API_KEY": "replayed"}
        with _group(["node", "--test", snippet.file], tmp_path, environment) as process:
            assert "pass 1" in process.output()


def _shim(folder: Path, name: str, port: int) -> None:
    """`antiphon` as if installed, at ports that are free: of two equal options the last one counts."""
    ports = f"--http 127.0.0.1:{port} --listen 127.0.0.1:0"
    _script(
        folder / "bin" / name,
        f'case "$1" in replay) set -- "$@" {ports};; esac\nexec {shlex.quote(sys.executable)} -P -m antiphon.cli "$@"',
    )


def _write_npm(folder: Path) -> None:
    """`npm test` of a project that asks what the page's test asks."""
    asks = f"{sys.executable} -P -c 'import tests.replay.test_docs as t; print(t._asked_by_environment())'"
    _script(folder / "bin" / "npm", f'[ "$1" = test ] || exit 2\ncd {shlex.quote(str(ROOT))}\nexec {asks}')


def _script(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@contextmanager
def _group(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[_Job]:
    """A process whose children end with it, as a job's do. Python finds this checkout, installed or not."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("ANTIPHON_")}
    sources = [str(ROOT / part) for part in ("gen", "services", "harness", ".")]
    path = {"PATH": f"{folder / 'bin'}:{own['PATH']}", "PYTHONPATH": os.pathsep.join(sources)}
    # What is said goes to a file: a pipe would stay open as long as a server in the background.
    with (
        tempfile.TemporaryFile(dir=folder) as said,
        subprocess.Popen(
            command, cwd=folder, env=own | path | environment, stdout=said, stderr=said, start_new_session=True
        ) as process,
    ):
        try:
            yield _Job(process=process, said=said)
        finally:
            _end(process.pid)


@dataclass(frozen=True, kw_only=True)
class _Job:
    process: subprocess.Popen[bytes]
    said: IO[bytes]

    def output(self) -> str:
        """What it said, once it has ended well."""
        status = self.process.wait(timeout=SECONDS)
        self.said.seek(0)
        text = self.said.read().decode()
        assert status == 0, text
        return text


def _end(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _until(ready: Path) -> None:
    until = time.monotonic() + SECONDS
    while not ready.exists():
        assert time.monotonic() < until, f"{ready} did not come"
        time.sleep(0.05)


def _asked(base: str) -> Any:
    request = urllib.request.Request(f"{base}/chat/completions", data=json.dumps(GREETING).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def _asked_by_environment() -> str:
    return str(_asked(os.environ["OPENAI_BASE_URL"])["choices"][0]["message"]["content"])


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
