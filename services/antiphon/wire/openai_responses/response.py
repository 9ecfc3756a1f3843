"""Answers as one JSON object, and counts of tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.base import HttpReply
from antiphon.wire.fields import RESPONSE, Fields, Place, count_of, object_at, whole_text
from antiphon.wire.jsontext import Json, JsonObject, dumps, object_of
from antiphon.wire.openai_responses.errors import body_error, lift_error
from antiphon.wire.openai_responses.items import lift_items, lower_items
from antiphon.wire.openai_responses.options import lift_options, lower_options
from antiphon.wire.openai_responses.request import lift_instructions, lower_instructions
from antiphon.wire.openai_responses.safety import lift_filters, lift_moderation, lower_filters, lower_moderation
from antiphon.wire.openai_responses.usage import lift_usage, lower_tool_usage, lower_usage
from antiphon.wire.openai_responses.writer import Writer, lift_name

Completion = chat_pb2.Completion
Output = chat_pb2.Output

INCOMPLETE: Mapping[str, chat_pb2.FinishReason.ValueType] = {
    "max_output_tokens": chat_pb2.FINISH_REASON_LENGTH,
    "max_tokens": chat_pb2.FINISH_REASON_LENGTH,
    "max_messages": chat_pb2.FINISH_REASON_OTHER,
    "content_filter": chat_pb2.FINISH_REASON_CONTENT_FILTER,
    "steered": chat_pb2.FINISH_REASON_OTHER,
    "incomplete": chat_pb2.FINISH_REASON_OTHER,
}
"""Why an answer is incomplete; the last word is ours, for an answer that does not say."""
_DONE = "completed"
_STATUSES: Mapping[str, chat_pb2.FinishReason.ValueType] = {
    "in_progress": chat_pb2.FINISH_REASON_UNSPECIFIED,
    "queued": chat_pb2.FINISH_REASON_UNSPECIFIED,
    "cancelled": chat_pb2.FINISH_REASON_OTHER,
}
_WORDS: Mapping[chat_pb2.FinishReason.ValueType, tuple[str, str]] = {
    chat_pb2.FINISH_REASON_LENGTH: ("incomplete", "max_output_tokens"),
    chat_pb2.FINISH_REASON_CONTEXT_WINDOW: ("incomplete", "max_output_tokens"),
    chat_pb2.FINISH_REASON_TIME_LIMIT: ("incomplete", "max_output_tokens"),
    chat_pb2.FINISH_REASON_CONTENT_FILTER: ("incomplete", "content_filter"),
    chat_pb2.FINISH_REASON_RECITATION: ("incomplete", "content_filter"),
}
"""What clients of this wire are told of answers of another one; all others are completed."""

_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast", "ultrafast"})
"""Words that clients of this wire know. Those of a provider of this wire are told as they are; it repeats what it was
asked, and so is known."""

_LENIENT = Place(RESPONSE)
_HEAD = Fields(Completion, model="model", service_tier="service_tier", system_fingerprint="system_fingerprint")


def decode_response(reply: HttpReply) -> Completion:
    """The answer in a reply. Raises ServiceError: MALFORMED_RESPONSE, or the error that the body says."""
    body = object_of(reply.body, "the answer")
    if "output" not in body and ("error" in body or "detail" in body):
        raise lift_error(reply)
    check_failure(body)
    items = body.get("output")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer has no list of output items")
    messages = lift_items(items, _LENIENT)
    completion = lift_head(body, messages)
    completion.outputs[0].messages.extend(messages)
    completion.upstream_request_id = reply.headers.get("x-request-id", "")
    return completion


def encode_response(completion: Completion) -> HttpReply:
    """The answer for a client of this wire. Raises ServiceError UNSUPPORTED_PARAMETER for more than one output."""
    body = dumps(lower_completion(completion))
    return HttpReply(status=200, body=body, headers={"content-type": "application/json"})


def check_failure(body: JsonObject) -> None:
    """Raise the error of an answer that failed."""
    if body.get("status") == "failed":
        error = body.get("error")
        raise body_error(error if error else {"code": "server_error", "message": "the provider says that it failed"})


def lift_head(body: JsonObject, messages: Iterable[content_pb2.Message]) -> Completion:
    """Everything about an answer but its items; `messages` tell why it ended."""
    completion = Completion()
    output = completion.outputs.add()
    completion.id = lift_name(body, completion, RESPONSE)
    _HEAD.lift(body, completion, _LENIENT)
    _lift_time(body.get("created_at"), completion.create_time)
    _lift_time(body.get("completed_at"), completion.complete_time)
    payer = object_at(body, "billing").get("payer")
    if isinstance(payer, str):
        completion.payer = whole_text(payer)
    lift_moderation(body, completion)
    lift_filters(body, completion)
    completion.usage.SetInParent()
    lift_usage(body, completion.usage)
    echoed = {key: value for key, value in body.items() if key not in ("moderation", "service_tier", "usage")}
    lift_instructions(body.get("instructions"), completion.echo, _LENIENT)
    lift_options(echoed, completion.echo, _LENIENT)
    completion.container_id = _container(messages)
    _lift_end(body, output, messages)
    same: JsonObject = {"output": 0}  # items and usage keep their own remainders
    if isinstance(body.get("usage"), dict):
        same["usage"] = 0
    Writer(direction=RESPONSE).keep(completion, {**_lower_head(completion), **same}, {**body, **same})
    return completion


def lower_completion(completion: Completion) -> JsonObject:
    """The JSON of an answer."""
    if len(completion.outputs) > 1:
        raise ServiceError(Reason.UNSUPPORTED_PARAMETER, "this format has one answer: ask for n = 1")
    body = lower_head(completion)
    messages = completion.outputs[0].messages if completion.outputs else ()
    body["output"] = lower_items(map(_spoken, messages), Writer(direction=RESPONSE), "outputs[0].messages")
    return body


def lower_head(completion: Completion) -> JsonObject:
    """The JSON of an answer, its items left out."""
    return Writer(direction=RESPONSE).restore(completion, _lower_head(completion))


def decode_count(reply: HttpReply) -> chat_pb2.CountTokensResponse:
    """The count in a reply. Raises ServiceError MALFORMED_RESPONSE."""
    body = object_of(reply.body, "the count")
    if "error" in body and "input_tokens" not in body:
        raise lift_error(reply)
    counted = count_of(body.get("input_tokens"))
    if counted is None:
        raise ServiceError(Reason.MALFORMED_RESPONSE, "the count has no number `input_tokens`")
    count = chat_pb2.CountTokensResponse()
    count.usage.input_tokens = counted
    Writer(direction=RESPONSE).keep(count, _lower_count(count), body)
    return count


def encode_count(count: chat_pb2.CountTokensResponse) -> HttpReply:
    """The count for a client of this wire."""
    body = Writer(direction=RESPONSE).restore(count, _lower_count(count))
    return HttpReply(status=200, body=dumps(body), headers={"content-type": "application/json"})


def _lower_count(count: chat_pb2.CountTokensResponse) -> JsonObject:
    return {"object": "response.input_tokens", "input_tokens": count.usage.input_tokens}


def _spoken(message: content_pb2.Message) -> content_pb2.Message:
    """A message of an answer, whose role other wires may leave out."""
    if message.role == content_pb2.ROLE_ASSISTANT:
        return message
    spoken = content_pb2.Message()
    spoken.CopyFrom(message)
    spoken.role = content_pb2.ROLE_ASSISTANT
    return spoken


def _lower_head(completion: Completion) -> JsonObject:
    output = completion.outputs[0] if completion.outputs else Output()
    writer = Writer(direction=RESPONSE)
    body: JsonObject = {"id": writer.name(completion, completion.id, "resp"), "object": "response"}
    body["created_at"] = completion.create_time.seconds
    if completion.HasField("complete_time"):
        body["completed_at"] = completion.complete_time.seconds
    status, reason = _end(output)
    body |= {"status": status, "error": None, "incomplete_details": {"reason": reason} if reason else None}
    echo = completion.echo
    body["instructions"], _ = lower_instructions(echo, writer)
    body["metadata"] = {}
    body["model"] = completion.model
    body["output"] = []
    body |= {"parallel_tool_calls": True, "temperature": None, "tool_choice": "auto", "tools": [], "top_p": None}
    lower_options(echo, body, writer)
    if completion.service_tier in _TIERS or (completion.service_tier and completion.HasField("echo")):
        body["service_tier"] = completion.service_tier
    if completion.system_fingerprint:
        body["system_fingerprint"] = completion.system_fingerprint
    if completion.payer:
        body["billing"] = {"payer": completion.payer}
    if moderation := lower_moderation(completion):
        body["moderation"] = moderation
    if filters := lower_filters(completion):
        body["content_filters"] = filters
    if tools := lower_tool_usage(completion.usage):
        body["tool_usage"] = tools
    body["usage"] = lower_usage(completion.usage) if completion.usage.ListFields() else None
    return body


def _end(output: Output) -> tuple[str, str]:
    """`status`, and the reason where it is incomplete; the provider's own words where they are this wire's."""
    own = output.provider_finish_reason
    if own in INCOMPLETE and INCOMPLETE[own] == output.finish_reason:
        return "incomplete", own if own != "incomplete" else ""
    if own in _STATUSES and _STATUSES[own] == output.finish_reason:
        return own, ""
    return _WORDS.get(output.finish_reason, (_DONE, ""))


def _lift_end(body: JsonObject, output: Output, messages: Iterable[content_pb2.Message]) -> None:
    status = body.get("status")
    reason = object_at(body, "incomplete_details").get("reason")
    if status == "incomplete":
        output.provider_finish_reason = whole_text(reason) if isinstance(reason, str) and reason else status
        output.finish_reason = INCOMPLETE.get(output.provider_finish_reason, chat_pb2.FINISH_REASON_OTHER)
    elif isinstance(status, str):
        output.provider_finish_reason = whole_text(status)
        output.finish_reason = _STATUSES.get(status, chat_pb2.FINISH_REASON_STOP)
    if status == _DONE and any(_waits(message) for message in messages):
        output.finish_reason = chat_pb2.FINISH_REASON_TOOL_CALLS


def _waits(message: content_pb2.Message) -> bool:
    """Whether the model waits for the result of a tool of the caller's."""
    answered = {part.tool_result.call_id for part in message.parts if part.HasField("tool_result")}
    return any(
        part.HasField("tool_call")
        and part.tool_call.executor <= content_pb2.TOOL_EXECUTOR_CLIENT
        and part.tool_call.call_id not in answered
        for part in message.parts
    )


def _container(messages: Iterable[content_pb2.Message]) -> str:
    """The container of the last call that has one."""
    names = [
        part.tool_call.container_id for message in messages for part in message.parts if part.HasField("tool_call")
    ]
    return next((name for name in reversed(names) if name), "")


def _lift_time(value: Json, target: Timestamp) -> None:
    seconds: Any = value
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds < 1 << 35:
        target.seconds = int(seconds)
