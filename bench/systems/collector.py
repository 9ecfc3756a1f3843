"""An OTLP collector that takes everything and keeps nothing. Run as a module: prints its port."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio


class Taking(grpc.GenericRpcHandler):
    """Answers every method with an empty message."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        """The same handler for all."""
        take: Callable[[bytes, Any], Awaitable[bytes]] = _take
        return grpc.unary_unary_rpc_method_handler(take)


async def _take(request: bytes, context: Any) -> bytes:
    return b""


async def _run() -> None:
    server = grpc.aio.server(options=(("grpc.max_receive_message_length", 64 * 1024 * 1024),))
    server.add_generic_rpc_handlers((Taking(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_run())
