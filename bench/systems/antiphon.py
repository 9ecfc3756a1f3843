"""antiphon as shipped: caller keys, validation, logs, and telemetry to a collector. Variants change one thing each."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from antiphon.core.auth import hash_of
from bench.loads import probe
from bench.places import ROOT, WORK
from bench.processes import Command, StartError, Tree, start
from bench.systems.base import (
    KEY,
    PROVIDER_KEY,
    Door,
    Running,
    Site,
    Target,
    http_target,
    pip_bytes,
    pip_versions,
    said,
)
from bench.traffic import BURST, EMBED, UNARY, Work, asked_grpc, grpc_path
from bench.upstream import Upstream

SOURCES: Final = ("gen", "services", "harness")


@dataclass(frozen=True, slots=True, kw_only=True)
class Antiphon:
    """One way to run it. `apart` is gateway and adapter in two processes; `more` are further settings; not `pinned` it
    runs on all cores, the load's too.

    `root` is the checkout that it runs from: another one beside this one shows what a change did.
    """

    name: str = "antiphon"
    doors: tuple[Door, ...] = ("grpc", "http")
    works: frozenset[str] = frozenset({"unary", "burst", "paced", "embeddings"})
    apart: bool = False
    traced: bool = True
    mode: str = "live"
    pinned: bool = True
    more: Mapping[str, str] | None = None
    root: Path = ROOT

    def lacking(self) -> str:
        """Nothing: it runs from this checkout."""
        return ""

    def version(self) -> str:
        """Its own, and those of the parts that decide its speed."""
        own = _project(self.root)["version"]
        return f"antiphon {own}, " + pip_versions(
            Path(sys.executable), "grpcio", "protobuf", "httpx", "orjson", "uvicorn"
        )

    def start(self, site: Site) -> Running:
        """Start it and wait until it takes calls; for replay, record what is replayed first."""
        if self.mode == "replay":
            self._record(site)
        return self._started(site, wait=True)

    def launch(self, site: Site) -> Running:
        """Start it."""
        return self._started(site, wait=False)

    def installed_bytes(self) -> int:
        """The packages that it requires, and its own sources."""
        own = sum(file.stat().st_size for folder in SOURCES for file in (self.root / folder).rglob("*.py"))
        return own + pip_bytes(Path(sys.executable), *_project(self.root)["dependencies"])

    def _record(self, site: Site) -> None:
        """Record one answer a work and door from the stand-in provider, by antiphon itself."""
        shutil.rmtree(_cassettes(), ignore_errors=True)
        running = replace(self, name=f"{self.name}-recording", mode="record")._started(site, wait=True)
        try:
            for work in (UNARY, BURST, EMBED):
                for door in self.doors:
                    connection = probe.connect(running.aim(work, door))
                    connection.call()
                    connection.close()
        except (OSError, probe.ProbeError) as error:
            raise StartError(f"{self.name}: nothing could be recorded: {error}") from error
        finally:
            running.tree.stop()

    def _started(self, site: Site, *, wait: bool) -> Running:
        tree = Tree([])
        addresses: dict[Door, Path] = {}
        try:
            if self.apart:
                adapter = self._process(site, tree, "adapter", {})
                where = {"ANTIPHON_ADAPTER": said(adapter, tree, self._log("adapter")), "ANTIPHON_CALLER_TOKEN": KEY}
                ready = self._process(site, tree, "gateway", where)
            else:
                ready = self._process(site, tree, "suite", {})
            addresses = {"grpc": ready, "http": ready.with_name(f"{ready.name}.http")}
            if wait:
                said(ready, tree, self._log("gateway" if self.apart else "suite"))
        except StartError:
            tree.stop()
            raise

        def aim(work: Work, door: Door) -> Target:
            address = said(addresses[door], tree, self._log("suite"))
            model = f"{work.upstream}/bench"
            headers = {"authorization": f"Bearer {KEY}"}
            if door == "http":
                return http_target(address, work, model, headers)
            own = {"content-type": "application/grpc", "te": "trailers", **headers}
            return Target(door=door, address=address, path=grpc_path(work), headers=own, body=asked_grpc(work, model))

        return Running(name=self.name, tree=tree, aim=aim)

    def _process(self, site: Site, tree: Tree, role: str, more: Mapping[str, str]) -> Path:
        """Start one role; the file that will hold its address."""
        ready = WORK / "ready" / f"{self.name}-{role}"
        ready.parent.mkdir(parents=True, exist_ok=True)
        for file in (ready, ready.with_name(f"{ready.name}.http")):
            file.unlink(missing_ok=True)
        words = [sys.executable, "-P", "-m", "antiphon.cli", "serve", role, "--listen", "127.0.0.1:0"]
        if role != "adapter":
            words += ["--http", "127.0.0.1:0"]
        environment = {
            "PYTHONPATH": os.pathsep.join(str(self.root / folder) for folder in SOURCES),
            "ANTIPHON_READY_FILE": str(ready),
            "ANTIPHON_CALLER_KEYS": json.dumps({"bench": hash_of(KEY)}),
            "ANTIPHON_PROVIDERS": json.dumps(_providers(site.upstream)),
            "ANTIPHON_TRITON": "127.0.0.1:9",  # nobody listens there, and nobody is asked
            "ANTIPHON_MODE": self.mode,
            "ANTIPHON_CASSETTES": str(_cassettes()),
            "BENCH_KEY": PROVIDER_KEY,
            **more,
            **(self.more or {}),
        }
        if self.traced:
            environment["ANTIPHON_OTLP_ENDPOINT"] = f"http://{site.collector}"
        command = Command(name=f"{self.name}-{role}", words=words, environment=environment)
        tree.roots.append(start(command, site.cores.server_command() if self.pinned else []))
        return ready

    def _log(self, role: str) -> Command:
        return Command(name=f"{self.name}-{role}", words=[], environment={})


def _project(root: Path) -> dict[str, Any]:
    with (root / "pyproject.toml").open("rb") as file:
        project: dict[str, Any] = tomllib.load(file)["project"]
        return project


def _providers(upstream: Upstream) -> dict[str, object]:
    return {
        name: {"base_url": upstream.base(name), "key": "BENCH_KEY", "embeddings": name == "json"}
        for name in upstream.ports
    }


def _cassettes() -> Path:
    return WORK / "cassettes"
