"""The providers that antiphon knows. Adding an OpenAI-compatible one is one row here and its cassettes."""

from __future__ import annotations

from antiphon.adapter.providers import Auth, Provider, SigV4
from antiphon.v1 import embeddings_pb2
from antiphon.wire.anthropic_messages.quirks import Quirks as AnthropicQuirks
from antiphon.wire.embedding_quirks import EmbeddingQuirks
from antiphon.wire.gemini.quirks import Quirks as GeminiQuirks
from antiphon.wire.gemini.quirks import vertex
from antiphon.wire.openai_chat.quirks import OPENAI_REFUSES, Quirks, ReasoningStyle
from antiphon.wire.openai_responses.quirks import OPENAI as OPENAI_RESPONSES

OPENAI_LIKE = Quirks(max_tokens_field="max_tokens", developer_role="system", stream_usage=True)
"""What most servers that call themselves OpenAI-compatible agree on."""

_CACHE = frozenset({"cache_control", "messages.cache_control"})
_CACHE_KEYS = frozenset({"prompt_cache_key", "prompt_cache_retention"})
_SEED = frozenset({"seed", "random_seed"})
_USER = frozenset({"user", "safety_identifier"})
_OPEN_MODELS = frozenset({"top_k", "min_p", "repetition_penalty"})
"""What servers of open models take beside OpenAI's sampling, under these names."""
_OPENAI_ID = ".{1,40}"
_BIAS = frozenset({"logit_bias", "logprobs", "top_logprobs"})

