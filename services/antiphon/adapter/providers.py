"""Providers as data. Adding an OpenAI-compatible one is one row here and its cassettes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import embeddings_pb2
from antiphon.wire.anthropic_messages.quirks import Quirks as AnthropicQuirks
from antiphon.wire.openai_chat.quirks import OPENAI_REFUSES, Quirks, ReasoningStyle
from antiphon.wire.openai_embeddings import EmbeddingQuirks


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """The header that carries a key, and what stands before the key in it."""

    header: str = "authorization"
    prefix: str = "Bearer "


OPENAI_LIKE = Quirks(max_tokens_field="max_tokens", developer_role="system", stream_usage=True)
"""What most servers that call themselves OpenAI-compatible agree on."""

AS_OPENAI_EMBEDS = EmbeddingQuirks()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider.

    `key_names` are the names of environment values that may hold its key, the first found wins. `default_model` is
    used where a caller names only the provider. `headers` go with every request. `quirks` are its wire's: what it
    does otherwise than the wire's inventor.
    """

    name: str
    base_url: str
    wire: str = "openai_chat"
    key_names: tuple[str, ...] = ()
    key_required: bool = True
    key_hint: str = ""
    auth: Auth = Auth()
    headers: Mapping[str, str] = field(default_factory=dict)
    default_model: str = ""
    local: bool = False
    embeddings: bool = False
    lists_models: bool = True
    quirks: Quirks | AnthropicQuirks = OPENAI_LIKE
    embedding_quirks: EmbeddingQuirks = AS_OPENAI_EMBEDS


