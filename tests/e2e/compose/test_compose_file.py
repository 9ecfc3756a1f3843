"""What compose.yaml promises, read from the file itself: no engine is needed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from antiphon.adapter.rows import built_in
from tests.e2e.compose.composition import needed, read

ROOT = Path(__file__).parents[3]
FILE = ROOT / "compose.yaml"
SERVICES: dict[str, dict[str, Any]] = read(FILE, {})["services"]
NETWORKS: dict[str, dict[str, Any] | None] = read(FILE, {})["networks"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
WRITABLE = {"triton-gpu"}  # vLLM compiles kernels at start and keeps them
WITHOUT_SHELL = {"otel-collector", "jaeger"}  # nothing in their images could ask for their health


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_container_runs_as_root_or_keeps_a_capability(name: str) -> None:
    service = SERVICES[name]
    user, _, group = service["user"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only", False) is (name not in WRITABLE)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_nothing_of_the_host_is_mounted_writable(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source, *_ = mount.split(":")
        assert mount.endswith(":ro") or source == "weights", mount


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_ports_are_published_on_the_loopback_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


def test_only_gateways_and_dashboards_are_published() -> None:
    published = {name for name, service in SERVICES.items() if service.get("ports")}
    assert published == {"gateway", "gateway-replay", "gateway-gpu", "otel-collector", "jaeger"}


@pytest.mark.parametrize("name", sorted(set(SERVICES) - WITHOUT_SHELL))
def test_every_service_tells_its_health(name: str) -> None:
    inherits = SERVICES[name].get("build", {}).get("target") == "service"
    assert inherits or "healthcheck" in SERVICES[name]


@pytest.mark.parametrize("name", [name for name in OURS if name != "triton"])
def test_the_health_check_asks_where_the_service_listens(name: str) -> None:
    environment = SERVICES[name]["environment"]
    port = environment["ANTIPHON_LISTEN"].rpartition(":")[2]
    image = re.search(r"ANTIPHON_SERVER=(\S+)", (ROOT / "Dockerfile").read_text())
    assert image is not None
    assert environment.get("ANTIPHON_SERVER", image[1]) == f"127.0.0.1:{port}"


def test_the_adapter_is_handed_the_key_of_every_built_in_provider() -> None:
    handed_on = set(SERVICES["adapter"]["environment"])
    for name, provider in built_in().items():
        assert not provider.key_required or handed_on & set(provider.key_names), f"no key of {name} reaches the adapter"


def test_no_key_is_written_in_the_file() -> None:
    for service in SERVICES.values():
        keys = {
            name: value for name, value in service.get("environment", {}).items() if name.endswith(("_KEY", "_TOKEN"))
        }
        assert not any(keys.values()), keys


def test_a_replay_has_no_way_out_and_no_keys() -> None:
    adapter = SERVICES["adapter-replay"]
    assert adapter["environment"]["ANTIPHON_MODE"] == "replay"
    assert not [name for name in adapter["environment"] if name.endswith("_API_KEY")]
    assert adapter["networks"] == ["replay"]
    assert (NETWORKS["replay"] or {}).get("internal") is True


def test_each_gateway_starts_its_own_stack_and_no_other() -> None:
    document = {"services": SERVICES}
    assert needed(document, ["gateway-replay"]) == ["adapter-replay", "gateway-replay"]
    assert needed(document, ["gateway"]) == ["adapter", "triton", "inference", "gateway"]
    assert needed(document, ["gateway-gpu"]) == ["adapter", "triton-gpu", "inference-gpu", "gateway-gpu"]


@pytest.mark.parametrize("profile", ["", "replay", "gpu", "observability", "*"])
def test_docker_compose_accepts_the_file_with_every_profile(profile: str) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("the command `docker compose` is not installed")
    command = [docker, "compose", "--file", str(FILE), "--profile", profile, "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip(), done.stderr
