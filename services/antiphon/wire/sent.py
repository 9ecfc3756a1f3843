"""A written request as places and values, so that a report can say where each field went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from antiphon.core.fates import Scalar, Sent
from antiphon.wire.base import HttpCall
from antiphon.wire.jsontext import loads


def sent(call: HttpCall) -> Sent:
    """Each scalar of the JSON body by its JSON pointer (RFC 6901), then `query` and `header NAME`."""
    values = dict(_leaves("", loads(call.body))) if call.body else {}
    values["query"] = call.path
    values.update((f"header {name.lower()}", value) for name, value in call.headers.items())
    return Sent(values=values, warnings=call.warnings)


def _leaves(place: str, value: Any) -> Iterator[tuple[str, Scalar]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(f"{place}/{str(name).replace('~', '~0').replace('/', '~1')}", inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(f"{place}/{number}", inner)
    else:
        yield place, value
