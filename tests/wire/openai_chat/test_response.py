"""Answers of OpenAI's chat format, read and written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.base import HttpReply
from antiphon.wire.openai_chat import OpenAIChat, finish
from tests.laws.verdict import first_difference, untyped

WIRE = OpenAIChat()


def lifted(body: Any) -> chat_pb2.Completion:
    return WIRE.decode_response(HttpReply(status=200, body=json.dumps(body).encode()))


def answer(message: Any = None, *, choice: Any = None, **fields: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": "hi", **(message or {})}
    choices = [{"index": 0, "message": said, "finish_reason": "stop", **(choice or {})}]
    return {"id": "x", "object": "chat.completion", "created": 5, "model": "m", "choices": choices, **fields}


def only_part(body: Any) -> content_pb2.Part:
    (part,) = lifted(body).outputs[0].messages[0].parts
    return part


MODERATED = {
    "type": "moderation_results",
    "model": "omni",
    "results": [
        {
            "type": "moderation_result",
            "model": "omni",
            "flagged": False,
            "categories": {"hate": False, "hate/threatening": True},
            "category_scores": {"hate": 1e-05, "hate/threatening": 0.5},
            "category_applied_input_types": {"hate": ["text"], "hate/threatening": ["text", "image"]},
        }
    ],
}
TOKENS = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
TYPED: dict[str, dict[str, Any]] = {
    "content-null": answer({"content": None, "tool_calls": []}),
    "content-empty": answer({"content": "", "reasoning": "r"}),
    "content-absent": {
        **answer(),
        "choices": [{"index": 0, "message": {"role": "assistant"}, "finish_reason": "stop"}],
    },
    "content-list": answer(
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "t"}], "closed": True},
                {"type": "text", "text": "4"},
            ]
        }
    ),
    "tool_calls-null": answer({"tool_calls": None}),
    "tool_calls-empty-list": answer({"tool_calls": []}),
    "toolcall-no-type": answer(
        {"content": "", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}, "index": 0}]}
    ),
    "several choices": {
        **answer(),
        "choices": [
            {"index": i, "message": {"role": "assistant", "content": str(i)}, "finish_reason": "length"} for i in (1, 0)
        ],
    },
    "finish:": answer(choice={"finish_reason": ""}),
    "logprobs": answer(
        choice={
            "logprobs": {
                "content": [
                    {
                        "token": "hi",
                        "logprob": -0.25,
                        "bytes": [104, 105],
                        "top_logprobs": [
                            {"token": "\\xf0", "logprob": -9, "bytes": [240]},
                            {"token": "x", "bytes": None},
                        ],
                    }
                ],
                "refusal": None,
            }
        }
    ),
    "annotations": answer(
        {
            "annotations": [
                {
                    "type": "url_citation",
                    "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 2, "content": "c"},
                },
                {"type": "file", "file": {"hash": "h", "name": "n", "content": [{"type": "text", "text": "x"}]}},
            ]
        }
    ),
    "audio": answer({"content": None, "audio": {"id": "a", "data": "AAEC", "expires_at": 9, "transcript": "hi"}}),
    "refusal": answer({"content": None, "refusal": "no"}),
    "images": answer({"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAEC"}}]}),
    "msg.reasoning": answer({"reasoning": "r"}),
    "msg.reasoning_content": answer({"reasoning_content": "r"}),
    "msg.reasoning_details": answer(
        {
            "reasoning": "s",
            "reasoning_details": [
                {"type": "reasoning.summary", "summary": "s", "format": "f", "index": 0},
                {"type": "reasoning.encrypted", "data": "d", "id": "rs", "format": "f", "index": 1},
            ],
        }
    ),
    "legacy call": answer({"content": None, "function_call": {"name": "f", "arguments": "{}"}}),
    "msg.executed_tools": answer(
        {
            "executed_tools": [
                {
                    "index": 0,
                    "type": "search",
                    "arguments": "{}",
                    "output": "o",
                    "search_results": {"results": [{"title": "t", "url": "u", "content": "c", "score": 0.5}]},
                }
            ]
        }
    ),
    "top.citations;top.search_results": answer(
        citations=["u1", "u2"],
        search_results=[
            {"title": "t", "url": "u1", "date": "2025-01-01", "last_updated": None, "snippet": "s", "source": "web"},
            {"title": "t2", "url": "u2"},
        ],
        choice={"delta": {"role": "assistant", "content": ""}},
    ),
    "citations alone": answer(citations=["u1", "u2"]),
    "top.x_groq": answer(x_groq={"id": "req_1"}, usage={**TOKENS, "queue_time": 0.1, "prompt_time": 0.2}),
    "top.usage_breakdown": answer(
        usage=TOKENS, usage_breakdown={"models": [{"model": "a", "usage": {**TOKENS, "total_time": 1.5}}]}
    ),
    "top.time_info": answer(usage=TOKENS, time_info={"queue_time": 0.1, "completion_time": 0.2, "total_time": 0.3}),
    "top.stats": answer(usage=TOKENS, stats={"tokens_per_second": 7.5, "time_to_first_token": 0.1}),
    "top.request_id": answer(request_id="r"),
    "top.provider": answer(provider="Google", choice={"native_finish_reason": "STOP"}),
    "top.prompt_filter_results": answer(
        prompt_filter_results=[
            {"prompt_index": 0, "content_filter_results": {"jailbreak": {"filtered": False, "detected": True}}}
        ],
        choice={"content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}},
    ),
    "top.moderation": answer(moderation={"input": MODERATED, "output": MODERATED}),
    "top.prompt and nulls": answer(
        prompt=[], prompt_logprobs=None, kv_transfer_params=None, service_tier=None, choice={"token_ids": None}
    ),
    "stop and seed": answer(choice={"stop_reason": "END", "seed": 2**64 - 1}),
    "stop token": answer(choice={"stop_reason": 154829}),
    "usage details": answer(
        usage={
            **TOKENS,
            "prompt_tokens_details": {"cached_tokens": 1, "audio_tokens": 0, "text_tokens": 3, "cache_write_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 2, "accepted_prediction_tokens": 0, "image_tokens": 0},
        },
        service_tier="default",
        system_fingerprint="fp",
    ),
    "deepseek usage": answer(usage={**TOKENS, "prompt_cache_hit_tokens": 1, "prompt_cache_miss_tokens": 2}),
    "router usage": answer(
        usage={
            **TOKENS,
            "cost": 1.5e-05,
            "is_byok": False,
            "cost_details": {"upstream_inference_cost": None, "upstream_inference_prompt_cost": 0.1},
            "server_tool_use_details": {"web_search_requests": 3},
        }
    ),
    "xai usage": answer(usage={**TOKENS, "cost_in_usd_ticks": 37756000, "num_sources_used": 2}),
    "search usage": answer(
        usage={**TOKENS, "search_context_size": "low", "cost": {"total_cost": 0.006, "request_cost": 0.005}}
    ),
}


@pytest.mark.parametrize("name", TYPED)
def test_answers_are_typed_and_come_back(name: str) -> None:
    completion = lifted(TYPED[name])
    assert first_difference(TYPED[name], json.loads(WIRE.encode_response(completion).body)) is None
    assert untyped(completion, WIRE.name) == 0


def test_unknown_fields_survive_where_they_stood() -> None:
    body = answer({"m": {"a": [1]}}, choice={"c": 2}, top={"t": 3})
    completion = lifted(body)
    output = completion.outputs[0]
    found = [completion.provider_data, output.provider_data, output.messages[0].provider_data]
    assert [json.loads(data[WIRE.name]) for data in found] == [{"top": {"t": 3}}, {"c": 2}, {"m": {"a": [1]}}]
    assert first_difference(body, json.loads(WIRE.encode_response(completion).body)) is None


def test_an_answer_is_replayed_with_its_unknown_fields() -> None:
    completion = lifted(answer({"extra_content": {"google": {"thought_signature": "AB=="}}, "refusal": None}))
    spec = chat_pb2.ChatSpec(model="m", messages=completion.outputs[0].messages)
    message = json.loads(WIRE.encode_request(spec, stream=False).body)["messages"][0]
    assert message["extra_content"] == {"google": {"thought_signature": "AB=="}}
    assert message == {"role": "assistant", "content": "hi", "extra_content": message["extra_content"]}


def test_a_replayed_call_has_no_stream_index() -> None:
    call = {"id": "1", "type": "function", "index": 0, "function": {"name": "f", "arguments": "{}"}}
    completion = lifted(answer({"content": None, "tool_calls": [call]}))
    spec = chat_pb2.ChatSpec(model="m", messages=completion.outputs[0].messages)
    (message,) = json.loads(WIRE.encode_request(spec, stream=False).body)["messages"]
    assert "index" not in message["tool_calls"][0]


@pytest.mark.parametrize("word", [*finish.FINISH, "brand_new"])
def test_finish_reasons_keep_the_provider_s_word(word: str) -> None:
    body = answer(choice={"finish_reason": word})
    completion = lifted(body)
    expected = finish.FINISH.get(word, chat_pb2.FINISH_REASON_OTHER)
    assert completion.outputs[0].finish_reason == expected
    assert json.loads(WIRE.encode_response(completion).body)["choices"][0]["finish_reason"] == word


def test_every_finish_reason_has_a_word_for_clients() -> None:
    assert set(finish.FINISH_WORDS) == set(chat_pb2.FinishReason.values())
    output = chat_pb2.Output(finish_reason=chat_pb2.FINISH_REASON_STOP, provider_finish_reason="end_turn")
    assert finish.finish_word(output) == "stop"


def test_astral_characters_and_separators_survive() -> None:
    text = "\U0001f600 \u2028 \x85 e\u0301"
    assert only_part(answer({"content": text})).text.text == text


def test_half_of_a_surrogate_pair_does_not_lose_the_answer() -> None:
    body = json.dumps(answer({"content": "half \ud83d of a pair"})).encode()
    completion = WIRE.decode_response(HttpReply(status=200, body=body))
    assert completion.outputs[0].messages[0].parts[0].text.text == "half \ufffd of a pair"


def test_arguments_stay_the_text_that_the_provider_wrote() -> None:
    arguments = '{"b": 1.0,  "a": 12345678901234567890123}'
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    assert only_part(answer({"content": None, "tool_calls": [call]})).tool_call.arguments_json == arguments


def test_arguments_as_an_object_come_back_as_one() -> None:
    body = answer({"content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"a": 1}}}]})
    assert only_part(body).tool_call.arguments_json == '{"a":1}'
    assert first_difference(body, json.loads(WIRE.encode_response(lifted(body)).body)) is None


def test_usage_totals_are_as_the_provider_says_and_its_block_is_kept() -> None:
    usage = lifted(TYPED["deepseek usage"]).usage
    assert (usage.input_tokens, usage.cache_read_tokens) == (3, 1)
    assert json.loads(usage.raw.data) == TYPED["deepseek usage"]["usage"]


def test_cost_is_decimal_text() -> None:
    costs = {cost.meter: cost.usd for cost in lifted(TYPED["router usage"]).usage.costs}
    assert costs == {"total": "0.000015", "upstream_input": "0.1"}


def test_reasoning_that_is_counted_apart_is_included() -> None:
    details = {"completion_tokens_details": {"reasoning_tokens": 5}}
    body = answer(usage={"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 12, **details})
    completion = lifted(body)
    assert completion.usage.output_tokens == 9
    assert first_difference(body, json.loads(WIRE.encode_response(completion).body)) is None
    body["usage"]["total_tokens"] = 7
    assert lifted(body).usage.output_tokens == 4


def test_ticks_are_dollars() -> None:
    (cost,) = lifted(TYPED["xai usage"]).usage.costs
    assert (cost.meter, cost.usd) == ("total", "0.0037756")


def test_an_answer_of_another_provider_becomes_one_message() -> None:
    completion = chat_pb2.Completion(id="x", model="m")
    output = completion.outputs.add(finish_reason=chat_pb2.FINISH_REASON_REFUSAL)
    for text in ("a", "b"):
        output.messages.add(role=content_pb2.ROLE_ASSISTANT).parts.add().text.text = text
    choice = json.loads(WIRE.encode_response(completion).body)["choices"][0]
    assert choice == {
        "index": 0,
        "message": {"role": "assistant", "content": "ab"},
        "finish_reason": "content_filter",
    }


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"choices":{}}', b'{"choices":["x"]}'])
def test_an_answer_that_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_response(HttpReply(status=200, body=body))
    assert caught.value.reason is Reason.MALFORMED_RESPONSE


def test_an_error_with_status_200_is_an_error() -> None:
    with pytest.raises(ServiceError) as caught:
        lifted({"error": {"message": "busy", "code": 503}})
    assert caught.value.reason is Reason.OVERLOADED
