"""Where a call goes: a provider's address with the values of this installation filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from antiphon.adapter.providers import Provider
from antiphon.core.errors import Reason, ServiceError

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def url_of(provider: Provider, path: str, model: str, values: Mapping[str, str]) -> str:
    """The URL of one call. Raises ServiceError CREDENTIALS_MISSING naming the value that is not set."""
    joined = f"{provider.base_url.rstrip('/')}/{path.lstrip('/')}"
    if provider.query:
        joined += ("&" if "?" in joined else "?") + provider.query
    return filled(provider, joined.replace("{model}", quote(model, safe="")), values)


def filled(provider: Provider, text: str, values: Mapping[str, str]) -> str:
    """A text with `${NAME}` and `${NAME:-default}` filled in. Raises ServiceError CREDENTIALS_MISSING."""
    if "${" not in text:
        return text
    return VARIABLE.sub(lambda match: _value(provider, match, values), text)


def unset(provider: Provider, values: Mapping[str, str]) -> list[str]:
    """The names that the provider's address needs and that have no value."""
    texts = (provider.base_url, provider.query, *provider.headers.values(), getattr(provider.quirks, "base_path", ""))
    found = (match for text in texts for match in VARIABLE.finditer(text))
    return sorted({match[1] for match in found if match[2] is None and not values.get(match[1])})


def _value(provider: Provider, match: re.Match[str], values: Mapping[str, str]) -> str:
    value = values.get(match[1]) or match[2]
    if value is None:
        raise ServiceError(
            Reason.CREDENTIALS_MISSING,
            f"{provider.name} needs {match[1]}: set it in the adapter's environment",
            metadata={"provider": provider.name},
        )
    return value
