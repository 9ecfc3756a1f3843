"""Answers as one JSON object, and counts of tokens."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.base import HttpReply
from antiphon.wire.bedrock_converse.blocks import lift_content, lower_content
from antiphon.wire.bedrock_converse.errors import decode_error
from antiphon.wire.bedrock_converse.spelling import reader
from antiphon.wire.bedrock_converse.trace import lift_ratings
from antiphon.wire.bedrock_converse.usage import lift_latency, lift_usage, lower_latency, lower_usage
from antiphon.wire.fields import RESPONSE, Place, count_of, object_at, whole_text
from antiphon.wire.jsontext import JsonObject, dumps, object_of
from antiphon.wire.scribe import Scribe

FINISH: Mapping[str, chat_pb2.FinishReason.ValueType] = {
    "end_turn": chat_pb2.FINISH_REASON_STOP,
    "tool_use": chat_pb2.FINISH_REASON_TOOL_CALLS,
    "max_tokens": chat_pb2.FINISH_REASON_LENGTH,
    "stop_sequence": chat_pb2.FINISH_REASON_STOP_SEQUENCE,
    "guardrail_intervened": chat_pb2.FINISH_REASON_CONTENT_FILTER,
    "content_filtered": chat_pb2.FINISH_REASON_CONTENT_FILTER,
    "malformed_model_output": chat_pb2.FINISH_REASON_ERROR,
    "malformed_tool_use": chat_pb2.FINISH_REASON_MALFORMED_TOOL_CALL,
    "model_context_window_exceeded": chat_pb2.FINISH_REASON_CONTEXT_WINDOW,
    # Not in the service's own model, but passed on from the models behind it.
    "refusal": chat_pb2.FINISH_REASON_REFUSAL,
    "pause_turn": chat_pb2.FINISH_REASON_PAUSE_TURN,
}
_WORDS: Mapping[chat_pb2.FinishReason.ValueType, str] = {
    **{reason: word for word, reason in FINISH.items()},
    # What this wire has no word for is said by the nearest one that its clients know.
    chat_pb2.FINISH_REASON_CONTENT_FILTER: "content_filtered",
    chat_pb2.FINISH_REASON_REFUSAL: "content_filtered",
    chat_pb2.FINISH_REASON_PAUSE_TURN: "end_turn",
    chat_pb2.FINISH_REASON_RECITATION: "content_filtered",
    chat_pb2.FINISH_REASON_TIME_LIMIT: "max_tokens",
}
REQUEST_ID = "x-amzn-requestid"
_FIELDS = "additionalModelResponseFields"
_STOP, _ROUTER = "stop_sequence", "router"
_LENIENT = Place(RESPONSE)


def decode_response(reply: HttpReply) -> chat_pb2.Completion:
    """The answer in a reply. Raises ServiceError: MALFORMED_RESPONSE, or the error that the body says."""
    body = object_of(reply.body, "the answer")
    message = object_at(body, "output").get("message")
    if not isinstance(message, dict):
        if "message" in body or "__type" in body:
            raise decode_error(reply)
        raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer has no output.message")
    completion = lift_answer(body)
    completion.upstream_request_id = reply.headers.get(REQUEST_ID, "")
    return completion


def encode_response(completion: chat_pb2.Completion) -> HttpReply:
    """The answer for a client of this wire, which knows one output. Raises ServiceError UNSUPPORTED_PARAMETER."""
    return HttpReply(status=200, body=dumps(lower_answer(completion)), headers=reply_headers(completion))


_TIERS = {name: name for name in ("priority", "default", "flex", "reserved")} | {"standard": "default"}
"""Tiers of this wire, and another provider's name for one."""


