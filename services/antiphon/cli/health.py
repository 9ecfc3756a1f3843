"""`antiphon health`: how the parts are, for a person, a script and a container's health check."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import grpc
import grpc.aio
import typer
from grpc_health.v1 import health_pb2 as standard_pb2
from grpc_health.v1 import health_pb2_grpc as standard_pb2_grpc
from rich.table import Table
from rich.text import Text

from antiphon.cli import exits, terminal
from antiphon.cli.chat import json_line, json_text
from antiphon.cli.client import HINT, Connection, caller_key, perform
from antiphon.cli.failure import reported
from antiphon.core.channel import connect, outgoing
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.remote import RemoteBackend
from antiphon.core.status import from_rpc_error
from antiphon.core.streams import received
from antiphon.v1 import health_pb2, health_pb2_grpc

_STYLES = {
    health_pb2.STATUS_SERVING: "green",
    health_pb2.STATUS_DEGRADED: "yellow",
    health_pb2.STATUS_NOT_SERVING: "bold red",
    health_pb2.STATUS_UNCONFIGURED: "dim",
}


def word(status: health_pb2.Status.ValueType) -> Text:
    """A status as a coloured word."""
    name = health_pb2.Status.Name(status).removeprefix("STATUS_").lower().replace("_", " ")
    return Text(name, style=_STYLES.get(status, ""))


def table(response: health_pb2.GetHealthResponse) -> Table:
    """The parts, one a row, unconfigured ones last."""
    rows = Table(box=None, pad_edge=False, header_style="dim")
    rows.add_column("part", no_wrap=True)
    rows.add_column("status", no_wrap=True)
    rows.add_column("what it says", overflow="fold")
    parts = sorted(response.components, key=lambda part: part.status == health_pb2.STATUS_UNCONFIGURED)
    for part in parts:
        rows.add_row(Text(terminal.line(part.name)), word(part.status), Text(_said(part), style="dim"))
    return rows


def run(connection: Connection, *, as_json: bool, watch: bool, live: bool) -> None:
    """Ask and print. Status 0 where all that is configured serves, 1 otherwise. Raises typer.Exit."""
    if watch:
        with reported(as_json=as_json):
            asyncio.run(_watch(connection, as_json=as_json))
        raise typer.Exit(exits.OK)
    if live:
        with reported(as_json=as_json):
            status = asyncio.run(_live(connection, as_json=as_json))
        raise typer.Exit(status)

    async def work(backend: RemoteBackend) -> int:
        response = await backend.get_health(health_pb2.GetHealthRequest(), connection.call())
        if as_json:
            terminal.write(json_text(response))
        else:
            console = terminal.out()
            console.print(table(response))
            console.print(Text.assemble("all in all: ", word(response.status)))
        return exits.OK if response.status == health_pb2.STATUS_SERVING else exits.FAILED

    perform(work, connection, as_json=as_json)


async def _watch(connection: Connection, *, as_json: bool) -> None:
    """Each part, then every change, until interrupted or the server drains."""
    key = caller_key()
    token = (("authorization", f"Bearer {key}"),) if key else ()
    call = connection.call()
    async with connect(connection.address) as channel:
        stub = health_pb2_grpc.HealthServiceStub(channel)
        stream = stub.WatchHealth(health_pb2.WatchHealthRequest(), metadata=(*outgoing(call), *token))
        try:
            async with aclosing(received(stream)) as events:
                async for event in events:
                    _show(event, as_json=as_json)
        except grpc.RpcError as error:
            raise _typed(error, connection) from error


def _show(event: health_pb2.WatchHealthResponse, *, as_json: bool) -> None:
    if as_json:
        terminal.write(json_line(event))
        return
    part = event.component
    clock = time.strftime("%H:%M:%S")
    name = f"  {terminal.line(part.name):<24} "
    terminal.out().print(Text.assemble((clock, "dim"), name, word(part.status), (f"  {_said(part)}", "dim")))


async def _live(connection: Connection, *, as_json: bool) -> int:
    """Whether the process answers at all: grpc.health.v1, which needs no caller key and asks no backend."""
    async with connect(connection.address) as channel:
        stub = standard_pb2_grpc.HealthStub(channel)
        try:
            request = standard_pb2.HealthCheckRequest()
            response = await stub.Check(  # type: ignore[attr-defined]  # its published types lack it
                request, timeout=connection.call().timeout()
            )
        except grpc.RpcError as error:
            raise _typed(error, connection) from error
    serving = response.status == standard_pb2.HealthCheckResponse.SERVING
    if as_json:
        terminal.write(json_line(response))
    else:
        terminal.out().print("serving" if serving else "not serving")
    return exits.OK if serving else exits.FAILED


def _typed(error: grpc.RpcError, connection: Connection) -> ServiceError:
    typed = from_rpc_error(error)
    if typed.reason is Reason.BACKEND_UNAVAILABLE and "backend" not in typed.metadata:
        typed.message = f"the server at {connection.address} cannot be reached: {typed.message}; {HINT}"
    return typed


def _said(part: health_pb2.ComponentHealth) -> str:
    reason = f"{part.reason}: " if part.reason else ""
    return reason + terminal.line(part.message)
