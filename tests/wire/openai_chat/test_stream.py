"""Streams of OpenAI's chat format, with every oddity that providers have shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import fold
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2
from antiphon.wire.base import HttpReply
from antiphon.wire.openai_chat import OpenAIChat
from antiphon.wire.sse import encode_event
from tests.laws.chat import decode, written
from tests.laws.openai import OpenAIChatLaws
from tests.laws.recordings import Recorded
from tests.laws.verdict import untyped

WIRE = OpenAIChat()
LAWS = OpenAIChatLaws()
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
DONE = b"data: [DONE]\n\n"


def chunk(
    delta: Any = None, *, index: int = 0, finish: Any = None, choice: Any = None, **fields: Any
) -> dict[str, Any]:
    said = {"index": index, "delta": delta or {}, "finish_reason": finish, **(choice or {})}
    return {"id": "x", "object": "chat.completion.chunk", "created": 5, "model": "m", "choices": [said], **fields}


def stop(**fields: Any) -> dict[str, Any]:
    return chunk(finish="stop", **fields)


def last(**fields: Any) -> dict[str, Any]:
    return {"id": "x", "object": "chat.completion.chunk", "created": 5, "model": "m", "choices": [], **fields}


def sse(*chunks: Any, done: bool = True) -> bytes:
    return b"".join(encode_event(json.dumps(c, ensure_ascii=False).encode()) for c in chunks) + (DONE if done else b"")


def call(
    index: int | None = 0, call_id: Any = None, name: str | None = None, arguments: Any = None, **more: Any
) -> Any:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    element = {"index": index, "id": call_id, "type": "function", "function": function, **more}
    return {"tool_calls": [{key: value for key, value in element.items() if value is not None}]}


def answered(body: bytes) -> chat_pb2.Completion:
    events, error = decode(WIRE, [body])
    assert error is None, error
    return fold(events)


def text_of(completion: chat_pb2.Completion, output: int = 0) -> str:
    parts = completion.outputs[output].messages[0].parts
    return "".join(part.text.text for part in parts if part.WhichOneof("kind") == "text")


def reasoning_of(completion: chat_pb2.Completion) -> str:
    return "".join(part.reasoning.text for part in completion.outputs[0].messages[0].parts)


def calls_of(completion: chat_pb2.Completion) -> list[tuple[str, str, str]]:
    calls = [part.tool_call for part in completion.outputs[0].messages[0].parts if part.HasField("tool_call")]
    return [(each.call_id, each.name, each.arguments_json) for each in calls]


HI = [chunk({"role": "assistant", "content": ""}), chunk({"content": "h"}), chunk({"content": "i"}), stop()]
SEARCH = [{"title": "t", "url": "u", "date": "2025-01-01", "last_updated": None, "snippet": "s", "source": "web"}]
MODERATED = {
    "model": "omni",
    "type": "moderation_results",
    "results": [{"type": "moderation_result", "model": "omni", "flagged": True, "categories": {"hate": True}}],
}
ODD: dict[str, bytes] = {
    "plain": sse(*HI, last(usage=USAGE)),
    "stream-no-usage": sse(*HI),
    "no-[DONE]": sse(*HI, last(usage=USAGE), done=False),
    "sse-no-final-blank": sse(*HI).rstrip(),
    "sse-comment": b": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n" + sse(*HI),
    "sse-crlf": sse(*HI).replace(b"\n", b"\r\n"),
    "usage-with-choices": sse(*HI[:-1], stop(usage=USAGE)),
    "usage-in-many-chunks": sse(*({**c, "usage": {**USAGE, "completion_tokens": i}} for i, c in enumerate(HI))),
    "usage-in-choice": sse(*HI[:-1], chunk(finish="stop", choice={"usage": USAGE})),
    "empty-choices-no-usage": sse(last(prompt_filter_results=[]), *HI),
    "delta-content-null": sse(chunk({"role": "assistant", "content": None}), *HI),
    "delta-content-list": sse(
        chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "r"}], "closed": True}]}),
        chunk({"content": [{"type": "text", "text": "hi"}]}),
        stop(),
    ),
    "finish-with-delta": sse(*HI[:-2], chunk({"content": "i"}, finish="stop")),
    "multiple-finish": sse(*HI, stop(usage=USAGE)),
    "choice-without-delta": sse(
        {**last(), "choices": [{"index": 0, "finish_reason": None, "content_filter_results": {}}]}, *HI
    ),
    "stream-ids-vary": sse(
        {**last(), "id": "", "model": "", "created": 0}, *({**c, "id": str(i)} for i, c in enumerate(HI))
    ),
    "choices-null": sse({**last(), "choices": None}, *HI),
    "null-delta": sse({**last(), "choices": [{"index": 0, "delta": None, "finish_reason": None}]}, *HI),
    "chunk.obfuscation": sse(*({**c, "obfuscation": "ab" * i} for i, c in enumerate(HI))),
    "chunk.p": sse(*({**c, "p": "abc"} for c in HI)),
    "chunk.provider": sse(*({**c, "provider": "Novita"} for c in HI)),
    "chunk.x_groq": sse({**HI[0], "x_groq": {"id": "req_1"}}, *HI[1:-1], stop(x_groq={"id": "req_1", "usage": USAGE})),
    "chunk.sla_metrics": sse(*HI, last(usage=USAGE, sla_metrics={"ttft_ms": 274})),
    "chunk.moderation": sse(*HI, last(moderation={"input": MODERATED, "output": MODERATED})),
    "chunk.citations": sse(*({**c, "citations": ["u"], "search_results": SEARCH} for c in HI)),
    "chunk.prompt_text": sse(*({**c, "prompt_text": None, "prompt_token_ids": None} for c in HI)),
    "chunk.prompt_filter_results": sse(
        last(prompt_filter_results=[{"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False}}}]), *HI
    ),
    "cumulative message": sse(
        *(
            {
                **last(),
                "choices": [{"index": 0, "message": {"content": said}, "delta": {"content": new}, "finish_reason": f}],
            }
            for said, new, f in (("h", "h", None), ("hi", "i", None), ("hi", "", "stop"))
        )
    ),
    "whole message in a stream": sse(
        {
            **last(),
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        }
    ),
    "text said twice": sse(
        *({**c, "choices": [{**c["choices"][0], "text": c["choices"][0]["delta"].get("content")}]} for c in HI)
    ),
    "delta.token_id": sse(*(chunk({"content": c, "token_id": i}) for i, c in enumerate(("h", "i", ""))), stop()),
    "delta.annotations": sse(
        *HI[:-1],
        chunk(
            {"annotations": [{"type": "url_citation", "url_citation": {"url": "u", "start_index": 0, "end_index": 2}}]}
        ),
        stop(),
    ),
    "annotations first": sse(
        chunk({"annotations": [{"type": "url_citation", "url_citation": {"url": "u", "title": "t"}}]}), *HI
    ),
    "delta.executed_tools": sse(
        chunk(
            {"executed_tools": [{"index": 0, "type": "search", "arguments": "{}", "search_results": {"results": []}}]}
        ),
        chunk({"executed_tools": [{"index": 0, "type": "search", "arguments": "{}", "output": "o"}]}),
        *HI,
    ),
    "delta.images": sse(
        *HI[:-1],
        chunk({"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAEC"}}]}),
        stop(),
    ),
    "astral-unicode": sse(chunk({"content": "hi"}), chunk({"extra": "\U0001f600\u2028\x85"}), stop()),
    "unknown delta": sse(*HI[:-1], chunk({"mood": {"a": 1}}), stop()),
    "unknown choice field": sse(*HI[:-1], chunk(finish="stop", choice={"stop_reason": "END", "seed": 5, "odd": [1]})),
    "unknown chunk field": sse(*HI, last(odd={"a": {"b": 1}}, service_tier="flex", system_fingerprint="fp")),
    "logprobs": sse(
        chunk(
            {"content": "hi"}, choice={"logprobs": {"content": [{"token": "hi", "logprob": -1.5, "bytes": [104, 105]}]}}
        ),
        stop(choice={"logprobs": None}),
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_an_oddity_changes_nothing_of_the_answer(name: str) -> None:
    completion = answered(ODD[name])
    assert text_of(completion) == "hi"
    assert completion.outputs[0].finish_reason == chat_pb2.FINISH_REASON_STOP
    assert completion.HasField("usage")


@pytest.mark.parametrize("name", ODD)
def test_an_oddity_keeps_the_laws(name: str) -> None:
    verdict = LAWS.examine(
        Recorded(file="", number=0, provider="", method="POST", url="", request_body=b"", status=200, body=ODD[name])
    )
    wrong = [check for check in verdict.checks if check[1] is not None]
    if name in ("cumulative message", "whole message in a stream"):  # the second opinion reads deltas alone
        wrong = [check for check in wrong if "$joined" not in str(check[1])]
    assert wrong == []


def test_padding_is_the_only_thing_that_is_dropped() -> None:
    assert answered(ODD["chunk.obfuscation"]) == answered(ODD["chunk.p"]) == answered(sse(*HI))


@pytest.mark.parametrize("name", ["plain", "usage-with-choices", "usage-in-choice", "multiple-finish", "chunk.x_groq"])
def test_usage_is_found_wherever_it_stands(name: str) -> None:
    usage = answered(ODD[name]).usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (3, 4, 7)


def test_the_last_of_many_usages_counts() -> None:
    assert answered(ODD["usage-in-many-chunks"]).usage.output_tokens == 3


CALLS: dict[str, list[Any]] = {
    "usual": [call(0, "a", "f", ""), call(0, None, None, '{"x"'), call(0, None, None, ":1}")],
    "tooldelta-no-type": [call(0, "a", "f", '{"x":1}', type=None)],
    "tooldelta-no-index": [call(None, "a", "f", '{"x"'), call(None, None, None, ":1}")],
    "tooldelta-no-index, id repeated": [call(None, "a", "f", '{"x"'), call(None, "a", None, ":1}")],
    "tooldelta-whole-in-one": [call(0, "a", "f", '{"x":1}')],
    "name after arguments": [call(0, "a", None, '{"x"'), call(0, None, "f", ":1}")],
    "name repeated": [call(0, "a", "f", '{"x"'), call(0, "a", "f", ":1}")],
    "arguments as an object": [call(0, "a", "f", {"x": 1})],
    "empty id later": [call(0, "a", "f", '{"x"'), call(0, "", "", ":1}")],
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_put_together(name: str) -> None:
    completion = answered(sse(*map(chunk, CALLS[name]), chunk(finish="tool_calls")))
    assert calls_of(completion) == [("a", "f", '{"x":1}')]
    assert untyped(completion, WIRE.name) == 0


def test_absent_arguments_are_an_empty_text() -> None:
    assert calls_of(answered(sse(chunk(call(0, "a", "f")), chunk(finish="tool_calls")))) == [("a", "f", "")]


@pytest.mark.parametrize(
    "deltas",
    [
        [call(0, "a", "f", "{}"), call(1, "b", "g", "[]")],
        [call(0, "a", "f", "{"), call(1, "b", "g", "["), call(0, None, None, "}"), call(1, None, None, "]")],
        [call(0, "a", "f", "{}"), call(0, "b", "g", "[]")],
        [call(None, "a", "f", "{}"), call(None, "b", "g", "[]")],
        [{"tool_calls": call(0, "a", "f", "{}")["tool_calls"] + call(1, "b", "g", "[]")["tool_calls"]}],
    ],
    ids=["usual", "interleaved", "every index 0", "no index", "in one delta"],
)
def test_parallel_calls_stay_apart(deltas: list[Any]) -> None:
    completion = answered(sse(*map(chunk, deltas), chunk(finish="tool_calls")))
    assert calls_of(completion) == [("a", "f", "{}"), ("b", "g", "[]")]


def test_custom_and_legacy_calls_are_read() -> None:
    custom = {"tool_calls": [{"index": 0, "id": "a", "type": "custom", "custom": {"name": "c", "input": "x"}}]}
    more = {"tool_calls": [{"index": 0, "custom": {"input": "y"}}]}
    part = answered(sse(chunk(custom), chunk(more), chunk(finish="tool_calls"))).outputs[0].messages[0].parts[0]
    assert (part.tool_call.name, part.tool_call.text) == ("c", "xy")
    legacy = [{"function_call": {"name": "f", "arguments": "{"}}, {"function_call": {"arguments": "}"}}]
    assert calls_of(answered(sse(*map(chunk, legacy), chunk(finish="function_call")))) == [("", "f", "{}")]


def test_a_signed_call_keeps_its_signature() -> None:
    signed = call(0, "a", "f", "{}", extra_content={"google": {"thought_signature": "AB=="}})
    completion = answered(sse(chunk(signed), chunk(finish="tool_calls")))
    assert completion.outputs[0].messages[0].parts[0].signature == b"AB=="
    spec = chat_pb2.ChatSpec(model="m", messages=completion.outputs[0].messages)
    message = json.loads(WIRE.encode_request(spec, stream=False).body)["messages"][0]
    assert message["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "AB=="}}


@pytest.mark.parametrize(
    "deltas",
    [
        [{"reasoning": "a"}, {"reasoning": "b"}],
        [{"reasoning_content": "a"}, {"reasoning_content": "b"}],
        [{"reasoning": "a", "reasoning_content": "a"}, {"reasoning_content": "b", "reasoning": "b"}],
        [
            {"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "a", "index": 0}]},
            {"reasoning": "b"},
        ],
        [{"reasoning_details": [{"type": "reasoning.text", "text": t, "index": 0, "format": None}]} for t in "ab"],
        [{"reasoning_details": [{"type": "reasoning.summary", "summary": t, "index": 0}]} for t in "ab"],
    ],
)
def test_reasoning_is_said_once_whatever_its_name(deltas: list[Any]) -> None:
    assert reasoning_of(answered(sse(*map(chunk, deltas), *HI))) == "ab"


def test_reasoning_details_keep_signature_and_cipher() -> None:
    details = [
        {"type": "reasoning.text", "text": "t", "format": "f", "index": 0},
        {"type": "reasoning.text", "signature": "sig", "index": 0},
        {"type": "reasoning.encrypted", "data": "c1", "id": "rs", "index": 1},
    ]
    body = sse(*(chunk({"reasoning_details": [detail]}) for detail in details), *HI)
    first, second = answered(body).outputs[0].messages[0].parts[:2]
    assert (first.reasoning.text, first.signature, first.reasoning.format) == ("t", b"sig", "f")
    assert (second.reasoning.encrypted, second.id) == (b"c1", "rs")


def test_several_choices_are_kept_apart() -> None:
    body = sse(chunk({"content": "a"}), chunk({"content": "b"}, index=1), chunk(finish="length", index=1), stop())
    completion = answered(body)
    assert [text_of(completion, 0), text_of(completion, 1)] == ["a", "b"]
    assert [output.finish_reason for output in completion.outputs] == [1, 3]


def test_speech_is_put_together() -> None:
    deltas = [{"audio": {"id": "a"}}, {"audio": {"data": "AAE=", "transcript": "h"}}, {"audio": {"data": "Ag=="}}]
    body = sse(*map(chunk, deltas), chunk({"audio": {"expires_at": 9, "transcript": "i"}}), stop())
    (part,) = answered(body).outputs[0].messages[0].parts
    assert (part.id, part.media.data, part.media.transcript) == ("a", b"\x00\x01\x02", "hi")
    assert part.media.expire_time.seconds == 9
    assert part.media.modality == content_pb2.MODALITY_AUDIO


def test_a_refusal_is_put_together() -> None:
    (part,) = answered(sse(chunk({"refusal": "n"}), chunk({"refusal": "o"}), stop())).outputs[0].messages[0].parts
    assert part.refusal == "no"


def test_a_stream_without_reason_but_with_its_mark_is_whole() -> None:
    completion = answered(sse(chunk(call(0, "a", "f", "{}")), last(usage=USAGE)))
    assert completion.outputs[0].finish_reason == chat_pb2.FINISH_REASON_UNSPECIFIED
    assert calls_of(completion) == [("a", "f", "{}")]


@pytest.mark.parametrize(
    "body",
    [b"", b": waiting\n\n", sse(*HI[:-1], done=False), sse(*HI, chunk({"content": "x"}, index=1), done=False)],
    ids=["nothing", "comments", "no reason", "one of two"],
)
def test_a_stream_that_breaks_off_has_an_unknown_outcome(body: bytes) -> None:
    _, error = decode(WIRE, [body])
    assert error is not None
    assert error.reason is Reason.OUTCOME_UNKNOWN


@pytest.mark.parametrize("data", [b"{", b"[1]", b"null", b"\xff"])
def test_an_event_that_cannot_be_read_is_malformed(data: bytes) -> None:
    events, error = decode(WIRE, [sse(HI[1], done=False) + encode_event(data)])
    assert error is not None
    assert error.reason is Reason.MALFORMED_RESPONSE
    assert events, "what came before is told"


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ({"error": {"code": 429, "message": "Rate limit exceeded"}}, Reason.RATE_LIMIT_EXCEEDED),
        ({"error": {"code": 502, "message": "Provider disconnected"}}, Reason.PROVIDER_UNAVAILABLE),
        ({"error": "overloaded"}, Reason.OVERLOADED),
        ({"object": "error", "message": "bad", "code": 400}, Reason.INVALID_REQUEST),
        (chunk(finish="error", error={"code": "server_error", "message": "died"}), Reason.PROVIDER_UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_an_error_in_the_stream_comes_after_what_was_said(failure: Any, reason: Reason, together: bool) -> None:
    before, after = sse(*HI[:-1], done=False), sse(failure)
    events, error = decode(WIRE, [before + after] if together else [before, after])
    assert [e.part_delta.text for e in events if e.HasField("part_delta")] == ["h", "i"]
    assert error is not None
    assert error.reason is reason


def test_after_events_an_empty_feed_tells_the_error_at_once() -> None:
    decoder = WIRE.stream_decoder()
    assert decoder.feed(sse(HI[1], {"error": "overloaded"}))
    with pytest.raises(ServiceError):
        decoder.feed(b"")
    with pytest.raises(ServiceError):
        decoder.close()


def test_the_usage_so_far_is_known_when_a_stream_is_cut() -> None:
    decoder = WIRE.stream_decoder()
    assert decoder.usage() == usage_pb2.Usage()
    decoder.feed(sse(chunk({"content": "h"}, usage=USAGE), done=False))
    assert decoder.usage().output_tokens == 4


def test_a_whole_answer_instead_of_a_stream_is_read() -> None:
    body = {"id": "x", "model": "m", "created": 5, "usage": USAGE, "choices": []}
    body["choices"] = [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]
    raw = b"\n \n" + json.dumps(body).encode()
    whole = WIRE.decode_response(HttpReply(status=200, body=raw))
    for chunks in ([raw], [raw[i : i + 1] for i in range(len(raw))]):
        events, error = decode(WIRE, chunks)
        assert error is None
        assert fold(events).outputs[0].messages[0].parts == whole.outputs[0].messages[0].parts
        assert fold(events).usage.input_tokens == 3


@pytest.mark.parametrize("body", [b'{"error":{"message":"Rate limit","code":429}}', b"<html>Bad gateway</html>"])
def test_an_error_instead_of_a_stream_is_an_error(body: bytes) -> None:
    events, error = decode(WIRE, [body])
    assert events == []
    assert error is not None
    assert error.reason in (Reason.RATE_LIMIT_EXCEEDED, Reason.PROVIDER_UNAVAILABLE)


def test_events_come_as_soon_as_their_bytes() -> None:
    decoder = WIRE.stream_decoder()
    names = [[e.WhichOneof("event") for e in decoder.feed(sse(c, done=False))] for c in HI]
    assert names == [["started"], ["part_started", "part_delta"], ["part_delta"], []]
    ending = [e.WhichOneof("event") for e in decoder.feed(DONE)]
    assert ending == ["part_done", "output_done", "usage", "completed"]
    assert decoder.close() == []


def test_nothing_after_the_mark_is_read() -> None:
    assert text_of(answered(sse(*HI) + sse(*HI))) == "hi"


def test_the_encoder_writes_what_clients_expect() -> None:
    events, _ = decode(WIRE, [sse(*HI, last(usage=USAGE))])
    chunks = [line[6:] for line in written(WIRE, events).split(b"\n") if line]
    assert chunks[-1] == b"[DONE]"
    read = [json.loads(text) for text in chunks[:-1]]
    assert [c["choices"][0]["delta"] for c in read[:-1]] == [
        {"role": "assistant", "content": ""},
        {"content": "h"},
        {"content": "i"},
        {},
    ]
    assert read[-2]["choices"][0]["finish_reason"] == "stop"
    assert (read[-1]["choices"], read[-1]["usage"]) == ([], USAGE)
    assert {(c["id"], c["object"], c["created"], c["model"]) for c in read} == {("x", "chat.completion.chunk", 5, "m")}


def test_a_client_that_asked_for_no_usage_gets_none() -> None:
    events, _ = decode(WIRE, [sse(*HI, last(usage=USAGE))])
    encoder = WIRE.stream_encoder(usage=False)
    assert b"usage" not in b"".join(map(encoder.encode, events))


def test_a_heartbeat_is_a_comment() -> None:
    event = chat_pb2.StreamChatResponse(heartbeat=chat_pb2.Heartbeat())
    assert WIRE.stream_encoder().encode(event).startswith(b":")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), min_size=1, max_size=5), st.data())
def test_any_text_survives_any_cut(pieces: list[str], data: st.DataObject) -> None:
    body = sse(*(chunk({"content": piece}) for piece in pieces), stop())
    places = sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=8)))
    chunks = [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)]
    events, error = decode(WIRE, chunks)
    assert error is None
    assert text_of(fold(events)) == "".join(pieces)