def lift_answer(body: JsonObject) -> chat_pb2.Completion:
    """The answer that a body says."""
    completion, scribe = chat_pb2.Completion(), reader(RESPONSE)
    output = completion.outputs.add()
    message = output.messages.add(role=content_pb2.ROLE_ASSISTANT)
    said = object_at(object_at(body, "output"), "message")
    message.parts.extend(lift_content(said.get("content", []), _LENIENT.at("content")))
    # The content is kept part by part, so only what else the message holds is compared.
    scribe.keep(message, {"role": "assistant", "content": 0}, {**said, "content": 0})
    completion.usage.SetInParent()
    lift_usage(body.get("usage"), completion.usage)
    lift_latency(object_at(body, "metrics"), completion.usage)
    reason = body.get("stopReason")
    if isinstance(reason, str):
        output.provider_finish_reason = whole_text(reason)
        output.finish_reason = FINISH.get(reason, chat_pb2.FINISH_REASON_OTHER)
    matched = object_at(body, _FIELDS).get(_STOP)
    if isinstance(matched, str):
        output.matched_stop = whole_text(matched)
    tier = object_at(body, "serviceTier").get("type")
    if isinstance(tier, str):
        completion.service_tier = completion.usage.service_tier = whole_text(tier)
    speed = object_at(body, "performanceConfig").get("latency")
    if isinstance(speed, str):
        completion.usage.speed = whole_text(speed)
    trace = object_at(body, "trace")
    model = object_at(trace, "promptRouter").get("invokedModelId")
    if isinstance(model, str):
        completion.model = whole_text(model)
        scribe.spell(completion, _ROUTER)
    lift_ratings(object_at(trace, "guardrail"), completion)
    same = {"output": 0, "usage": 0} if "usage" in body else {"output": 0}  # they keep their own remainders
    scribe.keep(completion, {**_lowered_head(completion, scribe), **same}, {**body, **same})
    return completion


def lower_answer(completion: chat_pb2.Completion) -> JsonObject:
    """The body of an answer. Raises ServiceError UNSUPPORTED_PARAMETER for several answers."""
    if len(completion.outputs) > 1:
        raise one_answer()
    scribe = reader(RESPONSE)
    body = scribe.restore(completion, _lowered_head(completion, scribe))
    messages = completion.outputs[0].messages if completion.outputs else []
    whole = content_pb2.Message(role=content_pb2.ROLE_ASSISTANT)
    for message in messages:
        whole.MergeFrom(message)
    content = lower_content(whole.parts, scribe, "completion.outputs[0].parts")
    body["output"] = {"message": scribe.restore(whole, {"role": "assistant", "content": content})}
    return body


def one_answer() -> ServiceError:
    """The error of more answers than the wire holds."""
    return ServiceError(Reason.UNSUPPORTED_PARAMETER, "this format holds one answer: ask for n = 1")


def reply_headers(completion: chat_pb2.Completion) -> dict[str, str]:
    """The headers of an answer."""
    headers = {"content-type": "application/json"}
    if completion.upstream_request_id:
        headers[REQUEST_ID] = completion.upstream_request_id
    return headers


def decode_count(reply: HttpReply) -> chat_pb2.CountTokensResponse:
    """The count in a reply. Raises ServiceError MALFORMED_RESPONSE."""
    body = object_of(reply.body, "the count")
    counted = count_of(body.get("inputTokens"))
    if counted is None:
        raise ServiceError(Reason.MALFORMED_RESPONSE, "the count has no number `inputTokens`")
    count = chat_pb2.CountTokensResponse()
    count.usage.input_tokens = counted
    reader(RESPONSE).keep(count, {"inputTokens": counted}, body)
    return count


def encode_count(count: chat_pb2.CountTokensResponse) -> HttpReply:
    """The count for a client of this wire."""
    body = reader(RESPONSE).restore(count, {"inputTokens": count.usage.input_tokens})
    return HttpReply(status=200, body=dumps(body), headers={"content-type": "application/json"})


def stop_word(output: chat_pb2.Output) -> str:
    """The wire's word for why an answer ended: the provider's own where it is one of this wire."""
    own = output.provider_finish_reason
    if own and FINISH.get(own, chat_pb2.FINISH_REASON_OTHER) == output.finish_reason:
        return own
    return _WORDS.get(output.finish_reason, "end_turn")


def _lowered_head(completion: chat_pb2.Completion, scribe: Scribe) -> JsonObject:
    output = completion.outputs[0] if completion.outputs else chat_pb2.Output()
    body: JsonObject = {"stopReason": stop_word(output)}
    if completion.usage.ListFields():  # what is not known is not 0
        body["usage"] = lower_usage(completion.usage, scribe)
    body["metrics"] = lower_latency(completion.usage)  # required; 0 where nobody took the time
    if output.HasField("matched_stop"):
        body[_FIELDS] = {_STOP: output.matched_stop}
    if tier := _TIERS.get(completion.service_tier):
        body["serviceTier"] = {"type": tier}
    if completion.usage.speed:
        body["performanceConfig"] = {"latency": completion.usage.speed}
    if completion.model and scribe.spelled(completion, _ROUTER):
        body["trace"] = {"promptRouter": {"invokedModelId": completion.model}}
    return body
