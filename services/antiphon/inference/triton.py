"""The one door to Triton: its client, with every failure as a ServiceError and every stream closed when left.

Triton's client brings numpy, and both together a quarter of the memory of a server that never calls one: they are
imported with the first call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc
import grpc.aio

from antiphon.core.call import Call
from antiphon.core.channel import OPTIONS, outgoing
from antiphon.core.errors import Reason, ServiceError

if TYPE_CHECKING:
    from tritonclient.grpc import InferInput, InferResult

T = TypeVar("T")

HEADERS: Mapping[str, str] = {"triton_grpc_error": "true"}
"""Without it Triton reports the errors of a stream as text inside a message, with the code lost."""

REASONS: Mapping[str, Reason] = {
    "": Reason.INVALID_REQUEST,  # errors of a stream's request itself come without a status, whatever the header
    "INVALID_ARGUMENT": Reason.INVALID_REQUEST,
    "NOT_FOUND": Reason.MODEL_NOT_FOUND,
    "UNIMPLEMENTED": Reason.UNSUPPORTED_OPERATION,
    "RESOURCE_EXHAUSTED": Reason.OVERLOADED,
    "DEADLINE_EXCEEDED": Reason.DEADLINE_EXCEEDED,
    "CANCELLED": Reason.CANCELLED,
    "UNAVAILABLE": Reason.BACKEND_UNAVAILABLE,
    "INTERNAL": Reason.INTERNAL,
}
"""By the name of the status, which may come from Triton's own code or from grpc."""

PROBE_SECONDS: Final = 2.0
"""How long `listens` waits for a connection."""

CONNECTION_SIGNS = ("failed to connect", "Connection refused", "Socket closed", "DNS resolution", "connections to all")


class Triton:
    """A tritonserver at `address` (host:port of its gRPC endpoint). Connects on first use."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._client: Any = None

    async def listens(self) -> bool:
        """Whether somebody listens at the address, as far as a plain connection tells; true where it cannot tell."""
        host, _, port = self._address.rpartition(":")
        if not port.isdecimal() or "/" in host or host in ("unix", "dns"):
            return True
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(PROBE_SECONDS):
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            writer.close()
            return True
        return False

    async def ready(self) -> bool:
        """Whether the server takes requests. Raises ServiceError where it cannot be reached."""
        return bool(await self._said(lambda client: client.is_server_ready(client_timeout=5.0)))

    async def index(self) -> Sequence[Any]:
        """The models of the repository, loaded or not: name, version, state, reason."""
        return list((await self._said(lambda client: client.get_model_repository_index(client_timeout=5.0))).models)

    async def config(self, model: str) -> Any:
        """The configuration of a loaded model. Raises ServiceError MODEL_NOT_FOUND."""
        return (await self._said(lambda client: client.get_model_config(model, client_timeout=5.0), model)).config

    async def statistics(self) -> Sequence[Any]:
        """Counters of every loaded model since the server began."""
        return list((await self._said(lambda client: client.get_inference_statistics(client_timeout=5.0))).model_stats)

    async def infer(self, model: str, inputs: Sequence[InferInput], call: Call) -> InferResult:
        """One answer."""
        about: dict[str, Any] = {"client_timeout": call.timeout(), "headers": self._headers(call)}
        return await self._said(lambda client: client.infer(model, list(inputs), **about), model)

    async def stream(self, model: str, inputs: Sequence[InferInput], call: Call) -> AsyncGenerator[InferResult, None]:
        """The answers of a decoupled model. Leaving it cancels the request inside Triton."""
        client = await self._connected()
        from tritonclient.utils import InferenceServerException

        responses = client.stream_infer(
            _one_request(model, inputs), stream_timeout=call.timeout(), headers=self._headers(call)
        )
        try:
            async for result, error in responses:
                if error is not None:
                    raise self._error(error, model) from error
                yield result
        except (InferenceServerException, grpc.RpcError) as error:
            raise self._error(error, model) from error
        finally:
            responses.cancel()

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.close()

    async def _connected(self) -> Any:
        """The client. It is imported in a thread: that takes a quarter of a second, in which other calls go on. Where
        nobody listens it is not imported at all: servers without a Triton are asked for its health and models too."""
        if self._client is None:
            if not await self.listens():
                raise self._away("nobody listens there", {"provider": "triton"})
            made = await asyncio.to_thread(_client_class)
            if self._client is None:  # else another call was here meanwhile
                self._client = made(self._address, channel_args=list(OPTIONS))
        return self._client

    def _headers(self, call: Call) -> dict[str, str]:
        return {**HEADERS, **dict(outgoing(call))}

    async def _said(self, ask: Callable[[Any], Awaitable[Any]], model: str = "") -> Any:
        client = await self._connected()
        from tritonclient.utils import InferenceServerException

        try:
            return await ask(client)
        except (InferenceServerException, grpc.RpcError) as error:
            raise self._error(error, model) from error

    def _away(self, why: str, metadata: dict[str, str]) -> ServiceError:
        return ServiceError(
            Reason.BACKEND_UNAVAILABLE,
            f"Triton at {self._address} cannot be reached: {why}; start it with `antiphon triton up`, "
            "or set ANTIPHON_TRITON to where it is",
            metadata | {"backend": "triton"},
        )

    def _error(self, error: Exception, model: str) -> ServiceError:
        status, message = _status_of(error)
        metadata = {"provider": "triton"} | ({"model": model} if model else {})
        if status == "UNAVAILABLE" and any(sign in message for sign in CONNECTION_SIGNS):
            return self._away(message, metadata)
        reason = REASONS.get(status, Reason.INTERNAL)
        if model and ("unknown model" in message or "is not ready" in message or "not found" in message):
            # Triton says UNAVAILABLE or INVALID_ARGUMENT for a model that it does not have.
            reason = Reason.MODEL_NOT_FOUND
            message += "; `antiphon models --provider triton` lists what there is"
        return ServiceError(reason, f"Triton: {message}", metadata)


def _client_class() -> Any:
    from tritonclient.grpc.aio import InferenceServerClient

    return InferenceServerClient


async def _one_request(model: str, inputs: Sequence[InferInput]) -> AsyncIterator[dict[str, Any]]:
    yield {"model_name": model, "inputs": list(inputs)}


def _status_of(error: Exception) -> tuple[str, str]:
    """The status name and message, from tritonclient's exception or grpc's."""
    from tritonclient.utils import InferenceServerException

    if isinstance(error, grpc.aio.AioRpcError):
        return error.code().name, error.details() or error.code().name
    if isinstance(error, InferenceServerException):
        return str(error.status() or "").rpartition(".")[2], error.message() or str(error)
    return "", str(error)
