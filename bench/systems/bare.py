"""The ceiling of antiphon's own stack; `bare_server.py` says what it leaves out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.places import BENCH, ROOT, WORK
from bench.processes import Command, StartError, Tree, start
from bench.systems.base import Door, Running, Site, Target, http_target, pip_lacking, pip_python, pip_versions, said
from bench.traffic import Work, asked_grpc, grpc_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare:
    """One way to run it. `unbatched` sends every chunk as its own message; `apart` adds a second process."""

    name: str = "bare"
    doors: tuple[Door, ...] = ("grpc", "http")
    works: frozenset[str] = frozenset({"unary", "burst", "paced", "embeddings"})
    unbatched: bool = False
    apart: bool = False

    def lacking(self) -> str:
        """Why it can't run."""
        return pip_lacking("bare")

    def version(self) -> str:
        """Of the parts."""
        names = ("grpcio", "protobuf", "uvicorn", "httptools", "uvloop", "orjson")
        return pip_versions(pip_python("bare"), *names)

    def start(self, site: Site) -> Running:
        """Start it and wait for it."""
        tree = Tree([])
        ports = [f"{name}={port}" for name, port in site.upstream.ports.items()]
        addresses: dict[Door, str] = {}
        try:
            own = self._process(site, tree, "grpc", [*ports, *(["unbatched"] if self.unbatched else [])])
            addresses["grpc"] = own
            if self.apart:
                addresses["grpc"] = self._process(site, tree, "gateway", [own])
            if "http" in self.doors:
                addresses["http"] = self._process(site, tree, "http", ports)
        except StartError:
            tree.stop()
            raise

        def aim(work: Work, door: Door) -> Target:
            model = f"{work.upstream}/bench"
            if door == "http":
                return http_target(addresses[door], work, model, {})
            headers = {"content-type": "application/grpc", "te": "trailers"}
            return Target(
                door=door,
                address=addresses[door],
                path=grpc_path(work),
                headers=headers,
                body=asked_grpc(work, model),
            )

        return Running(name=self.name, tree=tree, aim=aim)

    launch = start

    def installed_bytes(self) -> int:
        """Not measured: it is no product."""
        return 0

    def _process(self, site: Site, tree: Tree, role: str, arguments: list[str]) -> str:
        ready = WORK / "ready" / f"{self.name}-{role}"
        ready.parent.mkdir(parents=True, exist_ok=True)
        ready.unlink(missing_ok=True)
        script: Path = BENCH / "systems" / "bare_server.py"
        command = Command(
            name=f"{self.name}-{role}",
            words=[str(pip_python("bare")), "-P", str(script), role, str(ready), *arguments],
            environment={"PYTHONPATH": str(ROOT / "gen")},
        )
        tree.roots.append(start(command, site.cores.server_command()))
        return said(ready, tree, command)
