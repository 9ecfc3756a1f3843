"""Runs services of compose.yaml through the engine's API, so that the file is tested where no `docker compose` is.

Only what the file uses is understood; anything else raises, so that no line of the file goes untested in silence.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import docker
import yaml
from docker.models.containers import Container
from docker.models.networks import Network

VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
DURATION = re.compile(r"(\d+)(s|m)")
SECONDS = {"s": 1, "m": 60}
LOG_LINES_SHOWN = 40

IGNORED = frozenset(
    {"build", "depends_on", "deploy", "logging", "networks", "profiles", "restart", "stop_grace_period"}
)
"""Keys of a service that say nothing about its container, or are handled elsewhere here."""


def read(path: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """The file with `${NAME:-default}` replaced from `variables` alone, never from the environment."""

    def value(match: re.Match[str]) -> str:
        return variables.get(match[1]) or match[2] or ""

    document = yaml.safe_load(VARIABLE.sub(value, path.read_text(encoding="utf-8")))
    assert isinstance(document, dict)
    return document


def needed(document: Mapping[str, Any], fronts: Sequence[str]) -> list[str]:
    """The services that `docker compose up <fronts>` starts, each after those that it depends on."""
    ordered: list[str] = []

    def visit(name: str) -> None:
        if name in ordered:
            return
        for other in document["services"][name].get("depends_on", {}):
            visit(other)
        ordered.append(name)

    for front in fronts:
        visit(front)
    return ordered


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Running services by name."""

    containers: Mapping[str, Container]

    def address(self, name: str, port: int) -> str:
        """Where a published port of a service can be reached from here."""
        container = self.containers[name]
        container.reload()
        binding = container.attrs["NetworkSettings"]["Ports"][f"{port}/tcp"][0]
        return f"{binding['HostIp']}:{binding['HostPort']}"


@contextmanager
def running(
    engine: docker.DockerClient, document: Mapping[str, Any], fronts: Sequence[str], *, folder: Path
) -> Iterator[Stack]:
    """The services `fronts` and what they depend on, healthy. Relative paths of the file are below `folder`."""
    project = f"antiphon-test-{uuid4().hex[:8]}"
    names = needed(document, fronts)
    networks: dict[str, Network] = {}
    containers: dict[str, Container] = {}
    try:
        for name in sorted({network for service in names for network in document["services"][service]["networks"]}):
            options = document["networks"][name] or {}
            networks[name] = engine.networks.create(f"{project}-{name}", internal=options.get("internal", False))
        for name in names:
            service = document["services"][name]
            for other, how in service.get("depends_on", {}).items():
                if how["condition"] == "service_healthy":
                    until_healthy(containers[other])
            containers[name] = _created(engine, project, name, service, networks, folder)
            containers[name].start()
        for name in fronts:
            until_healthy(containers[name])
        yield Stack(containers=containers)
    finally:
        for container in reversed(containers.values()):
            container.remove(force=True, v=True)
        for network in networks.values():
            network.remove()


def until_healthy(container: Container, *, seconds: float = 90.0) -> None:
    """Wait for the container's own health check to pass; raise AssertionError with its log where it does not."""
    deadline = time.monotonic() + seconds
    status = "unknown"
    while time.monotonic() < deadline:
        container.reload()
        state = container.attrs["State"]
        status = state.get("Health", {}).get("Status", state["Status"])
        if status == "healthy":
            return
        if status == "unhealthy" or not state["Running"]:
            break
        time.sleep(0.2)
    checks = [check["Output"] for check in container.attrs["State"].get("Health", {}).get("Log", [])[-1:]]
    log = container.logs(tail=LOG_LINES_SHOWN).decode(errors="replace")
    raise AssertionError(f"{container.name} is {status}\nlast check: {checks}\nlog:\n{log}")


def _created(
    engine: docker.DockerClient,
    project: str,
    name: str,
    service: Mapping[str, Any],
    networks: Mapping[str, Network],
    folder: Path,
) -> Container:
    keywords: dict[str, Any] = {}
    for key, value in service.items():
        if key not in IGNORED:
            keywords |= KEYWORDS[key](value, folder)
    first, *others = [networks[network] for network in service["networks"]]
    assert first.name is not None
    container = engine.containers.create(
        **keywords,
        name=f"{project}-{name}",
        network=first.name,
        networking_config={first.name: engine.api.create_endpoint_config(aliases=[name])},
    )
    for network in others:
        network.connect(container, aliases=[name])
    return container


def _environment(value: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    # A variable without a value comes from the caller's environment; tests have none.
    return {"environment": {name: str(text) for name, text in value.items() if text is not None}}


def _volumes(value: Sequence[str], folder: Path) -> dict[str, Any]:
    return {"volumes": [str((folder / bind.split(":")[0]).resolve()) + bind[bind.index(":") :] for bind in value]}


def _ports(value: Sequence[str], folder: Path) -> dict[str, Any]:
    # The host's port is left to the engine: the file's may be in use.
    triples = [port.rsplit(":", 2) for port in value]
    return {"ports": {f"{inside}/tcp": (host, None) for host, _, inside in triples}}


def _tmpfs(value: Sequence[str], folder: Path) -> dict[str, Any]:
    return {"tmpfs": dict(mount.split(":", 1) for mount in value)}


def _healthcheck(value: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    durations = {name: nanoseconds(value[name]) for name in ("interval", "timeout", "start_period")}
    return {"healthcheck": {"test": value["test"], "retries": value["retries"], **durations}}


def nanoseconds(text: str) -> int:
    """A duration such as "40s" or "1m30s"."""
    return sum(int(number) * SECONDS[unit] for number, unit in DURATION.findall(text)) * 1_000_000_000


def _same(keyword: str) -> Any:
    return lambda value, folder: {keyword: value}


KEYWORDS = {
    "cap_drop": _same("cap_drop"),
    "command": _same("command"),
    "environment": _environment,
    "healthcheck": _healthcheck,
    "image": _same("image"),
    "init": _same("init"),
    "ports": _ports,
    "read_only": _same("read_only"),
    "security_opt": _same("security_opt"),
    "shm_size": _same("shm_size"),
    "tmpfs": _tmpfs,
    "user": _same("user"),
    "volumes": _volumes,
}
"""What a key of a service is called in the engine's API."""
