"""Provider keys. They are held in a type that does not print, and leave it only to be sent to their provider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import SecretStr

from antiphon.adapter.providers import Provider
from antiphon.core.errors import Reason, ServiceError


class Credentials:
    """The keys of providers, found by the names that each provider's row gives.

    `values` are named values, usually the environment; only the names that rows ask for are read.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def key(self, provider: Provider) -> SecretStr | None:
        """The provider's key, or None."""
        for name in provider.key_names:
            value = self._values.get(name, "").strip()
            if value:
                return SecretStr(value)
        return None

    def configured(self, provider: Provider) -> bool:
        """Whether the provider can be called: its key is there, or it needs none."""
        return not provider.key_required or self.key(provider) is not None

    def headers(self, provider: Provider, *, required: bool) -> dict[str, str]:
        """The headers that identify us. Raises ServiceError CREDENTIALS_MISSING where a key is required and absent."""
        key = self.key(provider)
        if key is None:
            if required and provider.key_required:
                raise missing(provider)
            return {}
        auth = provider.auth
        return {auth.header: auth.prefix + key.get_secret_value()}

    def secrets(self, providers: Iterable[Provider]) -> list[str]:
        """Every key value, for those who must keep them out of logs and recordings."""
        keys = (self.key(provider) for provider in providers)
        return [key.get_secret_value() for key in keys if key is not None]


def missing(provider: Provider) -> ServiceError:
    """The error of a provider without its key."""
    names = " or ".join(provider.key_names)
    return ServiceError(
        Reason.CREDENTIALS_MISSING,
        f"no key for {provider.name}: set {names} in the adapter's environment, "
        "or call in replay mode (metadata x-antiphon-mode: replay)",
        metadata={"provider": provider.name},
    )
