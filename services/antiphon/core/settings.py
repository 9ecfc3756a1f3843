"""What an operator chooses: defaults, then a YAML file with `${VAR}`, then the environment, then explicit values.

Only this module, `__main__` and `cli` read the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.sources import from_environment, merged

Mode = Literal["live", "record", "replay", "record-on-miss"]
PREFIX = "ANTIPHON_"
ANONYMOUS_HOSTS = ("127.", "localhost:", "[::1]", "unix:")
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class ProviderSettings(BaseModel):
    """A change to a built-in provider, or a new OpenAI-compatible one.

    `base_url` is needed for a new one only. `wire` names the codec of its chat, "openai_chat" unless said otherwise.
    `embeddings` names that of its embeddings; true means OpenAI's. `key` is the name of the environment value that
    holds the key; never the key itself.
    """

    model_config = ConfigDict(extra="forbid")

    base_url: str | None = None
    wire: str | None = None
    key: str | None = None
    key_required: bool | None = None
    default_model: str | None = None
    embeddings: bool | str | None = None
    local: bool | None = None
    headers: dict[str, str] | None = None
    quirks: dict[str, Any] | None = None


class LimitSettings(BaseModel):
    """Seconds to wait for a provider."""

    model_config = ConfigDict(extra="forbid")

    connect: float = Field(default=5.0, gt=0)
    first_token: float = Field(default=90.0, gt=0)
    idle: float = Field(default=60.0, gt=0)
    total: float = Field(default=600.0, gt=0)


class HttpSettings(BaseModel):
    """Bounds of the HTTP edges. Times are in seconds."""

    model_config = ConfigDict(extra="forbid")

    connections: int = Field(default=1000, gt=0)
    """Open at the same time; one more is told to come again later."""
    receipt: float = Field(default=20.0, gt=0)
    """For the head of a request, and for its body beyond what its size takes at 64 KiB a second."""
    in_flight: int = Field(default=1024 * 1024 * 1024, gt=0)
    """Bytes of request bodies held at the same time."""


class Settings(BaseModel):
    """Everything that a service can be told. Each field is ANTIPHON_<NAME> in the environment."""

    model_config = ConfigDict(extra="forbid")

    listen: str = ""
    http: str = ""
    http_bounds: HttpSettings = HttpSettings()
    mode: Mode = "live"
    allow_modes: list[Mode] = []
    cassettes: Path = Path("cassettes")
    pace: float = Field(default=1.0, ge=0)
    adapter: str = ""
    inference: str = ""
    triton: str = "127.0.0.1:8001"
    aliases: dict[str, str] = {}
    providers: dict[str, ProviderSettings] = {}
    limits: LimitSettings = LimitSettings()
    caller_keys: dict[str, str] = {}
    caller_token: str = ""
    allow_anonymous: bool = False
    grace: float = Field(default=30.0, ge=0)
    otlp_endpoint: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("caller_keys")
    @classmethod
    def _hashes(cls, keys: dict[str, str]) -> dict[str, str]:
        for name, digest in keys.items():
            if not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
                raise ValueError(f"caller_keys.{name} is not a SHA-256 in hex; `antiphon keys new {name}` makes one")
        return keys


def load(**explicit: Any) -> Settings:
    """The settings. Raises ServiceError INVALID_REQUEST that names every wrong one and what is wrong with it."""
    name = os.environ.get("ANTIPHON_CONFIG", "")
    said = read_file(Path(name), os.environ) if name else {}
    said = merged(said, from_environment(Settings, PREFIX, os.environ))
    try:
        return Settings(**merged(said, {name: value for name, value in explicit.items() if value is not None}))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg']}" for item in error.errors())
        raise ServiceError(Reason.INVALID_REQUEST, f"the configuration is wrong: {wrong}") from error


def credentials_environment() -> Mapping[str, str]:
    """The environment, for those who look up provider keys by name."""
    return os.environ


def read_file(path: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """A YAML file's settings, with `${VAR}` and `${VAR:-default}` replaced in its texts. Raises ServiceError."""
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ServiceError(
            Reason.INVALID_REQUEST, f"the configuration file {path} cannot be read: {error.strerror}"
        ) from error
    except yaml.YAMLError as error:
        raise ServiceError(Reason.INVALID_REQUEST, f"the configuration file {path} is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise ServiceError(Reason.INVALID_REQUEST, f"the configuration file {path} holds no settings by name")
    replaced = _replaced(document, environment, path)
    assert isinstance(replaced, dict)  # noqa: S101 - a dict was given
    return replaced


def _replaced(value: Any, environment: Mapping[str, str], path: Path) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(item, environment, path) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, environment, path) for item in value]
    if isinstance(value, str):
        return VARIABLE.sub(lambda match: _variable(match, environment, path), value)
    return value


def _variable(match: re.Match[str], environment: Mapping[str, str], path: Path) -> str:
    name, default = match.group(1), match.group(2)
    if name in environment:
        return environment[name]
    if default is not None:
        return default
    raise ServiceError(
        Reason.INVALID_REQUEST, f"{path} uses ${{{name}}}, which is not set; set it, or write ${{{name}:-default}}"
    )
