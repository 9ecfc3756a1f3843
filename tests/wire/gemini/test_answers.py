"""What Google's answers mean in the contract, and what other providers' answers become for Google's clients."""

from __future__ import annotations

import json

import pytest

from antiphon.v1 import chat_pb2, content_pb2, usage_pb2
from antiphon.wire.base import HttpReply
from antiphon.wire.gemini.candidates import FINISH, FINISH_WORDS
from antiphon.wire.gemini.codec import Gemini
from antiphon.wire.gemini.spelling import NUMBERS
from antiphon.wire.jsontext import loads
from tests.wire.gemini.answers import ANSWERS, Json, answer

WIRE = Gemini()


def _decode(body: Json) -> chat_pb2.Completion:
    return WIRE.decode_response(HttpReply(status=200, body=json.dumps(body).encode()))


def _encode(completion: chat_pb2.Completion) -> Json:
    body: Json = loads(WIRE.encode_response(completion).body)
    return body


def test_totals_hold_thoughts_and_what_tools_gave() -> None:
    usage = _decode(ANSWERS["usage"]).usage
    assert (usage.input_tokens, usage.tool_prompt_tokens, usage.cache_read_tokens) == (17, 7, 4)
    assert (usage.output_tokens, usage.reasoning_tokens, usage.total_tokens) == (50, 30, 67)
    assert usage.input_by_modality[0].cached_tokens == 4
    assert json.loads(usage.raw.data)["trafficType"] == "ON_DEMAND"


def test_a_model_that_calls_waits_for_results() -> None:
    completion = _decode(ANSWERS["calls"])
    output = completion.outputs[0]
    assert output.finish_reason == chat_pb2.FINISH_REASON_TOOL_CALLS
    assert output.provider_finish_reason == "STOP"
    calls = [part.tool_call for part in output.messages[0].parts]
    assert [call.call_id for call in calls] == ["abc-0-0", "c2", "abc-0-2"]
    assert calls[0].arguments_json == '{"b":1,"a":[1.5,null]}'
    assert _decode(ANSWERS["code"]).outputs[0].finish_reason == chat_pb2.FINISH_REASON_STOP


def test_code_that_google_ran_is_a_call_and_its_result() -> None:
    call, result, text = _decode(ANSWERS["code"]).outputs[0].messages[0].parts
    assert call.tool_call.executor == result.tool_result.executor == content_pb2.TOOL_EXECUTOR_PROVIDER
    assert json.loads(call.tool_call.arguments_json)["code"] == "print(1)"
    assert result.tool_result.call_id == call.tool_call.call_id
    assert result.tool_result.content[0].code_result.stdout == text.text.text == "1"


def test_a_blocked_prompt_is_an_answer_that_a_filter_ended() -> None:
    completion = _decode(ANSWERS["blocked prompt"])
    assert completion.prompt_blocked
    assert completion.outputs[0].finish_reason == chat_pb2.FINISH_REASON_CONTENT_FILTER
    assert completion.outputs[0].finish_message == "no"
    assert completion.prompt_safety[0].category == "HARM_CATEGORY_HARASSMENT"


def test_sources_are_cited_by_characters_of_their_part() -> None:
    completion = _decode(ANSWERS["grounded in several parts"])
    assert [found.origin for found in completion.search_results] == ["web", "retrieved_context", "maps", "image"]
    first, second = completion.outputs[0].messages[0].parts[2:]
    assert [first.text.text[one.start : one.end] for one in first.text.citations][:1] == ["Ä fact."]
    assert [one.url for one in first.text.citations] == ["https://a.com", "https://a.com", "gs://b", "https://d.com"]
    assert [second.text.text[one.start : one.end] for one in second.text.citations] == ["Ende."]
    assert first.text.citations[0].score == 0.9
    grounding = completion.outputs[0].grounding
    assert (list(grounding.queries), grounding.rendered_html, grounding.search_score) == (["a", "b"], "<b>", 0.7)


