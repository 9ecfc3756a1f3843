"""Puts services together from settings: the only place that knows all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from antiphon.adapter.credentials import Credentials
from antiphon.adapter.limits import Limits
from antiphon.adapter.providers import Providers
from antiphon.adapter.recording import RecordingPolicy
from antiphon.adapter.service import ProviderAdapter
from antiphon.adapter.transport import PooledTransport
from antiphon.adapter.upstream import Upstream
from antiphon.cli.provider_rows import provider_rows
from antiphon.core.auth import Auth
from antiphon.core.backends import Backend
from antiphon.core.chain import Layer
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.health import component
from antiphon.core.remote import RemoteBackend
from antiphon.core.settings import ANONYMOUS_HOSTS, Settings
from antiphon.core.telemetry.redaction import register_secret
from antiphon.core.telemetry.rpc import Telemetry
from antiphon.core.validation import Validation
from antiphon.gateway.edges.app import Edges
from antiphon.gateway.edges.bodies import BodyLimits
from antiphon.gateway.edges.door import DoorLimits
from antiphon.gateway.edges.guard import ConnectionLimits
from antiphon.gateway.edges.listener import Listener
from antiphon.gateway.routing import Router
from antiphon.gateway.service import Gateway
from antiphon.harness.controls import Controls
from antiphon.harness.errors import HarnessError
from antiphon.harness.faults import Faults
from antiphon.harness.modes import Mode, RecordingCall
from antiphon.harness.server.app import ReplayApp
from antiphon.harness.store import CassetteStore
from antiphon.harness.transport import CassetteTransport
from antiphon.inference.service import Inference
from antiphon.inference.triton import Triton
from antiphon.replay.front import Front
from antiphon.v1 import health_pb2

ROLES = ("gateway", "adapter", "inference", "suite")

DEFAULT_LISTEN: Mapping[str, str] = {
    "gateway": "127.0.0.1:50051",
    "suite": "127.0.0.1:50051",
    "adapter": "127.0.0.1:50052",
    "inference": "127.0.0.1:50053",
}


def backend_for(role: str, settings: Settings, environment: Mapping[str, str]) -> Backend:
    """The backend of a role. `environment` is where provider keys are looked up by name. Raises ServiceError."""
    if role == "adapter":
        return adapter(settings, environment)
    if role == "inference":
        return inference(settings)
    if role == "suite":
        return gateway(settings, adapter=adapter(settings, environment), inference=inference(settings))
    return gateway(
        settings,
        adapter=RemoteBackend(
            "adapter",
            settings.adapter or DEFAULT_LISTEN["adapter"],
            hint="start it with `antiphon serve adapter`, or set ANTIPHON_ADAPTER to where it is",
            token=settings.caller_token,
        ),
        inference=RemoteBackend(
            "inference",
            settings.inference or DEFAULT_LISTEN["inference"],
            hint="start it with `antiphon serve inference`, or set ANTIPHON_INFERENCE to where it is",
            token=settings.caller_token,
        ),
    )


def auth_for(settings: Settings, *listens: str) -> Auth:
    """Who may come in, by whichever door. Raises ServiceError for a door at `listens` that stands open to others."""
    for listen in listens:
        _refuse_open_door(settings, listen)
    return Auth({digest: name for name, digest in settings.caller_keys.items()})


def layers_for(auth: Auth) -> list[Layer]:
    """The chain of a service, outermost first; errors are the chain's own."""
    return [Telemetry(), auth, Validation()]


def edges_for(settings: Settings, backend: Backend, auth: Auth, endpoints: ReplayApp | None = None) -> Listener:
    """The HTTP edges in front of a backend, at `settings.http`, and the providers' own endpoints where given."""
    bounds = settings.http_bounds
    bodies = BodyLimits(in_flight=bounds.in_flight, receipt=bounds.receipt)
    connections = ConnectionLimits(connections=bounds.connections, receipt=bounds.receipt)
    limits = DoorLimits(bodies=bodies)
    edges = Edges(backend, auth, limits) if endpoints is None else Front(endpoints, backend, auth, limits)
    return Listener(edges, listen=settings.http, limits=connections, grace=settings.grace)


def _refuse_open_door(settings: Settings, listen: str) -> None:
    if not settings.caller_keys and not settings.allow_anonymous and not listen.startswith(ANONYMOUS_HOSTS):
        raise ServiceError(
            Reason.INVALID_REQUEST,
            f"{listen} can be reached by others and no caller keys are set: make one with `antiphon keys new NAME`, "
            "or set ANTIPHON_ALLOW_ANONYMOUS=true where the network itself keeps strangers out",
        )


def gateway(settings: Settings, *, adapter: Backend, inference: Backend) -> Gateway:
    """A gateway in front of backends that are here or elsewhere."""
    router = Router(default=adapter, prefixes={"triton": inference}, aliases=settings.aliases)
    return Gateway(backends={"adapter": adapter, "inference": inference}, router=router)


def inference(settings: Settings) -> Inference:
    """The service in front of Triton."""
    return Inference(Triton(settings.triton))


def adapter(
    settings: Settings, environment: Mapping[str, str], *, transport: CassetteTransport | None = None
) -> ProviderAdapter:
    """The service in front of providers. `transport` is a recording one that it shares with others."""
    providers = Providers(provider_rows(settings))
    credentials = Credentials(environment)
    secrets = credentials.secrets(providers)
    for secret in secrets:
        register_secret(secret)
    store = CassetteStore(settings.cassettes) if transport is None else transport.store
    door = _transport(settings, store, secrets) if transport is None else transport
    return ProviderAdapter(
        providers=providers,
        credentials=credentials,
        upstream=Upstream(door, Limits(**settings.limits.model_dump())),
        policy=RecordingPolicy(
            mode=settings.mode, overridable=frozenset(settings.allow_modes), recorded=_recorded(settings)
        ),
        also_health=(lambda: [_cassette_health(store, settings)]) if settings.mode != "live" else tuple,
    )


def _transport(settings: Settings, store: CassetteStore, secrets: list[str]) -> httpx.AsyncBaseTransport:
    """Plain HTTP where nothing can be recorded or replayed, else the harness over it."""
    if settings.mode == "live" and not settings.allow_modes:
        return _live()
    return _recording(settings, store, secrets)


def recording_transport(
    settings: Settings, environment: Mapping[str, str], *, controls: Controls | None = None
) -> CassetteTransport:
    """The harness over plain HTTP, in whichever mode, for all who share its recordings and sessions. `controls` may
    change its answers while it runs."""
    secrets = Credentials(environment).secrets(Providers(provider_rows(settings)))
    return _recording(settings, CassetteStore(settings.cassettes), secrets, controls)


def _live() -> httpx.AsyncBaseTransport:
    return PooledTransport()


def _recording(
    settings: Settings, store: CassetteStore, secrets: list[str], controls: Controls | None = None
) -> CassetteTransport:
    own: dict[str, Any] = {
        "inner": _live(),
        "default": RecordingCall(mode=Mode(settings.mode), pace=settings.pace),
        "allowed": [Mode(mode) for mode in settings.allow_modes],
        "secrets": secrets,
    }
    if controls is not None:
        return controls.transport(store, **own)
    faults = Faults()  # a caller may ask for one wherever it may be answered from recordings
    return CassetteTransport(store, sources=[faults], shapers=[faults], **own)


def _recorded(settings: Settings) -> frozenset[str]:
    folder = settings.cassettes
    return frozenset(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else frozenset()


def _cassette_health(store: CassetteStore, settings: Settings) -> health_pb2.ComponentHealth:
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
