"""The harness over gRPC, against the whole suite in one process: mocks, faults, captured requests, sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import openai
import pytest
import pytest_asyncio

from antiphon.cli.assembly import adapter
from antiphon.cli.replay import Replaying, replaying
from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import fold
from antiphon.core.settings import Settings
from antiphon.core.status import from_rpc_error
from antiphon.harness import SseEvent, authored_json, authored_sse, write_cassette
from antiphon.harness.faults import KINDS, plan_of
from antiphon.v1 import chat_pb2, chat_pb2_grpc, content_pb2, embeddings_pb2, embeddings_pb2_grpc, harness_pb2
from antiphon.v1.harness_pb2_grpc import HarnessServiceStub

pb = harness_pb2
URL = "https://api.openai.com/v1/chat/completions"
ASKED: dict[str, Any] = {"model": "gpt-x", "messages": [{"role": "user", "content": "Hi"}]}


def answered(text: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-x", "choices": [choice]}


def chunk(delta: dict[str, Any], finish: str | None = None) -> SseEvent:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x", "choices": [choice]}
    return SseEvent(data=body)


STREAM = (chunk({"role": "assistant", "content": "He"}), chunk({"content": "llo"}), chunk({}, "stop"))
STREAMED = {**ASKED, "stream": True, "stream_options": {"include_usage": True}}


def question(model: str = "openai/gpt-x", text: str = "Hi") -> chat_pb2.ChatSpec:
    spec = chat_pb2.ChatSpec(model=model)
    spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = text
    return spec


@dataclass(kw_only=True)
class Running:
    server: Replaying
    channel: grpc.aio.Channel

    @property
    def harness(self) -> Any:
        return HarnessServiceStub(self.channel)

    async def chat(self, spec: chat_pb2.ChatSpec | None = None, **said: str) -> tuple[str, dict[str, Any]]:
        """The text of an answer, and the trailers."""
        call = chat_pb2_grpc.ChatServiceStub(self.channel).Chat(
            chat_pb2.ChatRequest(spec=spec or question()), metadata=metadata(said)
        )
        completion = (await call).completion
        return completion.outputs[0].messages[0].parts[0].text.text, dict(await call.trailing_metadata())

    async def stream(self, **said: str) -> tuple[chat_pb2.Completion, dict[str, Any]]:
        request = chat_pb2.StreamChatRequest(spec=question())
        call = chat_pb2_grpc.ChatServiceStub(self.channel).StreamChat(request, metadata=metadata(said))
        completion = fold([event async for event in call])
        return completion, dict(await call.trailing_metadata())

    async def refused(self, **said: str) -> tuple[ServiceError, dict[str, Any]]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.chat(None, **said)
        return from_rpc_error(caught.value), dict(caught.value.trailing_metadata())


def metadata(said: dict[str, str]) -> Sequence[tuple[str, str]]:
    return tuple((f"x-antiphon-{name}", value) for name, value in said.items())


@asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[Running]:
    own = Settings(mode="replay", cassettes=folder, listen="127.0.0.1:0", http="127.0.0.1:0", pace=0.0, grace=1.0)
    async with replaying(own, {}, **settings) as server, grpc.aio.insecure_channel(server.address) as channel:
        yield Running(server=server, channel=channel)


@pytest_asyncio.fixture
async def suite(tmp_path: Path) -> AsyncIterator[Running]:
    write_cassette(
        tmp_path,
        "openai/chat",
        [
            authored_json(url=URL, request=ASKED, response=answered("one")),
            authored_json(url=URL, request=ASKED, response=answered("two")),
            authored_sse(url=URL, request=STREAMED, events=[*STREAM, SseEvent(data="[DONE]")]),
        ],
    )
    async with running(tmp_path) as found:
        yield found


async def test_a_mock_over_grpc_answers_every_door_and_says_that_it_is_one(suite: Running) -> None:
    mock = pb.Mock(name="hello", filter=pb.RequestFilter(model="gpt-*"))
    mock.chat.pieces.add(text="mocked")
    added = (await suite.harness.AddMock(pb.AddMockRequest(mock=mock))).mock
    assert await suite.chat() == ("mocked", {"x-antiphon-synthetic": "mock hello"})
    completion, trailers = await suite.stream()
    assert completion.outputs[0].messages[0].parts[0].text.text == "mocked"
    assert trailers == {"x-antiphon-synthetic": "mock hello"}
    async with httpx.AsyncClient(base_url=suite.server.url) as http:
        own = await http.post("/openai/v1/chat/completions", json=ASKED)
        edge = await http.post("/v1/chat/completions", json={**ASKED, "model": "openai/gpt-x"})
    for answer in (own, edge):
        assert answer.json()["choices"][0]["message"]["content"] == "mocked"
        assert answer.headers["x-antiphon-synthetic"] == "mock hello"
    (listed,) = (await suite.harness.ListMocks(pb.ListMocksRequest())).mocks
    assert (listed.id, listed.used, listed.chat.pieces[0].text) == (added.id, 4, "mocked")
    await suite.harness.RemoveMock(pb.RemoveMockRequest(id=added.id))
    assert await suite.chat() == ("one", {})
    with pytest.raises(grpc.aio.AioRpcError) as gone:
        await suite.harness.RemoveMock(pb.RemoveMockRequest(id=added.id))
    assert from_rpc_error(gone.value).reason is Reason.RESOURCE_NOT_FOUND


async def test_a_vector_mock_answers_embeddings(suite: Running) -> None:
    mock = pb.Mock()
    mock.embeddings.vectors.add(values=[0.5, 0.25])
    await suite.harness.AddMock(pb.AddMockRequest(mock=mock))
    request = embeddings_pb2.EmbedRequest(model="openai/e", inputs=[embeddings_pb2.EmbedInput(text="a")] * 2)
    response = await embeddings_pb2_grpc.EmbeddingsServiceStub(suite.channel).Embed(request)
    assert [list(each.float32.values) for each in response.embeddings] == [[0.5, 0.25]] * 2


async def test_an_error_mock_is_the_typed_error_with_its_delay(suite: Running) -> None:
    mock = pb.Mock(session="s", times=1)
    mock.error.status = 429
    mock.error.retry_after.FromMilliseconds(1500)
    await suite.harness.AddMock(pb.AddMockRequest(mock=mock))
    error, trailers = await suite.refused(session="s")
    assert (error.reason, error.retry_after) == (Reason.RATE_LIMIT_EXCEEDED, 1.5)
    assert error.metadata["synthetic"] == trailers["x-antiphon-synthetic"] == "mock mock-1"
    assert (await suite.chat(session="s"))[0] == "one"


async def test_a_fault_of_a_call_reaches_the_typed_client_and_its_trailers(suite: Running) -> None:
    error, trailers = await suite.refused(fault="503")
    assert error.reason is Reason.OVERLOADED
    assert (error.metadata["synthetic"], trailers["x-antiphon-synthetic"]) == ("503", "503")
    for word, reason in (
        ("refused", Reason.NETWORK_ERROR),
        ("reset", Reason.OUTCOME_UNKNOWN),
        ("cut", Reason.OUTCOME_UNKNOWN),
        ("bad-gzip", Reason.MALFORMED_RESPONSE),
        ("malformed-json", Reason.MALFORMED_RESPONSE),
        ("oversized", Reason.MALFORMED_RESPONSE),
        ("meteor", Reason.INVALID_REQUEST),
        ("missing-done", Reason.INVALID_REQUEST),
    ):
        error, trailers = await suite.refused(fault=word)
        assert error.reason is reason, word
        assert trailers.get("x-antiphon-synthetic") == (None if reason is Reason.INVALID_REQUEST else word)
    assert await suite.chat() == ("one", {})


async def test_a_stream_that_is_cut_keeps_what_came_and_says_why(suite: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await suite.stream(fault="cut@event=2")
    error = from_rpc_error(caught.value)
    assert error.partial is not None
    assert error.partial.output_emitted
    assert error.metadata["synthetic"] == "cut@event=2"
    completion, trailers = await suite.stream(fault="duplicated-finish")
    assert completion.outputs[0].messages[0].parts[0].text.text == "Hello"
    assert trailers["x-antiphon-synthetic"] == "duplicated-finish"


async def test_a_fault_of_a_session_is_set_told_and_taken_back(suite: Running) -> None:
    await suite.harness.SetFault(pb.SetFaultRequest(session="s", fault="503;times=1"))
    assert (await suite.refused(session="s"))[0].reason is Reason.OVERLOADED
    assert [(await suite.chat(session="s"))[0] for _ in range(2)] == ["one", "two"]
    report = (await suite.harness.GetSession(pb.GetSessionRequest(session="s"))).session
    assert (report.fault, report.request_count) == ("503;times=1", 3)
    assert [(each.call, each.fault, each.origin, each.applied) for each in report.injected_faults] == [
        (1, "503;times=1", "session", True)
    ]
    assert [(each.recording, each.times) for each in report.used] == [
        ("openai/chat.yaml #0", 1),
        ("openai/chat.yaml #1", 1),
    ]
    assert list(report.unused) == ["openai/chat.yaml #2"]
    await suite.harness.SetFault(pb.SetFaultRequest(session="s"))
    await suite.harness.ResetSession(pb.ResetSessionRequest(session="s"))
    assert (await suite.chat(session="s"))[0] == "one"
    with pytest.raises(grpc.aio.AioRpcError) as wrong:
        await suite.harness.SetFault(pb.SetFaultRequest(fault="cut@event=x"))
    assert from_rpc_error(wrong.value).violations[0].field == "fault"


async def test_a_session_tells_what_was_missing_and_which_mocks_never_answered(suite: Running) -> None:
    mock = pb.Mock(session="s", filter=pb.RequestFilter(model="other"))
    mock.chat.pieces.add(text="x")
    added = (await suite.harness.AddMock(pb.AddMockRequest(mock=mock))).mock
    with pytest.raises(grpc.aio.AioRpcError):
        await suite.chat(question(text="Unheard of"), session="s")
    report = (await suite.harness.GetSession(pb.GetSessionRequest(session="s"))).session
    assert list(report.unused_mocks) == [added.id]
    (missed,) = report.missing
    assert missed.nearest.startswith("openai/chat.yaml")
    assert "messages[0].content" in missed.differences[0]
    assert (await suite.harness.ListSessions(pb.ListSessionsRequest())).sessions == ["s"]


async def test_requests_are_listed_in_pages_and_decoded_into_our_words(suite: Running) -> None:
    for number in range(5):
        await suite.chat(session=f"s{number}", repeat="true")
    async with httpx.AsyncClient(base_url=suite.server.url) as http:
        await http.get("/openai/v1/models", headers={"authorization": "Bearer sk-canary-0123456789"})
    seen: list[pb.CapturedRequest] = []
    token = ""
    while True:
        request = pb.ListRequestsRequest(page_size=4, page_token=token, decode=True)
        page = await suite.harness.ListRequests(request)
        seen += page.requests
        token = page.next_page_token
        if not token:
            break
    assert [each.number for each in seen] == [1, 2, 3, 4, 5, 6]
    first, last = seen[0], seen[-1]
    assert (first.wire, first.provider, first.status, first.place) == ("openai_chat", "openai", 200, "openai/chat #0")
    assert (first.end, first.url) == (pb.EXCHANGE_END_COMPLETE, URL)
    assert first.chat.messages[0].parts[0].text.text == "Hi"
    assert first.time_to_end.ToNanoseconds() >= first.time_to_head.ToNanoseconds() > 0
    assert (last.method, last.error, last.end) == ("GET", "RECORDING_MISSING", pb.EXCHANGE_END_FAILED)
    assert pb.CapturedHeader(name="authorization", value="[redacted]") in last.headers
    only = pb.ListRequestsRequest(filter=pb.RequestFilter(session="s3"))
    assert [each.number for each in (await suite.harness.ListRequests(only)).requests] == [4]
    with pytest.raises(grpc.aio.AioRpcError) as wrong:
        await suite.harness.ListRequests(pb.ListRequestsRequest(page_token="x"))
    assert from_rpc_error(wrong.value).violations[0].field == "page_token"


async def test_a_request_that_its_wire_cannot_read_says_so_and_is_listed_all_the_same(suite: Running) -> None:
    async with httpx.AsyncClient(base_url=suite.server.url) as http:
        await http.post("/openai/v1/chat/completions", json={"model": "m", "messages": "no list"})
    (found,) = (await suite.harness.ListRequests(pb.ListRequestsRequest(decode=True))).requests
    assert found.wire == "openai_chat"
    assert "INVALID_REQUEST" in found.decode_error


async def test_requests_are_checked_and_a_failed_check_says_how_near_they_came(suite: Running) -> None:
    await suite.chat()
    good = pb.CheckRequestsRequest(filter=pb.RequestFilter(body_json='{"model":"gpt-x"}'), at_least=1, at_most=1)
    assert (await suite.harness.CheckRequests(good)).passed
    bad = pb.CheckRequestsRequest(filter=pb.RequestFilter(body_json='{"model":"gpt-y"}'))
    answer = await suite.harness.CheckRequests(bad)
    assert (answer.passed, answer.count) == (False, 0)
    assert "body.model is 'gpt-x', not 'gpt-y'" in answer.message
    with pytest.raises(grpc.aio.AioRpcError) as wrong:
        await suite.harness.CheckRequests(pb.CheckRequestsRequest(filter=pb.RequestFilter(body_json="{")))
    assert from_rpc_error(wrong.value).violations[0].field == "filter.body_json"


async def test_mocks_are_listed_in_pages_and_by_session(suite: Running) -> None:
    for session in ("a", "b", "a"):
        mock = pb.Mock(session=session)
        mock.http.chunks.add(data=b"x")
        await suite.harness.AddMock(pb.AddMockRequest(mock=mock))
    page = await suite.harness.ListMocks(pb.ListMocksRequest(page_size=2))
    assert [each.id for each in page.mocks] == ["mock-1", "mock-2"]
    rest = await suite.harness.ListMocks(pb.ListMocksRequest(page_size=2, page_token=page.next_page_token))
    assert ([each.id for each in rest.mocks], rest.next_page_token) == (["mock-3"], "")
    mine = await suite.harness.ListMocks(pb.ListMocksRequest(session="a"))
    assert [each.id for each in mine.mocks] == ["mock-1", "mock-3"]


async def test_a_mock_without_an_answer_is_refused_with_its_field(suite: Running) -> None:
    for mock, field in ((pb.Mock(), "mock"), (pb.Mock(times=0), "mock.times")):
        with pytest.raises(grpc.aio.AioRpcError) as wrong:
            await suite.harness.AddMock(pb.AddMockRequest(mock=mock))
        assert from_rpc_error(wrong.value).violations[0].field == field


async def test_every_fault_is_listed_with_its_settings(suite: Running) -> None:
    listed = {each.name: each for each in (await suite.harness.ListFaults(pb.ListFaultsRequest())).faults}
    assert list(listed) == list(KINDS)
    assert [each.name for each in listed["cut"].settings] == ["event", "byte"]
    assert listed["missing-done"].streams_only
    assert not listed["429"].changes_answer


async def test_a_plan_strikes_without_being_asked(tmp_path: Path) -> None:
    write_cassette(tmp_path, "openai/chat", [authored_json(url=URL, request=ASKED, response=answered("one"))])
    plan = plan_of("rules: [{name: first, match: {provider: openai}, calls: 1, fault: '429'}]")
    async with running(tmp_path, plan=plan) as suite:
        assert (await suite.refused())[0].reason is Reason.RATE_LIMIT_EXCEEDED
        assert (await suite.chat())[0] == "one"


async def test_a_vendors_sdk_retries_through_a_fault_and_the_log_shows_both(suite: Running) -> None:
    await suite.harness.SetFault(pb.SetFaultRequest(session="s", fault="429;retry-after=0.01;times=1"))
    async with openai.AsyncOpenAI(
        base_url=f"{suite.server.url}/~session=s/openai/v1", api_key="k", max_retries=2
    ) as sdk:
        messages: Any = ASKED["messages"]
        answer = await sdk.chat.completions.create(model="gpt-x", messages=messages)
    assert answer.choices[0].message.content == "one"
    found = (await suite.harness.ListRequests(pb.ListRequestsRequest(filter=pb.RequestFilter(session="s")))).requests
    assert [(each.status, each.synthetic) for each in found] == [(429, "429;retry-after=0.01;times=1"), (200, "")]


async def test_a_plain_suite_lets_a_caller_ask_for_a_fault_too(tmp_path: Path) -> None:
    write_cassette(tmp_path, "openai/chat", [authored_json(url=URL, request=ASKED, response=answered("one"))])
    backend = adapter(Settings(mode="replay", cassettes=tmp_path, pace=0.0), {})
    call = Call(metadata={"x-antiphon-fault": "429;retry-after=3"})
    with pytest.raises(ServiceError) as refused:
        await backend.chat(question(), call)
    assert (refused.value.reason, refused.value.retry_after) == (Reason.RATE_LIMIT_EXCEEDED, 3)
    assert call.said == {"x-antiphon-synthetic": "429;retry-after=3"}
    assert (await backend.chat(question(), Call())).outputs[0].messages[0].parts[0].text.text == "one"
    await backend.close()
