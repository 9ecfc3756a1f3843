"""The server's side of a connection, judged by another implementation of the protocol that lets nothing pass."""

from __future__ import annotations

import asyncio
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from antiphon.core.http2.connection import Connection
from tests.core.http2.parts import Bytes, Wire, message, request, server


class Judge:
    """h2 as the client. It raises for every frame that a server may not send now."""

    def __init__(self, service: Bytes) -> None:
        self.wire = Wire()
        self.connection = Connection(server(service), asyncio.get_running_loop())
        self.connection.connection_made(self.wire)
        self.h2: Any = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.seen: list[Any] = []

    async def pump(self) -> None:
        for _ in range(200):
            if data := self.h2.data_to_send():
                self.connection.data_received(data)
            await asyncio.sleep(0)
            got = bytes(self.wire.written)
            self.wire.written.clear()
            for event in self.h2.receive_data(got) if got else ():
                self.seen.append(event)
                if isinstance(event, h2.events.DataReceived):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def call(self, stream: int, data: bytes, method: str = "Echo") -> None:
        self.h2.send_headers(stream, request(method))
        self.h2.send_data(stream, message(data), end_stream=True)

    def of(self, kind: type[Any], stream: int) -> list[Any]:
        return [each for each in self.seen if isinstance(each, kind) and each.stream_id == stream]

    def broken(self) -> list[Any]:
        return [each for each in self.seen if isinstance(each, h2.events.StreamReset | h2.events.ConnectionTerminated)]


@pytest.mark.parametrize(
    ("method", "data", "size", "status"),
    [
        ("Echo", b"hello", 10, "0"),
        ("Count", b"3 10", 45, "0"),
        ("Count", b"5 100000", 500_025, "0"),
        ("Written", b"", 18, "0"),
        ("Aborted", b"y" * 15000, 0, "15"),
        ("Missing", b"", 0, "12"),
    ],
)
async def test_answers_of_every_kind_pass(method: str, data: bytes, size: int, status: str) -> None:
    judge = Judge(Bytes())
    judge.call(1, data, method)
    judge.call(3, b"beside")
    await judge.pump()
    for stream in (1, 3):
        assert judge.of(h2.events.StreamEnded, stream)
    assert sum(len(each.data) for each in judge.of(h2.events.DataReceived, 1)) == size
    heads = [*judge.of(h2.events.ResponseReceived, 1), *judge.of(h2.events.TrailersReceived, 1)]
    assert dict(heads[-1].headers)["grpc-status"] == status
    assert not judge.broken()


async def test_an_answer_before_the_end_of_its_request_passes() -> None:
    judge = Judge(Bytes())
    judge.h2.send_headers(1, request("Early"))
    judge.h2.send_data(1, message(b"first"))
    await judge.pump()
    assert judge.of(h2.events.StreamEnded, 1)
    assert [each.error_code for each in judge.of(h2.events.StreamReset, 1)] == [0]
