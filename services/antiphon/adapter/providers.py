"""What a provider is: data. The rows themselves stand in `rows`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from antiphon.core.errors import Reason, ServiceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """The header that carries a key, and what stands before the key in it."""

    header: str = "authorization"
    prefix: str = "Bearer "


@dataclass(frozen=True, slots=True, kw_only=True)
class SigV4:
    """Requests are signed by AWS Signature Version 4 for this service, where no bearer key is set."""

    service: str
    region: str = "${AWS_REGION:-us-east-1}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider.

    `base_url`, `query` and what the wire makes of paths may hold `${NAME}` and `${NAME:-default}`, filled from the
    environment values, and `{model}`. `key_names` are the names of environment values that may hold its key, the first
    found wins; `key_hint` is how a key begins. `default_model` is used where a caller names only the provider.
    `headers` go with every request. `wire`, `embeddings` and `models` name codecs (see `wires`); an empty name means
    that the provider has no such thing. `quirks` are the codec's: what the provider does otherwise than the wire's
    inventor; None for the codec's own defaults. `features` are words for people.
    """

    name: str
    base_url: str
    query: str = ""
    wire: str = "openai_chat"
    embeddings: str = ""
    models: str = "openai_models"
    key_names: tuple[str, ...] = ()
    key_required: bool = True
    key_hint: str = ""
    auth: Auth | SigV4 = Auth()
    headers: Mapping[str, str] = field(default_factory=dict)
    default_model: str = ""
    local: bool = False
    quirks: Any = None
    embedding_quirks: Any = None
    features: tuple[str, ...] = ("chat", "streaming", "tools")


class Providers:
    """The providers by name, and the names of models that lead to them."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = dict(providers)

    def __iter__(self) -> Iterator[Provider]:
        return iter(self._providers.values())

    def get(self, name: str) -> Provider:
        """The provider of that name. Raises ServiceError PROVIDER_NOT_FOUND."""
        provider = self._providers.get(name)
        if provider is None:
            known = ", ".join(sorted(self._providers))
            raise ServiceError(
                Reason.PROVIDER_NOT_FOUND,
                f"no provider {name!r}; known: {known}. An OpenAI-compatible one is added in the configuration "
                "under providers.<name>.base_url",
                metadata={"provider": name},
            )
        return provider

    def resolve(self, model: str) -> tuple[Provider, str]:
        """The provider and its own model name for "provider/model", or for "provider" alone its default model.

        Raises ServiceError PROVIDER_NOT_FOUND, or MODEL_NOT_FOUND where a model has to be named.
        """
        name, _, own = model.partition("/")
        provider = self.get(name)
        own = own or provider.default_model
        if not own:
            raise ServiceError(
                Reason.MODEL_NOT_FOUND,
                f"{name} has no default model; name one as '{name}/<model>'",
                metadata={"provider": name},
            )
        return provider, own
