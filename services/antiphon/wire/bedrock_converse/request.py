"""Requests of `converse`, `converse-stream` and `count-tokens`, read and written. The model is in the path."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.v1 import chat_pb2
from antiphon.wire.base import ChatCall, HttpCall
from antiphon.wire.bedrock_converse.blocks import lower_point
from antiphon.wire.bedrock_converse.options import SAID, lift_options, lower_options
from antiphon.wire.bedrock_converse.spelling import DEFAULT, WIRE, Quirks, reader
from antiphon.wire.bedrock_converse.tools import lift_tools, lower_tools
from antiphon.wire.bedrock_converse.turns import lift_turns, lower_turns
from antiphon.wire.call_ids import with_call_ids
from antiphon.wire.fields import Place, object_at, whole_text
from antiphon.wire.jsontext import JsonObject, dumps, loads
from antiphon.wire.scribe import REQUEST, Scribe, refuse_unsaid, strict_by

_PATH = re.compile(r"/model/([^/]+)/(converse|converse-stream|count-tokens|invoke|invoke-with-response-stream)$")
_CALL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_COUNTED = ("messages", "system", "toolConfig", "additionalModelRequestFields")
HEADERS = {"content-type": "application/json"}


def path_of(model: str, action: str) -> str:
    """The path of a call; identifiers of models hold colons and slashes."""
    return f"/model/{quote(model, safe='')}/{action}"


def model_and_action(call: HttpCall) -> tuple[str, str]:
    """What the path of a call says. Raises ServiceError INVALID_REQUEST."""
    match = _PATH.search(call.path.partition("?")[0].rstrip("/"))
    if match is None:
        raise invalid("modelId", "the path must be /model/{modelId}/converse, /converse-stream or /count-tokens")
    return whole_text(unquote(match[1])), match[2]


def read_body(call: HttpCall) -> JsonObject:
    """The JSON object of a request. Raises ServiceError INVALID_REQUEST."""
    try:
        body = loads(call.body)
    except ValueError as error:
        raise ServiceError(Reason.INVALID_REQUEST, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise invalid("", f"the body must be a JSON object, not {type(body).__name__}")
    return body


def decode_request(call: HttpCall) -> ChatCall:
    """What a client asks. Raises ServiceError INVALID_REQUEST with the path in the body."""
    model, action = model_and_action(call)
    return ChatCall(spec=lift_body(read_body(call), model), stream=action == "converse-stream")


def decode_count(call: HttpCall) -> chat_pb2.ChatSpec:
    """What a client wants counted. Raises ServiceError INVALID_REQUEST."""
    model, _ = model_and_action(call)
    converse = object_at(read_body(call), "input").get("converse")
    if not isinstance(converse, dict):
        raise invalid("input.converse", "must be an object")
    return lift_body(converse, model)


def encode_request(spec: chat_pb2.ChatSpec, *, stream: bool, quirks: Quirks = DEFAULT) -> HttpCall:
    """The call for the provider, to be signed. Raises ServiceError UNSUPPORTED_PARAMETER, unless `on_unsupported` is
    WARN."""
    spec = with_call_ids(spec, _CALL_ID)
    scribe = Scribe(wire=WIRE, provider=quirks.provider, strict=strict_by(spec))
    refuse_unsaid(spec, SAID, scribe, "Bedrock's Converse API")
    body = scribe.restore(spec, _lowered(spec, scribe))
    path = path_of(spec.model, "converse-stream" if stream else "converse")
    return HttpCall(method="POST", path=path, body=dumps(body), headers=HEADERS, warnings=tuple(scribe.warnings))


def encode_count(spec: chat_pb2.ChatSpec, *, quirks: Quirks = DEFAULT) -> HttpCall:
    """The call that counts the tokens of `spec`; options that do not count are left out."""
    scribe = Scribe(wire=WIRE, provider=quirks.provider)
    body = scribe.restore(spec, _lowered(spec, scribe))
    counted = {key: body[key] for key in _COUNTED if key in body}
    text = dumps({"input": {"converse": counted}})
    path = path_of(spec.model, "count-tokens")
    return HttpCall(method="POST", path=path, body=text, headers=HEADERS, warnings=tuple(scribe.warnings))


def lift_body(body: JsonObject, model: str) -> chat_pb2.ChatSpec:
    """The body of a request."""
    spec, place, scribe = chat_pb2.ChatSpec(model=model), Place(REQUEST), reader(REQUEST)
    lift_turns(body, spec, place)
    lift_tools(body, spec, place)
    lift_options(body, spec, place, scribe)
    scribe.keep(spec, _lowered(spec, scribe), body)  # what messages and tools keep themselves is the same by now
    return spec


def _lowered(spec: chat_pb2.ChatSpec, scribe: Scribe) -> JsonObject:
    body: JsonObject = {}
    lower_turns(spec, body, scribe)
    lower_tools(spec, body, scribe)
    lower_options(spec, body, scribe)
    if spec.cache.HasField("breakpoint") and body["messages"]:
        content = body["messages"][-1]["content"]
        if not any("cachePoint" in block for block in content[-1:]):
            content.append(lower_point(spec.cache.breakpoint))
    return body
