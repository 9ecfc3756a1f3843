"""Streams: at once, silent, broken, left and stalled."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.streams import Events
from antiphon.gateway.edges.door import DoorLimits
from antiphon.v1 import chat_pb2
from tests.gateway.edges.opened import JSON, Choir, Opened, chat, events, message, opened, until

EDGES = [("/v1/chat/completions", chat), ("/v1/messages", message)]


class Gated(Choir):
    """Streams a word, and the rest once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()

    async def _held(self, events: Events) -> Events:
        async for event in events:
            yield event
            if event.HasField("part_delta"):
                await self.let.wait()

    def stream_chat(self, request: chat_pb2.StreamChatRequest, call: Call) -> Events:
        """The words."""
        return self._held(super().stream_chat(request, call))


@pytest.mark.parametrize(("path", "asked"), EDGES)
async def test_the_first_words_come_while_the_answer_is_still_made(path: str, asked: object) -> None:
    choir = Gated()
    async with opened(choir=choir) as edge:
        body = json.dumps(asked("first second", stream=True))  # type: ignore[operator]
        async with edge.client.stream("POST", path, content=body, headers=JSON) as answer:
            got = ""
            async for text in answer.aiter_text():
                got += text
                if "first" in got and not choir.let.is_set():
                    assert "second" not in got
                    choir.let.set()
    assert "second" in got


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("path", "asked"), EDGES)
async def test_a_client_who_leaves_ends_the_call(path: str, asked: object, stream: bool) -> None:
    class Slow(Choir):
        async def chat(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
            self.running += 1
            try:
                return await super().chat(spec, call)
            finally:
                self.running -= 1

    # Left alone, either answer takes longer than the test may: only the leaving can end it.
    async with opened(choir=Slow(pause=0.5 if stream else 600)) as edge, edge.raw() as (reader, writer):
        body = json.dumps(asked("word " * 1000, stream=stream)).encode()  # type: ignore[operator]
        head = (
            f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        if stream:
            await reader.readuntil(b"word")
        await until(lambda: edge.choir.running == 1)
        writer.close()
        await until(lambda: edge.choir.running == 0)
        assert edge.edges.door.bodies.held == 0


async def test_many_who_leave_leave_nothing_behind() -> None:
    async def leave(edge: Opened) -> None:
        body = json.dumps(chat("a b c d e f g h", stream=True))
        async with (
            httpx.AsyncClient(base_url=f"http://{edge.listener.address}", trust_env=False) as client,
            client.stream("POST", "/v1/chat/completions", content=body, headers=JSON) as answer,
        ):
            async for _ in answer.aiter_raw():
                return

    async with opened(pause=0.2) as edge:
        before = len(asyncio.all_tasks())
        for _ in range(3):
            await asyncio.gather(*(leave(edge) for _ in range(40)))
        await until(lambda: edge.choir.running == 0 and len(asyncio.all_tasks()) <= before)
        assert edge.edges.door.bodies.held == 0


async def test_an_error_before_the_first_event_has_a_status_of_its_own() -> None:
    class Refusing(Choir):
        def stream_chat(self, request: chat_pb2.StreamChatRequest, call: Call) -> Events:
            return self._refused()

        async def _refused(self) -> Events:
            raise ServiceError(Reason.RATE_LIMIT_EXCEEDED, "too many", retry_after=3)
            yield

    async with opened(choir=Refusing()) as edge:
        ours = await edge.post("/v1/chat/completions", chat("hi", stream=True))
        theirs = await edge.post("/v1/messages", message("hi", stream=True))
    assert (ours.status_code, ours.headers["retry-after"]) == (429, "3")
    assert theirs.json()["error"]["type"] == "rate_limit_error"


async def test_an_error_after_the_first_event_comes_in_the_edges_own_form_and_ends_the_stream() -> None:
    async with opened() as edge:
        ours = await edge.post("/v1/chat/completions", chat("one two !OVERLOADED", stream=True))
        theirs = await edge.post("/v1/messages", message("one two !OVERLOADED", stream=True))
    assert (ours.status_code, theirs.status_code) == (200, 200)
    got = events(ours.text)
    assert got[-1]["error"]["code"] == "overloaded"
    assert "[DONE]" not in ours.text
    got = events(theirs.text)
    assert got[-1] == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "told to fail with OVERLOADED"},
    }
    assert "event: error\n" in theirs.text
    assert edge.choir.running == 0


async def test_a_failure_of_our_own_in_a_stream_is_told_and_not_cut() -> None:
    class Broken(Choir):
        def stream_chat(self, request: chat_pb2.StreamChatRequest, call: Call) -> Events:
            return self._broken(super().stream_chat(request, call))

        async def _broken(self, events: Events) -> Events:
            async for event in events:
                yield event
                if event.HasField("part_delta"):
                    raise RuntimeError("secret internals")

    async with opened(choir=Broken()) as edge:
        answer = await edge.post("/v1/chat/completions", chat("one two", stream=True))
    assert events(answer.text)[-1]["error"]["code"] == "internal_error"
    assert "secret internals" not in answer.text


@pytest.mark.parametrize(("path", "asked", "beat"), [(*EDGES[0], ": \n\n"), (*EDGES[1], "event: ping\n")])
async def test_a_silent_stream_is_kept_open(path: str, asked: object, beat: str) -> None:
    async with opened(pause=0.5, limits=DoorLimits(beat=0.1)) as edge:
        answer = await edge.post(path, asked("slow words", stream=True))  # type: ignore[operator]
    assert answer.text.count(beat) >= 2
    assert "slow" in answer.text
    assert " words" in answer.text


async def test_a_reader_that_stalls_is_cut_off() -> None:
    limits = DoorLimits(stall=0.3)
    async with opened(limits=limits) as edge, edge.raw() as (_, writer):
        body = json.dumps(chat("x" * 100_000 + " " + ("y" * 100_000 + " ") * 200, stream=True)).encode()
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            + f"content-length: {len(body)}\r\n\r\n".encode()
        )
        writer.write(body)
        await until(lambda: edge.choir.running == 1, seconds=10)
        await until(lambda: edge.choir.running == 0, seconds=10)
