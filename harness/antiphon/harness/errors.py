"""What the harness refuses, as errors that a caller can tell apart without importing this package.

All of them are `httpx.TransportError`, so code that talks HTTP treats them like any failed call; each
class has a stable `reason` word, because the provider adapter knows the harness only as a transport.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import httpx

_SHOWN_DIFFERENCES = 8


class HarnessError(httpx.TransportError):
    """Base of everything the harness raises by itself; `reason` is the word to match on."""

    reason: ClassVar[str] = "HARNESS_ERROR"


class BadRecordingCall(HarnessError):  # noqa: N818 - named for the fact, as httpx.ReadTimeout is
    """The per-call settings (mode, session, cassette, pace) can't be read or aren't allowed here."""

    reason = "BAD_RECORDING_CALL"


class RecordingMissing(HarnessError):  # noqa: N818 - named for the fact, as httpx.ReadTimeout is
    """No recording answers this request, and replay never calls the provider.

    `nearest` names the most similar recording ("" when there is none); `differences` says how the
    request differs from it, at most a few lines.
    """

    reason = "RECORDING_MISSING"

    def __init__(
        self,
        asked: str,
        *,
        folder: str,
        nearest: str = "",
        differences: Sequence[str] = (),
        request: httpx.Request | None = None,
    ) -> None:
        self.asked = asked
        self.folder = folder
        self.nearest = nearest
        self.differences = list(differences)
        super().__init__(self._message(), request=request)

    def _message(self) -> str:
        lines = [f"no recording answers {self.asked} in {self.folder}, and replay never calls the provider."]
        if self.nearest:
            shown = self.differences[:_SHOWN_DIFFERENCES]
            lines.append(f"Nearest: {self.nearest}; request != recording: {'; '.join(shown)}.")
        else:
            lines.append("The folder holds no recording to compare it with.")
        lines.append("To record it, repeat the call in mode 'record-on-miss' with a provider key.")
        return " ".join(lines)


class CassetteUnreadable(HarnessError):  # noqa: N818 - named for the fact, as httpx.ReadTimeout is
    """A cassette file can't be used; the message names the file, the place and what to do."""

    reason = "CASSETTE_UNREADABLE"

    def __init__(self, file: str, problem: str, *, line: int | None = None) -> None:
        self.file = file
        self.line = line
        place = f"{file}, line {line}" if line is not None else file
        super().__init__(f"cassette {place}: {problem}. Mend the file, or delete it and record it again.")


class RecordingRefused(HarnessError):  # noqa: N818 - named for the fact, as httpx.ReadTimeout is
    """The answer arrived, but it may not or can't be written; nothing was written."""

    reason = "RECORDING_REFUSED"


class SecretFound(RecordingRefused):
    """The exchange holds a credential. `places` says where; the value itself is never shown."""

    reason = "SECRET_FOUND"

    def __init__(self, places: Sequence[str], *, cassette: str) -> None:
        self.places = list(places)
        self.cassette = cassette
        super().__init__(
            f"{cassette} was not written: the exchange holds what looks like a credential at "
            + ", ".join(self.places[:_SHOWN_DIFFERENCES])
            + ". Take it out of the request (or of what the server answers) and record again."
        )


class RecordingEnded(httpx.ReadError):
    """The recording stops here because the recorded caller left; there is no more to replay."""

    reason: ClassVar[str] = "RECORDING_ENDED"
