"""The laws of Gemini's formats: generateContent, countTokens, embeddings and models, at either of Google's doors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.base import HttpCall
from antiphon.wire.gemini.codec import Gemini
from antiphon.wire.gemini.embeddings import GeminiEmbeddings
from antiphon.wire.gemini.models import GeminiModels
from antiphon.wire.jsontext import leaves, loads, text_of
from tests.laws.chat import ChatLaws, events_of
from tests.laws.recordings import Recorded
from tests.laws.verdict import Verdict, error_difference, first_difference, untyped

_CHAT = re.compile(r".*/(models|tunedModels|endpoints)/[^/:]+:(generateContent|streamGenerateContent)")
_HOSTS = "googleapis.com"


class GeminiLaws(ChatLaws):
    """L1 to L5 of `generateContent` and `streamGenerateContent`."""

    def __init__(self) -> None:
        super().__init__(Gemini())

    def claims(self, recorded: Recorded) -> bool:
        """By path."""
        return recorded.method == "POST" and _CHAT.fullmatch(recorded.path) is not None

    def examine(self, recorded: Recorded) -> Verdict:
        """Without `alt=sse` a stream is a JSON array, which is examined as a stream too."""
        if not isinstance(recorded.json, list) or recorded.status >= 400:
            return super().examine(recorded)
        verdict = Verdict()
        self.request(recorded, verdict)
        if not verdict.refused:
            self.stream(recorded, verdict)
        return verdict

    def request(self, recorded: Recorded, verdict: Verdict) -> None:
        """L1 also of the path, which says the model and the wish to stream."""
        super().request(recorded, verdict)
        if verdict.checks == [("L1", None)]:
            verdict.checks.clear()
            verdict.check("L1", lambda: self._path(recorded))

    def joined(self, body: bytes) -> Mapping[str, str] | None:
        """The texts and arguments of every candidate's parts."""
        said: dict[int, dict[str, list[str]]] = {}
        chunks = events_of(body) or loads(body)
        for chunk in chunks:
            for candidate in chunk.get("candidates", ()):
                mine = said.setdefault(candidate.get("index", 0), {"text": [], "reasoning": [], "arguments": []})
                for part in candidate.get("content", {}).get("parts", ()):
                    if "text" in part:
                        mine["reasoning" if part.get("thought") else "text"].append(part["text"])
                    elif "functionCall" in part:
                        if "partialArgs" in part["functionCall"]:
                            return None  # there is no naive way to join them
                        mine["arguments"].append(text_of(part["functionCall"].get("args", {})))
        return {
            kind: "".join("".join(said[index][kind]) for index in sorted(said))
            for kind in ("text", "reasoning", "arguments")
        }

    def _path(self, recorded: Recorded) -> str | None:
        call = self.wire.decode_request(recorded.call)
        written = self.wire.encode_request(call.spec, stream=call.stream).path.split("?")[0]
        read = re.search(r"(models|tunedModels|endpoints)/[^/:]+:\w+$", recorded.path)
        return None if read is not None and written.endswith(read[0]) else f"path {recorded.path} became {written}"


class GeminiCountLaws:
    """L1, L2 and L5 of `countTokens`."""

    name = "gemini_count_tokens"

    def __init__(self) -> None:
        self._wire = Gemini()

    def claims(self, recorded: Recorded) -> bool:
        """By path."""
        return recorded.method == "POST" and recorded.path.endswith(":countTokens")

    def examine(self, recorded: Recorded) -> Verdict:
        """Apply every law that fits."""
        verdict = Verdict()
        if isinstance(recorded.request_json, dict):
            verdict.check("L1", lambda: self._request(recorded, verdict))
        if verdict.refused:
            verdict.checks.clear()
        elif recorded.status >= 400:
            verdict.check("L2", lambda: error_difference(self._wire, self._wire.decode_error(recorded.reply)))
        else:
            verdict.check("L2", lambda: self._answer(recorded, verdict))
        return verdict

    def _request(self, recorded: Recorded, verdict: Verdict) -> str | None:
        try:
            spec = self._wire.decode_count_request(recorded.call)
        except ServiceError as error:
            if recorded.status < 400 or error.reason is not Reason.INVALID_REQUEST:
                raise
            verdict.refused = f"refused: {error.message}"
            return None
        verdict.count(leaves(recorded.request_json), untyped(spec, self._wire.name))
        return first_difference(recorded.request_json, loads(self._wire.encode_count_request(spec).body))

    def _answer(self, recorded: Recorded, verdict: Verdict) -> str | None:
        count = self._wire.decode_count_response(recorded.reply)
        verdict.count(leaves(recorded.json), untyped(count, self._wire.name))
        return first_difference(recorded.json, loads(self._wire.encode_count_response(count).body))


