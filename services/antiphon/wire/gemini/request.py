"""Requests: chat and token counting, read and written. The model and the wish to stream stand in the path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.v1 import chat_pb2
from antiphon.wire.base import ChatCall, HttpCall
from antiphon.wire.gemini.options import lift_options, lower_options, refuse_options
from antiphon.wire.gemini.quirks import DEFAULT, Quirks
from antiphon.wire.gemini.spelling import camel, plain, snake
from antiphon.wire.gemini.tools import lift_tools, lower_tools
from antiphon.wire.gemini.turns import SYSTEM, lift_turns, lower_turns
from antiphon.wire.gemini.writer import Writer
from antiphon.wire.jsontext import Json, JsonObject, dumps, loads
from antiphon.wire.scribe import strict_by

GENERATE, STREAM, COUNT = "generateContent", "streamGenerateContent", "countTokens"
_WRAPPED, _DIRECT = "generateContentRequest", "direct"
_PATH = re.compile(r"(?:.*/)?(models|tunedModels|endpoints)/([^/:?]+(?:/[^/:?]+)*):(\w+)(?:\?.*)?", re.DOTALL)
_MODELS = "models/"
_MODEL = "model"
_CARRIED = frozenset({SYSTEM, "contents", "tools"})
_SYSTEM_SNAKE = f"name:{snake(SYSTEM)}"
"""Spelling: the system instruction under its other name."""


@dataclass(frozen=True, slots=True)
class Target:
    """What the path of a request says."""

    model: str
    method: str


def target_of(path: str) -> Target:
    """The model and method of a path such as `/v1beta/models/gemini-2.5-flash:generateContent`, of any dialect.
    Raises ServiceError INVALID_REQUEST."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise invalid("path", "must end in models/{model}:{method}")
    model = unquote(match[2])
    return Target(model if match[1] == "models" else f"{match[1]}/{model}", match[3])


def path_of(model: str, method: str, quirks: Quirks) -> str:
    """The path for a model of a provider."""
    base = quirks.base_path
    if model.startswith("endpoints/"):  # a tuned model of Vertex AI stands beside the publishers
        base = base.removesuffix("/publishers/google")
    return f"{base}/{quote(resource_of(model), safe='/')}:{method}"


def resource_of(model: str) -> str:
    """The name of a model as a resource."""
    return model if model.startswith((_MODELS, "tunedModels/", "endpoints/")) else f"{_MODELS}{model}"


def model_of(resource: str) -> str:
    """The model that a resource names."""
    return resource.rpartition(f"/{_MODELS}")[2].removeprefix(_MODELS)


def decode_request(call: HttpCall) -> ChatCall:
    """What a client asks. Raises ServiceError INVALID_REQUEST with the path in the body."""
    target = target_of(call.path)
    if target.method not in (GENERATE, STREAM):
        raise invalid("path", f"the method must be {GENERATE} or {STREAM}, not {target.method}")
    spec = lift_body(body_of(call), target.model)
    return ChatCall(spec=spec, stream=target.method == STREAM)


def encode_request(spec: chat_pb2.ChatSpec, *, stream: bool, quirks: Quirks = DEFAULT) -> HttpCall:
    """The call for the provider. Raises ServiceError UNSUPPORTED_PARAMETER, unless `spec.on_unsupported` is WARN."""
    writer = Writer(quirks=quirks, provider=quirks.provider, strict=strict_by(spec), model=spec.model)
    refuse_options(spec, writer)
    body = lower_body(spec, writer)
    # Without `alt=sse` a stream is one JSON array, which is whole only at its end.
    path = path_of(spec.model, f"{STREAM}?alt=sse" if stream else GENERATE, quirks)
    return _call(path, body, writer)


def decode_count_request(call: HttpCall) -> chat_pb2.ChatSpec:
    """What a client wants counted: contents, or a whole request. Raises ServiceError INVALID_REQUEST."""
    target = target_of(call.path)
    body = body_of(call)
    wrapped = next((body[key] for key in (_WRAPPED, snake(_WRAPPED)) if key in body), None)
    if isinstance(wrapped, dict):
        return lift_body(wrapped, target.model)
    spec = lift_body(body, target.model)
    if len(spec.ListFields()) > 2 or body.keys() - {"contents"}:
        Writer().spell(spec, _DIRECT)
    return spec


def encode_count_request(spec: chat_pb2.ChatSpec, *, quirks: Quirks = DEFAULT) -> HttpCall:
    """The request that counts the tokens of `spec`."""
    writer = Writer(quirks=quirks, provider=quirks.provider, model=spec.model)
    body = lower_body(spec, writer)
    direct = quirks.plain_count or writer.spelled(spec, _DIRECT) or body.keys() <= {"contents"}
    if not direct:
        body = {_WRAPPED: {_MODEL: resource_of(spec.model), **body}}
    return _call(path_of(spec.model, COUNT, quirks), body, writer)


def body_of(call: HttpCall) -> JsonObject:
    """The JSON object in a request. Raises ServiceError INVALID_REQUEST."""
    try:
        body = loads(call.body)
    except ValueError as error:
        raise ServiceError(Reason.INVALID_REQUEST, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise invalid("", f"the body must be a JSON object, not {type(body).__name__}")
    return body


def lift_body(body: JsonObject, model: str) -> chat_pb2.ChatSpec:
    """The request of a body. Raises ServiceError INVALID_REQUEST."""
    spec, writer = chat_pb2.ChatSpec(model=model), Writer()
    frame = {key: value for key, value in body.items() if camel(key) not in _CARRIED}
    options, _ = plain(frame)
    system: Json = body.get(SYSTEM)
    if snake(SYSTEM) in body and SYSTEM not in body:
        system = body[snake(SYSTEM)]
        writer.spell(spec, _SYSTEM_SNAKE)
    lift_turns(body, spec, system)
    lift_tools(body, spec)
    lift_options(options, spec)
    if model_of(str(options.get(_MODEL, ""))) == model:
        writer.spell(spec, f"{_MODEL}:{options[_MODEL]}")
    frame |= {key: value for key, value in body.items() if camel(key) in _CARRIED and value in (None, [])}
    writer.keep(spec, _lower_frame(spec, writer), frame)
    return spec


def lower_body(spec: chat_pb2.ChatSpec, writer: Writer) -> JsonObject:
    """The body of a request."""
    carried: JsonObject = {}
    lower_turns(spec, carried, writer)
    lower_tools(spec, carried, writer)
    body = writer.restore(spec, _lower_frame(spec, writer))
    if SYSTEM in carried and writer.spelled(spec, _SYSTEM_SNAKE):
        body[snake(SYSTEM)] = carried.pop(SYSTEM)
    return {**body, **carried}


def _lower_frame(spec: chat_pb2.ChatSpec, writer: Writer) -> JsonObject:
    """The body but the contents, the system instruction and the tools, which keep their own remainders."""
    frame: JsonObject = {}
    if named := writer.spelling(spec, f"{_MODEL}:"):
        frame[_MODEL] = named
    lower_options(spec, frame, writer)
    return frame


def _call(path: str, body: JsonObject, writer: Writer) -> HttpCall:
    headers = {"content-type": "application/json"}
    return HttpCall(method="POST", path=path, body=dumps(body), headers=headers, warnings=tuple(writer.warnings))
