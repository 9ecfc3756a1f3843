"""Streams of OpenAI Responses, written by hand from the format's documentation: each kind of item grows in its way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from antiphon.wire.jsontext import dumps
from tests.wire.openai_responses.answers import CITED, HEAD, message
from tests.wire.openai_responses.requests import ITEMS

Json = dict[str, Any]


def stream(events: Iterable[Json], output: list[Json], *, end: str = "completed", **head: Any) -> bytes:
    """The bytes of a stream: its events between the usual begin and end."""
    body = {**HEAD, **head}
    begun = {**body, "status": "in_progress", "output": [], "usage": None, "completed_at": None}
    whole = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        *events,
        {"type": f"response.{end}", "response": {**body, "output": output}},
    ]
    return b"".join(
        b"event: " + event["type"].encode() + b"\ndata: " + dumps({**event, "sequence_number": number}) + b"\n\n"
        for number, event in enumerate(whole)
    )


def told(item: Json, index: int, *events: Json, **begun: Any) -> list[Json]:
    """An item with the events in its midst; `begun` is what differs at its begin."""
    place = {"item_id": item.get("id", ""), "output_index": index}
    return [
        {"type": "response.output_item.added", "output_index": index, "item": {**item, **begun}},
        *({**place, **event, "type": f"response.{event['type']}"} for event in events),
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def _text(item: Json, index: int, *deltas: str) -> list[Json]:
    """A message that grows by deltas."""
    part = item["content"][0]
    empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    return told(
        item,
        index,
        {"type": "content_part.added", "content_index": 0, "part": empty},
        *(
            {"type": "output_text.delta", "content_index": 0, "delta": delta, "obfuscation": "xyz", "logprobs": []}
            for delta in deltas
        ),
        {"type": "output_text.done", "content_index": 0, "text": part["text"], "logprobs": []},
        {"type": "content_part.done", "content_index": 0, "part": part},
        status="in_progress",
        content=[],
    )


_REASONING = ITEMS["an answer replayed"][1]
_REFUSAL = {**message(1), "content": [{"type": "refusal", "refusal": "I will not."}]}
_CALL = {**ITEMS["functions"][0], "id": "fc_1", "status": "completed"}
_CUSTOM = {**ITEMS["custom tools"][0], "status": "completed"}
_SEARCH, _FILES, _CODE, _IMAGE = (
    ITEMS["searches"][0],
    ITEMS["searches"][3],
    ITEMS["code"][0],
    ITEMS["a picture made"][0],
)
_LIST, _MCP = ITEMS["MCP"][0], ITEMS["MCP"][4]
_BROKEN = ITEMS["MCP"][5]
_CITATIONS = CITED["content"][0]["annotations"]
_HI = message(1)
_BYE = message(2, phase="final_answer")

STREAMS: Mapping[str, bytes] = {
    "text": stream(_text(_HI, 0, "H", "i"), [_HI]),
    "text that only its end tells": stream(told(_HI, 0, content=[], status="in_progress"), [_HI]),
    "an item that only its end tells": stream(told(_HI, 0)[1:], [_HI]),
    "items that only the last event tells": stream([], [_REASONING, _HI, _CALL, _MCP]),
    "an item that nothing ends": stream(_text(_HI, 0, "H", "i")[:-1], [_HI]),
    "nothing": stream([], []),
    "a message without content": stream(
        told(message(1, content=[]), 0, status="in_progress"), [message(1, content=[])]
    ),
    "citations": stream(
        told(
            dict(CITED),
            0,
            {
                "type": "content_part.added",
                "content_index": 0,
                "part": {"type": "output_text", "text": "", "annotations": [], "logprobs": []},
            },
            {
                "type": "output_text.delta",
                "content_index": 0,
                "delta": CITED["content"][0]["text"],
                "logprobs": CITED["content"][0]["logprobs"],
            },
            *(
                {"type": "output_text.annotation.added", "content_index": 0, "annotation_index": i, "annotation": item}
                for i, item in enumerate(_CITATIONS[:2])
            ),
            content=[],
            status="in_progress",
        ),
        [dict(CITED)],
    ),
    "a refusal": stream(
        told(
            _REFUSAL,
            0,
            {"type": "content_part.added", "content_index": 0, "part": {"type": "refusal", "refusal": ""}},
            {"type": "refusal.delta", "content_index": 0, "delta": "I will"},
            {"type": "refusal.delta", "content_index": 0, "delta": " not."},
            {"type": "refusal.done", "content_index": 0, "refusal": "I will not."},
            content=[],
            status="in_progress",
        ),
        [_REFUSAL],
    ),
    "reasoning": stream(
        [
            *told(
                _REASONING,
                0,
                {
                    "type": "reasoning_summary_part.added",
                    "summary_index": 0,
                    "part": {"type": "summary_text", "text": ""},
                },
                {"type": "reasoning_summary_text.delta", "summary_index": 0, "delta": "Fir"},
                {"type": "reasoning_summary_text.delta", "summary_index": 0, "delta": "st."},
                {"type": "reasoning_summary_text.done", "summary_index": 0, "text": "First."},
                {
                    "type": "reasoning_summary_part.added",
                    "summary_index": 1,
                    "part": {"type": "summary_text", "text": ""},
                },
                {"type": "reasoning_summary_text.delta", "summary_index": 1, "delta": "Then."},
                {"type": "reasoning_text.delta", "content_index": 0, "delta": "H"},
                {"type": "reasoning_text.done", "content_index": 0, "text": "Hm."},
                summary=[],
                content=[],
                encrypted_content="early",
                status="in_progress",
            ),
            *_text(_HI, 1, "Hi"),
        ],
        [_REASONING, _HI],
    ),
    "reasoning that is encrypted": stream(
        told({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gA"}, 0, encrypted_content="g"),
        [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gA"}],
    ),
    "calls side by side": stream(
        [
            told(_CALL, 0, arguments="", status="in_progress")[0],
            told(_CUSTOM, 1, input="", status="in_progress")[0],
            {"type": "response.function_call_arguments.delta", "output_index": 0, "item_id": "fc_1", "delta": '{"ci'},
            {"type": "response.custom_tool_call_input.delta", "output_index": 1, "item_id": "ctc_1", "delta": "sel"},
            {
                "type": "response.function_call_arguments.delta",
                "output_index": 0,
                "item_id": "fc_1",
                "delta": 'ty": "Oslo"}',
            },
            {
                "type": "response.custom_tool_call_input.done",
                "output_index": 1,
                "item_id": "ctc_1",
                "input": "select 1",
            },
            told(_CUSTOM, 1)[-1],
            told(_CALL, 0)[-1],
        ],
        [_CALL, _CUSTOM],
    ),
    "tools that the provider runs": stream(
        [
            *told(
                _SEARCH,
                0,
                {"type": "web_search_call.in_progress"},
                {"type": "web_search_call.searching"},
                {"type": "web_search_call.completed"},
                action=None,
                status="in_progress",
            ),
            *told(_FILES, 1, {"type": "file_search_call.searching"}, results=None, status="in_progress"),
            *told(
                _CODE,
                2,
                {"type": "code_interpreter_call.in_progress"},
                {"type": "code_interpreter_call_code.delta", "delta": "pri"},
                {"type": "code_interpreter_call_code.delta", "delta": "nt(1)"},
                {"type": "code_interpreter_call_code.done", "code": "print(1)"},
                {"type": "code_interpreter_call.interpreting"},
                {"type": "code_interpreter_call.completed"},
                code="",
                outputs=None,
                status="in_progress",
            ),
            *told(
                _IMAGE,
                3,
                {"type": "image_generation_call.generating"},
                {
                    "type": "image_generation_call.partial_image",
                    "partial_image_index": 0,
                    "partial_image_b64": "aGk=",
                },
                result=None,
                status="in_progress",
            ),
            *told(
                _MCP,
                4,
                {"type": "mcp_call_arguments.delta", "delta": '{"q": '},
                {"type": "mcp_call_arguments.delta", "delta": '"a"}'},
                {"type": "mcp_call.completed"},
                arguments="",
                output=None,
                status="in_progress",
            ),
            *told(_BROKEN, 5, {"type": "mcp_call.failed"}, arguments="", error=None, status="in_progress"),
        ],
        [_SEARCH, _FILES, _CODE, _IMAGE, _MCP, _BROKEN],
    ),
    "lists that are fetched at once": stream(
        [
            told(_LIST, 0, tools=[])[0],
            told({**_LIST, "id": "mcpl_9"}, 1, tools=[])[0],
            told({**_LIST, "id": "mcpl_9"}, 1)[-1],
            told(_LIST, 0)[-1],
        ],
        [_LIST, {**_LIST, "id": "mcpl_9"}],
    ),
    "several messages": stream(
        [*_text(_HI, 0, "Hi"), *told(_SEARCH, 1, action=None), *_text(_BYE, 2, "H", "i")], [_HI, _SEARCH, _BYE]
    ),
    "what nobody knows": stream(
        [
            *told(ITEMS["what nobody knows"][0], 0, {"type": "hologram_call.beaming", "beam": 1}),
            {"type": "response.weather", "text": "fair"},
        ],
        [ITEMS["what nobody knows"][0]],
    ),
    "too long": stream(
        _text(message(1, status="incomplete"), 0, "Hi"),
        [message(1, status="incomplete")],
        end="incomplete",
        status="incomplete",
        incomplete_details={"reason": "max_output_tokens"},
    ),
    "without identifiers": stream(
        [*told({key: value for key, value in _CALL.items() if key not in ("id", "status")}, 0, arguments="")],
        [{key: value for key, value in _CALL.items() if key not in ("id", "status")}],
    ),
}
