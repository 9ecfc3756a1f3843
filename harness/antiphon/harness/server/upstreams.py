"""Which provider stands behind which prefix, as data: the harness itself knows no provider.

A prefix takes the place of a provider's origin (scheme, host and port) and of nothing else, so one rule
gives every base URL: `https://api.groq.com/openai/v1` is `http://127.0.0.1:PORT/groq/openai/v1`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import httpx

from antiphon.harness.errors import BadRecordingCall

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """One provider.

    `origin` is where its requests go, empty where this installation has to say it; `missing` then says how.
    `sdk_path` is what the vendor's own SDK has behind the origin in its base URL. `url_variables` are the
    environment variables that SDKs read their base URL from, `key_variables` those of their keys.
    """

    name: str
    origin: str
    sdk_path: str = ""
    url_variables: tuple[str, ...] = ()
    key_variables: tuple[str, ...] = ()
    missing: str = ""

    def base_url(self, server: str) -> str:
        """The base URL of the vendor's SDK where `server` answers for the provider."""
        return f"{server}/{self.name}{self.sdk_path}"


KNOWN: Final[tuple[Upstream, ...]] = (
    Upstream(
        name="openai",
        origin="https://api.openai.com",
        sdk_path="/v1",
        url_variables=("OPENAI_BASE_URL",),
        key_variables=("OPENAI_API_KEY",),
    ),
    Upstream(
        name="anthropic",
        origin="https://api.anthropic.com",
        url_variables=("ANTHROPIC_BASE_URL",),
        key_variables=("ANTHROPIC_API_KEY",),
    ),
    Upstream(
        name="gemini",
        origin="https://generativelanguage.googleapis.com",
        url_variables=("GOOGLE_GEMINI_BASE_URL",),
        key_variables=("GEMINI_API_KEY",),
    ),
    Upstream(
        name="groq",
        origin="https://api.groq.com",
        url_variables=("GROQ_BASE_URL",),
        key_variables=("GROQ_API_KEY",),
    ),
    Upstream(name="mistral", origin="https://api.mistral.ai", key_variables=("MISTRAL_API_KEY",)),
    Upstream(name="xai", origin="https://api.x.ai", sdk_path="/v1", key_variables=("XAI_API_KEY",)),
    Upstream(
        name="openrouter",
        origin="https://openrouter.ai",
        sdk_path="/api/v1",
        key_variables=("OPENROUTER_API_KEY",),
    ),
    Upstream(name="perplexity", origin="https://api.perplexity.ai", key_variables=("PERPLEXITY_API_KEY",)),
    Upstream(
        name="cerebras",
        origin="https://api.cerebras.ai",
        url_variables=("CEREBRAS_BASE_URL",),
        key_variables=("CEREBRAS_API_KEY",),
    ),
    Upstream(name="deepseek", origin="https://api.deepseek.com", key_variables=("DEEPSEEK_API_KEY",)),
    Upstream(
        name="together",
        origin="https://api.together.xyz",
        sdk_path="/v1",
        url_variables=("TOGETHER_BASE_URL",),
        key_variables=("TOGETHER_API_KEY",),
    ),
    Upstream(
        name="fireworks",
        origin="https://api.fireworks.ai",
        sdk_path="/inference/v1",
        key_variables=("FIREWORKS_API_KEY",),
    ),
    Upstream(
        name="qwen",
        origin="https://dashscope-intl.aliyuncs.com",
        sdk_path="/compatible-mode/v1",
        key_variables=("DASHSCOPE_API_KEY",),
    ),
    Upstream(
        name="cohere",
        origin="https://api.cohere.com",
        url_variables=("CO_API_URL",),
        key_variables=("CO_API_KEY",),
    ),
    Upstream(
        name="huggingface",
        origin="https://router.huggingface.co",
        sdk_path="/v1",
        key_variables=("HF_TOKEN",),
    ),
    Upstream(name="ollama", origin="http://127.0.0.1:11434", url_variables=("OLLAMA_HOST",)),
    Upstream(
        name="bedrock",
        origin="https://bedrock-runtime.us-east-1.amazonaws.com",
        url_variables=("AWS_ENDPOINT_URL_BEDROCK_RUNTIME",),
        key_variables=("AWS_BEARER_TOKEN_BEDROCK",),
    ),
)
"""The providers whose origin is the same for everybody, or has a usual value."""


def upstreams(*more: Iterable[Upstream]) -> dict[str, Upstream]:
    """Upstreams by name; later ones replace earlier ones of the same name."""
    return {upstream.name: upstream for rows in more for upstream in rows}


def upstream_of(text: str, *, known: Iterable[Upstream] = KNOWN) -> Upstream:
    """Read `NAME=URL`; a known name keeps the rest of what is known of it. Raises BadRecordingCall."""
    name, separator, url = text.partition("=")
    if not separator or not NAME.fullmatch(name):
        raise BadRecordingCall(
            f"upstream {text[:80]!r} is refused; write NAME=URL, such as mine=https://llm.example.com"
        )
    origin, path = origin_of(url)
    base = upstreams(known).get(name, Upstream(name=name, origin=origin, sdk_path=path))
    return Upstream(
        name=name,
        origin=origin,
        sdk_path=path or base.sdk_path,
        url_variables=base.url_variables,
        key_variables=base.key_variables,
    )


def origin_of(url: str) -> tuple[str, str]:
    """Return a URL's origin and its path without last slash. Raises BadRecordingCall for no HTTP URL."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise BadRecordingCall(f"{url[:80]!r} is no URL: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
        raise BadRecordingCall(f"{url[:80]!r} is refused; give http://HOST or https://HOST, without a password")
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}", parsed.path.rstrip("/")
