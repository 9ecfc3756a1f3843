"""The fast ways of reading give what the general ways give, or leave the reading to them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.streams import together
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2
from antiphon.wire.base import HttpCall
from antiphon.wire.openai_chat import messages as messages_module
from antiphon.wire.openai_chat import request as request_module
from antiphon.wire.openai_chat.gaps import Gaps
from antiphon.wire.openai_chat.plain_answer import lift_plain
from antiphon.wire.openai_chat.plain_usage import lift_plain as lift_plain_usage
from antiphon.wire.openai_chat.quirks import Quirks
from antiphon.wire.openai_chat.response import lift_any
from antiphon.wire.openai_chat.stream import ChatStreamDecoder
from antiphon.wire.openai_chat.stream_alike import Alike
from antiphon.wire.openai_chat.usage import lift_usage_by_search, lower_usage, lower_usage_by_search
from tests.laws.recordings import Folder, default_folder

PLAIN: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    },
    "service_tier": "default",
    "system_fingerprint": None,
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found += places(inner, (*path, number))
    return found


CALLS = [{"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{}"}}]
ODD: list[Any] = [None, "", "x", 0, 1, -1, 2**63, 2**31, 1.0, 1.5, True, False, [], {}, [{}], {"a": 1}, CALLS]
KEYS = ["name", "reasoning", "reasoning_content", "tool_calls", "audio", "images", "cost", "stats", "time_info",
        "x_groq", "provider", "delta", "seed", "stop_reason", "prompt_cache_miss_tokens", "cached_tokens", "citations",
        "search_results", "content_filter_results", "error", "a/b~c"]  # fmt: skip


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    return changed(draw, PLAIN, KEYS)


def changed(draw: st.DrawFn, base: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    """The base with up to four changes anywhere: a value replaced, a field taken away or added."""
    answer = copy.deepcopy(base)
    for _ in range(draw(st.integers(0, 4))):
        path = draw(st.sampled_from(places(answer)[1:]))
        odd = copy.deepcopy(draw(st.sampled_from(ODD)))
        holder: Any = answer
        for key in path[:-1]:
            holder = holder[key]
        change = draw(st.sampled_from(["replace", "remove", "add"]))
        if change == "remove" and isinstance(holder, dict):
            del holder[path[-1]]
        elif change == "add" and isinstance(holder, dict):
            holder[draw(st.sampled_from(keys))] = odd
        else:
            holder[path[-1]] = odd
        if not answer:
            break
    return answer


REQUEST: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
    "temperature": 0.5,
    "max_tokens": 100,
    "stream": True,
    "stream_options": {"include_usage": True},
}
REQUEST_KEYS = ["name", "tools", "tool_choice", "max_completion_tokens", "seed", "random_seed", "user", "n", "stop",
                "store", "reasoning_effort", "response_format", "metadata", "top_p", "logit_bias", "cache_control",
                "modalities", "audio", "moderation", "verbosity", "service_tier", "include_usage", "x"]  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    return changed(draw, REQUEST, REQUEST_KEYS)


def read(request: dict[str, Any], *, plainly: bool) -> Any:
    """What a request means, or what is wrong with it, read in one of the two ways."""
    call = HttpCall(method="POST", path="/chat/completions", body=json.dumps(request).encode())
    with pytest.MonkeyPatch.context() as patch:
        if not plainly:
            patch.setattr(request_module, "says_all", lambda data, names: False)
            patch.setattr(request_module, "lift_plain_message", lambda data: None)
        try:
            asked = request_module.lift_request(call)
        except ServiceError as error:
            return error.reason
    return asked.spec, asked.stream


@settings(max_examples=2000, deadline=None)
@given(requests())
def test_a_request_reads_alike_both_ways(request: dict[str, Any]) -> None:
    assert read(request, plainly=True) == read(request, plainly=False)


def test_a_usual_request_takes_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read(REQUEST, plainly=False)
    monkeypatch.setattr(request_module, "_lift_any", None)
    monkeypatch.setattr(request_module, "lift_message", None)
    assert read(REQUEST, plainly=True) == expected


def same_or_left(answer: dict[str, Any]) -> bool:
    fast = lift_plain(copy.deepcopy(answer))
    if fast is not None:
        assert fast == lift_any(answer), json.dumps(answer)
        assert lower_usage(fast.usage) == lower_usage_by_search(fast.usage)
    return fast is not None


def test_the_answer_of_openai_itself_is_plain() -> None:
    assert same_or_left(PLAIN)


def test_an_answer_that_calls_tools_is_plain() -> None:
    calling = copy.deepcopy(PLAIN)
    calling["choices"][0]["message"] |= {"content": None, "tool_calls": CALLS * 2}
    calling["choices"][0]["finish_reason"] = "tool_calls"
    assert same_or_left(calling)


@settings(max_examples=2000, deadline=None)
@given(answers())
def test_whatever_is_read_as_plain_reads_alike_in_general(answer: dict[str, Any]) -> None:
    same_or_left(answer)


@settings(max_examples=1000, deadline=None)
@given(answers())
def test_whatever_usage_is_read_as_plain_reads_alike_in_general(answer: dict[str, Any]) -> None:
    fast, general = usage_pb2.Usage(), usage_pb2.Usage()
    if lift_plain_usage(answer, fast):
        lift_usage_by_search(answer, general)
        assert fast == general, json.dumps(answer["usage"])
        assert lower_usage(fast) == lower_usage_by_search(fast)
    else:
        assert not fast.ListFields()


TEXTS = st.sampled_from(["Hello", "", "\u2028"])


@st.composite
def messages(draw: st.DrawFn) -> content_pb2.Message:
    message = content_pb2.Message(role=draw(st.sampled_from(content_pb2.Role.values())))
    for _ in range(draw(st.integers(0, 2))):
        part = message.parts.add()
        if draw(st.booleans()):
            part.text.text = draw(TEXTS)
        else:
            part.reasoning.text = draw(TEXTS)
        if draw(st.integers(0, 4)) == 0:
            part.signature = b"s"
        if draw(st.integers(0, 4)) == 0:
            part.cache_breakpoint.SetInParent()
        if draw(st.integers(0, 4)) == 0 and part.HasField("text"):
            part.text.citations.add().title = "t"
    if draw(st.integers(0, 4)) == 0:
        message.name = "n"
    return message


QUIRKS = [
    Quirks(),
    Quirks(developer_role="system", reasoning_field="", refuses=frozenset({"messages.name", "messages.cache_control"})),
    Quirks(reasoning_field="content"),
]


@pytest.mark.parametrize("direction", ["request", "response"])
@settings(max_examples=1000, deadline=None)
@given(message=messages(), quirks=st.sampled_from(QUIRKS))
def test_a_message_is_written_alike_both_ways(direction: str, message: content_pb2.Message, quirks: Quirks) -> None:
    fast, general = Gaps(), Gaps()
    written = messages_module.lower_messages(message, direction, quirks, "m", fast)
    assert written == messages_module.lower_any(message, direction, quirks, "m", general)
    warn = chat_pb2.UNSUPPORTED_POLICY_WARN
    assert fast.settle(warn) == general.settle(warn)


def delta(**fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": "x"}, "logprobs": None, "finish_reason": None}
    frame = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "system_fingerprint": "f"}
    return {**frame, "choices": [choice], "usage": None, **fields}


DELTAS = st.sampled_from(
    ["a", " b", 'say "hi"', "back\\slash", "\n", "\u2028", "\U0001f600", '"content":"', '"', "\\", ""]
)
ODDITIES: list[Any] = [
    {"id": "other"}, {"model": "n"}, {"system_fingerprint": "g"}, {"service_tier": "flex"}, {"obfuscation": "zz"},
    {"x": 1}, {"x": True}, {"usage": {"prompt_tokens": 1}}, {"choices": []},
]  # fmt: skip
CHOICES: list[Any] = [
    {"index": 1}, {"logprobs": {"content": []}}, {"delta": {"content": "y", "role": "assistant"}}, {"text": "x"},
    {"delta": {"reasoning_content": "r"}}, {"delta": {"content": None}}, {"delta": {"content": ["p"]}}, {"index": None},
    {"delta": {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}]}},
]  # fmt: skip


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    chunks = []
    spaced, ascii_only, padded = draw(st.booleans()), draw(st.booleans()), draw(st.integers(0, 2))
    for _ in range(draw(st.integers(1, 12))):
        chunk = delta()
        chunk["choices"][0]["delta"] = {"content": draw(DELTAS)}
        if padded:
            chunk["obfuscation"] = "zz" * (draw(st.integers(1, 3)) if padded == 2 else 1)
        if draw(st.integers(0, 4)) == 0:
            chunk |= draw(st.sampled_from(ODDITIES))
        if chunk["choices"] and draw(st.integers(0, 4)) == 0:
            chunk["choices"][0] |= draw(st.sampled_from(CHOICES))
        chunks.append(chunk)
    end = delta(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
    separators = None if spaced else (",", ":")
    texts = [json.dumps(each, ensure_ascii=ascii_only, separators=separators) for each in (*chunks, end)]
    name = "event: message\n" if draw(st.integers(0, 9)) == 0 else ""
    return "".join(f"{name}data: {text}\n\n" for text in (*texts, "[DONE]")).encode()


def decoded(stream: bytes, cuts: Iterable[int] = (), *, together: bool = False) -> Any:
    """The events of a stream that is cut at these places, and the error that ends it."""
    decoder = ChatStreamDecoder()
    events: list[chat_pb2.StreamChatResponse] = []
    places = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    try:
        for start, end in pairwise(places):
            events += (decoder.feed_together if together else decoder.feed)(stream[start:end])
        events += decoder.close()
    except ServiceError as error:
        return events, error.reason
    return events, None


def joined(found: Any) -> Any:
    """The same with texts that follow one another joined."""
    events, reason = found
    edge = chat_pb2.StreamChatResponse()
    copies = [chat_pb2.StreamChatResponse.FromString(event.SerializeToString()) for event in events]
    return together([edge, *copies, edge]), reason


@settings(max_examples=3000, deadline=None)
@given(streams(), st.lists(st.integers(1, 3000), max_size=4))
def test_a_stream_reads_alike_whether_chunks_are_parsed_or_recognised(stream: bytes, cuts: list[int]) -> None:
    fast = decoded(stream)
    assert decoded(stream, cuts) == fast
    assert joined(decoded(stream, cuts, together=True)) == joined(fast)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Alike, "run", lambda self, whole, at: ([], at))
        repeated = decoded(stream)
        patch.setattr(ChatStreamDecoder, "_take_repeated", lambda self, event: False)
        parsed = decoded(stream)
        patch.setattr(
            ChatStreamDecoder, "_take_text", lambda self, chunk, event: chunk.pop("obfuscation", None) and False
        )
        general = decoded(stream)
    assert fast == repeated
    assert fast == parsed
    assert fast == general


@pytest.mark.parametrize("padding", [None, "same", "varied"])
def test_most_chunks_of_a_usual_stream_are_not_parsed(monkeypatch: pytest.MonkeyPatch, padding: str | None) -> None:
    pads = {"same": "xyz", "varied": "x"}
    chunks = [
        delta() if padding is None else delta(obfuscation=pads[padding] * (number + 1 if padding == "varied" else 1))
        for number in range(20)
    ]
    texts = [json.dumps(each).replace('"content": "x"', f'"content": "word {n}"') for n, each in enumerate(chunks)]
    seen: list[bool] = []
    take = ChatStreamDecoder._take_text

    def parsed(*given: Any) -> bool:
        seen.append(take(*given))
        return seen[-1]

    monkeypatch.setattr(ChatStreamDecoder, "_take_text", parsed)
    events = ChatStreamDecoder().feed_together("".join(f"data: {text}\n\n" for text in texts).encode())
    assert "".join(event.part_delta.text for event in events) == "".join(f"word {n}" for n in range(20))
    assert len(events) <= 6, "texts that come together are told together"
    assert len(seen) <= 2


@pytest.mark.parametrize(
    "bad", [b'a"b', b"a\xffb", b"a\x01b", b"a\nb", b"a\n\nb", b"a\\", b"a\\q", b'","delta":{"content":"'],
)  # fmt: skip
@pytest.mark.parametrize("padded", [False, True])
def test_what_is_no_text_is_not_taken_for_one(bad: bytes, padded: bool) -> None:
    whole = json.dumps(delta(**({"obfuscation": "pad"} if padded else {})), separators=(",", ":")).encode()
    stream = b"".join(b"data: " + whole.replace(b'"x"', b'"%b"' % text) + b"\n\n" for text in (b"1", b"2", b"3", bad))
    fast = decoded(stream + b"data: [DONE]\n\n")
    assert joined(decoded(stream + b"data: [DONE]\n\n", together=True)) == joined(fast)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Alike, "run", lambda self, whole, at: ([], at))
        patch.setattr(ChatStreamDecoder, "_take_repeated", lambda self, event: False)
        assert decoded(stream + b"data: [DONE]\n\n") == fast


def test_a_character_cut_in_two_by_chunks_is_no_text() -> None:
    whole = json.dumps(delta()).encode()
    halves = [whole.replace(b'"x"', b'"%b"' % text) for text in (b"1", b"2", b"\xc3", b"\xa9")]
    found = decoded(b"".join(b"data: " + each + b"\n\n" for each in halves), together=True)
    assert found[1] is Reason.MALFORMED_RESPONSE


def test_recorded_answers_read_alike_both_ways() -> None:
    root = default_folder()
    if root is None:
        pytest.skip("no recordings here: set ANTIPHON_RECORDINGS to their folder")
    folder = Folder(root)
    plain = read = 0
    for file in folder.files:
        for recorded in folder.exchanges(file):
            answer = recorded.json
            choices = answer.get("choices") if isinstance(answer, dict) else None
            if isinstance(choices, list) and choices and all(isinstance(choice, dict) for choice in choices):
                read += 1
                plain += same_or_left(answer)
    assert read > 100
    assert plain > read / 8, "the fast way no longer recognises what it was made for"
