"""A request written as bytes for our own pool, against the same request by httpx's seam."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from antiphon.adapter.credentials import Credentials
from antiphon.adapter.limits import Limits
from antiphon.adapter.providers import Provider
from antiphon.adapter.recording import RecordingPolicy
from antiphon.adapter.rows import built_in
from antiphon.adapter.targets import Targets
from antiphon.adapter.transport import PooledTransport
from antiphon.adapter.upstream import Target, Upstream
from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.base import HttpCall
from tests.adapter.test_transport import OK, scripted

HEADERS = {"authorization": "Bearer k", "x-own": "1"}


class Behind(httpx.AsyncBaseTransport):
    """The pool behind httpx's seam alone, as a recording transport has it."""

    def __init__(self) -> None:
        self._pool = PooledTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._pool.handle_async_request(request)

    async def aclose(self) -> None:
        await self._pool.aclose()


def target(url: str, headers: Mapping[str, str] = HEADERS) -> Target:
    return Target(provider="p", url=url, headers=headers)


@pytest.mark.parametrize(
    "wired",
    [
        HttpCall(method="POST", path="/x", body=b"{}", headers={"content-type": "application/json"}),
        HttpCall(method="GET", path="/x"),
        HttpCall(method="POST", path="/x", body=b"{}", headers={"user-agent": "mine", "authorization": "other"}),
        HttpCall(method="POST", path="/x", body=b"{}", headers={"idempotency-key": "\u00e9"}),
    ],
)
async def test_a_request_is_the_same_however_it_is_written(wired: HttpCall) -> None:
    sent = []
    for transport in (PooledTransport(), Behind()):
        upstream = Upstream(transport, Limits())
        async with scripted(OK) as server:
            reply = await upstream.answer(target(f"{server.url}?q=a%20b"), wired, Call())
            [request] = server.requests
            port = str(server.port).encode()
        await upstream.close()
        assert (reply.status, reply.body, reply.headers) == (200, b"hi", {"content-length": "2", "x-a": "1, 2"})
        first, *rest = request.replace(port, b"PORT").split(b"\r\n")
        sent.append((first, sorted(rest)))
    assert sent[0] == sent[1]


async def test_a_compressed_answer_is_read_over_the_pool() -> None:
    body = gzip.compress(b"compressed")
    answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    async with scripted(answer, OK) as server:
        upstream = Upstream(PooledTransport(), Limits())
        wired = HttpCall(method="POST", path="/x", body=b"{}")
        assert (await upstream.answer(target(server.url), wired, Call())).body == b"compressed"
        assert (await upstream.answer(target(server.url), wired, Call())).body == b"hi"
        assert server.connections == 1
        await upstream.close()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhi"])
async def test_silence_is_an_error_over_the_pool(answer: bytes) -> None:
    async with scripted(answer) as server:
        upstream = Upstream(PooledTransport(), Limits(first_token=0.2, idle=0.2))
        with pytest.raises(ServiceError, match=r"sent nothing within 0\.2 s") as caught:
            await upstream.answer(target(server.url), HttpCall(method="POST", path="/x", body=b"{}"), Call())
        assert caught.value.reason is Reason.OUTCOME_UNKNOWN
        await upstream.close()


async def test_a_header_cannot_smuggle_a_second_one_over_the_pool() -> None:
    async with scripted(OK) as server:
        upstream = Upstream(PooledTransport(), Limits())
        wired = HttpCall(method="POST", path="/x", body=b"{}", headers={"idempotency-key": "a\r\nx-evil: 1"})
        with pytest.raises(ServiceError, match="line break"):
            await upstream.answer(target(server.url), wired, Call())
        with pytest.raises(ServiceError, match="line break"):
            await upstream.answer(target(server.url, {"x": "a\nb"}), HttpCall(method="GET", path="/x"), Call())
        assert server.requests == []
        await upstream.close()


WIRED = HttpCall(method="POST", path="/chat/completions")


def openai() -> Provider:
    return built_in()["openai"]


def targets(values: Mapping[str, str], **policy: Any) -> Targets:
    return Targets(Credentials(values), RecordingPolicy(**policy))


def test_a_target_is_worked_out_once_until_a_value_that_it_hangs_on_changes() -> None:
    values = {"OPENAI_API_KEY": "one", "ELSE": "1"}
    known = targets(values)
    first = known.of(openai(), "m", WIRED, Call())
    values["ELSE"] = "2"
    assert known.of(openai(), "m", WIRED, Call()) is first
    values["OPENAI_API_KEY"] = "two"
    assert known.of(openai(), "m", WIRED, Call()).headers["authorization"] == "Bearer two"
    del values["OPENAI_API_KEY"]
    with pytest.raises(ServiceError) as caught:
        known.of(openai(), "m", WIRED, Call())
    assert caught.value.reason is Reason.CREDENTIALS_MISSING


def test_a_target_does_not_show_its_key() -> None:
    assert "sekrit" not in repr(targets({"OPENAI_API_KEY": "sekrit"}).of(openai(), "m", WIRED, Call()))


def test_a_recorded_call_has_a_target_of_its_own() -> None:
    known = targets({"OPENAI_API_KEY": "k"}, overridable=frozenset({"record"}))
    live = known.of(openai(), "m", WIRED, Call())
    recorded = known.of(openai(), "m", WIRED, Call(metadata={"x-antiphon-mode": "record"}))
    assert (live.recording, recorded.recording) == (None, {"mode": "record", "provider": "openai"})
