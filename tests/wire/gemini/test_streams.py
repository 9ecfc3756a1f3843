"""What streams of generateContent tell, and how they fail."""

from __future__ import annotations

import json

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import fold
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.gemini.codec import Gemini
from antiphon.wire.gemini.framing import Elements, Framer
from antiphon.wire.gemini.partial_args import GrowingArguments
from antiphon.wire.jsontext import loads
from tests.laws.chat import decode, events_of
from tests.wire.gemini.streams import CHUNKS, END, PARTIAL, PARTIAL_ARGUMENTS, array, chunk, sse

WIRE = Gemini()
Event = chat_pb2.StreamChatResponse


def _names(events: list[Event]) -> list[str]:
    return [event.WhichOneof("event") or "" for event in events]


def test_text_is_told_as_it_comes() -> None:
    decoder = WIRE.stream_decoder()
    first = decoder.feed(sse(chunk({"text": "Hel"})))
    assert _names(first) == ["started", "part_started", "part_delta"]
    assert first[0].started.completion.id == "abc"
    assert _names(decoder.feed(sse(chunk({"text": "lo"}, finishReason="STOP", usage=END)))) == ["part_delta"]
    assert decoder.usage().output_tokens == 9
    assert decoder.usage().partial
    assert _names(decoder.close()) == ["part_done", "output_done", "usage", "completed"]
    assert not decoder.usage().partial
    assert decoder.close() == []


def test_arguments_that_come_in_pieces_are_told_as_one_json_text() -> None:
    events, error = decode(WIRE, [sse(*PARTIAL)])
    assert error is None
    told = [event.part_delta.arguments_json for event in events if event.part_delta.arguments_json]
    assert len(told) > 5
    calls = [part.tool_call for part in fold(events).outputs[0].messages[0].parts]
    assert [call.name for call in calls] == ["book", "second", "third"]
    assert json.loads(calls[0].arguments_json) == PARTIAL_ARGUMENTS
    assert [call.arguments_json for call in calls[1:]] == ['{"a":1}', "{}"]
    assert len({call.call_id for call in calls}) == 3


@pytest.mark.parametrize(
    "paths",
    [
        ["$.a.b", "$.c", "$.a.d"],
        ["$.a", "$.a"],
        ["$.a[1]"],
        ["a"],
        ["$"],
        ["$.a..b"],
        ["$.a", "$[0]"],
        ["$.a[0]", "$.a.b"],
    ],
)
def test_arguments_out_of_order_are_no_json_text(paths: list[str]) -> None:
    growing = GrowingArguments()
    with pytest.raises(ServiceError) as caught:
        for path in paths:
            growing.add({"jsonPath": path, "numberValue": 1})
    assert caught.value.reason is Reason.MALFORMED_RESPONSE


@pytest.mark.parametrize("framing", [sse, array], ids=["sse", "array"])
def test_an_error_in_a_stream_comes_after_what_was_said(framing: object) -> None:
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    write = sse if framing is sse else array
    decoder = WIRE.stream_decoder()
    assert _names(decoder.feed(write(chunk({"text": "Hi"}), error)))[-1] == "part_delta"
    with pytest.raises(ServiceError) as caught:
        decoder.feed(b"")
    assert caught.value.reason is Reason.OVERLOADED
    with pytest.raises(ServiceError) as caught:
        decoder.close()
    assert caught.value.reason is Reason.OVERLOADED


