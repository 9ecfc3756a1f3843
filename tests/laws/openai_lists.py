"""The laws of OpenAI's embeddings and model lists: L1 and L2, for nothing there is streamed."""

from __future__ import annotations

from typing import Any

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import embeddings_pb2
from antiphon.wire.embedding_quirks import EmbeddingQuirks
from antiphon.wire.jsontext import leaves, loads
from antiphon.wire.openai_embeddings import OpenAIEmbeddings
from antiphon.wire.openai_models import OpenAIModels
from tests.laws.recordings import Recorded
from tests.laws.verdict import Verdict, error_difference, first_difference, untyped

INT8_HOSTS = frozenset({"api.perplexity.ai"})
"""Whose base64 holds signed bytes: nothing in an answer tells, so a provider's row has to."""


class OpenAIEmbeddingsLaws:
    """Embeddings of every provider that speaks OpenAI's format."""

    name = "openai_embeddings"

    def claims(self, recorded: Recorded) -> bool:
        """By path; Bedrock and Gemini have others."""
        return recorded.method == "POST" and recorded.path.endswith("/embeddings")

    def examine(self, recorded: Recorded) -> Verdict:
        """Apply every law that fits the exchange."""
        bytes_ = recorded.host in INT8_HOSTS
        quirks = EmbeddingQuirks(base64_holds=embeddings_pb2.VECTOR_ENCODING_INT8) if bytes_ else EmbeddingQuirks()
        wire = OpenAIEmbeddings(quirks)
        verdict = Verdict()
        if isinstance(recorded.request_json, dict):
            try:
                request = wire.decode_request(recorded.call)
            except ServiceError as error:
                if recorded.status >= 400 and error.reason is Reason.INVALID_REQUEST:
                    verdict.refused = f"refused: {error.message}"
                    return verdict
                raise
            verdict.count(leaves(recorded.request_json), untyped(request, self.name))
            verdict.check("L1", lambda: first_difference(recorded.request_json, _body(wire.encode_request(request))))
        verdict.check("L2", lambda: self._answer(wire, recorded, verdict))
        return verdict

    def _answer(self, wire: OpenAIEmbeddings, recorded: Recorded, verdict: Verdict) -> str | None:
        if recorded.status >= 400:
            return error_difference(wire, wire.decode_error(recorded.reply))
        response = wire.decode_response(recorded.reply)
        verdict.count(leaves(recorded.json), untyped(response, self.name))
        return first_difference(recorded.json, _body(wire.encode_response(response)))


class OpenAIModelsLaws:
    """Model lists and single models of every provider that speaks OpenAI's format."""

    name = "openai_models"

    def claims(self, recorded: Recorded) -> bool:
        """By path and shape: other providers use the same path for lists of their own."""
        if recorded.method != "GET" or "/models" not in recorded.path or "huggingface.co" in recorded.host:
            return False
        data = recorded.json
        if recorded.status >= 400:
            return recorded.path.endswith("/models") and "googleapis" not in recorded.host
        if _is_model(data):
            return True
        items = data if isinstance(data, list) else data.get("data") if isinstance(data, dict) else None
        return isinstance(items, list) and all(map(_is_model, items))

    def examine(self, recorded: Recorded) -> Verdict:
        """Apply every law that fits the exchange."""
        verdict = Verdict()
        verdict.check("L2", lambda: self._answer(recorded, verdict))
        return verdict

    def _answer(self, recorded: Recorded, verdict: Verdict) -> str | None:
        wire = OpenAIModels()
        if recorded.status >= 400:
            return error_difference(wire, wire.decode_error(recorded.reply))
        if _is_model(recorded.json):
            model = wire.decode_model(recorded.reply)
            verdict.count(leaves(recorded.json), untyped(model, self.name))
            return first_difference(recorded.json, _body(wire.encode_model(model)))
        response = wire.decode_list(recorded.reply)
        verdict.count(leaves(recorded.json), untyped(response, self.name))
        return first_difference(recorded.json, _body(wire.encode_list(response)))


def _is_model(data: Any) -> bool:
    """OpenRouter leaves `object` out; Anthropic's models have a type `model` instead and are none of this wire."""
    if not isinstance(data, dict) or not isinstance(data.get("id"), str):
        return False
    return data.get("object") == "model" or ("type" not in data and "created" in data) or "context_length" in data


def _body(message: Any) -> Any:
    return loads(message.body)
