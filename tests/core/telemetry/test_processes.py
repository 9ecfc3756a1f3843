"""One trace over three real processes."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec

from antiphon.cli.tracetree import ReceivedSpan, TraceReceiver
from antiphon.core.call import Call
from antiphon.core.remote import CHAT, STREAM_CHAT, RemoteBackend
from antiphon.core.telemetry import names
from antiphon.v1 import chat_pb2
from tests.core.telemetry.parts import spec, until


async def start(name: str, collector: str, upstream: str = "") -> tuple[Process, str]:
    module = "tests.core.telemetry.serve"
    process = await create_subprocess_exec(
        *(sys.executable, "-m", module, name, collector, upstream), stdin=PIPE, stdout=PIPE, env=environment()
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        return process, (await process.stdout.readline()).decode().strip()


def environment() -> dict[str, str]:
    """Short delays, and the paths that this process has."""
    return {"PYTHONPATH": ":".join(filter(None, sys.path)), "OTEL_BSP_SCHEDULE_DELAY": "50"}


def chain_of(spans: list[ReceivedSpan]) -> list[str]:
    """Service names from the root down, where each span has one child."""
    by_parent = {span.parent_id: span for span in spans}
    found, parent = [], ""
    while parent in by_parent:
        span = by_parent[parent]
        found.append(f"{span.service}: {span.name}")
        parent = span.span_id
    return found


async def test_a_call_through_three_processes_is_one_trace() -> None:
    async with TraceReceiver() as receiver:
        engine, engine_at = await start("engine", receiver.endpoint)
        adapter, adapter_at = await start("adapter", receiver.endpoint, engine_at)
        gateway, gateway_at = await start("gateway", receiver.endpoint, adapter_at)
        client = RemoteBackend("gateway", gateway_at)
        try:
            await client.chat(spec(), Call())
            await until(lambda: len(receiver.latest(10)) >= 6, 10)
            whole = receiver.latest(10)
            stream = client.stream_chat(chat_pb2.StreamChatRequest(spec=spec("openai/endless")), Call())
            await anext(stream)
            await stream.aclose()
            await until(lambda: len(receiver.latest(20)) >= 12, 10)
            left = [span for span in receiver.latest(20) if span.trace_id != whole[0].trace_id]
        finally:
            await client.close()
            for process in (gateway, adapter, engine):
                assert process.stdin is not None
                process.stdin.close()
            async with asyncio.timeout(10):
                codes = [await process.wait() for process in (gateway, adapter, engine)]
    assert codes == [0, 0, 0]
    assert chain_of(whole) == [
        f"gateway: {CHAT}",
        f"gateway: {CHAT}",
        f"adapter: {CHAT}",
        f"adapter: {CHAT}",
        f"engine: {CHAT}",
        "engine: chat gpt-test",
    ]
    assert len({span.trace_id for span in whole}) == 1
    assert not any(span.failed for span in whole)
    assert len({span.trace_id for span in left}) == 1
    assert len(chain_of(left)) == 6
    assert chain_of(left)[0] == f"gateway: {STREAM_CHAT}"
    assert all(span.attributes[names.CANCELLED] for span in left)
