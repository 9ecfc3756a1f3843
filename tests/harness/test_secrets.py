"""A credential stops the write, wherever it hides; the error names the place and never the value."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from antiphon.adapter.rows import BUILT_IN
from antiphon.harness import CassetteTransport, Mode, RecordingCall, SecretFound, SseEvent, authored_json
from antiphon.harness.authoring import authored_sse, write_cassette
from antiphon.harness.keyshapes import KEY_SHAPES, PROVIDER_SHAPES
from antiphon.harness.secrets import ACCEPTED_NAME, SecretScanner
from tests.harness.streaming_server import Reply, StreamingServer

CANARY = 'can"ary/0123456789+xyz'
DIGITS = "0123456789abcdefghij0123456789abcdefghij"
SHAPED = {
    "sk-...": "sk-ant-api03-" + DIGITS,
    "AIza...": "AIza" + DIGITS[:35],
    "AQ....": "AQ." + DIGITS,
    "gsk_...": "gsk_" + DIGITS,
    "xai-...": "xai-" + DIGITS,
    "pplx-...": "pplx-" + DIGITS,
    "csk-...": "csk-" + DIGITS,
    "fw_...": "fw_" + DIGITS,
    "tgp_v1_...": "tgp_v1_" + DIGITS,
    "hf_...": "hf_" + DIGITS,
    "pa-...": "pa-" + DIGITS.upper(),
    "nvapi-...": "nvapi-" + DIGITS,
    "r8_...": "r8_" + DIGITS,
    "dapi...": "dapi" + "0123456789abcdef" * 2,
    "Bedrock API key": "ABSK" + DIGITS,
    "GitHub token": "ghp_" + DIGITS[:36],
    "Google OAuth token": "ya29." + DIGITS,
    "AWS access key": "AKIA" + "0123456789ABCDEF",
    "AWS signature": "X-Amz-Signature=" + DIGITS,
    "AWS authorization": "AWS4-HMAC-SHA256 Credential=" + DIGITS,
    "signed URL": "?sig=" + DIGITS,
    "password in a URL": "https://me:plainword@host",
    "cookie": "Cookie: session=" + DIGITS,
    "Cloudflare cookie": "__cf_bm=" + DIGITS,
    "JWT": f"eyJ{DIGITS}.{DIGITS}.{DIGITS}",
    "bearer token": "Bearer " + DIGITS,
    "private key": "-----BEGIN RSA PRIVATE KEY-----",
}


def test_every_key_shape_has_an_example() -> None:
    assert SHAPED.keys() == KEY_SHAPES.keys()


@pytest.mark.parametrize("shape", SHAPED)
def test_every_key_shape_is_found_and_redacted(shape: str) -> None:
    text = f'see "{SHAPED[shape]}" here'
    scanner = SecretScanner()
    assert scanner.holds(text)
    redacted = scanner.redact(text)
    assert "[redacted]" in redacted
    assert "0123456789abcdef" not in redacted
    assert "plainword" not in redacted


@pytest.mark.parametrize(
    "text",
    [
        "risk-averse-and-task-oriented-people-2024",
        "sk-learn-pipelines-are-words-with-hyphens",
        "chatcmpl-" + DIGITS,
        "the bearer of this letter is internationalisation",
        base64.b64encode(bytes(range(256)) * 40).decode(),
        "msg_01ABCDEFGHIJKLMNOP",
    ],
)
def test_ordinary_text_is_not_taken_for_a_key(text: str) -> None:
    assert not SecretScanner(["ollama", "test", ""]).holds(text + " ollama test")


PLACES: dict[str, tuple[dict[str, Any], str]] = {
    "request body": (
        {"request": {"messages": [{"content": f"my key: {CANARY}"}]}},
        "request.body at messages[0].content",
    ),
    "a key of the body": ({"request": {"tool": {CANARY: 1}}}, "request.body at tool"),
    "response body": ({"response": {"error": {"message": f"bad key {CANARY}"}}}, "response.body at error.message"),
    "base64": (
        {"response": {"a": base64.b64encode(b"xx" + CANARY.encode() + b"yy").decode()}},
        "response.body at a (base64)",
    ),
    "base64 of a shape": (
        {"response": {"data": base64.b64encode(b"export KEY=sk-" + DIGITS.encode()).decode()}},
        "response.body at data (base64)",
    ),
    "base64 of gzip": (
        {"request": {"a": base64.b64encode(gzip.compress(b"x" * 99 + CANARY.encode())).decode()}},
        "request.body at a (base64) (decompressed)",
    ),
    "arguments of a tool": (
        {"response": {"arguments": json.dumps({"password": CANARY})}},
        "response.body at arguments at password",
    ),
    "url path": ({"url": "https://h.test/v1/sk-" + DIGITS}, "request.url"),
    "response header": ({"headers": {"x-version": CANARY}}, "response.headers.x-version"),
    "request header": ({"request_headers": {"a-version": f"v {CANARY}"}}, "request.headers.a-version"),
    "scenario": ({"scenario": CANARY}, "provenance"),
}


@pytest.mark.parametrize("case", PLACES)
def test_the_place_is_named_and_nothing_is_written(tmp_path: Path, case: str) -> None:
    given, place = PLACES[case]
    exchange = authored_json(**{"url": "https://h.test/v1", "request": {}, "response": {}, **given})
    with pytest.raises(SecretFound) as caught:
        write_cassette(tmp_path, "a/b", [exchange], secrets=[CANARY])
    assert caught.value.places == [f"interaction 0: {place}"]
    assert CANARY not in str(caught.value)
    assert DIGITS not in str(caught.value)
    assert written(tmp_path) == []


def test_a_provider_of_our_own_has_its_key_shapes_listed() -> None:
    assert {provider.name for provider in BUILT_IN} <= PROVIDER_SHAPES.keys()
    assert {shape for shapes in PROVIDER_SHAPES.values() for shape in shapes} <= KEY_SHAPES.keys()
    hinted = [p for p in BUILT_IN if p.key_hint]
    assert hinted
    for provider in hinted:
        assert any(SecretScanner().holds(provider.key_hint + tail) for tail in (DIGITS, DIGITS[:35])), provider.name


RANDOM = "q7Rz2LmX9vTb4KcW8nYd6HsJ3pFgA5eU"


@pytest.mark.parametrize(
    "response",
    [
        {"content": f"use {RANDOM} for it"},
        {"api_key": RANDOM[:20].lower()},
        {"config": "client_secret: 4f9a0c7be21d46d8a3b5e6071c2d9f80"},
        {"debug": json.dumps({"token": RANDOM[:24]})},
    ],
    ids=["alone in text", "under a name", "assigned in text", "in a tool's arguments"],
)
def test_what_looks_random_where_a_key_may_stand_stops_the_write(tmp_path: Path, response: Any) -> None:
    exchange = authored_json(url="https://h.test/v1", request={}, response=response)
    with pytest.raises(SecretFound, match=r"looks random: [0-9a-f]{16}") as caught:
        write_cassette(tmp_path, "a/b", [exchange])
    assert RANDOM[:20] not in str(caught.value)
    assert ACCEPTED_NAME in str(caught.value)
    marks = re.findall("[0-9a-f]{16}", str(caught.value))
    (tmp_path / ACCEPTED_NAME).write_text("# looked at, no secret\n" + "  # here\n".join(marks))
    assert write_cassette(tmp_path, "a/b", [exchange]).exists()


@pytest.mark.parametrize(
    "response",
    [
        {"id": f"msg_{RANDOM}", "tool_call_id": RANDOM, "system_fingerprint": RANDOM},
        {"signature": RANDOM * 3, "encrypted_content": RANDOM, "thoughtSignature": RANDOM},
        {"url": f"https://h.test/{RANDOM}", "text": f"see https://h.test/{RANDOM}/x"},
        {"model": "meta-llama/Meta-Llama-3-8B-Instruct-Turbo-Preview-2025"},
        {"request_id": "4f9a0c7b-e21d-46d8-a3b5-e6071c2d9f80", "max_tokens": "12345678901234567890"},
        {"image": RANDOM * 40},
        {"next_page_token": RANDOM},
    ],
)
def test_ids_signatures_models_and_images_may_look_random(tmp_path: Path, response: Any) -> None:
    assert write_cassette(tmp_path, "a/b", [authored_json(url="https://h.test/v1", response=response)]).exists()


def test_a_mask_keeps_lengths_ids_and_content_types() -> None:
    events = [
        SseEvent(data={"id": "chatcmpl-1", "text": f"ü {CANARY} é"}, delay_ms=3),
        SseEvent(data=f"sk-{DIGITS}"),
    ]
    exchange = authored_sse(
        url=f"https://h.test/v1/sk-{DIGITS}",
        request={"q": CANARY.replace('"', "")},
        events=events,
        headers={"x-request-id": "r-1", "x-version": CANARY},
    )
    scanner = SecretScanner([CANARY, CANARY.replace('"', "")])
    masked = scanner.scrub(exchange)
    assert scanner.places(exchange)
    assert scanner.places(masked) == []
    assert len(masked.answer.body) == len(exchange.answer.body)
    assert len(masked.request.body) == len(exchange.request.body)
    assert masked.answer.chunks == exchange.answer.chunks
    assert dict(masked.answer.headers)["x-request-id"] == "r-1"
    assert dict(masked.answer.headers)["content-type"] == dict(exchange.answer.headers)["content-type"]
    assert b'"id":"chatcmpl-1"' in masked.answer.body
    assert "é".encode() in masked.answer.body


def test_a_key_cut_in_two_by_a_stream_is_found(tmp_path: Path) -> None:
    events = [SseEvent(data={"delta": part}) for part in (CANARY[:9], CANARY[9:])]
    exchange = authored_sse(url="https://h.test/v1", request={}, events=events)
    with pytest.raises(SecretFound, match=r"response\.body at delta joined over events"):
        write_cassette(tmp_path, "a/b", [exchange], secrets=[CANARY])


def test_escapes_hide_nothing(tmp_path: Path) -> None:
    escaped = "".join(f"\\u{ord(c):04x}" for c in CANARY)
    exchange = authored_sse(url="https://h.test/v1", request={}, events=[SseEvent(data=f'{{"a":"{escaped}"}}')])
    with pytest.raises(SecretFound, match="event 0, a"):
        write_cassette(tmp_path, "a/b", [exchange], secrets=[CANARY])


def written(folder: Path) -> list[Path]:
    return list(folder.rglob("*.yaml"))


def recorder(folder: Path, *secrets: str) -> httpx.AsyncClient:
    default = RecordingCall(mode=Mode.RECORD, cassette="a/b")
    return httpx.AsyncClient(transport=CassetteTransport(folder, default=default, secrets=secrets))


async def test_a_recording_run_fails_where_the_answer_ends_and_writes_nothing(
    server: StreamingServer, tmp_path: Path
) -> None:
    url = server.serve("/v1/chat", Reply(steps=[json.dumps({"you sent": CANARY}).encode()]))
    async with recorder(tmp_path, CANARY) as http, http.stream("POST", url, json={}) as response:
        chunks = response.aiter_raw()
        got = await anext(chunks)
        with pytest.raises(SecretFound):
            await anext(chunks)
    assert json.loads(got) == {"you sent": CANARY}
    assert written(tmp_path) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer plainword-secret"},
        {"x-api-key": "plainword-secret"},
        {"x-goog-api-key": "plainword-secret"},
        {"cookie": "plainword-secret"},
    ],
)
async def test_a_credential_sent_as_a_header_may_not_come_back_in_the_answer(
    server: StreamingServer, tmp_path: Path, headers: dict[str, str]
) -> None:
    url = server.serve("/v1/chat", Reply(steps=[b'{"error":"key plainword-secret is wrong"}']))
    async with recorder(tmp_path) as http:
        with pytest.raises(SecretFound, match=r"response\.body at error"):
            await http.post(url, json={}, headers=headers)


async def test_a_credential_in_the_query_is_left_out_of_file_and_match(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/chat", Reply(steps=[b'{"n":1}']))
    async with recorder(tmp_path) as http:
        await http.post(url + "?alt=sse&key=plainword-secret", json={})
    text = (tmp_path / "a/b.yaml").read_text()
    assert "plainword" not in text
    assert "?alt=sse" in text
    async with httpx.AsyncClient(transport=CassetteTransport(tmp_path)) as http:
        assert (await http.post(url + "?key=another&alt=sse", json={})).json() == {"n": 1}


async def test_a_refusal_nobody_was_there_to_see_is_raised_at_close(
    server: StreamingServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = server.serve("/v1/chat", Reply(steps=[CANARY.encode()], end="hang"))
    http = recorder(tmp_path, CANARY)
    with caplog.at_level(logging.WARNING):
        async with http.stream("POST", url, json={}) as response:
            async for _ in response.aiter_raw():
                break
    assert "recording refused" in caplog.text
    assert CANARY not in caplog.text
    with pytest.raises(SecretFound):
        await http.aclose()
    assert written(tmp_path) == []
