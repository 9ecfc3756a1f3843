"""JSON lines."""

from __future__ import annotations

import pytest

from antiphon.wire.ndjson import LineParser


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_lines_are_the_same_however_they_end_and_are_cut(ending: bytes, size: int) -> None:
    data = ending.join([b'{"a":"\xe2\x80\xa8"}', b"", b"  ", b"{}", b"[]"])
    parser = LineParser()
    lines = [line for i in range(0, len(data), size) for line in parser.feed(data[i : i + size])]
    assert lines == [b'{"a":"\xe2\x80\xa8"}', b"{}"]
    assert parser.close() == [b"[]"]
    assert parser.close() == []


def test_a_line_without_end_is_bounded() -> None:
    parser = LineParser(max_line_bytes=10)
    parser.feed(b"x" * 10)
    with pytest.raises(ValueError, match="larger than 10 bytes"):
        parser.feed(b"x")
