"""Ollama's embeddings, both ways: `/api/embed`, and `/api/embeddings`, its older form with one prompt."""

from __future__ import annotations

from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.v1 import chat_pb2, embeddings_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.fields import REQUEST, RESPONSE, Fields, Place, whole_text
from antiphon.wire.jsontext import JsonObject, dumps, object_of
from antiphon.wire.ollama_native.errors import decode_error, encode_error
from antiphon.wire.ollama_native.request import read_body
from antiphon.wire.ollama_native.response import lift_usage, lower_usage
from antiphon.wire.ollama_native.spelling import DEFAULT, Quirks
from antiphon.wire.plain_text import as_text
from antiphon.wire.scribe import Scribe
from antiphon.wire.vectors import lift_floats, lower_floats

WIRE = "ollama_embeddings"
pb = embeddings_pb2

_REQUEST = Fields(pb.EmbedRequest, dimensions="dimensions", truncate="truncate")
_LENIENT = Place(RESPONSE)
_SINGLE, _PROMPT = "single_input", "prompt"


class OllamaEmbeddings:
    """The codec of embeddings."""

    name = WIRE

    def __init__(self, quirks: Quirks = DEFAULT) -> None:
        self._quirks = quirks

    def encode_request(self, request: pb.EmbedRequest, /) -> HttpCall:
        """The request for the provider. Raises ServiceError UNSUPPORTED_PARAMETER, unless `on_unsupported` is WARN."""
        strict = request.on_unsupported != chat_pb2.UNSUPPORTED_POLICY_WARN
        scribe = Scribe(wire=WIRE, provider=self._quirks.provider, strict=strict)
        for name in ("task_type", "normalize", "end_user_id"):
            if getattr(request, name):
                scribe.unsupported(name, "Ollama has no field for it")
        if request.encoding not in (pb.VECTOR_ENCODING_UNSPECIFIED, pb.VECTOR_ENCODING_FLOAT32):
            scribe.unsupported("encoding", "Ollama gives 32-bit floats only")
        body = scribe.restore(request, _lowered(request, scribe))
        path = f"{self._quirks.base_path}/{'embeddings' if scribe.spelled(request, _PROMPT) else 'embed'}"
        headers = {"content-type": "application/json"}
        return HttpCall(method="POST", path=path, body=dumps(body), headers=headers, warnings=tuple(scribe.warnings))

    def decode_request(self, call: HttpCall, /) -> pb.EmbedRequest:
        """What a client asks. Raises ServiceError INVALID_REQUEST with the path in the body."""
        body = read_body(call)
        request, scribe = pb.EmbedRequest(), Scribe(wire=WIRE)
        if isinstance(body.get("model"), str):
            request.model = whole_text(body["model"])
        given = body.get("input")
        if given is None and "prompt" in body:
            given = body["prompt"]
            scribe.spell(request, _PROMPT)
        if isinstance(given, str):
            given = [given]
            scribe.spell(request, _SINGLE)
        if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
            raise invalid("input", "must be a text or a list of texts")
        for text in given:
            request.inputs.add().text = whole_text(text)
        _REQUEST.lift(body, request, Place(REQUEST))
        scribe.keep(request, _lowered(request, scribe), body)
        return request

    def decode_response(self, reply: HttpReply, /) -> pb.EmbedResponse:
        """The vectors in a reply. Raises ServiceError: MALFORMED_RESPONSE, or the error inside it."""
        body = object_of(reply.body, "the answer")
        scribe, response = Scribe(wire=WIRE, direction=RESPONSE), pb.EmbedResponse()
        vectors = body.get("embeddings")
        if vectors is None and isinstance(body.get("embedding"), list):
            vectors = [body["embedding"]] if body["embedding"] else []
            scribe.spell(response, _PROMPT)
        if not isinstance(vectors, list):
            if "error" in body:
                raise decode_error(reply)
            raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer has no list of vectors")
        for number, vector in enumerate(vectors):
            lift_floats(response.embeddings.add(index=number), vector, scribe)
        if isinstance(body.get("model"), str):
            response.model = whole_text(body["model"])
        lift_usage(body, response.usage)
        rest = {key: value for key, value in body.items() if key not in ("embeddings", "embedding")}
        scribe.keep(response, _lowered_frame(response), rest)
        return response

    def encode_response(self, response: pb.EmbedResponse, /) -> HttpReply:
        """The vectors for a client of this wire."""
        scribe = Scribe(wire=WIRE, direction=RESPONSE)
        vectors = [lower_floats(item, scribe) for item in response.embeddings]
        body = scribe.restore(response, _lowered_frame(response))
        if scribe.spelled(response, _PROMPT):
            body["embedding"] = vectors[0] if vectors else []
        else:
            body["embeddings"] = vectors
        return HttpReply(status=200, body=dumps(body), headers={"content-type": "application/json; charset=utf-8"})

    def decode_error(self, reply: HttpReply, /) -> ServiceError:
        """The meaning of an unsuccessful reply, whatever its body."""
        return decode_error(reply)

    def encode_error(self, error: ServiceError, /) -> HttpReply:
        """The error for a client."""
        return encode_error(error)


def _lowered(request: pb.EmbedRequest, scribe: Scribe) -> JsonObject:
    texts: list[str] = []
    for number, item in enumerate(request.inputs):
        text = _text(item)
        if text is None:
            scribe.unsupported(f"inputs[{number}]", "Ollama embeds text only")
        texts.append(text or "")
        if item.title:
            scribe.unsupported(f"inputs[{number}].title", "Ollama takes no titles; put it into the text")
    single = len(texts) == 1 and scribe.spelled(request, _SINGLE)
    key = "prompt" if scribe.spelled(request, _PROMPT) and single else "input"
    return _REQUEST.lower(request, {"model": request.model, key: texts[0] if single else texts})


def _text(item: pb.EmbedInput) -> str | None:
    match item.WhichOneof("input"):
        case "text":
            return item.text
        case "parts":
            texts = [as_text(part) for part in item.parts.parts]
            return None if None in texts else "\n".join(text or "" for text in texts)
    return None


def _lowered_frame(response: pb.EmbedResponse) -> JsonObject:
    body: JsonObject = {"model": response.model} if response.model else {}
    lower_usage(response.usage, body)
    return body
