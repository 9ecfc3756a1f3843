"""Spans as OTLP, straight to the bytes: what the SDK's encoder says, at an eighth of its price.

The SDK builds a protobuf object for each attribute. Nearly all attributes come again in call after call, and so do
their bytes. What is not among the plain spans of ours is left to the SDK's encoder, and so is everything if the two
do not say the same of the first span, as they would not where a new version of the SDK says more.

Numbers of fields: opentelemetry/proto/trace/v1/trace.proto and common/v1/common.proto, stable since version 1.0.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, Status
from opentelemetry.trace.span import TraceState

from antiphon.core.telemetry import names
from antiphon.core.telemetry.memo import Memo
from antiphon.core.telemetry.recorded import RecordedSpan, Source

log = logging.getLogger(__name__)

OWN: Final = frozenset({names.RESPONSE_ID, names.UPSTREAM_REQUEST_ID})
"""Attributes that are another in every span: their bytes are not kept."""

_double = struct.Struct("<d").pack
_times = struct.Struct("<BQBQ").pack
_START, _END = 7 << 3 | 1, 8 << 3 | 1
_KINDS: Final = {id(kind): bytes((6 << 3, kind.value + 1)) for kind in SpanKind}
"""OTLP's kinds begin with "unspecified". By identity, because the hash of an enum's member is a call."""
_PARENTS: Final = {  # flags: SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE, and whether it is
    False: b"\x85\x01" + (0x100).to_bytes(4, "little"),
    True: b"\x85\x01" + (0x300).to_bytes(4, "little"),
}


class UnencodableError(Exception):
    """No plain span of ours, or one that is not to be encoded here."""


FAILS: Final = (UnencodableError, TypeError, ValueError, OverflowError, struct.error)
"""What encoding raises for types and numbers that OTLP has not, and texts that are none."""


class Encoder:
    """Encodes batches of spans for OTLP."""

    def __init__(self) -> None:
        self._frames: dict[Source, tuple[bytes, bytes] | None] = {}

    def __call__(self, spans: Sequence[ReadableSpan]) -> bytes:
        """An ExportTraceServiceRequest with these spans."""
        try:
            return self._encoded(spans)
        except FAILS:  # the SDK knows what to do with it, or what to say of it
            return bytes(encode_spans(spans).SerializeToString())

    def _encoded(self, spans: Sequence[ReadableSpan]) -> bytes:
        first = spans[0] if spans else None
        if type(first) is not RecordedSpan:
            raise UnencodableError
        source = first.source
        if source not in self._frames:
            self._frames = {source: self._frame(first)}  # there is one at a time, but for tests
        frame = self._frames[source]
        if frame is None:
            raise UnencodableError
        return _request(frame, [encode(span, source) for span in spans])

    def _frame(self, span: RecordedSpan) -> tuple[bytes, bytes] | None:
        """What stands around every span: the resource and the scope, from the SDK; None to leave all to the SDK."""
        whole = encode_spans([span])
        about = ExportTraceServiceRequest.FromString(whole.SerializeToString())
        (resource,) = about.resource_spans
        (scope,) = resource.scope_spans
        del scope.spans[:]
        within = scope.SerializeToString()
        del resource.scope_spans[:]
        frame = (resource.SerializeToString(), within)
        try:
            same = ExportTraceServiceRequest.FromString(_request(frame, [encode(span, span.source)])) == whole
        except FAILS:
            return frame  # the span is an odd one, and will be left to the SDK
        if not same:
            log.warning("the OpenTelemetry SDK encodes spans in another way than expected: its encoder is used")
            return None
        return frame


def _request(frame: tuple[bytes, bytes], spans: Sequence[bytes]) -> bytes:
    resource, scope = frame
    return _field(1, resource + _field(2, scope + b"".join(spans)))


def encode(span: ReadableSpan, source: Source) -> bytes:
    """One span, as a field of its scope. Raises what FAILS names where it can't."""
    if type(span) is not RecordedSpan or span.source is not source or span._events or span._links:
        raise UnencodableError
    attributes = span._attributes or {}
    parts = [b"\x0a\x10", span.trace.to_bytes(16, "big"), b"\x12\x08", span.number.to_bytes(8, "big")]
    if span.state is not None and len(span.state):
        parts.append(_field(3, _state(span.state)))
    above = span.above
    if above is None:
        flags = _PARENTS[False]
    elif type(above) is RecordedSpan:
        parts += (b"\x22\x08", above.number.to_bytes(8, "big"))
        flags = _PARENTS[False]
    else:
        context = above.get_span_context()
        parts += (b"\x22\x08", context.span_id.to_bytes(8, "big"))
        flags = _PARENTS[context.is_remote]
    parts += (_heads[span._name, id(span._kind)], _times(_START, span._start_time or 0, _END, span._end_time or 0))
    parts += [_encodings[type(value)][key, value] for key, value in attributes.items()]
    if type(attributes) is not dict and (dropped := span.dropped_attributes):
        parts += (b"\x50", _varint(dropped))
    parts += (_statuses[span._status], flags)
    body = b"".join(parts)
    return b"\x12" + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    if number < 0x80:
        return _SMALL[number]
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


