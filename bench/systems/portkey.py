"""Portkey's open gateway, on Node.js, with @hono/node-server held at 1.13.8: a fresh install fails every stream."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Final

from bench.places import NODE, REQUIREMENTS
from bench.processes import Command
from bench.systems.base import PROVIDER_KEY, Door, Running, Site, Target, begun, http_target, wait
from bench.traffic import Work
from bench.upstream import free_port

_SERVER: Final = NODE / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"


class Portkey:
    """@portkey-ai/gateway from npm."""

    name = "portkey"
    doors: tuple[Door, ...] = ("http",)
    works = frozenset({"unary", "burst", "paced", "embeddings"})

    def lacking(self) -> str:
        """Why it can't run."""
        if shutil.which("node") is None:
            return "Node.js is not installed"
        return "" if _SERVER.exists() else "portkey is not installed: run `python -m bench setup`"

    def version(self) -> str:
        """Its own, its server's and Node's."""
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
        own = _package("@portkey-ai/gateway")
        return f"@portkey-ai/gateway {own}, @hono/node-server {_package('@hono/node-server')}, node {node}"

    def start(self, site: Site) -> Running:
        """Start it and wait for its port."""
        running = self.launch(site)
        port = int(running.extra["port"])
        wait([port], running.tree, _command(port))
        return running

    def launch(self, site: Site) -> Running:
        """Start it."""
        port = free_port()
        tree = begun([_command(port)], site.cores.server_command())
        address = f"127.0.0.1:{port}"

        def aim(work: Work, door: Door) -> Target:
            headers = {
                "x-portkey-provider": "openai",
                "x-portkey-custom-host": site.upstream.base(work.upstream),
                "authorization": f"Bearer {PROVIDER_KEY}",
            }
            return http_target(address, work, "bench", headers)

        return Running(name=self.name, tree=tree, aim=aim, extra={"port": str(port)})

    def installed_bytes(self) -> int:
        """Everything that npm installed."""
        return sum(path.stat().st_size for path in NODE.rglob("*") if path.is_file() and not path.is_symlink())


def install() -> None:
    """Install from the pinned package.json."""
    wanted = (REQUIREMENTS / "portkey.json").read_text()
    mark = NODE / ".installed"
    if mark.exists() and mark.read_text() == wanted:
        return
    shutil.rmtree(NODE, ignore_errors=True)
    NODE.mkdir(parents=True)
    (NODE / "package.json").write_text(wanted)
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=NODE, check=True)
    mark.write_text(wanted)


def _package(name: str) -> str:
    manifest: Path = NODE / "node_modules" / name / "package.json"
    return str(json.loads(manifest.read_text())["version"])


def _command(port: int) -> Command:
    return Command(
        name="portkey",
        words=["node", str(_SERVER), f"--port={port}", "--headless"],
        environment={"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"},
        folder=NODE,
    )
