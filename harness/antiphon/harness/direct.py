"""Answers from recordings without httpx's objects, for a client that knows this way.

Most replayed calls are plain: nothing changes the answer, it is whole, and no delay is to be played. Such a call needs
none of what the general way is made for, which costs it more than its lookup. Where anything is otherwise, nothing
happens here, and the general way does what it always does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol, cast, runtime_checkable

from antiphon.harness.claims import Repeated
from antiphon.harness.interaction import Answer, Interaction, RecordedRequest
from antiphon.harness.modes import Outcome, RecordingCall
from antiphon.harness.playback import of_recording
from antiphon.harness.replay import YIELD_BYTES, YIELD_EVERY
from antiphon.harness.store import CassetteStore, Recording


@runtime_checkable
class StepsAside(Protocol):
    """What a source or a shaper has that can tell beforehand when it does nothing; any other may always do something.

    One that is both is asked once.
    """

    def idle(self, call: RecordingCall, /) -> bool:
        """Whether it would leave every request with these settings as it is."""

    def passed(self, call: RecordingCall, /) -> None:
        """One such request was answered without asking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """What every direct answer from a recording has. `cuts` are the places of its chunks; None is another's turn."""

    recording: Recording
    status: int
    headers: Mapping[str, str]
    said: Mapping[str, Any]
    body: bytes
    cuts: tuple[slice | None, ...]
    delays: bool


class Direct(Protocol):
    """An answer on its way. `said` is what an httpx response has in `extensions["antiphon"]`.

    `headers` have names in lower case and are the same for all answers from one recording. Once `ready` has given all,
    it has set `ended`.
    """

    status: int
    headers: Mapping[str, str]
    said: Mapping[str, Any]
    ended: bool

    def ready(self) -> bytes:
        """Return the next chunk; empty at the end, and where it is another task's turn."""

    async def more(self) -> None:
        """Give other tasks their turn."""

    def close(self) -> None:
        """Leave the answer where it stands."""


class DirectReply:
    """A recorded answer on its way: each chunk as it was recorded."""

    __slots__ = ("_body", "_cuts", "ended", "headers", "said", "status")

    def __init__(self, plain: Plain) -> None:
        self.status = plain.status
        self.headers = plain.headers
        self.said = plain.said
        self._body = plain.body
        self._cuts: Iterator[slice | None] = iter(plain.cuts)
        self.ended = False

    def ready(self) -> bytes:
        """Return the next chunk; empty at the end, and where it is another task's turn."""
        for cut in self._cuts:
            return b"" if cut is None else self._body[cut]
        self.ended = True
        return b""

    async def more(self) -> None:
        """Give other tasks their turn."""
        await asyncio.sleep(0)

    def close(self) -> None:
        """Leave the answer where it stands."""


Exact = tuple[str, str, str, bytes]
"""Session, method, URL and body."""
MOST_STANDING: Final = 256
MOST_BYTES: Final = 64 * 1024
"""Of a body that is kept for a standing answer."""


class DirectAnswers:
    """Answers the plain calls of a transport with these sources and shapers.

    What a session hears again and again is found by the request's bytes alone: a standing answer, which holds until
    the session or the folder changes.
    """

    def __init__(self, store: CassetteStore, asked: Iterable[object]) -> None:
        self._standing: dict[Exact, tuple[Repeated, Plain]] = {}
        self._store = store
        others = tuple({id(each): each for each in asked}.values())
        self._others = tuple(each for each in others if isinstance(each, StepsAside))
        self._never = len(self._others) < len(others)

    def answer(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, call: RecordingCall, *, repeat: bool
    ) -> DirectReply | None:
        """Return the next recording of a session; None where only the general way can tell. Never waits."""
        store = self._store
        session = call.session or ""
        if self._never or not store.loaded:
            return None
        for other in self._others:
            if not other.idle(call):
                return None
        exact = (session, method, url, body)
        standing = self._standing.get(exact) if repeat and call.cassette is None else None
        if standing is not None:
            repeated, plain = standing
            if plain.delays and call.pace != 0:
                return None
            if store.hear_again(repeated):
                for other in self._others:
                    other.passed(call)
                return DirectReply(plain)
            self._standing.pop(exact, None)
        asked = RecordedRequest.said(method, url, headers, body)
        found: list[Plain] = []

        def plainly(recording: Recording) -> bool:
            interaction = store.held(recording)
            plain = None if interaction is None else _plain(recording, interaction)
            if plain is None or (plain.delays and call.pace != 0):
                return False
            found.append(plain)
            return True

        claim = store.claim(asked, session=session, cassette_name=call.cassette, repeat=repeat, only=plainly)
        if claim is None or claim.used_up:
            return None
        for other in self._others:
            other.passed(call)
        if claim.repeated is not None and call.cassette is None:
            self._stands(exact, claim.repeated, found[0])
        return DirectReply(found[0])

    def _stands(self, exact: Exact, repeated: Repeated, plain: Plain) -> None:
        if len(exact[3]) > MOST_BYTES or len(plain.body) > MOST_BYTES:
            return
        if len(self._standing) >= MOST_STANDING:
            self._standing.clear()
        self._standing[exact] = (repeated, plain)


def _plain(recording: Recording, interaction: Interaction) -> Plain | None:
    """Return what a recording answers with, worked out once; None where its answer is not plain."""
    answer = interaction.answer
    try:
        known = cast("Plain | None", answer._direct)
    except AttributeError:
        known = _worked_out(recording, interaction)
        object.__setattr__(answer, "_direct", known)
    return known if known is None or known.recording is recording else _worked_out(recording, interaction)


def _worked_out(recording: Recording, interaction: Interaction) -> Plain | None:
    answer = interaction.answer
    if answer.outcome is not Outcome.COMPLETE or not answer.answered:
        return None
    headers = dict(answer.head.items())
    if headers.get("content-encoding", "identity") != "identity":
        return None
    return Plain(
        recording=recording,
        status=answer.status,
        headers=MappingProxyType(headers),
        said=MappingProxyType(dict(of_recording(recording, interaction).said)),
        body=answer.body,
        cuts=tuple(_cuts(answer)),
        delays=answer.headers_ms > 0 or any(delay > 0 for delay, _ in answer.chunks or ()),
    )


def _cuts(answer: Answer) -> Iterator[slice | None]:
    """Yield what `replay.PacedStream` does of an answer without pace."""
    start, turn = 0, YIELD_BYTES
    for number, (_, length) in enumerate(answer.chunks if answer.chunks is not None else ((0.0, len(answer.body)),)):
        if start >= turn or number % YIELD_EVERY == YIELD_EVERY - 1:
            turn = start + YIELD_BYTES
            yield None
        if length:
            yield slice(start, start + length)
            start += length
