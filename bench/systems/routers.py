"""SMG and vllm-router: routers in Rust that pass requests through to workers of one kind, so one process a door.

They translate nothing and know no providers. They are here as the bound of what a pass-through reaches.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.loads import probe
from bench.processes import Command, StartError, Tree
from bench.systems.base import (
    Door,
    Running,
    Site,
    Target,
    begun,
    http_target,
    pip_bytes,
    pip_lacking,
    pip_python,
    pip_versions,
    wait,
)
from bench.traffic import BURST, PACED, UNARY, Work
from bench.upstream import free_port

DOORS = ("json", "burst", "paced")
_FIRST = (UNARY, BURST, PACED)
"""A call for each door."""


class _Router:
    """What both have in common. `words` come after the name of the program."""

    name: str
    words: Sequence[str] = ()
    doors: tuple[Door, ...] = ("http",)
    works = frozenset({"unary", "burst", "paced"})

    def lacking(self) -> str:
        """Why it can't run."""
        return pip_lacking(self.name)

    def version(self) -> str:
        """Its own."""
        return pip_versions(pip_python(self.name), self.name)

    def start(self, site: Site) -> Running:
        """Start one a door and wait for them."""
        return self._started(site, DOORS, ready=True)

    def launch(self, site: Site) -> Running:
        """Start one for the json door."""
        return self._started(site, DOORS[:1], ready=False)

    def installed_bytes(self) -> int:
        """The package with its requirements."""
        return pip_bytes(pip_python(self.name), self.name)

    def _started(self, site: Site, doors: Sequence[str], *, ready: bool) -> Running:
        ports = {door: free_port() for door in doors}
        commands = [self._command(door, port, site.upstream.ports[door]) for door, port in ports.items()]
        tree: Tree = begun(commands, site.cores.server_command())
        if ready:
            for door, command in zip(doors, commands, strict=True):
                wait([ports[door]], tree, command)

        def aim(work: Work, door: Door) -> Target:
            return http_target(f"127.0.0.1:{ports[work.upstream]}", work, "bench", {})

        if ready:  # a router takes calls before it knows its worker, and refuses them
            try:
                for work in _FIRST[: len(doors)]:
                    probe.first_answer(aim(work, "http"), tree)
            except StartError:
                tree.stop()
                raise
        return Running(name=self.name, tree=tree, aim=aim)

    def _command(self, door: str, port: int, worker: int) -> Command:
        words = [str(pip_python(self.name).with_name(self.name)), *self.words]
        words += ["--worker-urls", f"http://127.0.0.1:{worker}", "--host", "127.0.0.1", "--port", str(port)]
        words += ["--policy", "round_robin", "--prometheus-port", str(free_port()), "--log-level", "error"]
        return Command(name=f"{self.name}-{door}", words=words, environment={"RUST_LOG": "error"})


class SMG(_Router):
    """smg from PyPI."""

    name = "smg"
    words = ("launch",)


class VllmRouter(_Router):
    """vllm-router from PyPI."""

    name = "vllm-router"
