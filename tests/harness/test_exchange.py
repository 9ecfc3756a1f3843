"""An exchange as JSON leads back to itself, and whatever is none is refused with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from antiphon.harness import SseEvent, authored_json, authored_sse
from antiphon.harness.exchange import BadExchangeError, from_document, to_document
from antiphon.harness.interaction import Answer, Interaction, RecordedRequest

EXCHANGES = [
    authored_json(
        url="https://h.test/v1", request={"q": "é"}, response={"a": [1, None]}, scenario="chat", date="2026-01-01"
    ),
    authored_sse(url="https://h.test/v1", request={}, events=[SseEvent(data={"a": 1}, delay_ms=2.5)] * 3, cut=True),
    Interaction(
        request=RecordedRequest(method="GET", url="https://h.test/"),
        answer=Answer(status=204, body=b"\xff\x00\xfe", headers=(("a", "1"), ("a", "2"))),
    ),
]


@pytest.mark.parametrize("interaction", EXCHANGES)
def test_an_exchange_survives_json(interaction: Interaction) -> None:
    assert from_document(json.loads(json.dumps(to_document(interaction)))) == interaction


GOOD: dict[str, Any] = to_document(EXCHANGES[0])


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "an exchange must be an object"),
        ({}, "request must be an object"),
        ({"request": {}}, "response must be an object"),
        ({**GOOD, "request": {"method": 1, "uri": "x"}}, "request.method"),
        ({**GOOD, "request": {**GOOD["request"], "body": 7}}, "request.body must be text"),
        ({**GOOD, "request": {**GOOD["request"], "body": {"base64": "*"}}}, "request.body is no base64"),
        ({**GOOD, "response": {}}, "response.status.code"),
        ({**GOOD, "response": {**GOOD["response"], "body": {"string": "longer"}}}, "the chunks hold"),
        ({**GOOD, "response": {**GOOD["response"], "headers": 3}}, "headers must be a mapping"),
    ],
)
def test_what_is_no_exchange_is_refused(document: Any, said: str) -> None:
    with pytest.raises(BadExchangeError, match=said):
        from_document(document)


def test_an_edited_body_lets_go_of_its_chunks_and_nothing_else() -> None:
    document = to_document(EXCHANGES[1])
    document["response"]["body"]["string"] = "data: changed\n\n"
    with pytest.raises(BadExchangeError, match="the chunks hold"):
        from_document(document)
    edited = from_document(document, edited=True)
    assert (edited.answer.chunks, edited.answer.outcome) == (None, EXCHANGES[1].answer.outcome)
    assert from_document(to_document(EXCHANGES[1]), edited=True) == EXCHANGES[1]