def test_text_that_was_repeated_is_cited_with_its_licence() -> None:
    [later, first] = _decode(ANSWERS["recited"]).outputs[0].messages[0].parts[0].text.citations
    assert (later.license, later.url, first.publication_date) == ("mit", "https://a.com", "2024-05-07")


def test_a_citation_of_another_provider_becomes_a_source_and_its_support() -> None:
    text = content_pb2.TextPart(text="Größe zählt.")
    text.citations.add(url="https://a.com", title="A", start=0, end=5)
    text.citations.add(url="https://b.com", title="B", start=0, end=5)
    text.citations.add(url="https://a.com", title="A")
    completion = chat_pb2.Completion()
    completion.outputs.add().messages.add(role=content_pb2.ROLE_ASSISTANT).parts.add(text=text)
    grounding = _encode(completion)["candidates"][0]["groundingMetadata"]
    assert [chunk["web"]["uri"] for chunk in grounding["groundingChunks"]] == ["https://a.com", "https://b.com"]
    assert grounding["groundingSupports"] == [
        {"segment": {"endIndex": 7, "text": "Größe"}, "groundingChunkIndices": [0, 1]},
        {"segment": {"endIndex": 15, "text": "Größe zählt."}, "groundingChunkIndices": [0]},
    ]


def test_numbers_of_enums_are_words() -> None:
    completion = _decode(ANSWERS["numbers for words"])
    assert completion.outputs[0].provider_finish_reason == "SPII"
    assert completion.outputs[0].safety[0].category == "HARM_CATEGORY_HATE_SPEECH"
    assert completion.usage.input_by_modality[0].modality == content_pb2.MODALITY_AUDIO
    completion.outputs[0].finish_reason = chat_pb2.FINISH_REASON_STOP
    assert _encode(completion)["candidates"][0]["finishReason"] == "STOP"  # an edit wins over the spelling


@pytest.mark.parametrize("word", list(NUMBERS["finishReason"].values()))
def test_every_numbered_reason_is_known(word: str) -> None:
    assert word in FINISH


@pytest.mark.parametrize("word", FINISH)
def test_every_reason_is_read_and_written(word: str) -> None:
    body = answer({"text": "x"}, finishReason=word)
    completion = _decode(body)
    assert completion.outputs[0].finish_reason == FINISH[word]
    assert _encode(completion) == body


@pytest.mark.parametrize("reason", chat_pb2.FinishReason.values())
def test_every_reason_of_the_contract_has_a_word(reason: chat_pb2.FinishReason.ValueType) -> None:
    completion = chat_pb2.Completion(outputs=[chat_pb2.Output(finish_reason=reason, provider_finish_reason="tool_use")])
    word = _encode(completion)["candidates"][0].get("finishReason", "")
    assert word == FINISH_WORDS[reason]
    assert word in (*FINISH, "")


def test_usage_of_another_provider_is_counted_googles_way() -> None:
    usage = usage_pb2.Usage(input_tokens=10, output_tokens=20, total_tokens=30, reasoning_tokens=5, cache_read_tokens=4)
    written = _encode(chat_pb2.Completion(usage=usage))["usageMetadata"]
    assert written == {
        "promptTokenCount": 10,
        "candidatesTokenCount": 15,
        "thoughtsTokenCount": 5,
        "cachedContentTokenCount": 4,
        "totalTokenCount": 30,
    }


@pytest.mark.parametrize(
    "body",
    [
        {"totalTokens": 12},
        {"totalTokens": 12, "totalBillableCharacters": 47},
        {
            "totalTokens": 12,
            "cachedContentTokenCount": 3,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 12}],
            "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 3}],
        },
        {},
    ],
)
def test_a_count_is_written_as_it_was_read(body: Json) -> None:
    count = WIRE.decode_count_response(HttpReply(status=200, body=json.dumps(body).encode()))
    assert count.usage.input_tokens == body.get("totalTokens", 0)
    assert loads(WIRE.encode_count_response(count).body) == body
    assert not count.provider_data
