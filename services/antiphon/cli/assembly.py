"""Puts services together from settings: the only place that knows all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import httpx

from antiphon.adapter.credentials import Credentials
from antiphon.adapter.limits import Limits
from antiphon.adapter.providers import Provider, Providers
from antiphon.adapter.recording import RecordingPolicy
from antiphon.adapter.rows import OPENAI_LIKE, built_in
from antiphon.adapter.service import ProviderAdapter
from antiphon.adapter.upstream import Upstream
from antiphon.adapter.wires import CHAT_WIRES
from antiphon.core.auth import Auth
from antiphon.core.backends import Backend
from antiphon.core.chain import Layer
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.health import component
from antiphon.core.remote import RemoteBackend
from antiphon.core.settings import ANONYMOUS_HOSTS, ProviderSettings, Settings
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
from antiphon.harness.errors import HarnessError
from antiphon.harness.modes import Mode, RecordingCall
from antiphon.harness.store import CassetteStore
from antiphon.harness.transport import CassetteTransport
from antiphon.inference.service import Inference
from antiphon.inference.triton import Triton
from antiphon.v1 import health_pb2
from antiphon.wire.openai_chat.quirks import ReasoningStyle

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


def edges_for(settings: Settings, backend: Backend, auth: Auth) -> Listener:
    """The HTTP edges in front of a backend, at `settings.http`."""
    bounds = settings.http_bounds
    bodies = BodyLimits(in_flight=bounds.in_flight, receipt=bounds.receipt)
    connections = ConnectionLimits(connections=bounds.connections, receipt=bounds.receipt)
    edges = Edges(backend, auth, DoorLimits(bodies=bodies))
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


def adapter(settings: Settings, environment: Mapping[str, str]) -> ProviderAdapter:
    """The service in front of providers."""
    providers = Providers(_configured(settings))
    credentials = Credentials(environment)
    secrets = credentials.secrets(providers)
    for secret in secrets:
        register_secret(secret)
    store = CassetteStore(settings.cassettes)
    return ProviderAdapter(
        providers=providers,
        credentials=credentials,
        upstream=Upstream(_transport(settings, store, secrets), Limits(**settings.limits.model_dump())),
        policy=RecordingPolicy(
            mode=settings.mode, overridable=frozenset(settings.allow_modes), recorded=_recorded(settings)
        ),
        also_health=(lambda: [_cassette_health(store, settings)]) if settings.mode != "live" else tuple,
    )


def _transport(settings: Settings, store: CassetteStore, secrets: list[str]) -> httpx.AsyncBaseTransport:
    """Plain HTTP where nothing can be recorded or replayed, else the harness over it."""
    live = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=None, max_keepalive_connections=100))
    if settings.mode == "live" and not settings.allow_modes:
        return live
    return CassetteTransport(
        store,
        inner=live,
        default=RecordingCall(mode=Mode(settings.mode), pace=settings.pace),
        allowed=[Mode(mode) for mode in settings.allow_modes],
        secrets=secrets,
    )


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


def _configured(settings: Settings) -> dict[str, Provider]:
    """The built-in rows, changed and added to by the settings. Raises ServiceError naming what is wrong."""
    rows = built_in()
    for name, changes in settings.providers.items():
        if name == "triton" or "/" in name:
            raise ServiceError(Reason.INVALID_REQUEST, f"providers.{name}: this name is taken or holds a '/'")
        if name in rows:
            rows[name] = _changed(rows[name], changes)
        elif changes.base_url is None:
            raise ServiceError(
                Reason.INVALID_REQUEST,
                f"providers.{name}: is not built in, so base_url is needed; built in: {', '.join(sorted(rows))}",
            )
        else:
            key_required = changes.key is not None
            fresh = Provider(name=name, base_url=changes.base_url, key_required=key_required, quirks=OPENAI_LIKE)
            rows[name] = _changed(fresh, changes)
    return rows


def _changed(row: Provider, changes: ProviderSettings) -> Provider:
    given = changes.model_dump(exclude_none=True)
    if "key" in given:
        given["key_names"] = (given.pop("key"),)
    if "headers" in given:
        given["headers"] = {**row.headers, **given["headers"]}
    if "embeddings" in given:
        given["embeddings"] = "openai_embeddings" if given["embeddings"] else ""
    quirks = given.pop("quirks", None)
    row = replace(row, **given)
    return row if quirks is None else replace(row, quirks=_quirks(row, quirks))


def _quirks(row: Provider, given: Mapping[str, object]) -> Any:
    """The row's quirks with the operator's values. A row that changes its wire begins with that wire's defaults."""
    kind = CHAT_WIRES[row.wire].quirks
    base: Any = row.quirks if isinstance(row.quirks, kind) else kind()
    known = {field.name for field in fields(kind)}
    if unknown := sorted(set(given) - known):
        raise ServiceError(
            Reason.INVALID_REQUEST,
            f"providers.{row.name}.quirks: unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}",
        )
    values = dict(given)
    try:
        if "reasoning_style" in values:
            values["reasoning_style"] = ReasoningStyle(str(values["reasoning_style"]))
    except ValueError as error:
        raise ServiceError(Reason.INVALID_REQUEST, f"providers.{row.name}.quirks.reasoning_style: {error}") from error
    if isinstance(refuses := values.get("refuses"), list):
        values["refuses"] = frozenset(map(str, refuses))
    return replace(base, **values)
