"""Answers as one JSON object."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.base import HttpReply
from antiphon.wire.cohere_v2.errors import decode_error
from antiphon.wire.cohere_v2.messages import lift_message, lower_answer
from antiphon.wire.cohere_v2.spelling import reader
from antiphon.wire.cohere_v2.usage import lift_usage, lower_usage
from antiphon.wire.fields import RESPONSE, Fields, Place, object_at, whole_text
from antiphon.wire.jsontext import Json, JsonObject, dumps, object_of
from antiphon.wire.scribe import Scribe

FINISH: Mapping[str, chat_pb2.FinishReason.ValueType] = {
    "COMPLETE": chat_pb2.FINISH_REASON_STOP,
    "STOP_SEQUENCE": chat_pb2.FINISH_REASON_STOP_SEQUENCE,
    "MAX_TOKENS": chat_pb2.FINISH_REASON_LENGTH,
    "TOOL_CALL": chat_pb2.FINISH_REASON_TOOL_CALLS,
    "ERROR": chat_pb2.FINISH_REASON_ERROR,
    "TIMEOUT": chat_pb2.FINISH_REASON_TIME_LIMIT,
    "ERROR_TOXIC": chat_pb2.FINISH_REASON_CONTENT_FILTER,
    "ERROR_LIMIT": chat_pb2.FINISH_REASON_CONTEXT_WINDOW,
}
_WORDS: Mapping[chat_pb2.FinishReason.ValueType, str | None] = {
    **{reason: word for word, reason in FINISH.items()},
    chat_pb2.FINISH_REASON_UNSPECIFIED: None,
    # What this wire has no word for is said by the nearest one that its clients know.
    chat_pb2.FINISH_REASON_CONTEXT_WINDOW: "MAX_TOKENS",
    chat_pb2.FINISH_REASON_CONTENT_FILTER: "ERROR_TOXIC",
    chat_pb2.FINISH_REASON_MALFORMED_TOOL_CALL: "ERROR",
}
_LENIENT = Place(RESPONSE)
_HEAD = Fields(chat_pb2.Completion, id="id")
REQUEST_ID = "x-debug-trace-id"


def decode_response(reply: HttpReply) -> chat_pb2.Completion:
    """The answer in a reply. Raises ServiceError: MALFORMED_RESPONSE, or the error that the body says."""
    body = object_of(reply.body, "the answer")
    if isinstance(body.get("message"), str):
        raise decode_error(reply)
    if not isinstance(body.get("message"), dict):
        raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer has no message")
    completion = lift_answer(body)
    completion.upstream_request_id = reply.headers.get(REQUEST_ID, "")
    return completion


def encode_response(completion: chat_pb2.Completion) -> HttpReply:
    """The answer for a client of this wire, which knows one output. Raises ServiceError UNSUPPORTED_PARAMETER."""
    body = lower_head(completion)
    whole = content_pb2.Message(role=content_pb2.ROLE_ASSISTANT)
    for message in completion.outputs[0].messages if completion.outputs else ():
        whole.MergeFrom(message)
    body["message"] = lower_answer(whole)
    headers = {"content-type": "application/json"}
    if completion.upstream_request_id:
        headers[REQUEST_ID] = completion.upstream_request_id
    return HttpReply(status=200, body=dumps(body), headers=headers)


def lift_answer(body: JsonObject) -> chat_pb2.Completion:
    """The answer that an object with a message says."""
    completion, scribe = chat_pb2.Completion(), reader(RESPONSE)
    output = completion.outputs.add()
    message = output.messages.add()
    message.CopyFrom(lift_message(object_at(body, "message"), _LENIENT))
    message.role = content_pb2.ROLE_ASSISTANT
    _HEAD.lift(body, completion, _LENIENT)
    lift_usage(body.get("usage"), completion.usage)
    reason = body.get("finish_reason")
    if isinstance(reason, str):
        output.provider_finish_reason = whole_text(reason)
        output.finish_reason = FINISH.get(reason, chat_pb2.FINISH_REASON_OTHER)
    if isinstance(body.get("error"), str):
        output.finish_message = whole_text(body["error"])
    text = next((part.text for part in message.parts if part.HasField("text")), None)
    if text is not None:
        text.logprobs.extend(lift_logprobs(body.get("logprobs")))
    # Message and usage keep their own remainders.
    same = {"message": 0, "usage": 0} if isinstance(body.get("usage"), dict) else {"message": 0}
    scribe.keep(completion, {**_lowered_head(completion, scribe), **same}, {**body, **same})
    return completion


def lower_head(completion: chat_pb2.Completion) -> JsonObject:
    """The object of an answer but its message. Raises ServiceError UNSUPPORTED_PARAMETER for several answers."""
    if len(completion.outputs) > 1:
        raise one_answer()
    scribe = reader(RESPONSE)
    return scribe.restore(completion, _lowered_head(completion, scribe))


def one_answer() -> ServiceError:
    """The error of more answers than the wire holds."""
    return ServiceError(Reason.UNSUPPORTED_PARAMETER, "this format holds one answer: ask for n = 1")


def lift_logprobs(items: Json) -> list[content_pb2.TokenLogprob]:
    """The tokens of `logprobs`; none where it is of another shape. Several tokens may share one text."""
    if not isinstance(items, list):
        return []
    tokens: list[content_pb2.TokenLogprob] = []
    for item in items:
        ids, values = (item.get("token_ids"), item.get("logprobs")) if isinstance(item, dict) else (None, None)
        if not isinstance(ids, list) or not isinstance(values, list) or len(ids) != len(values) or not ids:
            return []
        if not all(type(number) is int and 0 <= number < 1 << 31 for number in ids):
            return []
        if not all(isinstance(value, int | float) for value in values):
            return []
        for number, (token_id, value) in enumerate(zip(ids, values, strict=True)):
            text = item.get("text")
            word = whole_text(text) if number == 0 and isinstance(text, str) else ""
            tokens.append(content_pb2.TokenLogprob(token=word, token_id=token_id, logprob=value))
    return tokens


def lower_logprobs(tokens: list[content_pb2.TokenLogprob]) -> list[JsonObject]:
    """`logprobs`; a token without a text belongs to the one before it. What is not known to be likely is not told."""
    items: list[JsonObject] = []
    for token in (token for token in tokens if token.HasField("logprob")):
        if token.token or not items:
            items.append({"text": token.token, "token_ids": [], "logprobs": []})
        if token.HasField("token_id"):
            items[-1]["token_ids"].append(token.token_id)
        items[-1]["logprobs"].append(token.logprob)
    return items


def _lowered_head(completion: chat_pb2.Completion, scribe: Scribe) -> JsonObject:
    output = completion.outputs[0] if completion.outputs else chat_pb2.Output()
    body = _HEAD.lower(completion, {"id": completion.id})
    body["finish_reason"] = _word(output)
    if output.finish_message and output.finish_reason == chat_pb2.FINISH_REASON_ERROR:
        body["error"] = output.finish_message
    usage = lower_usage(completion.usage, scribe)
    if usage:
        body["usage"] = usage
    parts = [part for message in output.messages for part in message.parts if part.HasField("text")]
    tokens = [token for part in parts for token in part.text.logprobs]
    if tokens:
        body["logprobs"] = lower_logprobs(tokens)
    return body


def _word(output: chat_pb2.Output) -> str | None:
    own = output.provider_finish_reason
    if own and FINISH.get(own, chat_pb2.FINISH_REASON_OTHER) == output.finish_reason:
        return own
    return _WORDS.get(output.finish_reason, "COMPLETE")
