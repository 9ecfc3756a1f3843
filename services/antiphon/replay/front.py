"""One port for two kinds of HTTP: the suite's edges, and the providers' own endpoints under their names.

The first part of a path decides. No edge begins like a provider's prefix; a test holds that.
"""

from __future__ import annotations

from antiphon.core.auth import Auth
from antiphon.core.backends import Backend
from antiphon.gateway.edges.app import Edges
from antiphon.gateway.edges.asgi import Receive, Scope, Send
from antiphon.gateway.edges.door import DoorLimits
from antiphon.harness.server.app import ReplayApp


class Front(Edges):
    """The edges, with the replay server's endpoints in front of them."""

    def __init__(self, endpoints: ReplayApp, backend: Backend, auth: Auth, limits: DoorLimits | None = None) -> None:
        super().__init__(backend, auth, limits)
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and self._endpoints.takes(scope["path"]):
            await self._endpoints(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
