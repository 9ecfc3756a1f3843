"""Header blocks, with what is remembered of them, against another codec."""

from __future__ import annotations

from typing import Any

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.core.http2.answers import literal
from antiphon.core.http2.blocks import Blocks
from antiphon.core.http2.frames import ProtocolError
from antiphon.core.http2.heads import Heads
from tests.core.http2.parts import request

NAMES = st.sampled_from([b":path", b"x-a", b"x-b", b"user-agent", b"grpc-timeout", b"accept-encoding"])
FIELDS = st.lists(
    st.tuples(NAMES, st.binary(max_size=200) | st.sampled_from([b"", b"1", b"gzip, deflate"])), max_size=8
)
STEPS = st.lists(st.tuples(FIELDS, st.none() | st.integers(0, 4096), st.booleans()), max_size=12)


@given(STEPS)
def test_blocks_mean_what_another_codec_says_whatever_came_before(
    steps: list[tuple[list[tuple[bytes, bytes]], int | None, bool]],
) -> None:
    encoder = hpack.Encoder()
    blocks = Blocks()
    for fields, size, huffman in steps:
        if size is not None:
            encoder.header_table_size = size
        sent: Any = fields
        for _ in range(2):  # the second time mostly as references
            assert list(blocks.read(encoder.encode(sent, huffman=huffman))) == fields


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_rubbish_is_refused_or_read_and_nothing_else(pieces: list[bytes]) -> None:
    heads = Heads()
    for piece in pieces:
        try:
            heads.skip(piece)
        except ProtocolError:
            return


def test_the_same_bytes_are_read_anew_after_the_table_changed() -> None:
    encoder = hpack.Encoder()
    heads = Heads()
    first = encoder.encode(request("Echo"))
    again = encoder.encode(request("Echo"))
    assert first != again
    assert heads.read(first).path == heads.read(again).path
    assert heads.read(again) is heads.read(again)
    kept = heads.read(again)
    heads.skip(encoder.encode([("x-new", "1")]))  # every reference now means another entry
    later = encoder.encode(request("Echo"))
    assert later != again
    assert heads.read(later).path == kept.path
    assert heads.read(later) is not kept


@pytest.mark.parametrize("size", [0, 126, 127, 128, 254, 255, 16_000, 70_000])
def test_a_literal_of_any_length_is_read_by_others(size: int) -> None:
    value = b"v" * size
    assert hpack.Decoder(200_000).decode(literal(b"x-name", value), raw=True) == [(b"x-name", value)]


def test_what_changes_no_table_is_remembered_as_a_whole() -> None:
    heads = Heads()
    block = b"".join(literal(name.encode(), value.encode()) for name, value in request("Echo", ("x-trace", "abc")))
    assert heads.read(block) is heads.read(bytes(bytearray(block)))
