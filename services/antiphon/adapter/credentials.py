"""Provider keys. They are held in a type that does not print, and leave it only to be sent to their provider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from antiphon.adapter import signing
from antiphon.adapter.addresses import filled, unset
from antiphon.adapter.providers import Auth, Provider, SigV4
from antiphon.core.errors import Reason, ServiceError

BEARER = Auth()


class Secret:
    """A text that only shows itself when it is asked for its value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret('**********')"

    def get_secret_value(self) -> str:
        """The text."""
        return self._value


class Credentials:
    """The keys of providers, found by the names that each provider's row gives.

    `values` are named values, usually the environment; only the names that rows ask for are read.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values

    def key(self, provider: Provider) -> Secret | None:
        """The provider's key, or None."""
        for name in provider.key_names:
            value = self.values.get(name, "").strip()
            if value:
                return Secret(value)
        return None

    def lacking(self, provider: Provider) -> str:
        """What is missing before the provider can be called, in words; empty where nothing is."""
        names = unset(provider, self.values)
        if provider.key_required and self.key(provider) is None and not self._signs(provider):
            wanted = list(provider.key_names)
            if isinstance(provider.auth, SigV4):
                wanted.append(f"{signing.ACCESS_KEY} and {signing.SECRET_KEY}")
            names.append(" or ".join(wanted))
        return f"set {', '.join(names)}" if names else ""

    def warning(self, provider: Provider) -> str:
        """What looks wrong about the key, in words that do not show it; empty where nothing does."""
        key = self.key(provider)
        if key is None or not provider.key_hint or key.get_secret_value().startswith(provider.key_hint):
            return ""
        return f"keys of {provider.name} begin with {provider.key_hint!r}; this one does not"

    def configured(self, provider: Provider) -> bool:
        """Whether the provider can be called: its key and address are there, or it needs none."""
        return not self.lacking(provider)

    def headers(self, provider: Provider, *, required: bool) -> dict[str, str]:
        """The headers of every call, with the key. Raises ServiceError CREDENTIALS_MISSING where it is required."""
        key = self.key(provider)
        if key is None and required and provider.key_required and not self._signs(provider):
            raise self.missing(provider)
        headers = {name: filled(provider, value, self.values) for name, value in provider.headers.items()}
        if key is not None:
            auth = provider.auth if isinstance(provider.auth, Auth) else BEARER
            headers[auth.header] = auth.prefix + key.get_secret_value()
        return headers

    def signer(self, provider: Provider) -> signing.Signer | None:
        """What signs the provider's requests; None where a key, or nothing, identifies us."""
        if isinstance(provider.auth, SigV4) and self.key(provider) is None and self._signs(provider):
            return signing.signer(provider, provider.auth, self.values)
        return None

    def secrets(self, providers: Iterable[Provider]) -> list[str]:
        """Every key value, for those who must keep them out of logs and recordings."""
        keys = (self.key(provider) for provider in providers)
        return [key.get_secret_value() for key in keys if key is not None] + signing.secrets(self.values)

    def missing(self, provider: Provider) -> ServiceError:
        """The error of a provider that is not configured."""
        return ServiceError(
            Reason.CREDENTIALS_MISSING,
            f"no key for {provider.name}: {self.lacking(provider)} in the adapter's environment, "
            "or call in replay mode (metadata x-antiphon-mode: replay)",
            metadata={"provider": provider.name},
        )

    def _signs(self, provider: Provider) -> bool:
        return isinstance(provider.auth, SigV4) and signing.signs(self.values)
