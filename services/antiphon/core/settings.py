"""What an operator chooses: defaults, then a YAML file with `${VAR}`, then the environment, then explicit values.

Only this module, `__main__` and `cli` read the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.records import CHECK, WrongError, above, at_least, read
from antiphon.core.sources import from_environment, merged

Mode = Literal["live", "record", "replay", "record-on-miss"]
PREFIX = "ANTIPHON_"
ANONYMOUS_HOSTS = ("127.", "localhost:", "[::1]", "unix:")
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """A change to a built-in provider, or a new OpenAI-compatible one.

    `base_url` is needed for a new one only. `wire` names the codec of its chat, "openai_chat" unless said otherwise.
    `embeddings` names that of its embeddings; true means OpenAI's. `key` is the name of the environment value that
    holds the key; never the key itself.
    """

    base_url: str | None = None
    wire: str | None = None
    key: str | None = None
    key_required: bool | None = None
    default_model: str | None = None
    embeddings: bool | str | None = None
    local: bool | None = None
    headers: dict[str, str] | None = None
    quirks: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """Seconds to wait for a provider."""

    connect: float = field(default=5.0, metadata=above(0))
    first_token: float = field(default=90.0, metadata=above(0))
    idle: float = field(default=60.0, metadata=above(0))
    total: float = field(default=600.0, metadata=above(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Bounds of the HTTP edges. Times are in seconds."""

    connections: int = field(default=1000, metadata=above(0))
    """Open at the same time; one more is told to come again later."""
    receipt: float = field(default=20.0, metadata=above(0))
    """For the head of a request, and for its body beyond what its size takes at 64 KiB a second."""
    in_flight: int = field(default=1024 * 1024 * 1024, metadata=above(0))
    """Bytes of request bodies held at the same time."""


def _not_hashes(keys: Mapping[str, str]) -> str:
    for name, digest in keys.items():
        if not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
            return f"caller_keys.{name} is not a SHA-256 in hex; `antiphon keys new {name}` makes one"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a service can be told. Each field is ANTIPHON_<NAME> in the environment."""

    listen: str = ""
    http: str = ""
    http_bounds: HttpSettings = HttpSettings()
    mode: Mode = "live"
    allow_modes: list[Mode] = field(default_factory=list)
    cassettes: Path = Path("cassettes")
    pace: float = field(default=1.0, metadata=at_least(0))
    adapter: str = ""
    inference: str = ""
    triton: str = "127.0.0.1:8001"
    aliases: dict[str, str] = field(default_factory=dict)
    providers: dict[str, ProviderSettings] = field(default_factory=dict)
    limits: LimitSettings = LimitSettings()
    caller_keys: dict[str, str] = field(default_factory=dict, metadata={CHECK: _not_hashes})
    caller_token: str = ""
    allow_anonymous: bool = False
    grace: float = field(default=30.0, metadata=at_least(0))
    otlp_endpoint: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    workers: int = field(default=1, metadata=at_least(1))
    """Processes that share the ports, each with all of the role in it."""


def load(**explicit: Any) -> Settings:
    """The settings. Raises ServiceError INVALID_REQUEST that names every wrong one and what is wrong with it."""
    name = os.environ.get("ANTIPHON_CONFIG", "")
    said = read_file(Path(name), os.environ) if name else {}
    said = merged(said, from_environment(Settings, PREFIX, os.environ))
    try:
        return read(Settings, merged(said, {name: value for name, value in explicit.items() if value is not None}))
    except WrongError as error:
        raise ServiceError(Reason.INVALID_REQUEST, f"the configuration is wrong: {error}") from error


def credentials_environment() -> Mapping[str, str]:
    """The environment as it is now, for those who look up provider keys by name: to ask `os.environ` itself costs a
    call a microsecond for each name."""
    return dict(os.environ)


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
