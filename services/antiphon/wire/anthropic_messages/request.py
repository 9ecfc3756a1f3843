"""Requests: chat and token counting, read and written."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.v1 import chat_pb2
from antiphon.wire.anthropic_messages.fields import (
    REQUEST,
    Fields,
    Place,
    object_at,
    objects,
    spell,
    spelled,
    whole_text,
)
from antiphon.wire.anthropic_messages.options import lift_options, lower_options, unsayable
from antiphon.wire.anthropic_messages.quirks import DEFAULT, VERSION, Quirks
from antiphon.wire.anthropic_messages.tools import lift_tools, lower_tools
from antiphon.wire.anthropic_messages.turns import lift_turns, lower_turns
from antiphon.wire.anthropic_messages.writer import Writer
from antiphon.wire.base import ChatCall, HttpCall
from antiphon.wire.call_ids import with_call_ids
from antiphon.wire.jsontext import JsonObject, dumps, loads

_UNCOUNTED = ("max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "service_tier", "metadata", "stream")
"""What counting takes no notice of, and its endpoint refuses."""

_SKILL = Fields(chat_pb2.ContainerSkill, type="provider_type", skill_id="skill_id", version="version")
_EDIT = Fields(
    chat_pb2.ContextEdit,
    type="provider_type",
    exclude_tools="exclude_tools",
    instructions="instructions",
    pause_after_compaction="pause_after_compaction",
)
_AMOUNT = Fields(chat_pb2.ContextAmount, type="provider_type", value="value")
_AMOUNTS = ("trigger", "keep", "clear_at_least")
_ALL = "all"


def decode_request(call: HttpCall) -> ChatCall:
    """What a client asks of `/messages` or `/messages/count_tokens`. Raises ServiceError INVALID_REQUEST."""
    try:
        body = loads(call.body)
    except ValueError as error:
        raise ServiceError(Reason.INVALID_REQUEST, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise invalid("", f"the body must be a JSON object, not {type(body).__name__}")
    spec, place = chat_pb2.ChatSpec(), Place(REQUEST)
    if not isinstance(body.get("model"), str):
        raise invalid("model", "must be a string")
    spec.model = whole_text(body["model"])
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise invalid("stream", "must be true or false")
    if stream is False:
        spell(spec, "stream_false", REQUEST)
    lift_turns(body, spec, place)
    lift_tools(body, spec, place)
    lift_options(body, spec, place)
    _lift_container(body, spec, place)
    _lift_context(object_at(body, "context_management"), spec, place.at("context_management"))
    spec.provider_features.extend(_features(call.headers))
    writer = Writer()
    writer.keep(spec, lower_body(spec, writer, stream=stream is True), body)
    return ChatCall(spec=spec, stream=stream is True)


def encode_request(spec: chat_pb2.ChatSpec, *, stream: bool, quirks: Quirks = DEFAULT, count: bool = False) -> HttpCall:
    """The call for the provider. Raises ServiceError
    UNSUPPORTED_PARAMETER, unless `spec.on_unsupported` is WARN."""
    spec = with_call_ids(spec)
    strict = spec.on_unsupported != chat_pb2.UNSUPPORTED_POLICY_WARN
    writer = Writer(quirks=quirks, strict=strict)
    if not count:
        unsayable(spec, writer)
    body = writer.restore(spec, lower_body(spec, writer, stream=stream))
    if count:
        for key in _UNCOUNTED:
            body.pop(key, None)
    elif "max_tokens" not in body:
        body["max_tokens"] = quirks.default_max_tokens
    headers = {"content-type": "application/json", "anthropic-version": VERSION}
    features = dict.fromkeys(spec.provider_features) | (writer.features if quirks.derive_betas else {})
    if features:
        headers["anthropic-beta"] = ",".join(features)
    path = f"{quirks.base_path}/messages/count_tokens" if count else f"{quirks.base_path}/messages"
    return HttpCall(method="POST", path=path, body=dumps(body), headers=headers, warnings=tuple(writer.warnings))


def lower_body(spec: chat_pb2.ChatSpec, writer: Writer, *, stream: bool) -> JsonObject:
    """The body of a request without the remainder of `spec` itself."""
    body: JsonObject = {"model": spec.model}
    lower_options(spec, body, writer)
    lower_turns(spec, body, writer)
    lower_tools(spec, body, writer)
    _lower_container(spec, body, writer)
    if spec.HasField("context_management"):
        body["context_management"] = {"edits": [_lower_edit(edit, writer) for edit in spec.context_management.edits]}
    if stream or spelled(spec, "stream_false", REQUEST):
        body["stream"] = stream
    return body


def _features(headers: Mapping[str, str]) -> list[str]:
    words = next((value for name, value in headers.items() if name.lower() == "anthropic-beta"), "")
    return [word.strip() for word in words.split(",") if word.strip()]


def _lift_container(body: JsonObject, spec: chat_pb2.ChatSpec, place: Place) -> None:
    container = body.get("container")
    if isinstance(container, str):
        spec.container.id = whole_text(container)
    elif isinstance(container, dict):
        spec.container.SetInParent()
        if isinstance(container.get("id"), str):
            spec.container.id = whole_text(container["id"])
        if not container.get("skills"):
            spell(spec, "container_object", REQUEST)
        for skill in objects(container.get("skills")):
            _SKILL.lift(skill, spec.container.skills.add(), place.at("container").at("skills"))


def _lower_container(spec: chat_pb2.ChatSpec, body: JsonObject, writer: Writer) -> None:
    code = next((tool.code_execution.container_id for tool in spec.tools if tool.HasField("code_execution")), "")
    name = spec.container.id or code
    if spec.container.skills or spelled(spec, "container_object", REQUEST):
        container: JsonObject = {"id": name} if name else {}
        if spec.container.skills:
            container["skills"] = [_SKILL.lower(skill, {}) for skill in spec.container.skills]
            writer.use("skills-2025-10-02")
        body["container"] = container
    elif name:
        body["container"] = name


def _lift_context(management: JsonObject, spec: chat_pb2.ChatSpec, place: Place) -> None:
    for number, read in enumerate(objects(management.get("edits"))):
        here = place.at("edits").at(number)
        edit = spec.context_management.edits.add()
        _EDIT.lift(read, edit, here)
        for key in _AMOUNTS:
            amount = read.get(key)
            if isinstance(amount, dict):
                _AMOUNT.lift(amount, getattr(edit, key), here.at(key))
            elif amount == _ALL:
                getattr(edit, key).provider_type = _ALL
        inputs = read.get("clear_tool_inputs")
        if isinstance(inputs, bool):
            edit.clear_tool_inputs = inputs
        elif isinstance(inputs, list) and all(isinstance(name, str) for name in inputs):
            edit.clear_tool_inputs_of.extend(map(whole_text, inputs))


def _lower_edit(edit: chat_pb2.ContextEdit, writer: Writer) -> JsonObject:
    compacts = edit.provider_type.startswith("compact_")
    writer.use("compact-2026-01-12" if compacts else "context-management-2025-06-27")
    lowered = _EDIT.lower(edit, {})
    for key in _AMOUNTS:
        amount = getattr(edit, key)
        if amount.provider_type == _ALL and not amount.HasField("value"):
            lowered[key] = _ALL
        elif amount.provider_type:
            lowered[key] = _AMOUNT.lower(amount, {})
    if edit.HasField("clear_tool_inputs"):
        lowered["clear_tool_inputs"] = edit.clear_tool_inputs
    elif edit.clear_tool_inputs_of:
        lowered["clear_tool_inputs"] = list(edit.clear_tool_inputs_of)
    return lowered
