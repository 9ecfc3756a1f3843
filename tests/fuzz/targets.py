"""What every input must keep to, as functions of bytes: for hypothesis, for atheris, and for inputs once found.

A target returns for input that is read or refused as documented, and raises for anything else: another
exception, or an answer that depends on where the input was cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from antiphon.harness import cassette
from antiphon.harness.errors import CassetteUnreadable
from antiphon.harness.importing import exchanges
from antiphon.wire.eventstream import BrokenFrames, Frame, FrameParser
from antiphon.wire.sse import BOM, SseEvent, SseParser


def loader(data: bytes) -> None:
    """A cassette is read, and then written and read back as itself, or refused with its place."""
    try:
        document = cassette.parse(data, file="fuzz.yaml")
    except CassetteUnreadable as error:
        assert str(error).startswith("cassette fuzz.yaml")  # noqa: PT017 - any other exception is the failure
        return
    again = cassette.parse(cassette.render(document, file="fuzz.yaml"), file="fuzz.yaml")
    assert again.interactions == document.interactions


def importer(data: bytes) -> None:
    """A foreign cassette is read, and can be written as ours, or refused with its place."""
    try:
        found = exchanges(data, file="fuzz.yaml")
    except CassetteUnreadable as error:
        assert str(error).startswith("cassette fuzz.yaml")  # noqa: PT017 - any other exception is the failure
        return
    content = cassette.render(cassette.document_of(found), file="fuzz.yaml")
    assert [i.answer.body for i in cassette.parse(content, file="fuzz.yaml").interactions] == [
        i.answer.body for i in found
    ]


def sse(data: bytes) -> None:
    """Events are those of the plain reading of the standard, wherever the bytes are cut. Byte 0 says where."""
    step, body = (data[0] % 7 + 1 if data else 1), data[1:]
    wanted = _plain_events(body)
    assert _events(body, len(body) or 1) == wanted
    assert _events(body, step) == wanted


def bounded_sse(data: bytes) -> None:
    """A parser with a limit reads or refuses, and never holds more than the limit and one chunk."""
    parser = SseParser(max_event_bytes=_LIMIT)
    for start in range(0, len(data), _STEP):
        try:
            parser.feed(data[start : start + _STEP])
        except ValueError:
            return
        assert len(parser._line) + sum(map(len, parser._data)) <= _LIMIT
    parser.close()


def eventstream(data: bytes) -> None:
    """Frames, and the first fault, are the same wherever the bytes are cut."""
    step, body = (data[0] % 7 + 1 if data else 1), data[1:]
    whole = _frames(body, len(body) or 1)
    assert _frames(body, step) == whole
    assert all(frame.payload in body for frame in whole[0])


def _events(body: bytes, step: int) -> list[SseEvent]:
    parser = SseParser()
    events = [event for at in range(0, len(body), step) for event in parser.feed(body[at : at + step])]
    return [*events, *parser.close()]


def _plain_events(body: bytes) -> list[SseEvent]:
    """Read a whole stream line by line (WHATWG HTML, 9.2.6), keeping comments, as the parser does."""
    events: list[SseEvent] = []
    data: list[bytes] = []
    name = identifier = ""
    for line in [*re.split(rb"\r\n|\r|\n", body.removeprefix(BOM)), b""]:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if data:
                events.append(SseEvent(data=b"\n".join(data), event=name, id=identifier))
            data, name = [], ""
        elif not field:
            events.append(SseEvent(comment=value))
        elif field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
        elif field == b"id":
            identifier = value.decode("utf-8", "replace")
    return events


def _frames(body: bytes, step: int) -> tuple[list[Frame], bool]:
    parser = FrameParser(max_frame_bytes=_LIMIT)
    frames: list[Frame] = []
    for at in range(0, len(body), step):
        try:
            frames += parser.feed(body[at : at + step])
        except BrokenFrames as error:
            return [*frames, *error.frames], True
        except ValueError:
            return frames, True
    return frames, False


_LIMIT: Final = 4096
_STEP: Final = 61
TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "loader": loader,
    "importer": importer,
    "sse": sse,
    "bounded_sse": bounded_sse,
    "eventstream": eventstream,
}
"""By name; `found/<name>/` holds the inputs that a target once failed on."""