BUILT_IN: tuple[Provider, ...] = (
    Provider(
        name="openai",
        base_url="https://api.openai.com/v1",
        key_names=("OPENAI_API_KEY",),
        key_hint="sk-",
        default_model="gpt-4o-mini",
        embeddings="openai_embeddings",
        quirks=Quirks(
            refuses=OPENAI_REFUSES, stream_usage=True, reasoning_field="", call_ids=_OPENAI_ID, provider="openai"
        ),
        features=("chat", "streaming", "tools", "vision", "audio", "documents", "json schema", "reasoning"),
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
        features=("chat", "streaming", "tools", "vision", "documents", "citations", "reasoning", "built-in tools"),
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
            refuses=_OPEN_MODELS | _BIAS | _CACHE | _CACHE_KEYS | {"verbosity", "prediction", "messages.file"},
            provider="groq",
        ),
        features=("chat", "streaming", "tools", "vision", "json schema", "reasoning", "built-in tools"),
    ),
    Provider(
        name="mistral",
        base_url="https://api.mistral.ai/v1",
        key_names=("MISTRAL_API_KEY",),
        default_model="mistral-small-latest",
        embeddings="openai_embeddings",
        quirks=Quirks(
            max_tokens_field="max_tokens",
            developer_role="system",
            stream_usage=False,
            reasoning_field="",
            required_word="any",
            document_field="document_url",
            call_ids="[a-zA-Z0-9]{9}",
            refuses=_OPEN_MODELS
            | _BIAS
            | _CACHE
            | _USER
            | {"seed", "verbosity", "store", "prompt_cache_retention", "messages.name"},
            provider="mistral",
        ),
        embedding_quirks=EmbeddingQuirks(dimensions_field="output_dimension", provider="mistral"),
        features=("chat", "streaming", "tools", "vision", "documents", "json schema", "reasoning"),
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
            refuses=_OPEN_MODELS | _CACHE,
            reasoning_field="reasoning_content",
            provider="xai",
        ),
        features=("chat", "streaming", "tools", "vision", "json schema", "reasoning"),
    ),
    Provider(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        key_names=("OPENROUTER_API_KEY",),
        key_hint="sk-or-",
        default_model="openrouter/auto",
        embeddings="openai_embeddings",
        quirks=Quirks(
            max_tokens_field="max_tokens",
            stream_usage=True,
            reasoning_style=ReasoningStyle.OBJECT,
            reasoning_field="reasoning_details",
            annotations=True,
            provider="openrouter",
        ),
        features=("chat", "streaming", "tools", "vision", "documents", "json schema", "reasoning", "routing"),
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
            refuses=_SEED
            | _CACHE
            | {"tools", "tool_choice", "parallel_tool_calls", "n", "logit_bias", "min_p", "repetition_penalty"},
            provider="perplexity",
        ),
        embeddings="openai_embeddings",
        embedding_quirks=EmbeddingQuirks(base64_holds=embeddings_pb2.VECTOR_ENCODING_INT8, provider="perplexity"),
        features=("chat", "streaming", "vision", "json schema", "reasoning", "web search", "citations"),
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
            refuses=_OPEN_MODELS | _CACHE | {"frequency_penalty", "presence_penalty"},
            provider="cerebras",
        ),
        features=("chat", "streaming", "tools", "json schema", "reasoning"),
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
            refuses=_OPEN_MODELS | _SEED | _CACHE | {"n", "logit_bias"},
            provider="deepseek",
        ),
        features=("chat", "streaming", "tools", "reasoning"),
    ),
    Provider(
        name="together",
        base_url="https://api.together.xyz/v1",
        key_names=("TOGETHER_API_KEY",),
        default_model="meta-llama/Llama-3.3-70B-Instruct-Turbo",
        embeddings="openai_embeddings",
        quirks=Quirks(
            max_tokens_field="max_tokens",
            developer_role="system",
            stream_usage=True,
            refuses=_CACHE,
            reasoning_field="reasoning_content",
            provider="together",
        ),
        features=("chat", "streaming", "tools", "vision", "json schema", "reasoning"),
    ),
    Provider(
        name="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        key_names=("FIREWORKS_API_KEY",),
        key_hint="fw_",
        default_model="accounts/fireworks/models/llama-v3p3-70b-instruct",
        embeddings="openai_embeddings",
        quirks=Quirks(
            max_tokens_field="max_tokens",
            developer_role="system",
            stream_usage=True,
            refuses=_CACHE,
            reasoning_field="reasoning_content",
            provider="fireworks",
        ),
        features=("chat", "streaming", "tools", "vision", "json schema", "reasoning"),
    ),
    Provider(
        name="qwen",
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        key_names=("DASHSCOPE_API_KEY", "QWEN_API_KEY"),
        key_hint="sk-",
        default_model="qwen-plus",
        embeddings="openai_embeddings",
        quirks=Quirks(
            max_tokens_field="max_tokens",
            developer_role="system",
            stream_usage=True,
            reasoning_style=ReasoningStyle.ENABLE_THINKING,
            reasoning_field="reasoning_content",
            refuses=frozenset({"min_p", "cache_control"}),
            provider="qwen",
        ),
        features=("chat", "streaming", "tools", "vision", "reasoning"),
    ),
    Provider(
        name="ollama",
        base_url="${OLLAMA_BASE_URL:-http://127.0.0.1:11434}/v1",
        key_names=("OLLAMA_API_KEY",),
        key_required=False,
        local=True,
        embeddings="openai_embeddings",
        quirks=Quirks(
            max_tokens_field="max_tokens",
            developer_role="system",
            stream_usage=True,
            reasoning_field="reasoning",
            refuses=_OPEN_MODELS | _CACHE,
            provider="ollama",
        ),
        features=("chat", "streaming", "tools", "vision", "json schema", "reasoning"),
    ),
    Provider(
        name="lmstudio",
        base_url="${LMSTUDIO_BASE_URL:-http://127.0.0.1:1234}/v1",
        key_required=False,
        local=True,
        embeddings="openai_embeddings",
        quirks=Quirks(
            max_tokens_field="max_tokens",
            developer_role="system",
            stream_usage=True,
            refuses=_CACHE | {"repetition_penalty"},
            reasoning_field="reasoning_content",
            provider="lmstudio",
        ),
        features=("chat", "streaming", "tools", "vision", "json schema"),
    ),
    Provider(
        name="openai-responses",
        base_url="https://api.openai.com/v1",
        wire="openai_responses",
        quirks=OPENAI_RESPONSES,
        models="",  # the same as openai's
        key_names=("OPENAI_API_KEY",),
        key_hint="sk-",
        default_model="gpt-4o-mini",
        features=("chat", "streaming", "tools", "vision", "json schema", "reasoning", "stored state", "built-in tools"),
    ),
    Provider(
        name="azure",
        base_url="${AZURE_OPENAI_ENDPOINT}/openai/deployments/{model}",
        query="api-version=${AZURE_OPENAI_API_VERSION:-2024-10-21}",
        embeddings="openai_embeddings",
        models="",
        key_names=("AZURE_OPENAI_API_KEY",),
        auth=Auth(header="api-key", prefix=""),
        quirks=Quirks(
            refuses=OPENAI_REFUSES, stream_usage=True, reasoning_field="", call_ids=_OPENAI_ID, provider="azure"
        ),
        features=("chat", "streaming", "tools", "vision", "json schema", "content filter"),
    ),
    Provider(
        name="gemini",
        base_url="https://generativelanguage.googleapis.com",
        wire="gemini",
        embeddings="gemini_embeddings",
        models="gemini_models",
        key_names=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        key_hint="AIza",
        auth=Auth(header="x-goog-api-key", prefix=""),
        default_model="gemini-2.5-flash",
        quirks=GeminiQuirks(),
        features=(
            "chat",
            "streaming",
            "tools",
            "vision",
            "audio",
            "documents",
            "json schema",
            "reasoning",
        ),
    ),
    Provider(
        name="vertex",
        base_url="https://${VERTEX_HOST:-aiplatform.googleapis.com}",
        wire="gemini",
        embeddings="gemini_embeddings",
        models="",
        key_names=("VERTEX_ACCESS_TOKEN", "GOOGLE_OAUTH_ACCESS_TOKEN"),
        headers={"x-goog-user-project": "${GOOGLE_CLOUD_PROJECT}"},
        default_model="gemini-2.5-flash",
        quirks=vertex("${GOOGLE_CLOUD_PROJECT}", "${GOOGLE_CLOUD_LOCATION:-global}"),
        features=("chat", "streaming", "tools", "vision", "audio", "documents", "json schema", "reasoning"),
    ),
    Provider(
        name="bedrock",
        base_url="https://bedrock-runtime.${AWS_REGION:-us-east-1}.amazonaws.com",
        wire="bedrock_converse",
        embeddings="bedrock_embeddings",
        models="",
        key_names=("AWS_BEARER_TOKEN_BEDROCK",),
        auth=SigV4(service="bedrock"),
        default_model="us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        features=("chat", "streaming", "tools", "vision", "documents", "reasoning"),
    ),
    Provider(
        name="cohere",
        base_url="https://api.cohere.com",
        wire="cohere_chat",
        embeddings="cohere_embeddings",
        models="",
        key_names=("COHERE_API_KEY", "CO_API_KEY"),
        default_model="command-a-03-2025",
        features=("chat", "streaming", "tools", "citations", "json schema"),
    ),
    Provider(
        name="huggingface",
        base_url="https://router.huggingface.co/v1",
        key_names=("HF_TOKEN", "HUGGINGFACE_API_KEY"),
        key_hint="hf_",
        quirks=Quirks(
            max_tokens_field="max_tokens",
            developer_role="system",
            stream_usage=True,
            refuses=_CACHE,
            reasoning_field="reasoning_content",
            provider="huggingface",
        ),
        features=("chat", "streaming", "tools", "vision", "json schema"),
    ),
    Provider(
        name="ollama-native",
        base_url="${OLLAMA_BASE_URL:-http://127.0.0.1:11434}",
        wire="ollama_chat",
        embeddings="ollama_embeddings",
        models="ollama_models",
        key_names=("OLLAMA_API_KEY",),
        key_required=False,
        local=True,
        features=("chat", "streaming", "tools", "vision", "json schema", "reasoning"),
    ),
)


def built_in() -> dict[str, Provider]:
    """The rows of this module by name, as a fresh dict."""
    return {provider.name: provider for provider in BUILT_IN}