class GeminiEmbeddingsLaws:
    """L1, L2 and L5 of `embedContent` and `batchEmbedContents`."""

    name = "gemini_embeddings"

    def __init__(self) -> None:
        self._wire = GeminiEmbeddings()

    def claims(self, recorded: Recorded) -> bool:
        """By path."""
        return recorded.method == "POST" and recorded.path.endswith((":embedContent", ":batchEmbedContents"))

    def examine(self, recorded: Recorded) -> Verdict:
        """Apply every law that fits."""
        verdict = Verdict()
        if isinstance(recorded.request_json, dict):
            verdict.check("L1", lambda: self._request(recorded, verdict))
        verdict.check("L2", lambda: self._answer(recorded, verdict))
        return verdict

    def _request(self, recorded: Recorded, verdict: Verdict) -> str | None:
        request = self._wire.decode_request(recorded.call)
        verdict.count(leaves(recorded.request_json), untyped(request, self.name))
        call = self._wire.encode_request(request)
        if call.path.rpartition(":")[2] != recorded.path.rpartition(":")[2]:
            return f"path {recorded.path} became {call.path}"
        return first_difference(recorded.request_json, loads(call.body))

    def _answer(self, recorded: Recorded, verdict: Verdict) -> str | None:
        if recorded.status >= 400:
            return error_difference(self._wire, self._wire.decode_error(recorded.reply))
        response = self._wire.decode_response(recorded.reply)
        verdict.count(leaves(recorded.json), untyped(response, self.name))
        return first_difference(recorded.json, loads(self._wire.encode_response(response).body))


class GeminiModelsLaws:
    """L2 and L5 of model lists and of single models."""

    name = "gemini_models"

    def __init__(self) -> None:
        self._wire = GeminiModels()

    def claims(self, recorded: Recorded) -> bool:
        """By path and shape: Google's OpenAI door has a list of another shape."""
        if recorded.method != "GET" or not recorded.host.endswith(_HOSTS) or "/openai" in recorded.path:
            return False
        return re.fullmatch(r".*/(models|tunedModels)(/[^/:]+)?", recorded.path) is not None

    def examine(self, recorded: Recorded) -> Verdict:
        """Apply every law that fits."""
        verdict = Verdict()
        verdict.check("L1", lambda: self._request(recorded))
        verdict.check("L2", lambda: self._answer(recorded, verdict))
        return verdict

    def _request(self, recorded: Recorded) -> str | None:
        call = HttpCall(method="GET", path=recorded.url.partition(recorded.host)[2])
        if recorded.path.endswith("/models"):
            written = self._wire.encode_list_request(self._wire.decode_list_request(call))
        else:
            written = self._wire.encode_get_request(self._wire.decode_get_request(call))
        read = recorded.path.rpartition("/v1")[2].partition("/")[2]
        return None if read in written.path else f"path {recorded.path} became {written.path}"

    def _answer(self, recorded: Recorded, verdict: Verdict) -> str | None:
        if recorded.status >= 400:
            return error_difference(self._wire, self._wire.decode_error(recorded.reply))
        message: Any
        if isinstance(recorded.json, dict) and "name" in recorded.json:
            message = self._wire.decode_model(recorded.reply)
            body = self._wire.encode_model(message).body
        else:
            message = self._wire.decode_list(recorded.reply)
            body = self._wire.encode_list(message).body
        verdict.count(leaves(recorded.json), untyped(message, self.name))
        return first_difference(recorded.json, loads(body))
