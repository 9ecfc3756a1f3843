"""Header blocks (HPACK, RFC 7541): the tables and codes of the `hpack` library under a loop of our own.

On a warm connection a client's block is a handful of one-byte references into tables that both sides share, beside
values that it sends as they are, and often the whole block is the same again and again. `changes` tells the caller
when the same bytes may mean something else, so that it may remember what a block meant until then.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from hpack.exceptions import HPACKError
from hpack.hpack import decode_integer
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from antiphon.core.http2.frames import ErrorCode, ProtocolError
from antiphon.core.http2.limits import HEADER_LIST_MOST

Fields: TypeAlias = tuple[tuple[bytes, bytes], ...]

_REFERENCES: Final = re.compile(rb"[\x81-\xfe]*")
"""Fields that are one byte each: they name an entry of a table and change none (section 6.1)."""
_ONE_BYTE: Final = 0x7F
"""Lengths below are one byte, of a text that is not Huffman-coded (section 5.2)."""
_REMEMBERED: Final = 64
"""Different runs of references that are remembered for a connection, and the fields of each at most."""
_MOST_FIELDS: Final = HEADER_LIST_MOST // 32
"""A field counts as its text and 32 bytes more."""


class Blocks:
    """The header blocks of one connection, which have to be read in the order in which they came.

    `changes` grows with every block that changed the table: after it no bytes mean for certain what they did before.
    """

    def __init__(self) -> None:
        self._table = HeaderTable()
        self._most = self._table.maxsize
        self._runs: dict[bytes, Fields] = {}
        self.changes = 0

    def read(self, block: bytes) -> Fields:
        """The fields of a block. Raises ProtocolError: after a block that cannot be read none can."""
        try:
            fields = self._read(block)
        except (HPACKError, IndexError) as error:
            raise ProtocolError(ErrorCode.COMPRESSION_ERROR, f"a header block cannot be read: {error}") from error
        if sum([len(name) + len(value) + 32 for name, value in fields]) > HEADER_LIST_MOST:
            raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "a header list is far too long")
        return tuple(fields)

    def _read(self, block: bytes) -> list[tuple[bytes, bytes]]:
        fields: list[tuple[bytes, bytes]] = []
        size = len(block)
        at = 0
        while at < size:
            first = block[at]
            if 0x80 < first < 0xFF:
                run = _REFERENCES.match(block, at)
                assert run is not None  # noqa: S101 - told to mypy: it matches at least this byte
                fields.extend(self._run(run[0]))
                at = run.end()
            elif first >= 0x80:
                index, used = decode_integer(block[at : at + 16], 7)
                fields.append(self._table.get_by_index(index))
                at += used
            elif first & 0xE0 == 0x20:
                if fields:
                    raise HPACKError("a change of the table's size comes after a field")
                at = self._resize(block, at)
            else:
                at = self._literal(block, at, fields)
            if len(fields) > _MOST_FIELDS:
                raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "a header list is far too long")
        return fields

    def _run(self, references: bytes) -> Fields:
        known = self._runs.get(references)
        if known is None:
            known = tuple([self._table.get_by_index(byte & 0x7F) for byte in references[: _MOST_FIELDS + 1]])
            if len(self._runs) >= _REMEMBERED:
                self._runs.clear()
            if len(known) <= _REMEMBERED:
                self._runs[references] = known
        return known

    def _resize(self, block: bytes, at: int) -> int:
        most, used = decode_integer(block[at : at + 16], 5)
        if most > self._most:
            raise HPACKError(f"the table may not grow to {most}")
        self._table.maxsize = most
        self._changed()
        return at + used

    def _literal(self, block: bytes, at: int, fields: list[tuple[bytes, bytes]]) -> int:
        """A field that is not wholly in a table (section 6.2); where it ends."""
        kept = block[at] & 0x40
        index, used = decode_integer(block[at : at + 16], 6 if kept else 4)
        at += used
        if index:
            name = self._table.get_by_index(index)[0]
        else:
            name, at = _text(block, at)
        value, at = _text(block, at)
        fields.append((name, value))
        if kept:
            self._table.add(name, value)
            self._changed()
        return at

    def _changed(self) -> None:
        self._runs.clear()
        self.changes += 1


def _text(block: bytes, at: int) -> tuple[bytes, int]:
    """A text (section 5.2), and where it ends."""
    length = block[at]
    if length < _ONE_BYTE:
        start = at + 1
    else:
        length, used = decode_integer(block[at : at + 16], 7)
        start = at + used
    end = start + length
    if end > len(block):
        raise HPACKError("a text is cut off")
    raw = block[start:end]
    return (decode_huffman(raw) if block[at] & 0x80 else raw), end
