"""Answers as one JSON message, and counts of tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping

from google.protobuf.timestamp_pb2 import Timestamp

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.anthropic_messages.content import BLOCK_CODEC
from antiphon.wire.anthropic_messages.errors import body_error
from antiphon.wire.anthropic_messages.fields import RESPONSE, Fields, Place, count_of, object_at, objects, whole_text
from antiphon.wire.anthropic_messages.usage import lift_usage, lower_usage, tier_word
from antiphon.wire.anthropic_messages.writer import Writer
from antiphon.wire.base import HttpReply
from antiphon.wire.jsontext import Json, JsonObject, dumps, object_of

FINISH: Mapping[str, chat_pb2.FinishReason.ValueType] = {
    "end_turn": chat_pb2.FINISH_REASON_STOP,
    "stop_sequence": chat_pb2.FINISH_REASON_STOP_SEQUENCE,
    "max_tokens": chat_pb2.FINISH_REASON_LENGTH,
    "model_context_window_exceeded": chat_pb2.FINISH_REASON_CONTEXT_WINDOW,
    "tool_use": chat_pb2.FINISH_REASON_TOOL_CALLS,
    "refusal": chat_pb2.FINISH_REASON_REFUSAL,
    "pause_turn": chat_pb2.FINISH_REASON_PAUSE_TURN,
    "compaction": chat_pb2.FINISH_REASON_COMPACTION,
}
STOP_WORDS: Mapping[chat_pb2.FinishReason.ValueType, str | None] = {
    **{reason: word for word, reason in FINISH.items()},
    chat_pb2.FINISH_REASON_UNSPECIFIED: None,
    # What this wire has no word for is said by the nearest one that its clients know.
    chat_pb2.FINISH_REASON_CONTENT_FILTER: "refusal",
    chat_pb2.FINISH_REASON_RECITATION: "refusal",
    chat_pb2.FINISH_REASON_MALFORMED_TOOL_CALL: "end_turn",
    chat_pb2.FINISH_REASON_TIME_LIMIT: "max_tokens",
    chat_pb2.FINISH_REASON_ERROR: "end_turn",
    chat_pb2.FINISH_REASON_OTHER: "end_turn",
}

_LENIENT = Place(RESPONSE)
_HEAD = Fields(chat_pb2.Completion, id="id", model="model")
_SKILL = Fields(chat_pb2.ContainerSkill, type="provider_type", skill_id="skill_id", version="version")
_APPLIED = Fields(
    chat_pb2.AppliedContextEdit,
    type="provider_type",
    cleared_input_tokens="cleared_input_tokens",
    cleared_tool_uses="cleared_tool_uses",
    cleared_thinking_turns="cleared_reasoning_turns",
)
_FRACTION = re.compile(r"\.(\d+)")


def decode_response(reply: HttpReply) -> chat_pb2.Completion:
    """The answer in a reply. Raises ServiceError: MALFORMED_RESPONSE, or the error that the body says."""
    body = object_of(reply.body, "the answer")
    if body.get("type") == "error":
        raise body_error(body, reply)
    content = body.get("content")
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer has no list of content blocks")
    parts = [BLOCK_CODEC.lift(block, _LENIENT) for block in content]
    completion = lift_head(body)
    completion.outputs[0].messages[0].parts.extend(parts)
    completion.upstream_request_id = reply.headers.get("request-id", "")
    return completion


def encode_response(completion: chat_pb2.Completion) -> HttpReply:
    """The answer for a client of this wire, which knows one output. Raises ServiceError UNSUPPORTED_PARAMETER."""
    if len(completion.outputs) > 1:
        raise ServiceError(
            Reason.UNSUPPORTED_PARAMETER,
            f"{len(completion.outputs)} answers were made and this format holds one: ask for n = 1",
        )
    writer = Writer(direction=RESPONSE)
    blocks: list[JsonObject] = []
    for message in completion.outputs[0].messages if completion.outputs else ():
        for number, part in enumerate(message.parts):
            block = BLOCK_CODEC.lower(part, writer, f"completion.outputs[0].parts[{number}]")
            if block is not None:
                blocks.append(block)
    body = lower_head(completion)
    body["content"] = blocks
    headers = reply_headers(completion)
    return HttpReply(status=200, body=dumps(body), headers=headers, warnings=tuple(writer.warnings))


def reply_headers(completion: chat_pb2.Completion) -> dict[str, str]:
    """The headers of an answer."""
    headers = {"content-type": "application/json"}
    if completion.upstream_request_id:
        headers["request-id"] = completion.upstream_request_id
    return headers


def lift_head(body: JsonObject) -> chat_pb2.Completion:
    """An answer without its parts: one output with one empty message."""
    completion = chat_pb2.Completion()
    output = completion.outputs.add()
    output.messages.add(role=content_pb2.ROLE_ASSISTANT)
    _HEAD.lift(body, completion, _LENIENT)
    lift_usage(body.get("usage"), completion.usage)
    completion.service_tier = completion.usage.service_tier
    _lift_stop(body, output)
    container = object_at(body, "container")
    if isinstance(container.get("id"), str):
        completion.container_id = whole_text(container["id"])
    _lift_time(container.get("expires_at"), completion.container_expire_time)
    for skill in objects(container.get("skills")):
        _SKILL.lift(skill, completion.container_skills.add(), _LENIENT)
    for edit in objects(object_at(body, "context_management").get("applied_edits")):
        _APPLIED.lift(edit, completion.applied_context_edits.add(), _LENIENT)
    same = {"content": 0}  # content and usage keep their own remainders
    if isinstance(body.get("usage"), dict):
        same["usage"] = 0
    Writer(direction=RESPONSE).keep(completion, {**_lower_head(completion), **same}, {**body, **same})
    return completion


def lower_head(completion: chat_pb2.Completion) -> JsonObject:
    """The JSON message of an answer, its content left empty."""
    return Writer(direction=RESPONSE).restore(completion, _lower_head(completion))


def decode_count(reply: HttpReply) -> chat_pb2.CountTokensResponse:
    """The count in a reply. Raises ServiceError MALFORMED_RESPONSE."""
    body = object_of(reply.body, "the count")
    if body.get("type") == "error":
        raise body_error(body, reply)
    count = chat_pb2.CountTokensResponse()
    counted = count_of(body.get("input_tokens"))
    if counted is None:
        raise ServiceError(Reason.MALFORMED_RESPONSE, "the count has no number `input_tokens`")
    count.usage.input_tokens = counted
    original = object_at(body, "context_management").get("original_input_tokens")
    if (original := count_of(original)) is not None:
        count.original_input_tokens = original
    Writer(direction=RESPONSE).keep(count, _lower_count(count), body)
    return count


def encode_count(count: chat_pb2.CountTokensResponse) -> HttpReply:
    """The count for a client of this wire."""
    body = Writer(direction=RESPONSE).restore(count, _lower_count(count))
    return HttpReply(status=200, body=dumps(body), headers={"content-type": "application/json"})


def _lower_count(count: chat_pb2.CountTokensResponse) -> JsonObject:
    lowered: JsonObject = {"input_tokens": count.usage.input_tokens}
    if count.HasField("original_input_tokens"):
        lowered["context_management"] = {"original_input_tokens": count.original_input_tokens}
    return lowered


def _lower_head(completion: chat_pb2.Completion) -> JsonObject:
    output = completion.outputs[0] if completion.outputs else chat_pb2.Output()
    body: JsonObject = {"id": completion.id, "type": "message", "role": "assistant", "model": completion.model}
    body["content"] = []
    body["stop_reason"] = stop_word(output)
    body["stop_sequence"] = output.matched_stop if output.HasField("matched_stop") else None
    if output.refusal_category or output.finish_message:
        body["stop_details"] = {
            "type": "refusal",
            "category": output.refusal_category or None,
            "explanation": output.finish_message or None,
        }
    usage = lower_usage(completion.usage)
    tier = tier_word(completion.service_tier, completion.usage)
    if tier and "service_tier" not in usage:
        usage["service_tier"] = tier
    body["usage"] = usage
    # Clients count on the time, and have no use for the container of another provider.
    if completion.container_id and (completion.HasField("container_expire_time") or completion.container_skills):
        body["container"] = {"id": completion.container_id}
        if completion.HasField("container_expire_time"):
            body["container"]["expires_at"] = completion.container_expire_time.ToJsonString()
        if completion.container_skills:
            body["container"]["skills"] = [_SKILL.lower(skill, {}) for skill in completion.container_skills]
    if completion.applied_context_edits:
        edits = [_APPLIED.lower(edit, {}) for edit in completion.applied_context_edits]
        body["context_management"] = {"applied_edits": edits}
    return body


def stop_word(output: chat_pb2.Output) -> str | None:
    """The wire's word for why an answer ended: the provider's own where it is one of this wire."""
    own = output.provider_finish_reason
    if own and FINISH.get(own, chat_pb2.FINISH_REASON_OTHER) == output.finish_reason:
        return own
    return STOP_WORDS[output.finish_reason]


def _lift_stop(body: JsonObject, output: chat_pb2.Output) -> None:
    reason = body.get("stop_reason")
    if isinstance(reason, str):
        output.provider_finish_reason = whole_text(reason)
        output.finish_reason = FINISH.get(reason, chat_pb2.FINISH_REASON_OTHER)
    if isinstance(body.get("stop_sequence"), str):
        output.matched_stop = whole_text(body["stop_sequence"])
    details = object_at(body, "stop_details")
    if isinstance(details.get("category"), str):
        output.refusal_category = whole_text(details["category"])
    if isinstance(details.get("explanation"), str):
        output.finish_message = whole_text(details["explanation"])


def _lift_time(value: Json, target: Timestamp) -> None:
    """Set `target` from an RFC 3339 text; left unset where it is none."""
    if not isinstance(value, str):
        return
    try:
        target.FromJsonString(value)
    except ValueError:
        target.Clear()
