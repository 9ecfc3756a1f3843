"""The ceiling of an HTTP door made of the usual libraries; `asgi_server.py` says what it leaves out."""

from __future__ import annotations

from dataclasses import dataclass

from bench.places import BENCH, WORK
from bench.processes import Command, StartError, Tree, start
from bench.systems.base import Door, Running, Site, Target, http_target, pip_lacking, pip_python, pip_versions, said
from bench.traffic import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAsgi:
    """uvicorn, a raw ASGI application, aiohttp."""

    name: str = "raw-asgi"
    doors: tuple[Door, ...] = ("http",)
    works: frozenset[str] = frozenset({"unary", "burst", "paced", "embeddings"})

    def lacking(self) -> str:
        """Why it can't run."""
        return pip_lacking("bare")

    def version(self) -> str:
        """Of the parts."""
        return pip_versions(pip_python("bare"), "uvicorn", "httptools", "aiohttp", "uvloop")

    def start(self, site: Site) -> Running:
        """Start it and wait for it."""
        ready = WORK / "ready" / self.name
        ready.parent.mkdir(parents=True, exist_ok=True)
        ready.unlink(missing_ok=True)
        script = BENCH / "systems" / "asgi_server.py"
        ports = [f"{name}={port}" for name, port in site.upstream.ports.items()]
        words = [str(pip_python("bare")), "-P", str(script), str(ready), *ports]
        command = Command(name=self.name, words=words, environment={})
        tree = Tree([start(command, site.cores.server_command())])
        try:
            address = said(ready, tree, command)
        except StartError:
            tree.stop()
            raise

        def aim(work: Work, door: Door) -> Target:
            return http_target(address, work, f"{work.upstream}/bench", {})

        return Running(name=self.name, tree=tree, aim=aim)

    launch = start

    def installed_bytes(self) -> int:
        """Not measured: it is no product."""
        return 0