@pytest.mark.parametrize("body", [b'{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}', b'[{"error":{"code":429}}]'])
def test_an_error_instead_of_a_stream_is_the_error(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.stream_decoder().feed(body)
    assert caught.value.reason is Reason.RATE_LIMIT_EXCEEDED


@pytest.mark.parametrize(
    "body", [b"", b"  \r\n", sse(chunk({"text": "Hi"})), array(chunk({"text": "Hi"}))[:-4], b"data: {", b"[", b"{"]
)
def test_a_stream_that_breaks_off_is_no_answer(body: bytes) -> None:
    decoder = WIRE.stream_decoder()
    decoder.feed(body)
    with pytest.raises(ServiceError) as caught:
        decoder.close()
    assert caught.value.reason is Reason.OUTCOME_UNKNOWN


def test_a_stream_that_breaks_off_in_its_last_chunk_is_no_answer() -> None:
    decoder = WIRE.stream_decoder()
    decoder.feed(sse(chunk({"text": "Hi"}, finishReason="STOP")) + b'data: {"usageMetadata": {"promptTok')
    with pytest.raises(ServiceError) as caught:
        decoder.close()
    assert caught.value.reason is Reason.OUTCOME_UNKNOWN


def test_an_array_that_ends_is_whole_without_a_reason() -> None:
    events, error = decode(WIRE, [array(chunk({"text": "Hi"}))])
    assert error is None
    assert fold(events).outputs[0].finish_reason == chat_pb2.FINISH_REASON_UNSPECIFIED


@pytest.mark.parametrize("body", [b"data: no\n\n", b"data: 7\n\n", b"data: [1,2]\n\n"])
def test_a_chunk_that_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.stream_decoder().feed(body)
    assert caught.value.reason is Reason.MALFORMED_RESPONSE


def test_comments_and_another_formats_end_say_nothing() -> None:
    plain = sse(*CHUNKS["text"])
    noisy = b": ping\n\n" + plain.replace(b"\r\n\r\n", b"\r\n\r\n: ping\n\n") + b"data: [DONE]\n\n"
    assert decode(WIRE, [plain]) == decode(WIRE, [noisy])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_elements_of_an_array_are_found_however_it_is_cut(size: int) -> None:
    objects = [{"a": '}]{["\\"\\'}, {"b": [1, {"c": "\\"}, []]}, {}]
    text = json.dumps(objects, indent=1).encode() + b"\n"
    elements = Elements()
    found = [one for start in range(0, len(text), size) for one in elements.feed(text[start : start + size])]
    assert [loads(one) for one in found] == objects
    assert elements.ended


def test_a_frame_without_end_is_refused_before_memory_is_full() -> None:
    framer = Framer()
    framer.feed(b'[{"a": "')
    elements = Elements(max_bytes=10)
    with pytest.raises(ValueError, match="larger than 10 bytes"):
        elements.feed(b'[{"a": "xxxxxxxxxxxxxxxxxxxx')


def _event(**fields: object) -> Event:
    return Event(**fields)  # type: ignore[arg-type]


def test_what_proves_a_part_follows_text_that_went_out() -> None:
    """Another provider's stream tells the signature of its reasoning at its end."""
    part = content_pb2.Part(reasoning=content_pb2.ReasoningPart())
    encoder = WIRE.stream_encoder()
    out = b"".join(
        encoder.encode(event)
        for event in (
            _event(started=chat_pb2.Started(completion=chat_pb2.Completion(id="x", model="m"))),
            _event(part_started=chat_pb2.PartStarted(part=part, role=content_pb2.ROLE_ASSISTANT)),
            _event(part_delta=chat_pb2.PartDelta(text="hm")),
            _event(part_delta=chat_pb2.PartDelta(signature=b"c2ln")),
            _event(part_done=chat_pb2.PartDone()),
            _event(output_done=chat_pb2.OutputDone(output=chat_pb2.Output(finish_reason=chat_pb2.FINISH_REASON_STOP))),
            _event(heartbeat=chat_pb2.Heartbeat()),
            _event(completed=chat_pb2.Completed(completion=chat_pb2.Completion(id="x", model="m"))),
        )
    )
    chunks = events_of(out)
    parts = [part for one in chunks for part in one["candidates"][0].get("content", {}).get("parts", [])]
    assert parts == [{"text": "hm", "thought": True}, {"text": "", "thought": True, "thoughtSignature": "c2ln"}]
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
    assert all(one["responseId"] == "x" for one in chunks)


@pytest.mark.parametrize("array_form", [False, True])
def test_a_stream_that_fails_ends_with_the_error(array_form: bool) -> None:
    encoder = WIRE.stream_encoder(array=array_form)
    start = encoder.encode(_event(started=chat_pb2.Started(completion=chat_pb2.Completion(id="x"))))
    body = start + encoder.error(ServiceError(Reason.OVERLOADED, "busy"))
    with pytest.raises(ServiceError) as caught:
        WIRE.stream_decoder().feed(body)
    assert (caught.value.reason, caught.value.message) == (Reason.OVERLOADED, "busy")
    if array_form:
        assert json.loads(body)[0]["error"]["code"] == 503
