"""The one door to Triton: its client, with every failure as a ServiceError and every stream closed when left."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping, Sequence
from typing import Any, TypeVar

import grpc
import grpc.aio
from tritonclient.grpc import InferInput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from antiphon.core.call import Call
from antiphon.core.channel import OPTIONS, outgoing
from antiphon.core.errors import Reason, ServiceError

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

CONNECTION_SIGNS = ("failed to connect", "Connection refused", "Socket closed", "DNS resolution", "connections to all")


class Triton:
    """A tritonserver at `address` (host:port of its gRPC endpoint). Connects on first use."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._client: Any = InferenceServerClient(address, channel_args=list(OPTIONS))

    async def ready(self) -> bool:
        """Whether the server takes requests. Raises ServiceError where it cannot be reached."""
        return bool(await self._said(self._client.is_server_ready(client_timeout=5.0)))

    async def index(self) -> Sequence[Any]:
        """The models of the repository, loaded or not: name, version, state, reason."""
        return list((await self._said(self._client.get_model_repository_index(client_timeout=5.0))).models)

    async def config(self, model: str) -> Any:
        """The configuration of a loaded model. Raises ServiceError MODEL_NOT_FOUND."""
        return (await self._said(self._client.get_model_config(model, client_timeout=5.0), model)).config

    async def statistics(self) -> Sequence[Any]:
        """Counters of every loaded model since the server began."""
        return list((await self._said(self._client.get_inference_statistics(client_timeout=5.0))).model_stats)

    async def infer(self, model: str, inputs: Sequence[InferInput], call: Call) -> InferResult:
        """One answer."""
        answer = self._client.infer(model, list(inputs), client_timeout=call.timeout(), headers=self._headers(call))
        return await self._said(answer, model)

    async def stream(self, model: str, inputs: Sequence[InferInput], call: Call) -> AsyncGenerator[InferResult, None]:
        """The answers of a decoupled model. Leaving it cancels the request inside Triton."""
        responses = self._client.stream_infer(
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
        await self._client.close()

    def _headers(self, call: Call) -> dict[str, str]:
        return {**HEADERS, **dict(outgoing(call))}

    async def _said(self, answer: Awaitable[Any], model: str = "") -> Any:
        try:
            return await answer
        except (InferenceServerException, grpc.RpcError) as error:
            raise self._error(error, model) from error

    def _error(self, error: Exception, model: str) -> ServiceError:
        status, message = _status_of(error)
        metadata = {"provider": "triton"} | ({"model": model} if model else {})
        if status == "UNAVAILABLE" and any(sign in message for sign in CONNECTION_SIGNS):
            return ServiceError(
                Reason.BACKEND_UNAVAILABLE,
                f"Triton at {self._address} cannot be reached: {message}; start it with `antiphon triton up`, "
                "or set ANTIPHON_TRITON to where it is",
                metadata | {"backend": "triton"},
            )
        reason = REASONS.get(status, Reason.INTERNAL)
        if model and ("unknown model" in message or "is not ready" in message or "not found" in message):
            # Triton says UNAVAILABLE or INVALID_ARGUMENT for a model that it does not have.
            reason = Reason.MODEL_NOT_FOUND
            message += "; `antiphon models --provider triton` lists what there is"
        return ServiceError(reason, f"Triton: {message}", metadata)


async def _one_request(model: str, inputs: Sequence[InferInput]) -> AsyncIterator[dict[str, Any]]:
    yield {"model_name": model, "inputs": list(inputs)}


def _status_of(error: Exception) -> tuple[str, str]:
    """The status name and message, from tritonclient's exception or grpc's."""
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code().name, error.details() or error.code().name
    if isinstance(error, InferenceServerException):
        return str(error.status() or "").rpartition(".")[2], error.message() or str(error)
    return "", str(error)