BUILT_IN: tuple[Provider, ...] = (
    Provider(
        name="openai",
        base_url="https://api.openai.com/v1",
        key_names=("OPENAI_API_KEY",),
        key_hint="sk-",
        default_model="gpt-4o-mini",
        embeddings=True,
        quirks=Quirks(refuses=OPENAI_REFUSES, stream_usage=True, provider="openai"),
    ),
    Provider(
        name="anthropic",
        base_url="https://api.anthropic.com/v1",
        wire="anthropic_messages",
        key_names=("ANTHROPIC_API_KEY",),
        key_hint="sk-ant-",
        auth=Auth(header="x-api-key", prefix=""),
        quirks=AnthropicQuirks(base_path=""),
        default_model="claude-sonnet-4-5",
    ),
    Provider(
        name="groq",
        base_url="https://api.groq.com/openai/v1",
        key_names=("GROQ_API_KEY",),
        key_hint="gsk_",
        default_model="llama-3.3-70b-versatile",
        quirks=Quirks(
            max_tokens_field="max_completion_tokens",
            developer_role="system",
            stream_usage=True,
            reasoning_field="reasoning",
            refuses=frozenset({"top_k", "min_p", "repetition_penalty", "logit_bias", "logprobs", "top_logprobs"}),
            provider="groq",
        ),
    ),
    Provider(
        name="mistral",
        base_url="https://api.mistral.ai/v1",
        key_names=("MISTRAL_API_KEY",),
        default_model="mistral-small-latest",
        embeddings=True,
        quirks=Quirks(
            max_tokens_field="max_tokens",
            developer_role="system",
            stream_usage=False,
            reasoning_field="",
            required_word="any",
            refuses=frozenset(
                {"top_k", "min_p", "repetition_penalty", "logit_bias", "logprobs", "top_logprobs", "user"}
            ),
            provider="mistral",
        ),
        embedding_quirks=EmbeddingQuirks(dimensions_field="output_dimension", provider="mistral"),
    ),
    Provider(
        name="xai",
        base_url="https://api.x.ai/v1",
        key_names=("XAI_API_KEY",),
        key_hint="xai-",
        default_model="grok-4",
        quirks=Quirks(
            max_tokens_field="max_completion_tokens",
            developer_role="system",
            stream_usage=True,
            provider="xai",
        ),
    ),
    Provider(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        key_names=("OPENROUTER_API_KEY",),
        key_hint="sk-or-",
        default_model="openrouter/auto",
        embeddings=True,
        quirks=Quirks(
            max_tokens_field="max_tokens",
            stream_usage=True,
            reasoning_style=ReasoningStyle.OBJECT,
            reasoning_field="reasoning_details",
            provider="openrouter",
        ),
    ),
    Provider(
        name="perplexity",
        base_url="https://api.perplexity.ai",
        key_names=("PERPLEXITY_API_KEY", "PPLX_API_KEY"),
        key_hint="pplx-",
        default_model="sonar",
        quirks=Quirks(
            max_tokens_field="max_tokens",
            developer_role="system",
            stream_usage=False,
            reasoning_field="",
            refuses=frozenset({"tools", "tool_choice", "parallel_tool_calls", "seed", "n", "logit_bias"}),
            provider="perplexity",
        ),
        embeddings=True,
        embedding_quirks=EmbeddingQuirks(base64_holds=embeddings_pb2.VECTOR_ENCODING_INT8, provider="perplexity"),
    ),
    Provider(
        name="cerebras",
        base_url="https://api.cerebras.ai/v1",
        key_names=("CEREBRAS_API_KEY",),
        key_hint="csk-",
        default_model="gpt-oss-120b",
        quirks=Quirks(
            max_tokens_field="max_completion_tokens",
            developer_role="system",
            stream_usage=True,
            reasoning_field="reasoning",
            refuses=frozenset({"top_k", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty"}),
            provider="cerebras",
        ),
    ),
    Provider(
        name="deepseek",
        base_url="https://api.deepseek.com",
        key_names=("DEEPSEEK_API_KEY",),
        key_hint="sk-",
        default_model="deepseek-chat",
        quirks=Quirks(
            max_tokens_field="max_tokens",
            developer_role="system",
            stream_usage=True,
            reasoning_style=ReasoningStyle.THINKING,
            reasoning_field="reasoning_content",
            refuses=frozenset({"top_k", "min_p", "repetition_penalty", "seed", "n", "logit_bias"}),
            provider="deepseek",
        ),
    ),
    Provider(
        name="together",
        base_url="https://api.together.xyz/v1",
        key_names=("TOGETHER_API_KEY",),
        default_model="meta-llama/Llama-3.3-70B-Instruct-Turbo",
        embeddings=True,
        quirks=Quirks(max_tokens_field="max_tokens", developer_role="system", stream_usage=True, provider="together"),
    ),
    Provider(
        name="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        key_names=("FIREWORKS_API_KEY",),
        key_hint="fw_",
        default_model="accounts/fireworks/models/llama-v3p3-70b-instruct",
        embeddings=True,
        quirks=Quirks(max_tokens_field="max_tokens", developer_role="system", stream_usage=True, provider="fireworks"),
    ),
    Provider(
        name="qwen",
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        key_names=("DASHSCOPE_API_KEY", "QWEN_API_KEY"),
        key_hint="sk-",
        default_model="qwen-plus",
        embeddings=True,
        quirks=Quirks(
            max_tokens_field="max_tokens",
            developer_role="system",
            stream_usage=True,
            reasoning_style=ReasoningStyle.ENABLE_THINKING,
            reasoning_field="reasoning_content",
            provider="qwen",
        ),
    ),
    Provider(
        name="ollama",
        base_url="http://127.0.0.1:11434/v1",
        key_names=("OLLAMA_API_KEY",),
        key_required=False,
        local=True,
        embeddings=True,
        quirks=Quirks(max_tokens_field="max_tokens", developer_role="system", stream_usage=True, provider="ollama"),
    ),
    Provider(
        name="lmstudio",
        base_url="http://127.0.0.1:1234/v1",
        key_required=False,
        local=True,
        embeddings=True,
        quirks=Quirks(max_tokens_field="max_tokens", developer_role="system", stream_usage=True, provider="lmstudio"),
    ),
)


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


def built_in() -> dict[str, Provider]:
    """The rows of this module by name, as a fresh dict."""
    return {provider.name: provider for provider in BUILT_IN}
