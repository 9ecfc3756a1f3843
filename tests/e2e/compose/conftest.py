"""The engine, the images under test and the running stacks; each skips with its reason where it can't be had.

ANTIPHON_TEST_BASE names another base image, for machines that reach no registry; ANTIPHON_TEST_BUILD_NETWORK the
network in which the image is built, such as `host`.
"""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import APIError, BuildError, DockerException, ImageNotFound

from tests.e2e.compose.composition import Stack, read, running

ROOT = Path(__file__).parents[3]
TAG = "test"
DEFAULT_BASE = "python:3.12-slim"
ENGINE_SECONDS = 120

Built = Callable[[str], str]


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """A container engine that answers."""
    client, reason = _engine()
    if client is None:
        pytest.skip(f"no container engine answers: {reason}")
    try:
        yield client
    finally:
        client.close()


def _engine() -> tuple[docker.DockerClient | None, str]:
    with warnings.catch_warnings():
        # A client that finds no engine leaves its socket to the garbage collector, which says so.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            return docker.from_env(timeout=ENGINE_SECONDS), ""
        except DockerException as error:
            reason = str(error)
        gc.collect()
    return None, reason


@pytest.fixture(scope="session")
def base(engine: docker.DockerClient) -> str:
    """The base image, at hand."""
    name = os.environ.get("ANTIPHON_TEST_BASE", DEFAULT_BASE)
    try:
        engine.images.get(name)
    except ImageNotFound:
        try:
            engine.images.pull(name)
        except (APIError, ImageNotFound) as error:
            pytest.skip(f"the base image {name} is neither here nor can be pulled: {error.explanation}")
    return name


@pytest.fixture(scope="session")
def built(engine: docker.DockerClient, base: str) -> Built:
    """Builds a target of the Dockerfile, as compose.yaml names it, and returns the image's name."""

    def build(target: str) -> str:
        image = f"antiphon:{TAG}" if target == "service" else f"antiphon-{target}:{TAG}"
        try:
            engine.images.build(
                path=str(ROOT),
                target=target,
                tag=image,
                buildargs={"BASE": base},
                network_mode=os.environ.get("ANTIPHON_TEST_BUILD_NETWORK"),
                rm=True,
                forcerm=True,
            )
        except BuildError as error:
            log = "".join(str(line.get("stream", line.get("error", ""))) for line in error.build_log)
            pytest.fail(f"the image does not build:\n{log[-4000:]}")
        return image

    return build


@pytest.fixture(scope="session")
def service_image(built: Built) -> str:
    """The image of the services."""
    return built("service")


@pytest.fixture(scope="session")
def replay(engine: docker.DockerClient, service_image: str) -> Iterator[Stack]:
    """What `docker compose up gateway-replay` starts, with no pauses."""
    document = read(ROOT / "compose.yaml", {"ANTIPHON_TAG": TAG, "ANTIPHON_PACE": "0"})
    with running(engine, document, ["gateway-replay"], folder=ROOT) as stack:
        yield stack


@pytest.fixture(scope="session")
def live(engine: docker.DockerClient, service_image: str, built: Built) -> Iterator[Stack]:
    """What `docker compose up` starts, without any key."""
    built("triton")
    document = read(ROOT / "compose.yaml", {"ANTIPHON_TAG": TAG})
    with running(engine, document, ["gateway", "triton"], folder=ROOT) as stack:
        yield stack
