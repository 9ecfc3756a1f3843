"""The adapter's rows as upstreams of the replay server: one prefix a provider, by the row's own name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from antiphon.adapter.addresses import filled, unset
from antiphon.adapter.providers import Provider
from antiphon.core.errors import Reason, ServiceError
from antiphon.harness.errors import BadRecordingCall
from antiphon.harness.server.upstreams import KNOWN, Upstream, origin_of, upstream_of, upstreams


def endpoints(rows: Iterable[Provider], values: Mapping[str, str], *, given: Iterable[str] = ()) -> dict[str, Upstream]:
    """The upstreams by prefix.

    `values` fill the rows' addresses. `given` are the operator's own, each as NAME=URL; they win over the rows.
    Raises ServiceError INVALID_REQUEST.
    """
    of_rows = [of_row(row, values) for row in rows]
    try:
        return upstreams(of_rows, [upstream_of(text, known=of_rows) for text in given])
    except BadRecordingCall as error:
        raise ServiceError(Reason.INVALID_REQUEST, str(error)) from error


def of_row(row: Provider, values: Mapping[str, str]) -> Upstream:
    """The upstream of a provider. Where its address needs a value that is not set, it has no origin."""
    known = upstreams(KNOWN).get(row.name)
    origin, path, missing = "", "", ""
    if names := unset(row, values):
        missing = f"set {' and '.join(names)} in the server's environment, or start it with --upstream {row.name}=URL"
    try:
        # The path may hold a model's name, which no origin does.
        address = filled(row, row.base_url.replace("{model}", "model"), values)
        origin, path = origin_of(address)
    except (ServiceError, BadRecordingCall) as error:
        missing = missing or str(error)
    return Upstream(
        name=row.name,
        origin=origin,
        sdk_path=known.sdk_path if known is not None else urlsplit(path).path,
        url_variables=known.url_variables if known is not None else (),
        key_variables=row.key_names,
        missing="" if origin else missing,
    )
