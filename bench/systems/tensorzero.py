"""TensorZero's embedded gateway: its Rust server inside a Python process, without a database to write to."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from bench.places import BENCH, WORK
from bench.processes import Command, StartError
from bench.systems.base import (
    PROVIDER_KEY,
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
    said,
)
from bench.traffic import Work
from bench.upstream import Upstream

_READY = WORK / "tensorzero.address"
_CONFIG = WORK / "tensorzero.toml"


class TensorZero:
    """tensorzero from PyPI."""

    name = "tensorzero"
    doors: tuple[Door, ...] = ("http",)
    works = frozenset({"unary", "burst", "paced", "embeddings"})

    def lacking(self) -> str:
        """Why it can't run."""
        return pip_lacking(self.name)

    def version(self) -> str:
        """Its own."""
        return pip_versions(pip_python(self.name), "tensorzero")

    def start(self, site: Site) -> Running:
        """Start it and wait for its address."""
        running = self.launch(site)
        try:
            said(_READY, running.tree, self._command())
        except StartError:
            running.tree.stop()
            raise
        return running

    def launch(self, site: Site) -> Running:
        """Start it."""
        _CONFIG.write_text(_configured(site.upstream))
        _READY.unlink(missing_ok=True)
        tree = begun([self._command()], site.cores.server_command())

        def aim(work: Work, door: Door) -> Target:
            base = urlsplit(said(_READY, tree, self._command()))
            kind = "embedding_model_name" if work.embed else "model_name"
            target = http_target(base.netloc, work, f"tensorzero::{kind}::{work.upstream}", {})
            path = target.path.removeprefix("/v1")
            return Target(
                door="http",
                address=f"127.0.0.1:{base.port}",
                path=base.path.rstrip("/") + path,
                headers=target.headers,
                body=target.body,
            )

        return Running(name=self.name, tree=tree, aim=aim)

    def installed_bytes(self) -> int:
        """The package with its requirements."""
        return pip_bytes(pip_python(self.name), "tensorzero")

    def _command(self) -> Command:
        script: Path = BENCH / "systems" / "tensorzero_server.py"
        return Command(
            name=self.name,
            words=[str(pip_python(self.name)), "-P", str(script), str(_CONFIG), str(_READY)],
            environment={
                "BENCH_KEY": PROVIDER_KEY,
                "RUST_LOG": "error",
                "TENSORZERO_DISABLE_PSEUDONYMOUS_USAGE_ANALYTICS": "1",
            },
        )


def _configured(upstream: Upstream) -> str:
    lines = ["[gateway]", "observability.enabled = false", "disable_pseudonymous_usage_analytics = true"]
    for door in upstream.ports:
        for kind in ("models", "embedding_models"):
            lines += [
                f"[{kind}.{door}]",
                'routing = ["bench"]',
                f"[{kind}.{door}.providers.bench]",
                'type = "openai"',
                'model_name = "bench"',
                f'api_base = "{upstream.base(door)}/"',
                'api_key_location = "env::BENCH_KEY"',
            ]
    return "\n".join(lines) + "\n"
