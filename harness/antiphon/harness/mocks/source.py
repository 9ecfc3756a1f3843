"""Mocks as a source of answers: asked before the recordings, first come, first served."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, TypeAlias

from antiphon.harness.errors import BadRecordingCall, HarnessError
from antiphon.harness.interaction import Answer, RecordedRequest
from antiphon.harness.modes import RecordingCall
from antiphon.harness.playback import Playback
from antiphon.harness.requestfilter import RequestFilter

MAX_MOCKS: Final = 10_000

Handler: TypeAlias = Callable[[RecordedRequest, RecordingCall], "Answer | Awaitable[Answer | None] | None"]
"""Answers a request, at once or later; None leaves it to the next mock, and then to the recordings."""


class MockFailed(HarnessError):  # noqa: N818 - named for the fact, as httpx.ReadTimeout is
    """The handler of a mock raised an error."""

    reason = "MOCK_FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mock:
    """One mock. `session` None is for every session; `times` None is for ever; `kind` says in a word what it gives."""

    id: str
    match: RequestFilter
    make: Handler
    session: str | None = None
    times: int | None = None
    name: str = ""
    kind: str = "handler"
    source: Any = None
    """What it was made from, for those who list mocks in terms of their own."""


class Mocks:
    """The mocks of one transport.

    They are asked in the order in which they were added; one that has answered its `times` is passed over. So two
    mocks for the same request, the first with `times=1`, make a sequence.
    """

    def __init__(self) -> None:
        self._mocks: dict[str, Mock] = {}
        self._used: dict[str, int] = {}
        self._numbers = count(1)

    def __iter__(self) -> Iterator[Mock]:
        return iter(tuple(self._mocks.values()))

    def __len__(self) -> int:
        return len(self._mocks)

    def add(
        self,
        answer: Answer | Handler,
        match: RequestFilter | None = None,
        *,
        session: str | None = None,
        times: int | None = None,
        name: str = "",
        kind: str = "",
        source: Any = None,
    ) -> Mock:
        """Answer the requests that fit from now on, with this answer or by asking this function. Raises
        BadRecordingCall where there are too many."""
        if len(self._mocks) >= MAX_MOCKS:
            raise BadRecordingCall(f"there are {MAX_MOCKS} mocks already; remove some, or reset their sessions")
        if times is not None and times < 1:
            raise BadRecordingCall(f"a mock that answers {times} times never does; give 1 or more")
        mock = Mock(
            id=f"mock-{next(self._numbers)}",
            match=match or RequestFilter(),
            make=_giving(answer) if isinstance(answer, Answer) else answer,
            session=session,
            times=times,
            name=name,
            kind=kind or ("answer" if isinstance(answer, Answer) else "handler"),
            source=source,
        )
        self._mocks[mock.id] = mock
        self._used[mock.id] = 0
        return mock

    def used(self, mock: Mock) -> int:
        """How often it has answered."""
        return self._used.get(mock.id, 0)

    def get(self, identifier: str) -> Mock | None:
        """The mock of that identifier."""
        return self._mocks.get(identifier)

    def remove(self, identifier: str) -> bool:
        """Take a mock away; whether it was there."""
        self._used.pop(identifier, None)
        return self._mocks.pop(identifier, None) is not None

    def forget(self, session: str) -> None:
        """Take away the mocks of a session; those of every session stay."""
        for mock in self:
            if mock.session == session:
                self.remove(mock.id)

    def idle(self, call: RecordingCall, /) -> bool:
        """Whether no mock is there for the session."""
        session = call.session or ""
        return not self._mocks or all(mock.session not in (None, session) for mock in self)

    def passed(self, call: RecordingCall, /) -> None:
        """Only what a mock answers is counted."""

    async def answer(self, asked: RecordedRequest, call: RecordingCall, /) -> Playback | None:
        """The answer of the first mock that fits and has one."""
        session = call.session or ""
        for mock in self:
            if mock.session not in (None, session):
                continue
            if not mock.match.fits(asked, session=session, provider=call.provider or ""):
                continue
            if mock.times is not None and self._used.get(mock.id, 0) >= mock.times:
                continue
            # Counted before the handler is awaited: another request may come while it works.
            self._used[mock.id] = self._used.get(mock.id, 0) + 1
            answer = await _made(mock, asked, call)
            if answer is not None:
                return _playback(mock, answer)
            if mock.id in self._used:
                self._used[mock.id] -= 1
        return None


async def _made(mock: Mock, asked: RecordedRequest, call: RecordingCall) -> Answer | None:
    try:
        made = mock.make(asked, call)
        if inspect.isawaitable(made):
            return await made
    except HarnessError:
        raise
    except Exception as error:  # whatever a user's function raises, its caller is told where it came from
        raise MockFailed(f"the mock {mock.name or mock.id} failed: {type(error).__name__}: {error}") from error
    return made


def _giving(answer: Answer) -> Handler:
    return lambda asked, call: answer


def _playback(mock: Mock, answer: Answer) -> Playback:
    label = f"mock {mock.name or mock.id}"
    said = {
        "replayed": True,
        "cassette": "",
        "position": 0,
        "outcome": answer.outcome.value,
        "origin": "mock",
        "synthetic": label,
    }
    return Playback(answer=answer, place=label, said=said)
