"""What a system is to the bench: something that starts, says where it takes which work, and can be weighed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol

from bench.machine import Cores
from bench.places import BENCH, REQUIREMENTS, VENVS, WORK
from bench.processes import Command, StartError, Tree, start, tail
from bench.traffic import Work, asked_json, http_path
from bench.upstream import Upstream, wait_for_port

KEY: Final = "ak-bench-0123456789abcdef0123456789abcdef"
"""The caller key that every system asks for, where it can ask for one."""
PROVIDER_KEY: Final = "sk-bench"

Door = Literal["grpc", "http"]

_VERSIONS: Final = """
import sys
from importlib.metadata import PackageNotFoundError, version
def said(name):
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name} (not installed)"
print(", ".join(map(said, sys.argv[1:])))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One request to be sent again and again."""

    door: Door
    address: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def body_file(self) -> Path:
        """The body in a file, for load generators."""
        path = WORK / "bodies" / hashlib.sha256(self.body).hexdigest()[:16]
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.body)
        return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a system finds when it starts."""

    cores: Cores
    upstream: Upstream
    collector: str
    """host:port of an OTLP collector that takes everything and keeps nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A started system. `aim` makes the target of a work at a door."""

    name: str
    tree: Tree
    aim: Callable[[Work, Door], Target]
    extra: Mapping[str, str] = field(default_factory=dict)


class System(Protocol):
    """One file of this folder."""

    @property
    def name(self) -> str:
        """What it is called on the command line and in results."""

    @property
    def doors(self) -> Sequence[Door]:
        """Where it takes calls."""

    @property
    def works(self) -> frozenset[str]:
        """Names of the works that it can do; histories go by `unary`."""

    def lacking(self) -> str:
        """Why it can't run here and what to do; empty where it can."""

    def version(self) -> str:
        """Its version, and those of the parts that decide its speed."""

    def start(self, site: Site) -> Running:
        """Start it; it takes calls when this returns. Raises StartError."""

    def launch(self, site: Site) -> Running:
        """Start it and return at once: it may take no calls yet. For the start-up row."""

    def installed_bytes(self) -> int:
        """What it brings along beside its interpreter; 0 where that makes no sense."""


def pip_python(name: str) -> Path:
    """The interpreter of a peer's environment."""
    return VENVS / name / "bin" / "python"


def pip_lacking(name: str) -> str:
    """Why a peer from PyPI can't run."""
    return "" if pip_python(name).exists() else f"{name} is not installed: run `python -m bench setup`"


def pip_install(name: str, python: str) -> None:
    """Make a peer's environment from its pinned requirements."""
    wanted = REQUIREMENTS / f"{name}.txt"
    mark = VENVS / name / ".installed"
    if mark.exists() and mark.read_text() == wanted.read_text():
        return
    shutil.rmtree(VENVS / name, ignore_errors=True)
    subprocess.run([python, "-m", "venv", str(VENVS / name)], check=True)
    pip = [str(pip_python(name)), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-q"]
    subprocess.run([*pip, "-r", str(wanted)], check=True)
    mark.write_text(wanted.read_text())


def pip_versions(python: Path, *names: str) -> str:
    """Versions of distributions in an environment."""
    said = subprocess.run([str(python), "-P", "-c", _VERSIONS, *names], capture_output=True, text=True, check=True)
    return said.stdout.strip()


def pip_bytes(python: Path, *requirements: str) -> int:
    """Bytes of distributions and all that they require, each once."""
    script = BENCH / "systems" / "weigh.py"
    said = subprocess.run([str(python), "-P", str(script), *requirements], capture_output=True, text=True, check=True)
    return int(json.loads(said.stdout)["bytes"])


def http_target(address: str, work: Work, model: str, headers: Mapping[str, str]) -> Target:
    """A call in OpenAI's format."""
    return Target(
        door="http",
        address=address,
        path=http_path(work),
        headers={"content-type": "application/json", **headers},
        body=asked_json(work, model),
    )


def wait(ports: Sequence[int], tree: Tree, command: Command) -> None:
    """Wait until all ports take connections; ends the tree where one does not. Raises StartError."""
    try:
        for port in ports:
            wait_for_port(port, tree, command)
    except StartError:
        tree.stop()
        raise


def begun(commands: Sequence[Command], pinned: Sequence[str]) -> Tree:
    """Start commands on a core as one tree."""
    return Tree([start(command, pinned) for command in commands])


def said(file: Path, tree: Tree, command: Command, patience: float = 60.0) -> str:
    """What a process writes into a file once it takes calls: its address. Raises StartError."""
    until = time.monotonic() + patience
    while not file.exists():
        if tree.ended() or time.monotonic() > until:
            raise StartError(f"{command.name} did not start; its log ends:\n{tail(command)}")
        time.sleep(0.002)
    return file.read_text()
