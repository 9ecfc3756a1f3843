"""L1 to L5 over authored samples that cover every kind of object, where recordings cover only those in use."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import fold
from antiphon.v1 import chat_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.gemini.codec import Gemini
from antiphon.wire.gemini.spelling import snake
from antiphon.wire.jsontext import loads
from tests.laws.chat import decode, written
from tests.laws.gemini import GeminiLaws
from tests.laws.recordings import Recorded
from tests.laws.verdict import first_difference, message_difference, untyped
from tests.wire.gemini.answers import ANSWERS, UNKNOWN_ANSWER
from tests.wire.gemini.answers import UNTYPED as UNTYPED_ANSWERS
from tests.wire.gemini.requests import PATH, REQUESTS, UNTYPED, Json
from tests.wire.gemini.streams import CHUNKS, UNKNOWN_CHUNKS, array, sse

WIRE = Gemini()
LAWS = GeminiLaws()


def _call(body: Json, path: str = PATH) -> HttpCall:
    return HttpCall(method="POST", path=path, body=json.dumps(body).encode())


def _reply(body: Json) -> HttpReply:
    return HttpReply(status=200, body=json.dumps(body).encode())


def _recorded(body: bytes) -> Recorded:
    return Recorded(
        file="sample",
        number=0,
        provider="gemini",
        method="POST",
        url="https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent",
        request_body=b'{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}',
        status=200,
        body=body,
    )


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_written_as_it_was_read(name: str) -> None:
    call = WIRE.decode_request(_call(REQUESTS[name]))
    again = WIRE.encode_request(call.spec, stream=call.stream)
    assert first_difference(REQUESTS[name], loads(again.body)) is None
    assert untyped(call.spec, WIRE.name) == UNTYPED.get(name, 0)
    assert again.path == PATH
    assert again.warnings == ()


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_makes_sense_without_its_spelling(name: str) -> None:
    """The form is safe to clear: what is written then means the same, and is read as the same."""
    spec = WIRE.decode_request(_call(REQUESTS[name])).spec
    _clear_forms(spec)
    spec.on_unsupported = chat_pb2.UNSUPPORTED_POLICY_WARN
    plain = WIRE.encode_request(spec, stream=False)
    again = WIRE.decode_request(_call(loads(plain.body))).spec
    assert again.model == spec.model
    spoken = [[part.WhichOneof("kind") for part in message.parts] for message in spec.messages]
    assert [[part.WhichOneof("kind") for part in message.parts] for message in again.messages] == spoken or (
        name in ("empty text", "results in their own spellings", "results before words", "unknown fields", "no role")
    )


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_written_as_it_was_read(name: str) -> None:
    completion = WIRE.decode_response(_reply(ANSWERS[name]))
    assert first_difference(ANSWERS[name], loads(WIRE.encode_response(completion).body)) is None
    assert untyped(completion, WIRE.name) == UNTYPED_ANSWERS.get(name, 0)


def test_an_answer_of_a_later_version_loses_nothing() -> None:
    completion = WIRE.decode_response(_reply(UNKNOWN_ANSWER))
    assert first_difference(UNKNOWN_ANSWER, loads(WIRE.encode_response(completion).body)) is None


@pytest.mark.parametrize("name", [name for name in ANSWERS if "content" in ANSWERS[name].get("candidates", [{}])[0]])
def test_an_answer_can_be_replayed(name: str) -> None:
    """What the model said goes back as it was, signatures above all; only calls are named now."""
    completion = WIRE.decode_response(_reply(ANSWERS[name]))
    spec = WIRE.decode_request(_call(REQUESTS["plain"])).spec
    spec.messages.extend(completion.outputs[0].messages)
    turns = loads(WIRE.encode_request(spec, stream=False).body)["contents"]
    said = [part for part in ANSWERS[name]["candidates"][0]["content"].get("parts", []) if part != {"text": ""}]
    replayed = [_unnamed(part) for turn in turns[1:] for part in turn["parts"]]
    if name in ("numbers for words", "snake case"):  # spelling is of the answer alone
        assert len(replayed) == len(said)
    else:
        assert replayed == [
            _unnamed({"text": "", **part} if set(part) == {"thoughtSignature"} else part) for part in said
        ]


def _unnamed(part: Json) -> Json:
    call = part.get("functionCall")
    if call is None:
        return part
    return {**part, "functionCall": {"args": {}, **{key: value for key, value in call.items() if key != "id"}}}


@pytest.mark.parametrize("name", CHUNKS)
@pytest.mark.parametrize("framing", [sse, array], ids=["sse", "array"])
def test_a_stream_folds_to_one_answer_however_it_is_cut(name: str, framing: object) -> None:
    body = sse(*CHUNKS[name]) if framing is sse else array(*CHUNKS[name])
    verdict = LAWS.examine(_recorded(body))
    assert [(law, difference) for law, difference in verdict.checks if difference] == []
    assert {law for law, _ in verdict.checks} == {"L1", "L3", "L4"}
    assert verdict.untyped == 0


@pytest.mark.parametrize("name", CHUNKS)
def test_both_framings_tell_the_same(name: str) -> None:
    events, error = decode(WIRE, [sse(*CHUNKS[name])])
    assert error is None
    others, error = decode(WIRE, [array(*CHUNKS[name])])
    assert error is None
    assert events == others
    encoder = WIRE.stream_encoder(array=True)
    body = b"".join(map(encoder.encode, events))
    assert isinstance(json.loads(body), list)
    again, error = decode(WIRE, [body])
    assert error is None
    assert message_difference(fold(events), fold(again)) is None


def test_a_stream_of_a_later_version_loses_nothing() -> None:
    events, error = decode(WIRE, [sse(*UNKNOWN_CHUNKS)])
    assert error is None
    body = loads(WIRE.encode_response(fold(events)).body)
    candidate = body["candidates"][0]
    assert candidate["content"]["parts"] == [{"text": "x", "mood": "good"}, {"hologram": {"depth": 3}}, {"text": "y"}]
    assert (candidate["finishReason"], candidate["oddity"]) == ("BORED", [1])
    assert body["modelStatus"] == {"stage": "PREVIEW"}
    assert body["usageMetadata"]["photons"] == 3
    again, error = decode(WIRE, [written(WIRE, events)])
    assert error is None
    assert loads(WIRE.encode_response(fold(again)).body) == body


_ODD: tuple[Any, ...] = (None, 7, -1, 2.5, True, "x", "", [], {}, [1], {"a_b": 1}, [{"q": None}], "\ud800", 10**25)


def _changed(document: Json, chance: random.Random) -> Json:
    """A copy with a few places changed: something added, left out, of another type, or in the other dialect."""
    copied: Json = json.loads(json.dumps(document))
    for _ in range(chance.randrange(1, 4)):
        place = chance.choice(list(_containers(copied)))
        value = json.loads(json.dumps(chance.choice(_ODD)))
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if isinstance(place, dict) and (not keys or chance.random() < 0.25):
            place[chance.choice(["newField", "new_field"])] = value
        elif keys:
            key = chance.choice(keys)
            kind = chance.random()
            if kind < 0.3:
                del place[key]
            elif kind < 0.6 or not isinstance(place, dict):
                place[key] = value
            elif snake(str(key)) not in place:
                place[snake(str(key))] = place.pop(key)
    return copied


def _containers(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _containers(inner)


@pytest.mark.parametrize("seed", range(8))
def test_odd_documents_are_written_as_they_were_read_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    refused: set[Reason] = set()
    for _ in range(60):
        asked = _changed(chance.choice(list(REQUESTS.values())), chance)
        try:
            spec = WIRE.decode_request(_call(asked)).spec
            assert first_difference(asked, loads(WIRE.encode_request(spec, stream=False).body)) is None
        except ServiceError as error:
            refused.add(error.reason)
        answered = _changed(chance.choice(list(ANSWERS.values())), chance)
        try:
            completion = WIRE.decode_response(_reply(answered))
            assert first_difference(answered, loads(WIRE.encode_response(completion).body)) is None
        except ServiceError as error:
            refused.add(error.reason)
    assert refused <= {Reason.INVALID_REQUEST, Reason.UNSUPPORTED_PARAMETER, Reason.MALFORMED_RESPONSE}


def _clear_forms(message: object) -> None:
    for descriptor, value in message.ListFields():  # type: ignore[attr-defined]
        if descriptor.name == "form":
            message.ClearField("form")  # type: ignore[attr-defined]
        elif descriptor.message_type is not None and not descriptor.message_type.GetOptions().map_entry:
            for item in value if descriptor.is_repeated else (value,):
                _clear_forms(item)
