"""Every fault there is, as data: its name, its settings, and the function that makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from antiphon.harness.errors import BadRecordingCall
from antiphon.harness.faults import instead, over
from antiphon.harness.faults.dialect import phrase
from antiphon.harness.faults.settings import Setting, number, plain, read_all, whole
from antiphon.harness.faults.words import Asked, Request, read
from antiphon.harness.interaction import Answer, RecordedRequest

Instead = Callable[[dict[str, Any], RecordedRequest], Answer]
Over = Callable[[dict[str, Any], Answer, RecordedRequest], Answer]

STATUSES: Final = (400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529)
"""The statuses of the matrix; every other from 400 to 599 can be asked for too."""
LONGEST: Final = 3600.0
"""Seconds of the longest silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of fault: `instead` makes an answer, `over` changes one. `real_time`: its silences are seconds,
    whatever the pace of the call."""

    name: str
    summary: str
    settings: tuple[Setting, ...] = ()
    instead: Instead | None = None
    over: Over | None = None
    real_time: bool = False
    streams_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What was asked for, read and ready: the faults in their order, each with the values of its settings."""

    request: Request
    steps: tuple[tuple[Kind, dict[str, Any]], ...]

    @property
    def text(self) -> str:
        """What was asked for, as it was said."""
        return self.request.text

    @property
    def replaces(self) -> bool:
        """Whether it needs no answer to change."""
        return self.steps[0][0].instead is not None

    @property
    def real_time(self) -> bool:
        """Whether its silences are seconds, whatever the pace of the call."""
        return any(kind.real_time for kind, _ in self.steps)

    def answer(self, asked: RecordedRequest) -> Answer:
        """The answer in place of any other."""
        kind, settings = self.steps[0]
        if kind.instead is None:
            raise BadRecordingCall(f"the fault {kind.name!r} changes an answer and makes none")
        return self._changed(kind.instead(settings, asked), asked, self.steps[1:])

    def changed(self, answer: Answer, asked: RecordedRequest) -> Answer:
        """The answer with what happens to it. Raises FaultNotApplicable."""
        return self._changed(answer, asked, self.steps)

    def _changed(
        self, answer: Answer, asked: RecordedRequest, steps: tuple[tuple[Kind, dict[str, Any]], ...]
    ) -> Answer:
        for kind, settings in steps:
            if kind.over is not None:
                answer = kind.over(settings, answer, asked)
        return answer


def fault_of(text: str) -> Fault:
    """The fault that a text asks for. Raises BadRecordingCall, which says what there is."""
    request = read(text)
    steps = tuple(
        (kind, read_all(each.name, kind.settings, each.settings)) for each in request.faults for kind in (_kind(each),)
    )
    if any(kind.instead is not None for kind, _ in steps[1:]):
        raise BadRecordingCall(f"the fault {text!r}: what takes the place of the answer has to come first")
    return Fault(request=request, steps=steps)


def _kind(asked: Asked) -> Kind:
    kind = KINDS.get(asked.name)
    if kind is None and asked.name.isdecimal() and len(asked.name) == 3 and asked.name[0] in "45":
        kind = _status(int(asked.name))
    if kind is None:
        raise BadRecordingCall(f"there is no fault {asked.name!r}; there are: {', '.join(KINDS)}")
    return kind


def _status(status: int) -> Kind:
    return Kind(
        name=str(status),
        summary=f"{status} {phrase(status)} in the provider's own words",
        settings=(_RETRY_AFTER, _MESSAGE),
        instead=partial(instead.status, status),
    )


_RETRY_AFTER: Final = Setting(
    name="retry-after", read=number(0, 86400), default=None, meaning="seconds that the header Retry-After says"
)
_MESSAGE: Final = Setting(name="message", read=plain, default="", meaning="the text of the error")
_EVENT: Final = Setting(
    name="event", read=whole(0, 1_000_000), default=None, meaning="so many events arrive before it happens"
)
_WHICH: Final = Setting(
    name="event", read=whole(1, 1_000_000), default=None, meaning="the event it happens to; the last without"
)
_BYTE: Final = Setting(
    name="byte", read=whole(0, 1 << 40), default=None, meaning="so many bytes arrive before it happens"
)
_SECONDS: Final = Setting(name="seconds", read=number(0, LONGEST), default=60.0, meaning="how long, in real time")

_ROWS: Final = (
    *(_status(status) for status in STATUSES),
    Kind(name="refused", summary="no connection is made", instead=instead.refused),
    Kind(
        name="timeout",
        summary="silence, then the end of the connection, without an answer",
        settings=(_SECONDS,),
        instead=instead.timeout,
        real_time=True,
    ),
    Kind(
        name="reset",
        summary="the connection is reset, before or in the answer",
        settings=(_EVENT, _BYTE),
        over=over.reset,
    ),
    Kind(name="cut", summary="the connection ends before the body does", settings=(_EVENT, _BYTE), over=over.cut),
    Kind(
        name="stall",
        summary="silence before or in the answer, then it goes on",
        settings=(_EVENT, _BYTE, _SECONDS),
        over=over.stall,
        real_time=True,
    ),
    Kind(
        name="slow",
        summary="the body trickles",
        settings=(Setting(name="rate", read=whole(1, 1 << 30), default=100, meaning="bytes a second"),),
        over=over.slow,
        real_time=True,
    ),
    Kind(
        name="error-event",
        summary="an error inside a stream that began with 200",
        settings=(
            Setting(name="event", read=whole(0, 1_000_000), default=1, meaning=_EVENT.meaning),
            Setting(name="status", read=whole(400, 599), default=500, meaning="the status that it stands for"),
            _MESSAGE,
        ),
        over=over.error_event,
        streams_only=True,
    ),
    Kind(name="malformed-json", summary="JSON that stops in its middle", settings=(_WHICH,), over=over.malformed_json),
    Kind(name="invalid-utf8", summary="bytes that are no text", settings=(_WHICH,), over=over.invalid_utf8),
    Kind(
        name="missing-done",
        summary="a stream without the event that ends it",
        over=over.missing_done,
        streams_only=True,
    ),
    Kind(
        name="duplicated-finish",
        summary="the reason of the end comes twice",
        over=over.duplicated_finish,
        streams_only=True,
    ),
    Kind(
        name="truncated-arguments",
        summary="arguments of a tool call that stop in their middle",
        over=over.truncated_arguments,
    ),
    Kind(
        name="wrong-content-type",
        summary="a header that lies about the body",
        settings=(
            Setting(name="type", read=plain, default="text/html; charset=utf-8", meaning="what the header says"),
        ),
        over=over.wrong_content_type,
    ),
    Kind(
        name="oversized",
        summary="a body with megabytes that mean nothing",
        settings=(Setting(name="bytes", read=whole(1, 256 << 20), default=65 << 20, meaning="how many more"),),
        over=over.oversized,
    ),
    Kind(name="bad-gzip", summary="a body that its content-encoding cannot unpack", over=over.bad_gzip),
)

KINDS: Final[Mapping[str, Kind]] = {row.name: row for row in _ROWS}
"""Every kind by its name."""
