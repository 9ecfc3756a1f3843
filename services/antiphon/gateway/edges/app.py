"""The edges as one ASGI application: the table of routes, and an answer in the right shape for all that is no route."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from antiphon.core.auth import Auth
from antiphon.core.backends import Backend
from antiphon.core.errors import Reason, ServiceError
from antiphon.gateway.edges import anthropic, gemini, ollama, openai, proxy
from antiphon.gateway.edges.door import Door, DoorLimits
from antiphon.gateway.edges.exchange import Answer, Exchange, HttpFault, Row
from antiphon.gateway.edges.shapes import shape_for

ROWS: tuple[Row, ...] = (*gemini.ROWS, *anthropic.ROWS, *openai.ROWS, *proxy.ROWS, *ollama.ROWS)
"""Every route; the first that fits wins, so paths that say more stand before those that say less."""

UNKNOWN = "/{path}"
"""The route of requests that no row takes, as telemetry calls it."""


class Edges:
    """The application. `door` lets requests in."""

    def __init__(
        self, backend: Backend, auth: Auth, limits: DoorLimits | None = None, *, rows: Sequence[Row] = ROWS
    ) -> None:
        self.door = Door(backend, auth, limits or DoorLimits())
        by_path: dict[str, list[Row]] = {}
        for row in rows:
            by_path.setdefault(row.path, []).append(row)
        routes = [Route(path, _Point(self.door, tuple(group))) for path, group in by_path.items()]
        self._router = Router([*routes, Route("/{path:path}", _Point(self.door, ()))], redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._router(scope, receive, send)


class _Point:
    """All rows of one path; none for paths that are nowhere."""

    def __init__(self, door: Door, rows: tuple[Row, ...]) -> None:
        self._door = door
        self._rows = rows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        row = next((row for row in self._rows if _fits(row, scope["method"], headers)), None)
        if row is None:
            row = _refusing(self._rows, scope, headers)
        await self._door.serve(row, scope["path_params"], scope, receive, send)


def _fits(row: Row, method: str, headers: Headers) -> bool:
    wanted = "GET" if method == "HEAD" else method
    return row.method == wanted and (not row.given or any(name in headers for name in row.given))


def _refusing(rows: tuple[Row, ...], scope: Scope, headers: Headers) -> Row:
    """A row that says what is wrong: no such path, or no such method for it. It reads no body, whatever the method."""
    shape = next((row.shape for row in rows if not row.given), None) or shape_for(scope["path"], headers)
    path = next((row.path for row in rows), UNKNOWN)

    async def handle(exchange: Exchange) -> Answer:
        asked = f"{scope['method'][:20]} {scope['path'][:200]}"
        if not rows:
            text = f"there is no {asked} here: the paths are those of OpenAI, Anthropic, Gemini and Ollama"
            raise HttpFault(404, ServiceError(Reason.RESOURCE_NOT_FOUND, text))
        allowed = ", ".join(sorted({row.method for row in rows}))
        error = ServiceError(Reason.UNSUPPORTED_OPERATION, f"there is no {asked}; this path takes {allowed}")
        raise HttpFault(405, error, {"allow": allowed})

    return Row(method="GET", path=path, shape=shape, handler=handle)
