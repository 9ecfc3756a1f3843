"""What a client is told where there is no answer to play: one JSON body that every vendor's SDK can show.

SDKs take their message from different places: `error.message` (OpenAI, Gemini), `error.type` with `type`
(Anthropic), `message` (Bedrock, Cohere, Mistral). They retry 409 by themselves, so each refusal says not to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from antiphon.harness.errors import HarnessError, RecordingMissing

STATUS: Final[Mapping[str, int]] = {
    "RECORDING_MISSING": 404,
    "RECORDING_USED_UP": 409,
    "BAD_RECORDING_CALL": 400,
    "CASSETTE_UNREADABLE": 500,
    "RECORDING_REFUSED": 500,
    "SECRET_FOUND": 500,
}
"""The HTTP status of each reason of the harness."""

_GOOGLE: Final[Mapping[int, str]] = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    502: "UNAVAILABLE",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A status, a reason word, the message for people, and facts for programs."""

    status: int
    reason: str
    message: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def body(self) -> bytes:
        """The JSON text."""
        error = {
            "type": self.reason.lower(),
            "code": self.reason,
            "status": _GOOGLE.get(self.status, "INTERNAL"),
            "message": self.message,
            "param": None,
        }
        whole = {"type": "error", "error": error, "message": self.message, "antiphon": dict(self.facts)}
        return json.dumps(whole, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace")

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers that go with the body, but for its length."""
        retry = b"true" if self.status == _UNREACHABLE else b"false"
        return [
            (b"content-type", b"application/json"),
            (b"x-antiphon-error", self.reason.encode("ascii")),
            (b"x-should-retry", retry),
            (b"x-amzn-errortype", self.reason.encode("ascii")),
        ]


def of_error(error: HarnessError) -> Refusal:
    """The refusal that an error of the harness stands for."""
    reason = error.reason
    facts: dict[str, Any] = {"reason": reason}
    if isinstance(error, RecordingMissing):
        facts |= {
            "asked": error.asked,
            "folder": error.folder,
            "nearest": error.nearest,
            "differences": list(error.differences),
        }
    return Refusal(status=STATUS.get(reason, 500), reason=reason, message=str(error), facts=facts)


_UNREACHABLE: Final = 502


def unreachable(origin: str, said: str) -> Refusal:
    """The refusal where a live provider can't be connected to."""
    return Refusal(
        status=_UNREACHABLE,
        reason="UPSTREAM_UNREACHABLE",
        message=f"{origin} can't be reached from here: {said}",
        facts={"reason": "UPSTREAM_UNREACHABLE", "asked": origin},
    )
