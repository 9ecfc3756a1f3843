"""However the bytes of a connection are cut, the same calls come out; and rubbish never does harm."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import hpack
from hyperframe.frame import DataFrame, PingFrame, PriorityFrame, SettingsFrame, WindowUpdateFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.core.http2.frames import PREFACE
from tests.core.http2.parts import Bytes, Client, Wire, message, request, server

STATUSES = ("0", "0", "12", "0", "0", "13")


def conversation() -> bytes:
    """A client's side of a connection, with a little of everything."""
    scratch: Any = Client.__new__(Client)  # only its header blocks are wanted, which need no loop
    scratch.encoder = hpack.Encoder()
    padded = DataFrame(3, message(b"p" * 300), pad_length=20, flags=["PADDED", "END_STREAM"])
    sent = [
        SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 100_000}),
        scratch.head(1, request()),
        DataFrame(1, message(b"one")[:2]),
        scratch.head(3, request("Echo", ("x-raw-bin", "AP8"))),
        PingFrame(0, b"01234567"),
        padded,
        DataFrame(1, message(b"one")[2:], flags=["END_STREAM"]),
        scratch.head(5, request("Nothing"), ends=True),
        PriorityFrame(9, depends_on=0, stream_weight=3),
        scratch.head(7, request("Joined")),
        DataFrame(7, message(b"a") + message(b"bc")[:4]),
        WindowUpdateFrame(0, 100),
        DataFrame(7, message(b"bc")[4:]),
        scratch.head(7, [("x-end", "1")], ends=True),
        scratch.head(9, request("Count")),
        DataFrame(9, message(b"3 4"), flags=["END_STREAM"]),
        scratch.head(11, request(), ends=True),
    ]
    return PREFACE + b"".join(each.serialize() for each in sent)


CONVERSATION = conversation()


async def outcome(pieces: list[bytes]) -> tuple[Any, ...]:
    client = Client(server(Bytes()), greet=False)
    for piece in pieces:
        client.feed(piece)
    for _ in range(30):
        await asyncio.sleep(0)
    client.look()
    streams = (1, 3, 5, 7, 9, 11)
    client.connection.connection_lost(None)
    return tuple((client.status(each), client.data(each)) for each in streams)


def pieces_at(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(places)]


def test_every_single_cut_gives_the_same_calls() -> None:
    async def main() -> None:
        whole = await outcome([CONVERSATION])
        assert tuple(status for status, _ in whole) == STATUSES
        assert await outcome([CONVERSATION[at : at + 1] for at in range(len(CONVERSATION))]) == whole
        for cut in range(len(CONVERSATION)):
            assert await outcome(pieces_at(CONVERSATION, [cut])) == whole, cut

    asyncio.run(main())


@settings(deadline=None)
@given(st.lists(st.integers(0, len(CONVERSATION)), max_size=12))
def test_any_cuts_give_the_same_calls(cuts: list[int]) -> None:
    async def main() -> None:
        assert await outcome(pieces_at(CONVERSATION, cuts)) == await outcome([CONVERSATION])

    asyncio.run(main())


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(len(PREFACE), len(CONVERSATION) - 1), st.integers(0, 255), st.booleans()), max_size=6
    ),
    st.binary(max_size=40),
)
def test_damaged_bytes_end_a_connection_or_a_call_and_leave_nothing_running(
    changes: list[tuple[int, int, bool]], tail: bytes
) -> None:
    async def main() -> None:
        data = bytearray(CONVERSATION)
        for at, value, drop in changes:
            if drop:
                del data[at : at + 1]
            elif at < len(data):
                data[at] = value
        home = server(Bytes())
        client = Client(home, greet=False)
        client.feed(bytes(data))
        client.feed(tail)
        for _ in range(30):
            await asyncio.sleep(0)
        client.connection.connection_lost(None)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not home.running
        assert not home.connections
        assert isinstance(client.wire, Wire)

    failures: list[Any] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
        await main()

    asyncio.run(watched())
    assert not failures
