"""The edges as one application: who answers a request, and an answer in its shape for all that is no route."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Final

from antiphon.core.auth import Auth
from antiphon.core.backends import Backend
from antiphon.core.errors import Reason, ServiceError
from antiphon.gateway.edges.door import Door, DoorLimits
from antiphon.gateway.edges.exchange import Answer, Exchange, HttpFault, Row
from antiphon.gateway.edges.line import Line
from antiphon.gateway.edges.routes import ROWS
from antiphon.gateway.edges.shapes import shape_for

UNKNOWN = "/{path}"
"""The route of requests that no row takes, as telemetry calls it."""


_HOLE: Final = "{model:path}"
"""The one parameter that paths have: a model's name, which may hold slashes."""
_NOTHING: Final[Mapping[str, str]] = {}


class Edges:
    """The application, for the connections of `guard`. `door` lets requests in."""

    def __init__(
        self, backend: Backend, auth: Auth, limits: DoorLimits | None = None, *, rows: Sequence[Row] = ROWS
    ) -> None:
        self.door = Door(backend, auth, limits or DoorLimits())
        by_path: dict[str, list[Row]] = {}
        for row in rows:
            by_path.setdefault(row.path, []).append(row)
        self._exact = {path: tuple(group) for path, group in by_path.items() if _HOLE not in path}
        self._open: list[tuple[str, str, tuple[Row, ...]]] = []
        for path, group in by_path.items():
            before, hole, after = path.partition(_HOLE)
            if hole:
                self._open.append((before, after, tuple(group)))

    def __call__(self, line: Line) -> Awaitable[None]:
        """Answer one request, once it is awaited."""
        headers, path = line.headers, line.path
        method = "GET" if line.method == "HEAD" else line.method
        parameters = _NOTHING
        rows = self._exact.get(path)
        if rows is None:
            rows, parameters = self._opened(path)
        for row in rows:
            if row.method == method and (not row.given or any(name in headers for name in row.given)):
                break
        else:
            row = _refusing(rows, line)
        return self.door.serve(row, parameters, line)

    def _opened(self, path: str) -> tuple[tuple[Row, ...], Mapping[str, str]]:
        """The rows of a path with a model's name in it, and the name; none for paths that are nowhere."""
        for before, after, rows in self._open:
            if path.startswith(before) and path.endswith(after) and len(path) >= len(before) + len(after):
                return rows, {"model": path[len(before) : len(path) - len(after)]}
        return (), _NOTHING


def _refusing(rows: tuple[Row, ...], line: Line) -> Row:
    """A row that says what is wrong: no such path, or no such method for it. It reads no body, whatever the method."""
    shape = next((row.shape for row in rows if not row.given), None) or shape_for(line.path, line.headers)
    path = next((row.path for row in rows), UNKNOWN)

    asked = f"{line.method[:20]} {line.path[:200]}"

    async def handle(exchange: Exchange) -> Answer:
        if not rows:
            text = f"there is no {asked} here: the paths are those of OpenAI, Anthropic, Gemini and Ollama"
            raise HttpFault(404, ServiceError(Reason.RESOURCE_NOT_FOUND, text))
        allowed = ", ".join(sorted({row.method for row in rows}))
        error = ServiceError(Reason.UNSUPPORTED_OPERATION, f"there is no {asked}; this path takes {allowed}")
        raise HttpFault(405, error, {"allow": allowed})

    return Row(method="GET", path=path, shape=shape, handler=handle)
