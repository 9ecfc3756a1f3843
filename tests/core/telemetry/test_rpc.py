"""Hops as spans and metrics, over a real server."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from io import StringIO

import grpc
import pytest
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from antiphon.core.auth import Auth, hash_of, new_key
from antiphon.core.call import Call
from antiphon.core.chain import Layer
from antiphon.core.channel import connect
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.remote import CHAT, GET_MODEL, STREAM_CHAT, RemoteBackend
from antiphon.core.server import Server
from antiphon.core.telemetry import names
from antiphon.core.telemetry.logs import configure_logs
from antiphon.core.telemetry.rpc import Telemetry
from antiphon.v1 import chat_pb2, chat_pb2_grpc, models_pb2
from tests.core.telemetry.parts import PROMPT, Measured, PlayedProvider, attributes, spec, until

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@asynccontextmanager
async def serving(*more: Layer, token: str = "") -> AsyncIterator[tuple[PlayedProvider, RemoteBackend, str]]:
    provider = PlayedProvider()
    async with Server(provider, [Telemetry(), *more], listen="127.0.0.1:0", grace=1) as server:
        remote = RemoteBackend("provider", server.address, token=token)
        yield provider, remote, server.address
        await remote.close()


def kinds(measured: Measured, name: str) -> dict[SpanKind, dict[str, object]]:
    return {span.kind: dict(attributes(span)) for span in measured.spans.ended if span.name == name}


async def test_one_call_is_a_client_a_server_and_a_provider_span_in_one_trace(measured: Measured) -> None:
    async with serving() as (_, remote, address):
        await remote.chat(spec(), Call())
        await until(lambda: len(measured.spans.ended) == 3)
    by_kind = {(span.name, span.kind): span for span in measured.spans.ended}
    client, server = by_kind[CHAT, SpanKind.CLIENT], by_kind[CHAT, SpanKind.SERVER]
    provider = measured.one("chat gpt-test")
    assert server.parent is not None
    assert server.parent.is_remote
    assert client.context is not None
    assert server.context is not None
    assert server.parent.span_id == client.context.span_id
    assert provider.parent is not None
    assert provider.parent.span_id == server.context.span_id
    assert len({span.context.trace_id for span in measured.spans.ended if span.context}) == 1
    base = {names.RPC_SYSTEM: "grpc", names.RPC_METHOD: CHAT, names.RPC_STATUS: "OK"}
    host, _, port = address.rpartition(":")
    assert dict(attributes(server)) == base
    assert dict(attributes(client)) == {**base, names.SERVER_ADDRESS: host, names.SERVER_PORT: int(port)}
    for metric in (names.RPC_SERVER_DURATION, names.RPC_CLIENT_DURATION):
        (point,) = measured.points(metric)
        assert point.count == 1
        assert point.attributes[names.RPC_STATUS] == "OK"
        assert point.explicit_bounds == names.RPC_SECONDS
    assert PROMPT not in measured.text()


async def test_the_callers_own_trace_goes_on(measured: Measured) -> None:
    async with serving() as (_, _, address), connect(address) as channel:
        stub = chat_pb2_grpc.ChatServiceStub(channel)
        await stub.Chat(chat_pb2.ChatRequest(spec=spec()), metadata=(("traceparent", PARENT),))
        await until(lambda: len(measured.spans.ended) == 2)
    assert {f"{span.context.trace_id:032x}" for span in measured.spans.ended if span.context} == {TRACE}


@pytest.mark.parametrize("header", ["", "rubbish", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
async def test_an_unreadable_trace_header_begins_a_new_trace(measured: Measured, header: str) -> None:
    async with serving() as (_, _, address), connect(address) as channel:
        stub = chat_pb2_grpc.ChatServiceStub(channel)
        metadata = (("traceparent", header), ("tracestate", "=,;"))
        await stub.Chat(chat_pb2.ChatRequest(spec=spec()), metadata=metadata)
        await until(lambda: len(measured.spans.ended) == 2)
    assert kinds(measured, CHAT)[SpanKind.SERVER][names.RPC_STATUS] == "OK"


@pytest.mark.parametrize(
    ("reason", "status", "fault"),
    [
        (Reason.INVALID_REQUEST, "INVALID_ARGUMENT", False),
        (Reason.MODEL_NOT_FOUND, "NOT_FOUND", False),
        (Reason.RATE_LIMIT_EXCEEDED, "RESOURCE_EXHAUSTED", False),
        (Reason.OVERLOADED, "UNAVAILABLE", True),
        (Reason.MALFORMED_RESPONSE, "INTERNAL", True),
        (Reason.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", True),
    ],
)
async def test_only_a_fault_of_the_server_is_an_error_of_its_span(
    measured: Measured, reason: Reason, status: str, fault: bool
) -> None:
    async with serving() as (_, remote, _):
        with pytest.raises(ServiceError):
            await remote.chat(spec(f"openai/{reason}"), Call())
        await until(lambda: len(measured.spans.ended) == 3)
    spans = {span.kind: span for span in measured.spans.ended if span.name == CHAT}
    server, client = spans[SpanKind.SERVER], spans[SpanKind.CLIENT]
    assert attributes(server)[names.RPC_STATUS] == attributes(client)[names.RPC_STATUS] == status
    assert attributes(server)[names.REASON] == attributes(client)[names.REASON] == reason.value
    assert (server.status.status_code is StatusCode.ERROR) is fault
    assert client.status.status_code is StatusCode.ERROR
    assert PROMPT not in measured.text()


async def test_a_bug_is_internal(measured: Measured) -> None:
    async with serving() as (_, remote, _):
        with pytest.raises(ServiceError):
            await remote.chat(spec("openai/bug"), Call())
        await until(lambda: len(measured.spans.ended) == 3)
    assert kinds(measured, CHAT)[SpanKind.SERVER][names.ERROR_TYPE] == "INTERNAL"


async def test_a_stream_is_one_span_to_its_end(measured: Measured) -> None:
    async with serving() as (_, remote, _):
        request = chat_pb2.StreamChatRequest(spec=spec())
        events = [event async for event in remote.stream_chat(request, Call())]
        await until(lambda: len(measured.spans.ended) == 3)
    assert len(events) == 4
    assert [found[names.RPC_STATUS] for found in kinds(measured, STREAM_CHAT).values()] == ["OK", "OK"]
    assert attributes(measured.one("chat gpt-test"))[names.FIRST_CHUNK] < 1


async def test_a_failure_in_mid_stream_is_in_every_span(measured: Measured) -> None:
    async with serving() as (_, remote, _):
        request = chat_pb2.StreamChatRequest(spec=spec("openai/OVERLOADED"))
        with pytest.raises(ServiceError):
            async for _ in remote.stream_chat(request, Call()):
                pass
        await until(lambda: len(measured.spans.ended) == 3)
    assert {found[names.RPC_STATUS] for found in kinds(measured, STREAM_CHAT).values()} == {"UNAVAILABLE"}
    assert attributes(measured.one("chat OVERLOADED"))[names.OUTPUT_TOKENS] == 3


async def test_no_span_stays_open_when_streams_are_left(measured: Measured) -> None:
    async def leave(remote: RemoteBackend, after: int) -> None:
        request = chat_pb2.StreamChatRequest(spec=spec("openai/endless"))
        async with aclosing(remote.stream_chat(request, Call())) as events:
            for _ in range(after):
                await anext(events)

    async with serving() as (provider, remote, _):
        await asyncio.gather(*(leave(remote, 1 + number % 4) for number in range(40)))
        await until(lambda: len(measured.spans.ended) == 120)
        assert provider.closed_streams == 40
    assert measured.spans.started == len(measured.spans.ended)
    for span in measured.spans.ended:
        assert attributes(span)[names.CANCELLED] is True, span.name
        assert span.status.status_code is StatusCode.UNSET
    tokens = [point for point in measured.points(names.GENAI_TOKENS) if point.attributes[names.TOKEN_TYPE] == "output"]
    assert sum(point.sum for point in tokens) >= 40 * 1
    assert all(point.attributes[names.USAGE_PARTIAL] for point in tokens)


async def test_a_stream_that_is_left_between_two_messages_closes_what_is_within_first(measured: Measured) -> None:
    class Watched(PlayedProvider):
        """Says how many spans had ended when its stream was closed."""

        async def stream_chat(
            self, request: chat_pb2.StreamChatRequest, call: Call
        ) -> AsyncGenerator[chat_pb2.StreamChatResponse, None]:
            try:
                while True:
                    yield chat_pb2.StreamChatResponse()
                    await asyncio.sleep(0.01)
            finally:
                closed.append(len(measured.spans.ended))

    closed: list[int] = []
    async with (
        Server(Watched(), [Telemetry()], listen="127.0.0.1:0", grace=1) as server,
        connect(server.address) as channel,
    ):
        stream = chat_pb2_grpc.ChatServiceStub(channel).StreamChat(chat_pb2.StreamChatRequest(spec=spec()))
        await stream.read()
        stream.cancel()
        await until(lambda: len(measured.spans.ended) == 1)
    assert closed == [0]  # closed while the span was open, not when the garbage is collected
    assert attributes(measured.one(STREAM_CHAT))[names.CANCELLED] is True


async def test_no_span_stays_open_when_unary_calls_are_left(measured: Measured) -> None:
    async with serving() as (provider, remote, _):
        tasks = [asyncio.create_task(remote.chat(spec("openai/endless"), Call())) for _ in range(20)]
        await until(lambda: len(provider.calls) == 20)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await until(lambda: len(measured.spans.ended) == 60)
    assert measured.spans.started == 60
    assert {found[names.RPC_STATUS] for found in kinds(measured, CHAT).values()} == {"CANCELLED"}


async def test_a_deadline_is_told_from_a_caller_who_left(measured: Measured) -> None:
    async with serving() as (_, _, address), connect(address) as channel:
        stub = chat_pb2_grpc.ChatServiceStub(channel)
        with pytest.raises(grpc.RpcError):
            await stub.Chat(chat_pb2.ChatRequest(spec=spec("openai/endless")), timeout=0.2)
        await until(lambda: len(measured.spans.ended) == 2)
    found = kinds(measured, CHAT)[SpanKind.SERVER]
    assert found[names.RPC_STATUS] == "DEADLINE_EXCEEDED"
    assert found[names.ERROR_TYPE] == "DEADLINE_EXCEEDED"


async def test_a_service_that_cannot_be_reached_is_in_the_clients_span(measured: Measured) -> None:
    remote = RemoteBackend("adapter", "127.0.0.1:1")
    with pytest.raises(ServiceError):
        await remote.get_model(models_pb2.GetModelRequest(), Call())
    await remote.close()
    span = measured.one(GET_MODEL)
    assert span.status.status_code is StatusCode.ERROR
    assert attributes(span)[names.REASON] == "BACKEND_UNAVAILABLE"
    assert (attributes(span)[names.SERVER_ADDRESS], attributes(span)[names.SERVER_PORT]) == ("127.0.0.1", 1)


async def test_the_caller_is_named_and_a_refused_one_is_seen(measured: Measured) -> None:
    key = new_key()
    async with serving(Auth({hash_of(key): "ci"}), token=key) as (_, remote, address):
        await remote.chat(spec(), Call())
        stranger = RemoteBackend("provider", address, token=new_key())
        with pytest.raises(ServiceError):
            await stranger.count_tokens(spec(), Call())
        await stranger.close()
        await until(lambda: len(measured.spans.ended) == 5)
    assert kinds(measured, CHAT)[SpanKind.SERVER][names.CALLER] == "ci"
    refused = kinds(measured, "antiphon.v1.ChatService/CountTokens")[SpanKind.SERVER]
    assert refused[names.RPC_STATUS] == "UNAUTHENTICATED"
    assert names.CALLER not in refused
    assert key not in measured.text()


async def test_the_access_log_has_a_line_a_call_with_its_trace_and_no_content(
    measured: Measured, root_logger: logging.Logger
) -> None:
    written = StringIO()
    configure_logs(service="adapter", stream=written)
    async with serving() as (_, remote, _):
        await remote.chat(spec(), Call())
        with pytest.raises(ServiceError):
            await remote.chat(spec("openai/OVERLOADED"), Call())
        await until(lambda: written.getvalue().count("\n") >= 2)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    good, bad = [line for line in lines if line["logger"] == "antiphon.access"]
    assert (good["method"], good["status"], good["service"], good["level"]) == (CHAT, "OK", "adapter", "info")
    assert 0 < good["ms"] < 3000
    assert (bad["status"], bad["reason"]) == ("UNAVAILABLE", "OVERLOADED")
    server = next(span for span in measured.spans.ended if span.kind is SpanKind.SERVER)
    assert server.context is not None
    assert good["trace_id"] == f"{server.context.trace_id:032x}"
    assert good["span_id"] == f"{server.context.span_id:016x}"
    assert PROMPT not in written.getvalue()


async def test_without_telemetry_a_callers_trace_still_reaches_the_next_service() -> None:
    async with serving() as (far, _, far_address):
        middle = RemoteBackend("provider", far_address)
        async with (
            Server(middle, [Telemetry()], listen="127.0.0.1:0", grace=1) as server,
            connect(server.address) as channel,
        ):
            stub = chat_pb2_grpc.ChatServiceStub(channel)
            await stub.Chat(chat_pb2.ChatRequest(spec=spec()), metadata=(("traceparent", PARENT),))
        carried = far.calls[0].trace
    assert carried is not None
    assert f"{get_current_span(carried).get_span_context().trace_id:032x}" == TRACE
