"""What is about to be played, and the two seams around it: sources that answer, shapers that change an answer.

A recording, a mock and a fault all end as one `Answer` with chunks, delays and an outcome. So a mock is a source
of answers, a fault or another chunking is a function from answer to answer, and one player plays them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from antiphon.harness.interaction import Answer, Interaction, RecordedRequest
from antiphon.harness.modes import RecordingCall
from antiphon.harness.store import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """An answer, its place as a person reads it, and what `response.extensions["antiphon"]` says of it.

    `pace` is there where the delays are to be played at it whatever the call's own pace is: a fault's silence is real.
    """

    answer: Answer
    place: str
    said: Mapping[str, Any]
    pace: float | None = None


class AnswerSource(Protocol):
    """Answers a request before the cassettes are asked, such as a mock."""

    async def answer(self, asked: RecordedRequest, call: RecordingCall, /) -> Playback | None:
        """Return the answer to play, or None to leave the request to the next source."""
        ...


class Shaper(Protocol):
    """Changes what is about to be played, such as a fault or another chunking."""

    def shape(self, playback: Playback, asked: RecordedRequest, call: RecordingCall, /) -> Playback:
        """Return what is played instead, or the playback as it is."""
        ...


def of_recording(recording: Recording, interaction: Interaction | None = None) -> Playback:
    """Return a recording as what is about to be played; without its interaction this may block on the disk."""
    answer = (interaction or recording.interaction).answer
    return Playback(
        answer=answer,
        place=recording.label,
        said={
            "replayed": True,
            "cassette": recording.cassette,
            "position": recording.position,
            "outcome": answer.outcome.value,
            "origin": answer.provenance.origin if answer.provenance is not None else "recorded",
        },
    )
