"""How long the adapter waits for a provider, each phase by itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds, and bytes of one answer. A caller's deadline shortens each wait, never lengthens it."""

    connect: float = 5.0
    first_token: float = 90.0
    idle: float = 60.0
    total: float = 600.0
    max_answer_bytes: int = 64 * 1024 * 1024
