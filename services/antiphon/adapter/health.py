"""What has been seen of each provider: told from real calls, so that watching costs no provider a request."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType

from antiphon.adapter.credentials import Credentials
from antiphon.adapter.providers import Provider, Providers
from antiphon.adapter.recording import KEYLESS, RecordingPolicy
from antiphon.core.errors import Code, Reason, ServiceError
from antiphon.core.health import component
from antiphon.v1 import health_pb2

PROVIDER_FAULTS = frozenset({Code.UNAVAILABLE, Code.INTERNAL, Code.FAILED_PRECONDITION, Code.UNKNOWN})
"""Codes that say something of the provider; the others say something of the request."""


@dataclass(slots=True, kw_only=True)
class Seen:
    """The end of the last call to a provider. `at` is Unix time; `seconds` is how long the call took.

    Not frozen: a frozen dataclass is made by a call for each of its fields, and one is made for every call.
    """

    at: float
    seconds: float
    error: ServiceError | None = None


class Observations:
    """The last call of each provider."""

    def __init__(self, providers: Providers, credentials: Credentials, policy: RecordingPolicy) -> None:
        self._providers = providers
        self._credentials = credentials
        self._policy = policy
        self._seen: dict[str, Seen] = {}

    def watch(self, provider: Provider) -> AbstractContextManager[None]:
        """Remember how the call inside ends. A caller who leaves says nothing of the provider."""
        return _Watch(self._seen, provider.name)

    def components(self) -> Sequence[health_pb2.ComponentHealth]:
        """Each provider as a component "provider/<name>"."""
        return [self._component(provider) for provider in self._providers]

    def _component(self, provider: Provider) -> health_pb2.ComponentHealth:
        name = f"provider/{provider.name}"
        seen = self._seen.get(provider.name)
        if seen is None:
            return self._unseen(name, provider)
        if seen.error is not None:
            part = component(name, health_pb2.STATUS_NOT_SERVING, error=seen.error)
        else:
            part = component(name, health_pb2.STATUS_SERVING, "answered the last call")
        part.check_time.FromNanoseconds(int(seen.at * 1e9))
        part.response_time.FromNanoseconds(int(seen.seconds * 1e9))
        return part

    def _unseen(self, name: str, provider: Provider) -> health_pb2.ComponentHealth:
        if self._policy.mode in KEYLESS:
            return component(name, health_pb2.STATUS_UNSPECIFIED, f"in {self._policy.mode} mode; no call yet")
        if not self._credentials.configured(provider):
            return component(
                name, health_pb2.STATUS_UNCONFIGURED, f"not configured: {self._credentials.lacking(provider)}"
            )
        return component(name, health_pb2.STATUS_UNSPECIFIED, "configured; no call yet")


class _Watch:
    """One call to a provider."""

    __slots__ = ("_began", "_name", "_seen")

    def __init__(self, seen: dict[str, Seen], name: str) -> None:
        self._seen = seen
        self._name = name

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            known = None
        elif isinstance(error, ServiceError):
            told = error.code in PROVIDER_FAULTS and error.reason is not Reason.CREDENTIALS_MISSING
            known = error if told else None
        else:
            return
        self._seen[self._name] = Seen(at=time.time(), seconds=time.monotonic() - self._began, error=known)
