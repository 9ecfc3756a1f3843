"""Requests, read and written."""

from __future__ import annotations

import re

from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.base import ChatCall, HttpCall
from antiphon.wire.call_ids import with_call_ids
from antiphon.wire.fields import REQUEST, Place, whole_text
from antiphon.wire.jsontext import Json, JsonObject, dumps, loads
from antiphon.wire.openai_responses.content import is_bare, text_part
from antiphon.wire.openai_responses.items import lift_items, lower_items
from antiphon.wire.openai_responses.options import lift_options, lower_options, unsayable
from antiphon.wire.openai_responses.quirks import DEFAULT, Quirks
from antiphon.wire.openai_responses.spelling import spell, spelled
from antiphon.wire.openai_responses.writer import Writer

PATH = "/responses"
COUNT_PATH = "/responses/input_tokens"
_DEPLOYMENT = re.compile(r"/deployments/([^/]+)/")
"""Azure's older paths name the model."""
_CALL_ID = re.compile(r".{1,64}", re.DOTALL)
_TEXT, _ITEM, _ITEMS = "input_text", "input_item", "instructions_items"
_NOT_STREAMED = "stream_false"
_COUNTED = frozenset(
    {
        "conversation",
        "input",
        "instructions",
        "model",
        "parallel_tool_calls",
        "previous_response_id",
        "reasoning",
        "text",
        "tool_choice",
        "tools",
        "truncation",
    }
)
"""What the endpoint that counts takes."""


def decode_request(call: HttpCall) -> ChatCall:
    """What a client asks. Raises ServiceError INVALID_REQUEST with the path in the body."""
    try:
        body = loads(call.body)
    except ValueError as error:
        raise ServiceError(Reason.INVALID_REQUEST, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise invalid("", f"the body must be a JSON object, not {type(body).__name__}")
    spec, place = chat_pb2.ChatSpec(), Place(REQUEST)
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise invalid("stream", "must be true or false")
    if stream is False:
        spell(spec, _NOT_STREAMED, REQUEST)
    _lift_model(call, body, spec)
    lift_instructions(body.get("instructions"), spec, place)
    _lift_input(body, spec, place)
    lift_options(body, spec, place)
    writer = Writer()
    writer.keep(spec, _lower_body(spec, writer, stream=stream is True), body)
    return ChatCall(spec=spec, stream=stream is True)


def encode_request(spec: chat_pb2.ChatSpec, *, stream: bool, quirks: Quirks = DEFAULT, count: bool = False) -> HttpCall:
    """The call for the provider. Raises ServiceError UNSUPPORTED_PARAMETER, unless `spec.on_unsupported` is WARN."""
    spec = with_call_ids(spec, _CALL_ID)
    strict = spec.on_unsupported != chat_pb2.UNSUPPORTED_POLICY_WARN
    writer = Writer(quirks=quirks, strict=strict)
    if not count:
        unsayable(spec, writer)
    body = writer.restore(spec, _lower_body(spec, writer, stream=stream))
    for name in quirks.refuses & body.keys():
        del body[name]
        sampled = name in chat_pb2.Sampling.DESCRIPTOR.fields_by_name
        writer.unsupported(f"spec.sampling.{name}" if sampled else f"spec ({name})", "this provider does not take it")
    if count:
        body = {key: value for key, value in body.items() if key in _COUNTED}
    headers = {"content-type": "application/json"}
    if spec.idempotency_key:
        headers["idempotency-key"] = spec.idempotency_key
    path = f"{quirks.base_path}{COUNT_PATH if count else PATH}{quirks.query}"
    return HttpCall(method="POST", path=path, body=dumps(body), headers=headers, warnings=tuple(writer.warnings))


def lift_instructions(given: Json, spec: chat_pb2.ChatSpec, place: Place) -> None:
    """Read `instructions` as the first message. Answers may repeat them as items."""
    if isinstance(given, str) and given:
        message = spec.messages.add(role=content_pb2.ROLE_SYSTEM)
        message.parts.append(text_part(given))
    elif isinstance(given, list) and given and all(isinstance(item, dict) for item in given):
        spec.messages.extend(lift_items(given, place.at("instructions")))
        spell(spec, _ITEMS, place.direction)
    elif given is not None and not isinstance(given, str | list):
        place.wrong("instructions", "must be a string")


def lower_instructions(spec: chat_pb2.ChatSpec, writer: Writer) -> tuple[Json, int]:
    """`instructions`, and how many of the messages they say."""
    if spelled(spec, _ITEMS, writer.direction):
        return lower_items(spec.messages, writer, "spec.messages"), len(spec.messages)
    if not spec.messages or spec.messages[0].role != content_pb2.ROLE_SYSTEM:
        return None, 0
    first = spec.messages[0]
    if spelled(first, _ITEM, writer.direction) or len(first.parts) != 1 or not is_bare(first.parts[0]):
        return None, 0
    return (first.parts[0].text.text, 1) if not first.id and not first.name else (None, 0)


def _lower_body(spec: chat_pb2.ChatSpec, writer: Writer, *, stream: bool) -> JsonObject:
    body: JsonObject = {"model": spec.model} if spec.model else {}
    instructions, said = lower_instructions(spec, writer)
    if instructions is not None:
        body["instructions"] = instructions
    messages = spec.messages[said:]
    only = messages[0] if len(messages) == 1 else None
    if only is not None and spelled(only, _TEXT, REQUEST) and len(only.parts) == 1 and is_bare(only.parts[0]):
        body["input"] = only.parts[0].text.text
    elif messages or not (spec.HasField("prompt_template") or spec.conversation_id or spec.previous_response_id):
        body["input"] = lower_items(messages, writer, "spec.messages", start=said)
    lower_options(spec, body, writer)
    if stream or spelled(spec, _NOT_STREAMED, REQUEST):
        body["stream"] = stream
    return body


def _lift_model(call: HttpCall, body: JsonObject, spec: chat_pb2.ChatSpec) -> None:
    model = body.get("model")
    if isinstance(model, str):
        spec.model = whole_text(model)
    elif model is not None:
        raise invalid("model", "must be a string")
    elif (found := _DEPLOYMENT.search(call.path)) is not None:
        spec.model = found[1]
        spell(spec, "no_model", REQUEST)
    elif not isinstance(body.get("prompt"), dict):
        raise invalid("model", "must be a string")


def _lift_input(body: JsonObject, spec: chat_pb2.ChatSpec, place: Place) -> None:
    given = body.get("input")
    if isinstance(given, str):
        message = spec.messages.add(role=content_pb2.ROLE_USER)
        message.parts.append(text_part(given))
        spell(message, _TEXT, REQUEST)
        return
    if given is None:
        return
    if not isinstance(given, list):
        raise invalid("input", "must be a string or a list of items")
    for number, item in enumerate(given):
        if not isinstance(item, dict):
            raise invalid(f"input[{number}]", "must be an object")
    said = len(spec.messages)
    spec.messages.extend(lift_items(given, place.at("input")))
    if not said and spec.messages and spec.messages[0].role == content_pb2.ROLE_SYSTEM:
        spell(spec.messages[0], _ITEM, REQUEST)
