"""Puts services together from settings: the only place that knows all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from antiphon.adapter.credentials import Credentials
from antiphon.adapter.limits import Limits
from antiphon.adapter.providers import Providers
from antiphon.adapter.recording import RecordingPolicy
from antiphon.adapter.service import HealthSource, ProviderAdapter
from antiphon.adapter.transport import PooledTransport
from antiphon.adapter.upstream import Upstream
from antiphon.cli.process import DEFAULT_LISTEN
from antiphon.cli.provider_rows import provider_rows
from antiphon.core.auth import Auth
from antiphon.core.backends import Backend
from antiphon.core.chain import Layer
from antiphon.core.errors import Reason, ServiceError
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
from antiphon.inference.service import Inference
from antiphon.inference.triton import Triton

if TYPE_CHECKING:
    import httpx

    from antiphon.harness.server.app import ReplayApp
    from antiphon.harness.transport import CassetteTransport

ROLES = ("gateway", "adapter", "inference", "suite")


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


def edges_for(
    settings: Settings, backend: Backend, auth: Auth, endpoints: ReplayApp | None = None, *, reuse_port: bool = False
) -> Listener:
    """The HTTP edges in front of a backend, at `settings.http`, and the providers' own endpoints where given."""
    bounds = settings.http_bounds
    bodies = BodyLimits(in_flight=bounds.in_flight, receipt=bounds.receipt)
    connections = ConnectionLimits(connections=bounds.connections, receipt=bounds.receipt)
    limits = DoorLimits(bodies=bodies)
    edges = Edges(backend, auth, limits)
    if endpoints is not None:
        from antiphon.replay.front import Front

        edges = Front(endpoints, backend, auth, limits)
    return Listener(edges, listen=settings.http, limits=connections, grace=settings.grace, reuse_port=reuse_port)


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
    door, health = _plain() if plainly_live(settings) and transport is None else _recorded(settings, secrets, transport)
    return ProviderAdapter(
        providers=providers,
        credentials=credentials,
        upstream=Upstream(door, Limits(**asdict(settings.limits))),
        policy=RecordingPolicy(
            mode=settings.mode, overridable=frozenset(settings.allow_modes), recorded=_recorded_names(settings)
        ),
        also_health=health,
    )


def plainly_live(settings: Settings) -> bool:
    """Whether nothing can be recorded or replayed: then the harness is not even imported."""
    return settings.mode == "live" and not settings.allow_modes


def _plain() -> tuple[httpx.AsyncBaseTransport, HealthSource]:
    return PooledTransport(), tuple


def _recorded(
    settings: Settings, secrets: list[str], transport: CassetteTransport | None
) -> tuple[httpx.AsyncBaseTransport, HealthSource]:
    from antiphon.cli import recorded

    door = transport or recorded.transport_for(settings, secrets)
    return door, (lambda: [recorded.health(door.store, settings)]) if settings.mode != "live" else tuple


def _recorded_names(settings: Settings) -> frozenset[str]:
    folder = settings.cassettes
    return frozenset(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else frozenset()
