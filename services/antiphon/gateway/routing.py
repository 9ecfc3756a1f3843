"""Which backend answers for a model name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from antiphon.core.backends import Backend
from antiphon.core.errors import Reason, ServiceError

MAX_ALIAS_STEPS = 8
MAX_KNOWN = 1024
"""Routes that are remembered: callers choose the names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a call goes: the backend, and the model name that it knows."""

    backend: Backend
    model: str


class Router:
    """Names to backends.

    `prefixes` maps the first part of a name ("triton" in "triton/ngram") to a backend; every other name goes to
    `default`. `aliases` maps whole names to names. Raises ServiceError for aliases that lead round in a circle.
    """

    def __init__(self, *, default: Backend, prefixes: Mapping[str, Backend], aliases: Mapping[str, str]) -> None:
        self._default = default
        self._prefixes = dict(prefixes)
        self._aliases = {alias: _end_of(alias, aliases) for alias in aliases}
        self._known: dict[str, Route] = {}

    def route(self, model: str) -> Route:
        """The route for a name as a caller wrote it. Raises ServiceError MODEL_NOT_FOUND."""
        route = self._known.get(model)
        if route is not None:
            return route
        target = self._aliases.get(model, model)
        prefix, slash, _ = target.partition("/")
        if not slash and prefix not in self._prefixes:
            known = f"; aliases here: {', '.join(sorted(self._aliases))}" if self._aliases else ""
            raise ServiceError(
                Reason.MODEL_NOT_FOUND,
                f"{model!r} is neither 'provider/model' nor an alias{known}; `antiphon models` lists what there is",
                metadata={"model": model},
            )
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        route = self._known[model] = Route(backend=self._prefixes.get(prefix, self._default), model=target)
        return route

    def aliases_of(self, model: str) -> list[str]:
        """The aliases that lead to a model."""
        return sorted(alias for alias, target in self._aliases.items() if target == model)


def _end_of(alias: str, aliases: Mapping[str, str]) -> str:
    name = alias
    for _ in range(MAX_ALIAS_STEPS):
        if name not in aliases:
            return name
        name = aliases[name]
    raise ServiceError(Reason.INVALID_REQUEST, f"the alias {alias!r} leads round in a circle; mend 'aliases'")
