"""What the harness refuses, as errors that a caller can tell apart without importing this package.

All of them are `httpx.TransportError`, so code that talks HTTP treats them like any failed call; each
class has a stable `reason` word, because the provider adapter knows the harness only as a transport.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import httpx

_SHOWN_DIFFERENCES = 8


class HarnessError(httpx.TransportError):
    """Base of everything the harness raises by itself; `reason` is the word to match on."""

    reason: ClassVar[str] = "HARNESS_ERROR"

    @property
    def details(self) -> Mapping[str, str]:
        """The facts for programs, as short texts: what an ErrorInfo's metadata can carry."""
        return {}


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

    @property
    def used_up(self) -> bool:
        """Whether there are recordings of this request, all of them heard in this session."""
        return False

    @property
    def details(self) -> Mapping[str, str]:
        """What was asked, the nearest recording and each difference, numbered from 1."""
        numbered = {f"difference_{n}": line for n, line in enumerate(self.differences[:_SHOWN_DIFFERENCES], 1)}
        return {"asked": self.asked, "nearest": self.nearest, **numbered}

    def _message(self) -> str:
        lines = [f"no recording answers {self.asked} in {self.folder}, and replay never calls the provider."]
        if self.nearest:
            shown = self.differences[:_SHOWN_DIFFERENCES]
            lines.append(f"Nearest: {self.nearest}; request != recording: {'; '.join(shown)}.")
        else:
            lines.append("The folder holds no recording to compare it with.")
        lines.append("To record it, repeat the call in mode 'record-on-miss' with a provider key.")
        return " ".join(lines)


class RecordingUsedUp(RecordingMissing):
    """All recordings of this request were heard in this session; `nearest` names the last of them."""

    reason = "RECORDING_USED_UP"

    @property
    def used_up(self) -> bool:
        """True."""
        return True

    @property
    def details(self) -> Mapping[str, str]:
        """What was asked, and the last recording of it."""
        return {"asked": self.asked, "nearest": self.nearest, "used_up": "true"}

    def _message(self) -> str:
        return (
            f"the recordings of {self.asked} in {self.folder} are used up in this session; the last was "
            f"{self.nearest}, and replay never calls the provider. To hear the last one again, ask with repeat "
            "(x-antiphon-repeat: true); to begin again, use another session."
        )


class SessionIncomplete(HarnessError):  # noqa: N818 - named for the fact, as httpx.ReadTimeout is
    """A session left recordings over, or asked for what has none, and was told to fail on that."""

    reason = "SESSION_INCOMPLETE"

    def __init__(self, session: str, complaints: Sequence[str]) -> None:
        self.session = session
        self.complaints = list(complaints)
        name = f"session {session!r}" if session else "the session without a name"
        super().__init__(f"{name}: {'. '.join(self.complaints)}.")


class CassetteUnreadable(HarnessError):  # noqa: N818 - named for the fact, as httpx.ReadTimeout is
    """A cassette file can't be used; the message names the file, the place and what to do."""

    reason = "CASSETTE_UNREADABLE"

    def __init__(self, file: str, problem: str, *, line: int | None = None) -> None:
        self.file = file
        self.problem = problem
        self.line = line
        place = f"{file}, line {line}" if line is not None else file
        super().__init__(f"cassette {place}: {problem}. Mend the file, or delete it and record it again.")


class RulesUnreadable(CassetteUnreadable):
    """The folder's matching rules can't be used; without them no lookup would be right."""

    def __init__(self, file: str, problem: str) -> None:
        self.file = file
        self.problem = problem
        self.line = None
        HarnessError.__init__(self, f"matching rules {file}: {problem}. Mend the file, or delete it to use none.")


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
            + (_HARMLESS if any("looks random" in place for place in self.places) else "")
        )


_HARMLESS = (
    " Where what looks random is no secret, list its 16 digits in the file .antiphon-accepted of the cassette folder."
)


class RecordingEnded(httpx.ReadError):
    """The recording stops here because the recorded caller left; there is no more to replay."""

    reason: ClassVar[str] = "RECORDING_ENDED"
