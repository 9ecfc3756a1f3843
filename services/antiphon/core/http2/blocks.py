"""Header blocks (HPACK, RFC 7541): the `hpack` library behind a memory of what a connection says again and again.

On a warm connection a client's block is a handful of one-byte references into tables that both sides share, and next
to them the values that change, which clients send as they are. Only what is neither goes through the library, whose
Python reads every field with care and cost.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from hpack import Decoder
from hpack.exceptions import HPACKError, OversizedHeaderListError

from antiphon.core.http2.frames import ConnectionFault, ErrorCode
from antiphon.core.http2.limits import HEADER_LIST_MOST

Fields: TypeAlias = tuple[tuple[bytes, bytes], ...]

_REFERENCES: Final = re.compile(rb"[\x81-\xfe]*")
"""Fields that are one byte each: they name an entry of a table and change none (section 6.1)."""
_PLAIN: Final = frozenset({0x00, 0x10})
"""Literal fields with a name of their own that change no table (sections 6.2.2 and 6.2.3)."""
_SHORT: Final = 0x7F
"""Lengths below are one byte, of a text that is not Huffman-coded."""
_REMEMBERED: Final = 64
"""Different runs of references that are remembered for a connection, and the fields of each at most."""
_MOST_FIELDS: Final = HEADER_LIST_MOST // 32
"""A field counts as its text and 32 bytes more."""


class Blocks:
    """The header blocks of one connection, which have to be read in the order in which they came."""

    def __init__(self) -> None:
        self._decoder = Decoder(HEADER_LIST_MOST)
        self._runs: dict[bytes, Fields] = {}
        self.changes = 0
        """Grows whenever the same bytes may mean something else from then on."""

    def read(self, block: bytes) -> Fields:
        """The fields of a block. Raises ConnectionFault: after a block that cannot be read none can."""
        known = self._runs.get(block)
        if known is not None:
            return known
        try:
            return self._read(block)
        except OversizedHeaderListError as error:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "the header list is far too long") from error
        except (HPACKError, IndexError) as error:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, f"a header block cannot be read: {error}") from error

    def _read(self, block: bytes) -> Fields:
        end = _REFERENCES.match(block).end()  # type: ignore[union-attr]  # it matches nothing, if need be
        fields = list(self._run(block[:end]))
        size = len(block)
        at = end
        while at < size:
            first = block[at]
            if first in _PLAIN and at + 2 < size and block[at + 1] < _SHORT:
                middle = at + 2 + block[at + 1]
                if middle < size and block[middle] < _SHORT:
                    stop = middle + 1 + block[middle]
                    if stop <= size:
                        fields.append((block[at + 2 : middle], block[middle + 1 : stop]))
                        at = stop
                        continue
            elif 0x80 < first < 0xFF:
                end = _REFERENCES.match(block, at).end()  # type: ignore[union-attr]
                fields.extend(self._run(block[at:end]))
                at = end
                continue
            fields.extend(self._rest(block[at:], first=at == 0))
            break
        if sum(len(name) + len(value) + 32 for name, value in fields) > HEADER_LIST_MOST:
            raise OversizedHeaderListError("a header list may not be that long")
        return tuple(fields)

    def _run(self, references: bytes) -> Fields:
        known = self._runs.get(references)
        if known is None:
            if len(references) > _MOST_FIELDS:
                raise OversizedHeaderListError("a header list may not be that long")
            table = self._decoder.header_table
            known = tuple((bytes(name), bytes(value)) for name, value in map(table.get_by_index, _indexes(references)))
            if len(self._runs) >= _REMEMBERED:
                self._runs.clear()
            if len(known) <= _REMEMBERED:
                self._runs[references] = known
        return known

    def _rest(self, rest: bytes, *, first: bool) -> Fields:
        if not first and rest[0] & 0xE0 == 0x20:
            raise HPACKError("a change of the table's size comes after a field")
        fields = tuple((bytes(name), bytes(value)) for name, value in self._decoder.decode(rest, raw=True))
        # It may have changed a table: then no reference means what it did.
        self._runs.clear()
        self.changes += 1
        return fields


def _indexes(references: bytes) -> list[int]:
    return [byte & 0x7F for byte in references]


