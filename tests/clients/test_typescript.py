"""Proves that the contract is usable from another language: a TypeScript client, generated, type-checked and run.

The client's sources are in `typescript/`. Its packages are installed below `.work/typescript`, once per lock file,
so that a second run needs neither network nor time.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest
from google.rpc import error_details_pb2

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"
SOURCES = Path(__file__).with_name("typescript")
GUIDE = ROOT / "docs" / "clients.md"
FOLDER = ROOT / ".work" / "typescript"
OLDEST_NODE = 20
INSTALL_SECONDS = 300
RUN_SECONDS = 100
TESTS_IN_CLIENT = 14
TESTS_OF_OWN_MODELS = 2
ADDRESS_IN_GUIDE = '"127.0.0.1:50051"'

# Oneofs as discriminated unions, and 64-bit numbers as bigint: a seed past 2^53 stays exact.
PLUGIN_OPTIONS = (
    "outputServices=grpc-js,oneof=unions-value,forceLong=bigint,esModuleInterop=true,importSuffix=.js,env=node"
)


class Suite(Protocol):
    """A running suite."""

    @property
    def address(self) -> str:
        """Its gateway, as host:port."""
        ...


@pytest.fixture(scope="session")
def client() -> Path:
    """The folder of the client, with its packages installed and its stubs generated from proto/."""
    if reason := _missing():
        pytest.skip(reason)
    FOLDER.mkdir(parents=True, exist_ok=True)
    _install()
    for name in ("src", "generated", "build"):
        shutil.rmtree(FOLDER / name, ignore_errors=True)
    shutil.copytree(SOURCES / "src", FOLDER / "src")
    shutil.copy(SOURCES / "tsconfig.json", FOLDER)
    (FOLDER / "src" / "example.ts").write_text(_documented_example())
    _generate()
    return FOLDER


@pytest.fixture(scope="session")
def compiled(client: Path) -> Path:
    """The same, compiled to JavaScript."""
    _run(str(client / "node_modules" / ".bin" / "tsc"), seconds=RUN_SECONDS)
    return client


@pytest.mark.timeout(INSTALL_SECONDS + 2 * RUN_SECONDS)
def test_the_contract_compiles_under_strict_typescript(compiled: Path) -> None:
    assert (compiled / "build" / "src" / "suite.test.js").is_file()


@pytest.mark.timeout(INSTALL_SECONDS + 2 * RUN_SECONDS)
def test_a_misspelt_field_does_not_compile(client: Path) -> None:
    wrong = client / "src" / "wrong.ts"
    wrong.write_text(
        'import { ChatSpec } from "../generated/antiphon/v1/chat.js";\n'
        'export const spec: Partial<ChatSpec> = { modle: "openai/gpt-4o-mini" };\n'
    )
    try:
        tsc = [str(client / "node_modules" / ".bin" / "tsc"), "--noEmit"]
        done = subprocess.run(tsc, cwd=client, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    finally:
        wrong.unlink()
    assert done.returncode != 0
    assert "'modle' does not exist" in done.stdout


@pytest.mark.timeout(INSTALL_SECONDS + 3 * RUN_SECONDS)
async def test_a_typescript_client_chats_streams_lists_models_and_reads_errors(compiled: Path, suite: Suite) -> None:
    assert await _tests(compiled, suite) == {
        "pass": TESTS_IN_CLIENT - TESTS_OF_OWN_MODELS,
        "skipped": TESTS_OF_OWN_MODELS,
    }


@pytest.mark.timeout(INSTALL_SECONDS + 3 * RUN_SECONDS)
async def test_a_typescript_client_embeds_and_streams_from_triton(compiled: Path, suite_with_triton: Suite) -> None:
    assert await _tests(compiled, suite_with_triton) == {"pass": TESTS_IN_CLIENT, "skipped": 0}


@pytest.mark.timeout(INSTALL_SECONDS + 3 * RUN_SECONDS)
async def test_the_example_in_the_guide_runs_as_it_is_written(compiled: Path, suite: Suite) -> None:
    status, output = await _node(compiled, suite, "build/src/example.js")
    assert status == 0, output
    assert re.search(r"^.+ \d+n$", output, re.MULTILINE), "the answer and its tokens"
    assert re.search(r"^NOT_FOUND PROVIDER_NOT_FOUND .*nowhere", output, re.MULTILINE), "the error"


async def _tests(folder: Path, suite: Suite) -> dict[str, int]:
    """How many tests of the client passed and were skipped; fails with the report where one failed."""
    status, report = await _node(folder, suite, "--test", "--test-reporter=spec", "build/src/suite.test.js")
    print(report)
    assert status == 0, report
    return {name: int(count) for name, count in re.findall(r"^\S+ (pass|skipped) (\d+)$", report, re.MULTILINE)}


async def _node(folder: Path, suite: Suite, *arguments: str) -> tuple[int, str]:
    """Exit status and output of a program in Node.js; awaited, for the suite may live in this very event loop."""
    process = await asyncio.create_subprocess_exec(
        *("node", *arguments),
        cwd=folder,
        env=os.environ | {"ANTIPHON_ADDRESS": suite.address, "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), RUN_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, output.decode()


def _documented_example() -> str:
    """The TypeScript of the guide, calling the suite under test."""
    example = re.search(r"^```ts\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert example is not None
    assert ADDRESS_IN_GUIDE in example[1]
    return example[1].replace(ADDRESS_IN_GUIDE, f'process.env["ANTIPHON_ADDRESS"] ?? {ADDRESS_IN_GUIDE}')


def _missing() -> str | None:
    """Why the client can't be built here, or None."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"{program} is not on the PATH: install Node.js {OLDEST_NODE} or later to test the TypeScript client"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    if int(version.removeprefix("v").split(".")[0]) < OLDEST_NODE:
        return f"Node.js {version.strip()} is too old: the TypeScript client needs {OLDEST_NODE} or later"
    return None


def _install() -> None:
    lock = (SOURCES / "package-lock.json").read_bytes()
    digest = hashlib.sha256(lock + (SOURCES / "package.json").read_bytes()).hexdigest()
    done = FOLDER / "installed"
    if done.is_file() and done.read_text() == digest:
        return
    done.unlink(missing_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SOURCES / name, FOLDER)
    # No package here needs its install script, and none is run.
    _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", seconds=INSTALL_SECONDS)
    done.write_text(digest)


def _generate() -> None:
    generated = FOLDER / "generated"
    generated.mkdir()
    google = Path(error_details_pb2.__file__).parents[2]
    contract = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    _run(
        *(sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", f"-I{google}"),
        f"--plugin=protoc-gen-ts_proto={FOLDER / 'node_modules' / '.bin' / 'protoc-gen-ts_proto'}",
        f"--ts_proto_out={generated}",
        f"--ts_proto_opt={PLUGIN_OPTIONS}",
        *contract,
        *("google/rpc/status.proto", "google/rpc/error_details.proto"),
        seconds=RUN_SECONDS,
    )


def _run(*command: str, seconds: float) -> None:
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{' '.join(command[:3])} failed:\n{done.stdout}{done.stderr}"
