"""Providers that other packages bring: rows found by the entry point group `antiphon.providers`.

    # pyproject.toml of the other package
    [project.entry-points."antiphon.providers"]
    mycloud = "mycloud_antiphon:provider"

The entry point leads to a `Provider`, to several in a list, or to a function without arguments that returns either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points

from antiphon.adapter.providers import Provider
from antiphon.core.errors import Reason, ServiceError

GROUP = "antiphon.providers"


def installed() -> list[Provider]:
    """The providers of installed packages, by entry point name. Raises ServiceError INVALID_REQUEST naming the
    package whose entry point cannot be used: a provider that is silently missing would be found out in production."""
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return [provider for point in found for provider in _rows(point)]


def _rows(point: EntryPoint) -> Iterator[Provider]:
    try:
        loaded = point.load()
        made = loaded() if callable(loaded) else loaded
    except Exception as error:
        raise _refused(point, f"it failed with {type(error).__name__}: {error}") from error
    rows = [made] if isinstance(made, Provider) else made
    if not isinstance(rows, Iterable):
        raise _refused(point, f"it gives a {type(made).__name__}")
    for row in rows:
        if not isinstance(row, Provider):
            raise _refused(point, f"it gives a {type(row).__name__}")
        yield row


def _refused(point: EntryPoint, why: str) -> ServiceError:
    package = point.dist.name if point.dist is not None else "an unknown package"
    return ServiceError(
        Reason.INVALID_REQUEST,
        f"the provider plug-in {point.name!r} of {package} cannot be used: {why}. It has to lead to an "
        f"antiphon.adapter.providers.Provider, a list of them, or a function that returns one ({point.value}); "
        f"repair or uninstall {package}",
    )
