"""One port for two kinds of HTTP: the suite's edges, and the providers' own endpoints under their names.

The first part of a path decides. No edge begins like a provider's prefix; a test holds that.
"""

from __future__ import annotations

from collections.abc import Awaitable

from antiphon.core.auth import Auth
from antiphon.core.backends import Backend
from antiphon.gateway.edges.app import Edges
from antiphon.gateway.edges.asgi import answered
from antiphon.gateway.edges.door import DoorLimits
from antiphon.gateway.edges.line import Line
from antiphon.harness.server.app import ReplayApp


class Front(Edges):
    """The edges, with the replay server's endpoints in front of them."""

    def __init__(self, endpoints: ReplayApp, backend: Backend, auth: Auth, limits: DoorLimits | None = None) -> None:
        super().__init__(backend, auth, limits)
        self._endpoints = endpoints

    def __call__(self, line: Line) -> Awaitable[None]:
        """Answer one request, once it is awaited."""
        return answered(self._endpoints, line) if self._endpoints.takes(line.path) else super().__call__(line)
