"""The shapes of credentials, as data: what the issuers print, and which provider uses which.

A provider whose keys have no prefix is listed too: its keys are found by their value, by the name that they
stand under, and by looking random (`entropy`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_START: Final = r"(?<![A-Za-z0-9_+\-])"
_HEX64: Final = r"[0-9a-f]{64}(?![0-9a-f])"


@dataclass(frozen=True, slots=True)
class Shape:
    """A pattern, and words in lower case one of which its every match holds: most texts hold none."""

    hints: tuple[str, ...]
    pattern: str


# A digit is asked for where words joined by hyphens could match.
KEY_SHAPES: Final[Mapping[str, Shape]] = {
    "sk-...": Shape(("sk-",), _START + r"sk-(?=[A-Za-z0-9_\-]*[0-9])[A-Za-z0-9_\-]{20,}"),
    "AIza...": Shape(("aiza",), _START + r"AIza[0-9A-Za-z_\-]{35}"),
    "AQ....": Shape(("aq.",), _START + r"AQ\.(?=[A-Za-z0-9_\-]*[0-9])[A-Za-z0-9_\-]{30,}"),
    "gsk_...": Shape(("gsk_",), _START + r"gsk_[A-Za-z0-9]{20,}"),
    "xai-...": Shape(("xai-",), _START + r"xai-[A-Za-z0-9]{20,}"),
    "pplx-...": Shape(("pplx-",), _START + r"pplx-[A-Za-z0-9]{20,}"),
    "csk-...": Shape(("csk-",), _START + r"csk-[a-z0-9]{20,}"),
    "fw_...": Shape(("fw_",), _START + r"fw_[A-Za-z0-9]{20,}"),
    "tgp_v1_...": Shape(("tgp_v",), _START + r"tgp_v[0-9]_[A-Za-z0-9_\-]{20,}"),
    "hf_...": Shape(("hf_",), _START + r"hf_[A-Za-z0-9]{30,}"),
    "pa-...": Shape(("pa-",), _START + r"pa-(?=[A-Za-z0-9_\-]*[0-9])(?=[A-Za-z0-9_\-]*[A-Z])[A-Za-z0-9_\-]{30,}"),
    "nvapi-...": Shape(("nvapi-",), _START + r"nvapi-[A-Za-z0-9_\-]{20,}"),
    "r8_...": Shape(("r8_",), _START + r"r8_[A-Za-z0-9]{30,}"),
    "dapi...": Shape(("dapi",), _START + r"dapi[0-9a-f]{32}"),
    "Bedrock API key": Shape(
        ("absk", "bedrock-api-key-"),
        _START + r"(?:ABSK[A-Za-z0-9+/]{40,}|bedrock-api-key-[A-Za-z0-9+/=_\-]{20,})",
    ),
    "GitHub token": Shape(
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        _START + r"(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{30,})",
    ),
    "Google OAuth token": Shape(
        ("ya29.", "gocspx-"),
        _START + r"(?:ya29\.[A-Za-z0-9_\-.]{20,}|GOCSPX-[A-Za-z0-9_\-]{20,})",
    ),
    "AWS access key": Shape(
        ("akia", "asia"),
        _START + r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])",
    ),
    "AWS signature": Shape(("x-amz-",), r"X-Amz-(?:Signature|Security-Token|Credential)=[A-Za-z0-9%/+]{20,}"),
    "AWS authorization": Shape(
        ("aws4-hmac-sha256", "signature="),
        r"AWS4-HMAC-SHA256[ +]Credential=[^\s\"]{20,}|(?i:signature)=" + _HEX64,
    ),
    "signed URL": Shape(
        ("x-goog-signature", "sig=", "signature="),
        r"(?:X-Goog-Signature|[?&]sig|[?&]Signature)=[A-Za-z0-9%/+=_\-]{30,}",
    ),
    "password in a URL": Shape(
        ("://",), r"[a-z][a-z0-9+.\-]{1,20}://[^\s/:@\"'<>{}$]{1,100}:[^\s/:@\"'<>{}$]{3,200}@[A-Za-z0-9\[]"
    ),
    "JWT": Shape(("eyj",), _START + r"eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}"),
    "bearer token": Shape(("bearer",), r"(?i:bearer)\s+(?=[A-Za-z0-9_\-.~+/]*[0-9])[A-Za-z0-9_\-.~+/]{20,}=*"),
    "cookie": Shape(
        ("cookie",), r"(?i:\bset-cookie|\bcookie)[\"']?\s*[:=]\s*\[?[\"']?[A-Za-z0-9_.\-]{1,60}=[^\s;,\"']{8,}"
    ),
    "Cloudflare cookie": Shape(
        ("__cf", "_cfuvid", "cf_clearance"),
        r"\b(?:__cf_bm|_cfuvid|__cflb|cf_clearance)=[A-Za-z0-9_.\-]{16,}",
    ),
    "private key": Shape(("private key-----",), r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
}
"""Name -> shape."""

NO_SHAPE: Final[tuple[str, ...]] = ()
"""For keys without a prefix: letters and digits, or hexadecimal digits, alone."""

PROVIDER_SHAPES: Final[Mapping[str, tuple[str, ...]]] = {
    "anthropic": ("sk-...",),
    "azure": ("JWT",),
    "bedrock": ("Bedrock API key", "AWS access key", "AWS signature", "AWS authorization"),
    "cerebras": ("csk-...",),
    "cohere": NO_SHAPE,
    "deepseek": ("sk-...",),
    "fireworks": ("fw_...",),
    "gemini": ("AIza...", "AQ...."),
    "groq": ("gsk_...",),
    "huggingface": ("hf_...",),
    "lmstudio": NO_SHAPE,
    "mistral": NO_SHAPE,
    "ollama": NO_SHAPE,
    "ollama-native": NO_SHAPE,
    "openai": ("sk-...",),
    "openai-responses": ("sk-...",),
    "openrouter": ("sk-...",),
    "perplexity": ("pplx-...",),
    "qwen": ("sk-...",),
    "together": ("tgp_v1_...",),
    "triton": NO_SHAPE,
    "vertex": ("Google OAuth token", "JWT"),
    "voyage": ("pa-...",),
    "xai": ("xai-...",),
}
"""Provider -> the shapes of its keys. It is data about the world: the harness asks no provider anything."""
