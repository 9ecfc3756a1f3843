"""What a request has to hold before any backend sees it, so that every service refuses the same things alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from antiphon.core.chain import Context
from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.v1 import chat_pb2, content_pb2, embeddings_pb2, models_pb2

MAX_BYTES = 32 * 1024 * 1024
"""Bytes of one request: as much as the providers that take most."""


class Validation:
    """A layer that refuses what no backend can answer."""

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes

    def begin(self, method: str, request: Message, context: Context) -> None:
        """Check a call's request."""
        check(request, max_bytes=self._max_bytes)


def check(request: Message, *, max_bytes: int = MAX_BYTES) -> None:
    """Raise ServiceError INVALID_REQUEST or MESSAGE_TOO_LARGE for a request that no backend can answer."""
    size = request.ByteSize()
    if size > max_bytes:
        raise ServiceError(
            Reason.MESSAGE_TOO_LARGE,
            f"the request has {size} bytes and {max_bytes} are allowed: send less history, or media by URL",
        )
    checker = CHECKS.get(type(request))
    if checker is not None:
        checker(request)


def _check_spec(spec: chat_pb2.ChatSpec) -> None:
    if not spec.model:
        raise invalid("spec.model", "is empty; give 'provider/model' or an alias")
    if not spec.messages:
        raise invalid("spec.messages", "is empty; give at least one message")
    for number, message in enumerate(spec.messages):
        if message.role == content_pb2.ROLE_UNSPECIFIED:
            raise invalid(f"spec.messages[{number}].role", "is not set")
        for place, part in enumerate(message.parts):
            if part.WhichOneof("kind") is None:
                raise invalid(f"spec.messages[{number}].parts[{place}]", "has no kind; set text, media, ...")
    if spec.HasField("n") and spec.n < 1:
        raise invalid("spec.n", f"is {spec.n}; at least 1")
    if spec.HasField("max_output_tokens") and spec.max_output_tokens < 1:
        raise invalid("spec.max_output_tokens", f"is {spec.max_output_tokens}; at least 1")
    for number, tool in enumerate(spec.tools):
        if tool.WhichOneof("tool") is None:
            raise invalid(f"spec.tools[{number}]", "has no kind; set function, ...")
        if tool.HasField("function") and not tool.function.name:
            raise invalid(f"spec.tools[{number}].function.name", "is empty")


def _check_stream(request: chat_pb2.StreamChatRequest) -> None:
    if request.WhichOneof("start") is None:
        raise invalid("spec", "is not set")
    _check_spec(request.spec)


def _check_embed(request: embeddings_pb2.EmbedRequest) -> None:
    if not request.model:
        raise invalid("model", "is empty; give 'provider/model' or an alias")
    if not request.inputs:
        raise invalid("inputs", "is empty; give at least one input")
    for number, item in enumerate(request.inputs):
        if item.WhichOneof("input") is None:
            raise invalid(f"inputs[{number}]", "has no content; set text, tokens or parts")
    if request.HasField("dimensions") and request.dimensions < 1:
        raise invalid("dimensions", f"is {request.dimensions}; at least 1")


def _check_list(request: models_pb2.ListModelsRequest) -> None:
    if request.page_size < 0:
        raise invalid("page_size", f"is {request.page_size}; at least 0")


def _check_get(request: models_pb2.GetModelRequest) -> None:
    if not request.name:
        raise invalid("name", "is empty; give 'provider/model' or an alias")


CHECKS: dict[type[Message], Callable[[Any], None]] = {
    chat_pb2.ChatRequest: lambda request: _check_spec(request.spec),
    chat_pb2.CountTokensRequest: lambda request: _check_spec(request.spec),
    chat_pb2.StreamChatRequest: _check_stream,
    embeddings_pb2.EmbedRequest: _check_embed,
    models_pb2.ListModelsRequest: _check_list,
    models_pb2.GetModelRequest: _check_get,
}
