"""LiteLLM's proxy: one worker, its recommended production settings, no database, a master key."""

from __future__ import annotations

import json
from typing import Final

from bench.places import WORK
from bench.processes import Command
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
    wait,
)
from bench.traffic import Work
from bench.upstream import free_port

MASTER_KEY: Final = "sk-bench-master"


class LiteLLM:
    """litellm[proxy] from PyPI."""

    name = "litellm"
    doors: tuple[Door, ...] = ("http",)
    works = frozenset({"unary", "burst", "paced", "embeddings"})

    def lacking(self) -> str:
        """Why it can't run."""
        return pip_lacking(self.name)

    def version(self) -> str:
        """Its own and its server's."""
        return pip_versions(pip_python(self.name), "litellm", "uvicorn", "uvloop", "aiohttp")

    def start(self, site: Site) -> Running:
        """Start it and wait for its port."""
        running = self.launch(site)
        wait([int(running.extra["port"])], running.tree, self._command(int(running.extra["port"])))
        return running

    def launch(self, site: Site) -> Running:
        """Start it."""
        port = free_port()
        doors = [("json", "openai/bench"), ("burst", "openai/bench"), ("paced", "openai/bench")]
        config = {
            "model_list": [
                {
                    "model_name": name,
                    "litellm_params": {
                        "model": model,
                        "api_base": site.upstream.base(name),
                        "api_key": PROVIDER_KEY,
                    },
                }
                for name, model in doors
            ],
            "litellm_settings": {"request_timeout": 600, "set_verbose": False, "json_logs": True},
            "general_settings": {"master_key": MASTER_KEY, "disable_spend_logs": True},
        }
        (WORK / "litellm.yaml").write_text(json.dumps(config))  # JSON is YAML too
        tree = begun([self._command(port)], site.cores.server_command())
        address = f"127.0.0.1:{port}"

        def aim(work: Work, door: Door) -> Target:
            return http_target(address, work, work.upstream, {"authorization": f"Bearer {MASTER_KEY}"})

        return Running(name=self.name, tree=tree, aim=aim, extra={"port": str(port)})

    def installed_bytes(self) -> int:
        """litellm with its proxy extra."""
        return pip_bytes(pip_python(self.name), "litellm[proxy]")

    def _command(self, port: int) -> Command:
        words = [str(pip_python(self.name).with_name("litellm")), "--config", str(WORK / "litellm.yaml")]
        return Command(
            name=self.name,
            words=[*words, "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1", "--telemetry", "False"],
            environment={
                "LITELLM_MODE": "PRODUCTION",
                "LITELLM_LOG": "ERROR",
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                "NO_DOCS": "True",
            },
        )
