"""The laws of an embeddings format, for any codec: L1 and L2, for nothing there is streamed."""

from __future__ import annotations

from typing import Protocol

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import embeddings_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.jsontext import leaves, loads
from tests.laws.recordings import Recorded
from tests.laws.verdict import Verdict, error_difference, first_difference, untyped


class EmbeddingWire(Protocol):
    """A codec of embeddings."""

    @property
    def name(self) -> str:
        """The wire."""

    def encode_request(self, request: embeddings_pb2.EmbedRequest, /) -> HttpCall:
        """Write a request."""

    def decode_request(self, call: HttpCall, /) -> embeddings_pb2.EmbedRequest:
        """Read a request."""

    def decode_response(self, reply: HttpReply, /) -> embeddings_pb2.EmbedResponse:
        """Read an answer."""

    def encode_response(self, response: embeddings_pb2.EmbedResponse, /) -> HttpReply:
        """Write an answer."""

    def decode_error(self, reply: HttpReply, /) -> ServiceError:
        """Read an error."""

    def encode_error(self, error: ServiceError, /) -> HttpReply:
        """Write an error."""


class EmbeddingLaws:
    """L1, L2 and L5 for one codec. A wire says which exchanges are its own."""

    def __init__(self, wire: EmbeddingWire) -> None:
        self.wire = wire
        self.name = wire.name

    def examine(self, recorded: Recorded) -> Verdict:
        """Apply every law that fits the exchange."""
        verdict = Verdict()
        if isinstance(recorded.request_json, dict):
            verdict.check("L1", lambda: self._request(recorded, verdict))
        if verdict.refused:
            verdict.checks.clear()
        else:
            verdict.check("L2", lambda: self._answer(recorded, verdict))
        return verdict

    def _request(self, recorded: Recorded, verdict: Verdict) -> str | None:
        try:
            request = self.wire.decode_request(recorded.call)
        except ServiceError as error:
            if recorded.status < 400 or error.reason is not Reason.INVALID_REQUEST:
                raise
            verdict.refused = f"refused: {error.message}"
            return None
        verdict.count(leaves(recorded.request_json), untyped(request, self.name))
        return first_difference(recorded.request_json, loads(self.wire.encode_request(request).body))

    def _answer(self, recorded: Recorded, verdict: Verdict) -> str | None:
        if recorded.status >= 400:
            return error_difference(self.wire, self.wire.decode_error(recorded.reply))
        response = self.wire.decode_response(recorded.reply)
        verdict.count(leaves(recorded.json), untyped(response, self.name))
        return first_difference(recorded.json, loads(self.wire.encode_response(response).body))
