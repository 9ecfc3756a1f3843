"""The providers of an installation: built-in rows, rows of installed packages, and the operator's changes to both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from antiphon.adapter.plugins import installed
from antiphon.adapter.providers import Provider
from antiphon.adapter.rows import OPENAI_LIKE, built_in
from antiphon.adapter.wires import CHAT_WIRES, check_wires
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.settings import ProviderSettings, Settings
from antiphon.wire.openai_chat.quirks import ReasoningStyle

TAKEN = frozenset({"triton"})
"""Names that lead elsewhere than to the adapter."""


def provider_rows(settings: Settings) -> dict[str, Provider]:
    """Every provider by its name. Raises ServiceError naming what is wrong."""
    rows = built_in()
    for brought in installed():
        if brought.name in rows or brought.name in TAKEN or "/" in brought.name:
            raise ServiceError(
                Reason.INVALID_REQUEST,
                f"a plug-in brings the provider {brought.name!r}: this name is taken or holds a '/'",
            )
        check_wires(brought)
        rows[brought.name] = brought
    for name, changes in settings.providers.items():
        if name in TAKEN or "/" in name:
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
    given = {name: value for name, value in asdict(changes).items() if value is not None}
    if "key" in given:
        given["key_names"] = (given.pop("key"),)
    if "headers" in given:
        given["headers"] = {**row.headers, **given["headers"]}
    if isinstance(given.get("embeddings"), bool):
        given["embeddings"] = "openai_embeddings" if given["embeddings"] else ""
    quirks = given.pop("quirks", None)
    row = replace(row, **given)
    check_wires(row)
    return row if quirks is None else replace(row, quirks=_quirks(row, quirks))


def _quirks(row: Provider, given: Mapping[str, object]) -> Any:
    """The row's quirks with the operator's values. A row that changes its wire begins with that wire's defaults."""
    kind = CHAT_WIRES[row.wire]().quirks
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