_SMALL: Final = tuple(bytes((number,)) for number in range(0x80))


def _field(number: int, body: bytes) -> bytes:
    """A field of texts, bytes or a message. Numbers up to 15."""
    return _SMALL[number << 3 | 2] + _varint(len(body)) + body


def _signed(number: int) -> bytes:
    """A number as int64."""
    if not -(1 << 63) <= number < 1 << 63:
        raise OverflowError(number)
    return _varint(number & 0xFFFF_FFFF_FFFF_FFFF)


def _state(state: TraceState) -> bytes:
    return ",".join(f"{key}={value}" for key, value in state.items()).encode()


def _value(value: object) -> bytes:
    """An AnyValue, by the SDK's own order of types."""
    if value is None:
        return b""
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, str):
        return _field(1, value.encode())
    if isinstance(value, int):
        return b"\x18" + _signed(value)
    if isinstance(value, float):
        return b"\x21" + _double(value)
    if isinstance(value, bytes):
        return _field(7, value)
    if isinstance(value, Sequence):
        return _field(5, b"".join([_field(1, _value(each)) for each in value]))
    if isinstance(value, Mapping):
        return _field(6, b"".join([_field(1, _pair(str(key), each)) for key, each in value.items()]))
    raise TypeError(type(value))


def _pair(key: str, value: object) -> bytes:
    return (_field(1, key.encode()) if key else b"") + _field(2, _value(value))


def _attribute(pair: tuple[str, Any]) -> bytes:
    """A KeyValue, as a field of its span."""
    return _field(9, _pair(*pair))


def _head(about: tuple[str, int]) -> bytes:
    name, kind = about
    return (_field(5, name.encode()) if name else b"") + _KINDS[kind]


def _status(status: Status) -> bytes:
    code, words = status.status_code.value, status.description
    return _field(15, (_field(2, words.encode()) if words else b"") + (b"\x18" + _varint(code) if code else b""))


_WORTH: Final[Mapping[type, Callable[[tuple[str, Any], bytes], bool]]] = {
    str: lambda pair, _: pair[0] not in OWN,
    bool: lambda pair, _: True,
    int: lambda pair, _: True,
    tuple: lambda pair, _: all(type(each) is str for each in pair[1]),
}
"""Types of values whose bytes are kept, and which of them. By type, because 1 is True and 1.0 to a dict."""


def _encodings_of(kind: type) -> Memo[tuple[str, Any], bytes]:
    return Memo(_attribute, worth=_WORTH.get(kind, lambda pair, _: False))


_encodings: Final[Memo[type, Memo[tuple[str, Any], bytes]]] = Memo(_encodings_of)
_heads: Final[Memo[tuple[str, int], bytes]] = Memo(_head)
_statuses: Final[Memo[Status, bytes]] = Memo(_status)  # one object for all that failed, and one for all that did not
