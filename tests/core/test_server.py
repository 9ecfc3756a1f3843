"""The chain, the server and the client side of a hop, over a real grpc server on loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2 as standard_pb2
from grpc_health.v1 import health_pb2_grpc as standard_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from antiphon.core.auth import Auth, hash_of, new_key
from antiphon.core.call import Call
from antiphon.core.chain import Layer
from antiphon.core.errors import MEANINGS, FieldViolation, Reason, ServiceError
from antiphon.core.remote import RemoteBackend
from antiphon.core.server import Server
from antiphon.core.validation import Validation
from antiphon.v1 import chat_pb2, chat_pb2_grpc, embeddings_pb2, health_pb2, health_pb2_grpc, models_pb2
from tests.core.echo import Echo, question


@asynccontextmanager
async def opened(
    *layers: Layer, pause: float = 0.0, token: str = "", grace: float = 5.0, stall_seconds: float = 60.0
) -> AsyncIterator[tuple[Echo, RemoteBackend, Server]]:
    echo = Echo(pause=pause)
    async with Server(echo, layers, listen="127.0.0.1:0", grace=grace, stall_seconds=stall_seconds) as server:
        remote = RemoteBackend("echo", server.address, token=token)
        try:
            yield echo, remote, server
        finally:
            await remote.close()


def streaming(text: str) -> chat_pb2.StreamChatRequest:
    return chat_pb2.StreamChatRequest(spec=question(text))


async def test_a_call_goes_over_the_wire_and_back() -> None:
    async with opened() as (_, remote, _):
        completion = await remote.chat(question("sing to me"), Call())
        assert completion.outputs[0].messages[0].parts[0].text.text == "sing to me"
        embedded = await remote.embed(
            embeddings_pb2.EmbedRequest(model="echo/words", inputs=[embeddings_pb2.EmbedInput(text="four")]), Call()
        )
        assert list(embedded.embeddings[0].float32.values) == [4.0]
        listed = await remote.list_models(models_pb2.ListModelsRequest(), Call())
        assert [model.name for model in listed.models] == ["echo/words"]
        counted = await remote.count_tokens(question("one two three"), Call())
        assert counted.usage.input_tokens == 3


async def test_a_stream_comes_numbered_without_gaps_and_ends_with_completed() -> None:
    async with opened() as (_, remote, _), aclosing(remote.stream_chat(streaming("a b c"), Call())) as events:
        got = [event async for event in events]
    assert [event.sequence for event in got] == list(range(len(got)))
    assert got[-1].WhichOneof("event") == "completed"
    assert "".join(event.part_delta.text for event in got) == "a b c"


@pytest.mark.parametrize("reason", list(Reason))
async def test_every_reason_crosses_the_wire_with_its_code_and_details(reason: Reason) -> None:
    async with opened() as (_, remote, _):
        with pytest.raises(ServiceError) as caught:
            await remote.chat(question(f"!{reason.value}"), Call())
    error = caught.value
    assert error.reason is reason
    assert error.code is MEANINGS[reason].code
    assert error.retry_after == 1.5
    assert error.metadata["provider"] == "echo"


async def test_an_error_after_output_carries_what_was_sent_and_used() -> None:
    async with opened() as (_, remote, _):
        got = []
        with pytest.raises(ServiceError) as caught:
            async with aclosing(remote.stream_chat(streaming("one two !OVERLOADED"), Call())) as events:
                async for event in events:
                    got.append(event)
    partial = caught.value.partial
    assert partial is not None
    assert partial.output_emitted
    assert partial.last_sequence == got[-1].sequence
    assert partial.usage.output_tokens == 2
    assert not caught.value.retryable


async def test_a_snapshot_holds_the_folded_answer() -> None:
    request = streaming("a b")
    request.snapshot = True
    async with opened() as (_, remote, _), aclosing(remote.stream_chat(request, Call())) as events:
        got = [event async for event in events]
    assert got[-1].completed.completion.outputs[0].messages[0].parts[0].text.text == "a b"


async def test_heartbeats_fill_silences_and_are_numbered() -> None:
    request = streaming("slow")
    request.heartbeat.FromMilliseconds(50)
    async with opened(pause=0.3) as (_, remote, _), aclosing(remote.stream_chat(request, Call())) as events:
        got = [event async for event in events]
    assert sum(event.HasField("heartbeat") for event in got) >= 3
    assert [event.sequence for event in got] == list(range(len(got)))


async def test_leaving_a_stream_closes_it_at_the_server_within_a_second() -> None:
    async with opened(pause=0.05) as (echo, remote, _):
        async with aclosing(remote.stream_chat(streaming("word " * 1000), Call())) as events:
            async for event in events:
                if event.HasField("part_delta"):
                    break
            assert echo.running == 1
        left = time.monotonic()
        while echo.running and time.monotonic() - left < 2:
            await asyncio.sleep(0.01)
        assert echo.running == 0
        assert time.monotonic() - left < 1


async def test_a_reader_that_stalls_is_cut_off() -> None:
    async with opened(stall_seconds=0.3) as (echo, _, server), grpc.aio.insecure_channel(server.address) as channel:
        stub = chat_pb2_grpc.ChatServiceStub(channel)
        stream = stub.StreamChat(streaming("x" * 100_000 + " " + ("y" * 100_000 + " ") * 300))
        await stream.read()
        began = time.monotonic()
        while echo.running and time.monotonic() - began < 5:
            await asyncio.sleep(0.05)
        assert echo.running == 0
        stream.cancel()


async def test_the_deadline_of_a_caller_reaches_the_backend() -> None:
    async with opened() as (echo, remote, _):
        loop = asyncio.get_running_loop()
        await remote.chat(question("hi"), Call(deadline=loop.time() + 10))
        remaining = echo.calls[0].remaining()
        assert remaining is not None
        assert 9 < remaining < 10
        await remote.chat(question("hi"), Call())
        assert echo.calls[1].remaining() is None


async def test_a_call_past_its_deadline_fails_as_such() -> None:
    async with opened(pause=5) as (_, remote, _):
        with pytest.raises(ServiceError) as caught:
            await remote.chat(question("hi"), Call(deadline=asyncio.get_running_loop().time() + 0.2))
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED


async def test_metadata_that_services_hand_on_reaches_the_backend_and_no_other_does() -> None:
    async with opened() as (echo, remote, _):
        await remote.chat(question("hi"), Call(metadata={"x-antiphon-mode": "replay", "x-other": "1"}))
    assert dict(echo.calls[0].metadata) == {"x-antiphon-mode": "replay"}


async def test_an_unreachable_service_is_named_with_what_to_do() -> None:
    remote = RemoteBackend("adapter", "127.0.0.1:1", hint="start it with `antiphon serve adapter`")
    with pytest.raises(ServiceError) as caught:
        await remote.chat(question("hi"), Call(deadline=asyncio.get_running_loop().time() + 5))
    await remote.close()
    assert caught.value.reason is Reason.BACKEND_UNAVAILABLE
    assert "adapter at 127.0.0.1:1" in caught.value.message
    assert "antiphon serve adapter" in caught.value.message


async def test_keys_let_callers_in_by_hash_and_keep_others_out() -> None:
    key = new_key()
    layer = Auth({hash_of(key): "team-a"})
    async with opened(layer, token=key) as (echo, remote, server):
        await remote.chat(question("hi"), Call())
        assert echo.calls[0].caller == "team-a"
        for token in ("", "ak-wrong"):
            stranger = RemoteBackend("echo", server.address, token=token)
            with pytest.raises(ServiceError) as caught:
                await stranger.chat(question("hi"), Call())
            assert caught.value.reason is Reason.UNAUTHENTICATED
            with pytest.raises(ServiceError) as caught:
                async with aclosing(stranger.stream_chat(streaming("hi"), Call())) as events:
                    await anext(events)
            assert caught.value.reason is Reason.UNAUTHENTICATED
            await stranger.close()


async def test_wrong_requests_are_refused_with_the_path_of_the_field() -> None:
    async with opened(Validation()) as (_, remote, _):
        nameless = question("hi")
        nameless.model = ""
        empty = chat_pb2.ChatSpec(model="echo/words")
        roleless = question("hi")
        roleless.messages[0].ClearField("role")
        for spec, path in (
            (nameless, "spec.model"),
            (empty, "spec.messages"),
            (roleless, "spec.messages[0].role"),
        ):
            with pytest.raises(ServiceError) as caught:
                await remote.chat(spec, Call())
            assert caught.value.reason is Reason.INVALID_REQUEST
            assert caught.value.violations[0].field == path


async def test_a_message_over_the_limit_is_refused_with_its_size() -> None:
    async with opened(Validation(max_bytes=10_000)) as (_, remote, _):
        with pytest.raises(ServiceError) as caught:
            await remote.chat(question("x" * 20_000), Call())
    assert caught.value.reason is Reason.MESSAGE_TOO_LARGE
    assert "10000" in caught.value.message


async def test_an_unexpected_failure_shows_a_number_and_no_internals(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Echo):
        async def chat(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
            raise RuntimeError("secret internals")

    async with Server(Broken(), [], listen="127.0.0.1:0") as server:
        remote = RemoteBackend("echo", server.address)
        with pytest.raises(ServiceError) as caught:
            await remote.chat(question("hi"), Call())
        await remote.close()
    assert caught.value.reason is Reason.INTERNAL
    assert "secret internals" not in caught.value.message
    number = caught.value.metadata["error_id"]
    assert any(getattr(record, "error_id", "") == number for record in caplog.records)


async def test_draining_lets_a_running_call_finish_though_watches_are_open() -> None:
    async with (
        opened(pause=0.5, grace=10) as (echo, remote, server),
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        stub: Any = standard_grpc.HealthStub(channel)
        watching: Any = health_pb2_grpc.HealthServiceStub(channel)
        standard = stub.Watch(standard_pb2.HealthCheckRequest())
        own = watching.WatchHealth(health_pb2.WatchHealthRequest())
        assert (await standard.read()).status == standard_pb2.HealthCheckResponse.SERVING
        assert (await own.read()).component.name == "echo"
        running = asyncio.ensure_future(remote.chat(question("last words"), Call()))
        while not echo.calls:
            await asyncio.sleep(0.01)
        began = time.monotonic()
        await server.drain()
        assert (await running).outputs[0].messages[0].parts[0].text.text == "last words"
        assert time.monotonic() - began < 3
        assert echo.closed


async def test_every_service_answers_standard_health_and_reflection() -> None:
    async with opened() as (_, _, server), grpc.aio.insecure_channel(server.address) as channel:
        stub: Any = standard_grpc.HealthStub(channel)
        reflection: Any = reflection_pb2_grpc.ServerReflectionStub(cast("Any", channel))
        checked = await stub.Check(standard_pb2.HealthCheckRequest(service="antiphon.v1.ChatService"))
        assert checked.status == standard_pb2.HealthCheckResponse.SERVING
        asked = reflection.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        names = {service.name for service in (await asked.read()).list_services_response.service}
        asked.cancel()
    assert {"antiphon.v1.ChatService", "antiphon.v1.EmbeddingsService", "antiphon.v1.ModelsService"} <= names


async def test_a_thousand_cancelled_streams_leave_nothing_behind() -> None:
    async with opened(pause=0.2) as (echo, remote, _):
        before = len(asyncio.all_tasks())

        async def leave() -> None:
            async with aclosing(remote.stream_chat(streaming("a b c d e f"), Call())) as events:
                async for event in events:
                    if event.HasField("part_started"):
                        return

        for _ in range(10):
            await asyncio.gather(*(leave() for _ in range(100)))
        deadline = time.monotonic() + 3
        while (echo.running or len(asyncio.all_tasks()) > before) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        assert echo.running == 0
        assert len(asyncio.all_tasks()) <= before


async def test_a_port_in_use_is_said_plainly() -> None:
    async with opened() as (_, _, server):
        with pytest.raises(ServiceError, match="another process"):
            async with Server(Echo(), [], listen=server.address):
                pass


@pytest.mark.parametrize("letter", ["x", "ü", "語"])
async def test_the_largest_error_still_arrives_with_its_reason(letter: str) -> None:
    class Verbose(Echo):
        async def chat(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
            wrong = tuple(FieldViolation(field=f"f{number}", description=letter * 4000) for number in range(30))
            metadata = {f"key{number}": letter * 1000 for number in range(20)}
            raise ServiceError(Reason.INVALID_REQUEST, letter * 50_000, metadata, violations=wrong, quota=letter * 9000)

    async with Server(Verbose(), [], listen="127.0.0.1:0") as server:
        remote = RemoteBackend("echo", server.address)
        with pytest.raises(ServiceError) as caught:
            await remote.chat(question("hi"), Call())
        await remote.close()
    assert caught.value.reason is Reason.INVALID_REQUEST
    assert caught.value.message.startswith(letter * 100)
