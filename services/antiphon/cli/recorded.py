"""The harness between the adapter and the providers, where anything may be recorded or replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.adapter.credentials import Credentials
from antiphon.adapter.providers import Providers
from antiphon.adapter.transport import PooledTransport
from antiphon.cli.provider_rows import provider_rows
from antiphon.core.health import component
from antiphon.core.settings import Settings
from antiphon.harness.controls import Controls
from antiphon.harness.errors import HarnessError
from antiphon.harness.faults import Faults
from antiphon.harness.modes import Mode, RecordingCall
from antiphon.harness.store import CassetteStore
from antiphon.harness.transport import CassetteTransport
from antiphon.v1 import health_pb2


def recording_transport(
    settings: Settings, environment: Mapping[str, str], *, controls: Controls | None = None
) -> CassetteTransport:
    """The harness over plain HTTP, in whichever mode, for all who share its recordings and sessions. `controls` may
    change its answers while it runs."""
    secrets = Credentials(environment).secrets(Providers(provider_rows(settings)))
    return transport_for(settings, secrets, controls)


def transport_for(settings: Settings, secrets: list[str], controls: Controls | None = None) -> CassetteTransport:
    """The same, of one whose secrets are known."""
    store = CassetteStore(settings.cassettes)
    own: dict[str, Any] = {
        "inner": PooledTransport(),
        "default": RecordingCall(mode=Mode(settings.mode), pace=settings.pace),
        "allowed": [Mode(mode) for mode in settings.allow_modes],
        "secrets": secrets,
    }
    if controls is not None:
        return controls.transport(store, **own)
    faults = Faults()  # a caller may ask for one wherever it may be answered from recordings
    return CassetteTransport(store, sources=[faults], shapers=[faults], **own)


def health(store: CassetteStore, settings: Settings) -> health_pb2.ComponentHealth:
    """The recordings as a component of the adapter's health."""
    if not settings.cassettes.is_dir() and settings.mode == "replay":
        return component("cassettes", health_pb2.STATUS_NOT_SERVING, f"there is no folder {settings.cassettes}")
    try:
        if not store.loaded:
            store.load()
    except HarnessError as error:
        part = component("cassettes", health_pb2.STATUS_NOT_SERVING, str(error))
        part.reason = error.reason
        return part
    return component("cassettes", health_pb2.STATUS_SERVING, f"{len(store)} recordings in {settings.cassettes}")
