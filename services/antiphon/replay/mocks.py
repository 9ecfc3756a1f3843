"""Mocks in our own words, answered in whichever provider's: the harness knows answers, the wires make them.

handler = mock_handler(Mock(chat=MockChat(pieces=[MockPiece(text="Hello")])))
controls.mocks.add(handler, RequestFilter(model="gpt-*"))
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from antiphon.core.errors import ServiceError, invalid
from antiphon.harness.errors import BadRecordingCall, HarnessError
from antiphon.harness.faults.dialect import phrase
from antiphon.harness.interaction import Answer, RecordedRequest, grouped
from antiphon.harness.mocks import Failing, Handler, chunked
from antiphon.harness.mocks.answers import MOCK
from antiphon.harness.modes import RecordingCall
from antiphon.replay.formats import ChatFormat, EmbeddingsFormat, format_of, http_call
from antiphon.replay.script import Line, completion_of, script_of, unfolded
from antiphon.v1 import chat_pb2, embeddings_pb2, harness_pb2
from antiphon.wire.base import ChatCall, HttpReply

Maker = Callable[[RecordedRequest], Answer | None]
USUAL_LENGTH: Final = 8
"""Numbers of a vector that nobody wanted of any length."""
LONGEST_VECTOR: Final = 65_536


class MockUnfit(HarnessError):  # noqa: N818 - named for the fact, as httpx.ReadTimeout is
    """A mock cannot be said in the format of the request that it fits."""

    reason = "MOCK_FAILED"


def mock_handler(mock: harness_pb2.Mock) -> Handler:
    """The function that answers as a mock says. Raises ServiceError INVALID_REQUEST for a mock without an answer."""
    kind = mock.WhichOneof("answer")
    if kind is None:
        raise invalid("mock", "has no answer; set chat, completion, embeddings, error or http")
    make = _MAKERS[kind](getattr(mock, kind))

    def handle(asked: RecordedRequest, call: RecordingCall) -> Answer | None:
        return make(asked)

    return handle


def _chat(chat: harness_pb2.MockChat) -> Maker:
    if not chat.pieces:
        raise invalid("mock.chat.pieces", "is empty; give at least one piece")
    for number, piece in enumerate(chat.pieces):
        _check_delay(f"mock.chat.pieces[{number}].delay", piece.delay.ToNanoseconds())
        if piece.WhichOneof("piece") is None:
            raise invalid(f"mock.chat.pieces[{number}]", "has no kind; set text, reasoning or tool_call")

    def make(asked: RecordedRequest) -> Answer | None:
        found, call = _chat_asked(asked)
        if found is None or call is None:
            return None
        completion = completion_of(chat, model=call.spec.model, asked=_words(call.spec))
        delay = sum(piece.delay.ToNanoseconds() for piece in chat.pieces) / 1e6
        return _answered(found, call, asked, completion, script_of(chat, completion), delay)

    return make


def _completion(completion: chat_pb2.Completion) -> Maker:
    def make(asked: RecordedRequest) -> Answer | None:
        found, call = _chat_asked(asked)
        if found is None or call is None:
            return None
        return _answered(found, call, asked, completion, unfolded(completion), 0.0)

    return make


def _embeddings(given: harness_pb2.MockEmbeddings) -> Maker:
    if not 0 <= given.dimensions <= LONGEST_VECTOR:
        raise invalid("mock.embeddings.dimensions", f"is {given.dimensions}; give 0 to {LONGEST_VECTOR}")

    def make(asked: RecordedRequest) -> Answer | None:
        found = format_of(asked)
        if not isinstance(found, EmbeddingsFormat):
            return None
        request = _wired(lambda: found.wire.decode_request(http_call(asked)))
        response = embeddings_pb2.EmbedResponse(model=request.model, id="mock-1")
        wanted = given.dimensions or request.dimensions or USUAL_LENGTH
        for number, item in enumerate(request.inputs):
            values = (
                given.vectors[number % len(given.vectors)].values
                if given.vectors
                else made_vector(item.SerializeToString(deterministic=True), min(wanted, LONGEST_VECTOR))
            )
            response.embeddings.add(index=number).float32.values.extend(values)
        words = sum(len(item.text.split()) for item in request.inputs)
        response.usage.input_tokens = response.usage.total_tokens = words
        return _whole(_wired(lambda: found.encode(response, asked)))

    return make


def _error(error: harness_pb2.MockError) -> Maker:
    retry = error.retry_after.ToNanoseconds() / 1e9 if error.HasField("retry_after") else None
    if not 400 <= error.status <= 599:
        raise invalid("mock.error.status", f"is {error.status}; give 400 to 599")
    try:
        failing = Failing(error.status, retry_after=retry, message=error.message)
    except BadRecordingCall as wrong:
        raise invalid("mock.error", str(wrong)) from wrong
    return lambda asked: failing(asked, RecordingCall())


def _http(http: harness_pb2.MockHttp) -> Maker:
    status = http.status or 200
    if not 200 <= status <= 599:
        raise invalid("mock.http.status", f"is {status}; give 200 to 599")
    chunks = []
    for number, chunk in enumerate(http.chunks):
        _check_delay(f"mock.http.chunks[{number}].delay", chunk.delay.ToNanoseconds())
        chunks.append((chunk.delay.ToNanoseconds() / 1e6, chunk.data))
    _check_delay("mock.http.delay", http.delay.ToNanoseconds())
    headers = {name.lower(): value for name, value in http.headers.items()}
    kind = headers.pop("content-type", "application/octet-stream")
    answer = chunked(
        chunks, status=status, content_type=kind, headers=headers, delay_ms=http.delay.ToNanoseconds() / 1e6
    )
    return lambda asked: answer


def made_vector(content: bytes, length: int) -> list[float]:
    """A vector of length 1 that is the same for the same content, and another for another."""
    needed = -(-length // 8)
    digest = b"".join(hashlib.sha256(content + number.to_bytes(4, "big")).digest() for number in range(needed))
    numbers = [value / 2**31 - 1 for value in struct.unpack(f">{needed * 8}I", digest)[:length]]
    norm = math.sqrt(sum(value * value for value in numbers)) or 1.0
    return [value / norm for value in numbers]


def _chat_asked(asked: RecordedRequest) -> tuple[ChatFormat | None, ChatCall | None]:
    found = format_of(asked)
    if not isinstance(found, ChatFormat):
        return None, None
    return found, _wired(lambda: found.wire.decode_request(http_call(asked)))


def _answered(
    found: ChatFormat,
    call: ChatCall,
    asked: RecordedRequest,
    completion: chat_pb2.Completion,
    lines: list[Line],
    delay_ms: float,
) -> Answer:
    if not call.stream:
        return _whole(_wired(lambda: found.wire.encode_response(completion)), delay_ms)
    encoder = found.encoder(call, asked)
    chunks: list[tuple[float, bytes | str]] = []
    waited = 0.0
    for line in lines:
        data = b"".join(_wired(partial(encoder.encode, event)) for event in line.events)
        waited += line.delay_ms
        if data:
            chunks.append((waited, data))
            waited = 0.0
    return chunked(chunks, content_type=found.content_type(asked))


def _whole(reply: HttpReply, delay_ms: float = 0.0) -> Answer:
    headers = grouped({**reply.headers, "content-length": str(len(reply.body))}.items())
    return Answer(
        status=reply.status,
        reason=phrase(reply.status),
        headers=headers,
        body=reply.body,
        headers_ms=delay_ms,
        chunks=((0.0, len(reply.body)),),
        provenance=MOCK,
    )


def _wired(make: Callable[[], Any]) -> Any:
    """What a wire makes; what it cannot read or say is told as an error of the harness."""
    try:
        return make()
    except ServiceError as error:
        where = "; ".join(f"{each.field}: {each.description}" for each in error.violations)
        what = where or error.message
        raise MockUnfit(f"the mock can't answer this request: {error.reason.value}: {what}") from error


def _words(spec: chat_pb2.ChatSpec) -> int:
    return sum(len(part.text.text.split()) for message in spec.messages for part in message.parts)


def _check_delay(field: str, nanoseconds: int) -> None:
    if not 0 <= nanoseconds <= 3600 * 10**9:
        raise invalid(field, "give 0 to 3600 seconds")


_MAKERS: Final[Mapping[str, Callable[[Any], Maker]]] = {
    "chat": _chat,
    "completion": _completion,
    "embeddings": _embeddings,
    "error": _error,
    "http": _http,
}
