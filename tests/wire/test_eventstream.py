"""Amazon's binary event stream, against Amazon's own reader and against damage."""

from __future__ import annotations

import uuid

import botocore.eventstream
import pytest

from antiphon.wire.eventstream import (
    BrokenFrames,
    Frame,
    FrameParser,
    Header,
    HeaderType,
    encode_frame,
    event_frame,
)

HEADERS = {
    ":true": Header(HeaderType.TRUE, True),
    ":false": Header(HeaderType.FALSE, False),
    "byte": Header(HeaderType.BYTE, -128),
    "short": Header(HeaderType.SHORT, -32768),
    "integer": Header(HeaderType.INTEGER, 2**31 - 1),
    "long": Header(HeaderType.LONG, -(2**63)),
    "bytes": Header(HeaderType.BYTES, b"\x00\xff"),
    "string": Header(HeaderType.STRING, "é🙂"),
    "timestamp": Header(HeaderType.TIMESTAMP, 1700000000123),
    "uuid": Header(HeaderType.UUID, uuid.UUID("01234567-89ab-cdef-0123-456789abcdef")),
}
FRAME = Frame(headers=HEADERS, payload=b'{"a":1}')


def test_every_type_of_header_is_read_as_it_was_written() -> None:
    assert FrameParser().feed(encode_frame(FRAME)) == [FRAME]


def test_amazons_own_reader_reads_what_is_written() -> None:
    buffer = botocore.eventstream.EventStreamBuffer()
    buffer.add_data(encode_frame(FRAME))
    message = next(iter(buffer))
    assert message.payload == FRAME.payload
    assert message.headers == {
        name: header.value.bytes if isinstance(header.value, uuid.UUID) else header.value
        for name, header in HEADERS.items()
    }


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 64, 10_000])
def test_messages_are_the_same_however_they_are_cut(size: int) -> None:
    data = encode_frame(FRAME) + event_frame("x", b"{}") + encode_frame(Frame())
    parser = FrameParser()
    frames = [frame for i in range(0, len(data), size) for frame in parser.feed(data[i : i + size])]
    assert [frame.payload for frame in frames] == [b'{"a":1}', b"{}", b""]
    assert frames[1].text(":event-type") == "x"
    assert not parser.unfinished


def test_every_damaged_bit_is_noticed() -> None:
    data = encode_frame(FRAME)
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        parser = FrameParser()
        with pytest.raises(ValueError, match="checksum"):
            parser.feed(bytes(damaged))


def test_what_came_whole_before_the_damage_is_kept() -> None:
    damaged = bytearray(encode_frame(FRAME) + encode_frame(FRAME))
    damaged[-1] ^= 1
    with pytest.raises(BrokenFrames) as caught:
        FrameParser().feed(bytes(damaged))
    assert caught.value.frames == [FRAME]


def test_a_message_that_is_too_large_is_refused_before_it_comes() -> None:
    data = encode_frame(Frame(payload=b"x" * 5000))
    with pytest.raises(ValueError, match="larger than 1000 bytes"):
        FrameParser(max_frame_bytes=1000).feed(data[:12])


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("", Header(HeaderType.TRUE, True)),
        ("x" * 256, Header(HeaderType.TRUE, True)),
        ("x", Header(HeaderType.BYTE, 128)),
        ("x", Header(HeaderType.STRING, "x" * 65536)),
        ("x", Header(HeaderType.BYTES, 5)),
    ],
)
def test_a_header_that_does_not_fit_is_refused(name: str, header: Header) -> None:
    with pytest.raises(ValueError, match=r"header|bytes"):
        encode_frame(Frame(headers={name: header}))
