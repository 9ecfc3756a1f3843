"""Lines of the access log: all of them, in order, and in nobody's way."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
import structlog
from opentelemetry.context import Context
from opentelemetry.propagate import extract

from antiphon.core.call import Call
from antiphon.core.telemetry.genai import operation
from antiphon.core.telemetry.lines import ENOUGH, LineHandler, tell
from antiphon.core.telemetry.logs import configure_logs
from antiphon.core.telemetry.setup import configure
from tests.core.telemetry.parts import Measured, until


class Counting(StringIO):
    """Counts its writes, and can hold them up."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.open = threading.Event()
        self.open.set()

    def write(self, text: str) -> int:
        self.open.wait(10)
        self.writes += 1
        return super().write(text)


@pytest.fixture
def begin(root_logger: logging.Logger) -> Iterator[Callable[[], Counting]]:
    """Configures the log. To be called within the test: pytest's own handlers, which come before, are then gone."""

    def configured() -> Counting:
        written = Counting()
        configure_logs(service="gateway", stream=written)
        return written

    yield configured
    structlog.reset_defaults()


def lines(written: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


async def test_lines_of_the_same_moment_are_one_write(begin: Callable[[], Counting]) -> None:
    stream = begin()
    for number in range(50):
        tell("rpc", {"number": number}, None)
    assert stream.writes == 0
    await until(lambda: len(lines(stream)) == 50)
    assert stream.writes == 1
    assert [line["number"] for line in lines(stream)] == list(range(50))
    tell("rpc", {"number": 50}, None)
    await until(lambda: len(lines(stream)) == 51)


async def test_a_line_has_the_fields_of_any_other(begin: Callable[[], Counting]) -> None:
    stream = begin()
    logging.getLogger("antiphon.access").warning("rpc", extra={"caller": "ä"})
    tell("rpc", {"caller": "ä"}, None)
    await until(lambda: len(lines(stream)) == 2)
    usual, quick = lines(stream)
    times = [datetime.fromisoformat(line.pop("timestamp")) for line in (usual, quick)]
    assert times[0] <= times[1]
    assert usual.pop("level") == "warning"
    assert quick.pop("level") == "info"
    assert quick == usual == {"event": "rpc", "logger": "antiphon.access", "service": "gateway", "caller": "ä"}


async def test_lines_and_records_keep_their_order(begin: Callable[[], Counting]) -> None:
    stream = begin()
    tell("rpc", {"number": 0}, None)
    logging.getLogger("here").error("between")
    tell("rpc", {"number": 1}, None)
    await until(lambda: len(lines(stream)) == 3)
    assert [line["event"] for line in lines(stream)] == ["rpc", "between", "rpc"]


async def test_many_lines_do_not_wait(begin: Callable[[], Counting], monkeypatch: pytest.MonkeyPatch) -> None:
    stream = begin()
    monkeypatch.setattr("antiphon.core.telemetry.lines.DELAY", 3600)
    tell("rpc", {}, None, free={"text": "x" * ENOUGH})
    tell("rpc", {}, None)
    await until(lambda: len(lines(stream)) == 2)


def test_without_a_loop_a_line_is_written_at_once(begin: Callable[[], Counting]) -> None:
    stream = begin()
    tell("rpc", {"number": 0}, None)
    assert len(lines(stream)) == 1


def test_a_loop_that_has_ended_keeps_no_line(begin: Callable[[], Counting]) -> None:
    stream = begin()

    async def one(number: int) -> None:
        tell("rpc", {"number": number}, None)

    asyncio.run(one(0))
    asyncio.run(one(1))
    tell("rpc", {"number": 2}, None)
    assert [line["number"] for line in lines(stream)] == [0, 1, 2]


async def test_a_loop_whose_threads_have_ended_keeps_no_line(
    begin: Callable[[], Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.core.telemetry.lines.DELAY", 0.001)
    stream = begin()
    await asyncio.get_running_loop().shutdown_default_executor()
    tell("rpc", {"number": 0}, None)
    await until(lambda: len(lines(stream)) == 1)


async def test_the_end_of_a_service_writes_what_waits(
    begin: Callable[[], Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = begin()
    monkeypatch.setattr("antiphon.core.telemetry.lines.DELAY", 3600)
    shutdown = configure("gateway")
    tell("rpc", {"number": 0}, None)
    await shutdown()
    assert len(lines(stream)) == 1


ENDING = """
import asyncio
from antiphon.core.telemetry.lines import tell
from antiphon.core.telemetry.logs import configure_logs

async def main():
    configure_logs()
    for number in range(1000):
        tell("rpc", {"number": number}, None)

asyncio.run(main())
"""


async def test_the_end_of_a_process_writes_what_waits() -> None:
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=30, check=True
    )
    assert [json.loads(line)["number"] for line in done.stderr.splitlines()] == list(range(1000))


async def test_a_reader_who_has_stopped_holds_up_no_call(
    begin: Callable[[], Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = begin()
    monkeypatch.setattr("antiphon.core.telemetry.lines.DELAY", 0.001)
    stream.open.clear()
    try:
        for number in range(200):
            tell("rpc", {"number": number, "text": "x" * 1000}, None)
            await asyncio.sleep(0.001)
        assert stream.writes == 0
    finally:
        stream.open.set()
    await until(lambda: stream.getvalue().count("\n") == 200)
    assert [line["number"] for line in lines(stream)] == list(range(200))


async def test_a_stream_that_is_gone_fails_no_call(begin: Callable[[], Counting]) -> None:
    stream = begin()
    tell("rpc", {}, None)
    stream.close()
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, LineHandler)
    handler.flush()
    tell("rpc", {}, None)


async def test_another_handler_gets_records(begin: Callable[[], Counting], caplog: pytest.LogCaptureFixture) -> None:
    stream = begin()
    logging.getLogger().addHandler(caplog.handler)
    tell("rpc", {"number": 0}, None, free={"request_id": "r-1"})
    (record,) = caplog.records
    assert (record.name, record.msg, record.__dict__["request_id"]) == ("antiphon.access", "rpc", "r-1")
    assert lines(stream)[0]["number"] == 0


async def test_free_text_passes_the_redaction(begin: Callable[[], Counting]) -> None:
    stream = begin()
    key = "sk-proj-abcdefghijklmnop1234"
    tell("http", {"method": "GET"}, None, free={"request_id": f"r {key}"})
    await until(lambda: len(lines(stream)) == 1)
    assert lines(stream)[0]["request_id"] == "r [redacted]"


async def test_text_that_is_no_text_costs_no_line(begin: Callable[[], Counting]) -> None:
    stream = begin()
    tell("http", {"number": 0}, None, free={"request_id": "\ud800"})
    tell("http", {"number": 1}, None)
    await until(lambda: len(lines(stream)) == 2)
    assert [line["number"] for line in lines(stream)] == [0, 1]


async def test_a_line_names_its_trace_and_the_moment_it_was_told(
    begin: Callable[[], Counting], measured: Measured
) -> None:
    stream = begin()
    ours = extract({"traceparent": f"00-{'0a' * 16}-{'0b' * 8}-01"}, Context())
    before = datetime.now(UTC)
    tell("rpc", {}, ours)
    with operation(Call(trace=ours), "chat", provider="openai", model="m") as op:
        tell("rpc", {}, op.call.trace)
    tell("rpc", {}, Context())
    after = datetime.now(UTC)
    await until(lambda: len(lines(stream)) == 3)
    foreign, own, none = lines(stream)
    assert (foreign["trace_id"], foreign["span_id"]) == ("0a" * 16, "0b" * 8)
    context = measured.one("chat m").context
    assert context is not None
    assert (own["trace_id"], own["span_id"]) == ("0a" * 16, f"{context.span_id:016x}")
    assert "trace_id" not in none
    for line in lines(stream):
        assert before <= datetime.fromisoformat(line["timestamp"]) <= after


async def test_no_line_below_the_level(root_logger: logging.Logger) -> None:
    written = Counting()
    configure_logs(level="warning", stream=written)
    tell("rpc", {}, None)
    for handler in root_logger.handlers:
        handler.flush()
    assert written.getvalue() == ""
    structlog.reset_defaults()
