"""Inputs that are nearly right, which reach deeper than random bytes do."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Final

from hypothesis import strategies as st

from antiphon.wire.eventstream import Frame, Header, HeaderType, encode_frame, event_frame, exception_frame

_CASSETTE: Final = """\
interactions:
- request:
    method: POST
    uri: http://h.test/v1?key=a
    body: |-
      {"a": [1, 2.0], "b": "\u00e9"}
    headers:
      content-type:
      - application/json
  response:
    status:
      code: 200
      message: OK
    headers:
      content-length:
      - '12'
    antiphon:
      outcome: truncated
      failure: {error: ReadError, phase: body, after_ms: 1.5}
      headers_ms: 1.0
      http_version: HTTP/1.1
      bodies:
        request: spaced-json
        response: crlf
      trailers: {x-request-id: [a]}
      chunks: [[0.0, 6], [1.5, 8]]
      provenance: {origin: recorded, model_asked: m}
    body:
      string: |+
        data: {}

        x
version: 1
metadata: {a: &x [1], b: *x}
"""
_FOREIGN: Final = (
    "http_interactions:\n- request: {method: get, uri: http://h/, body: {string: a}}\n"
    "  response: {status: {code: 200}, body: {base64_string: aGk=}}\n  recorded_at: 2024-01-01\n",
    "interactions:\n- request: {url: http://h/, body: a}\n  response: {code: 200, status: 200 OK, duration: 1.5s}\n",
    "requests: [{uri: http://h/, body: !!binary aGk=}]\nresponses: [{status: {code: 200}, body: {string: x}}]\n",
    "interactions:\n- request: {uri: http://h/, parsed_body: {a: [1, null, x]}}\n"
    "  response: {status_code: 200, parsed_body: 1, headers: {content-encoding: gzip}}\n",
)
_WORDS: Final = (
    *("interactions", "request", "response", "body", "string", "headers", "status", "code", "antiphon", "chunks"),
    *("outcome", "failure", "bodies", "blobs", "file", "compact-json+blobs", "crlf", "null", "~", "''", "[]", "{}"),
    *("-", "- ", ": ", "\n", "  ", "&a", "*a", "<<", "|", ">", "|2-", "!!binary ", "!!python/tuple ", "!!str ", "!x "),
    *("1:00:00", "0x1f", ".inf", ".nan", "1e999", "2024-13-45", "'", '"', "#", "%", "---\n", "...\n", "\t", "\x85"),
    *(
        "\ud7ff",
        "\u2028",
        "\ufeff",
        '"\\ud83d"',
        "http://[",
        "antiphon-place-0",
        "\x00",
        "base64_string",
        "parsed_body",
    ),
)


@st.composite
def _mutated(draw: st.DrawFn, seeds: tuple[str, ...]) -> bytes:
    text = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 30))
        piece = draw(st.sampled_from(_WORDS) | st.text(max_size=8) | st.just(text[start : start + length]))
        text = text[:start] + piece + text[start + draw(st.sampled_from([0, length])) :]
    return text.encode("utf-8", "replace")


_LINES: Final = st.sampled_from(
    [
        b"data: {}",
        b"data:",
        b"data",
        b"data:  x",
        b"event: a",
        b"id: 7",
        b": ping",
        b":",
        b"retry: 5",
        b"x: y",
        b"\xef\xbb\xbf",
    ]
) | st.binary(max_size=12)
_ENDS: Final = st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r", b""])
_SSE: Final = st.tuples(st.binary(min_size=1, max_size=1), st.lists(st.tuples(_LINES, _ENDS), max_size=12)).map(
    lambda parts: parts[0] + b"".join(line + end for line, end in parts[1])
)

_HEADERS: Final = st.dictionaries(
    st.text(min_size=1, max_size=6),
    st.sampled_from(
        [
            Header(HeaderType.STRING, "x"),
            Header(HeaderType.TRUE, True),
            Header(HeaderType.LONG, 2**40),
            Header(HeaderType.BYTES, b""),
        ]
    ),
    max_size=3,
)
_FRAME: Final = (
    st.builds(
        lambda headers, payload: encode_frame(Frame(headers=headers, payload=payload)), _HEADERS, st.binary(max_size=20)
    )
    | st.builds(event_frame, st.text(max_size=5), st.binary(max_size=9))
    | st.builds(exception_frame, st.text(max_size=5), st.binary(max_size=9))
)


@st.composite
def _signed(draw: st.DrawFn) -> bytes:
    """A message whose checksums are right and whose lengths and headers need not be."""
    headers, payload = draw(st.binary(max_size=24)), draw(st.binary(max_size=8))
    total = len(headers) + len(payload) + 16 + draw(st.sampled_from([0, 0, 0, -1, 1, -16, 5000]))
    lengths = struct.pack(">II", max(0, total), max(0, len(headers) + draw(st.sampled_from([0, 0, 0, 1, -1, 200_000]))))
    body = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + payload
    return body + struct.pack(">I", zlib.crc32(body))


@st.composite
def _stream(draw: st.DrawFn) -> bytes:
    content = bytearray(b"".join(draw(st.lists(_FRAME | _signed(), max_size=4))))
    for _ in range(draw(st.integers(0, 2))):
        if content:
            content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return draw(st.binary(min_size=1, max_size=1)) + bytes(content) + draw(st.binary(max_size=3))


INPUTS: Final[Mapping[str, st.SearchStrategy[bytes]]] = {
    "loader": _mutated((_CASSETTE,)) | st.binary(max_size=200),
    "importer": _mutated((*_FOREIGN, _CASSETTE)) | st.binary(max_size=200),
    "sse": _SSE | st.binary(max_size=80),
    "bounded_sse": _SSE | st.binary(max_size=8).map(lambda piece: piece * 1500),
    "eventstream": _stream() | st.binary(max_size=80),
}
"""By target."""

SEEDS: Final[Mapping[str, tuple[bytes, ...]]] = {
    "loader": (_CASSETTE.encode(),),
    "importer": tuple(text.encode() for text in _FOREIGN),
    "sse": (b"\x01data: {}\r\n\r\n: x\ndata:a\rdata: b\n\n",),
    "bounded_sse": (b"data: x\n" * 600,),
    "eventstream": (b"\x02" + event_frame("chunk", b"{}") + exception_frame("fault", b"{}"),),
}
"""What a coverage-guided run starts from."""
