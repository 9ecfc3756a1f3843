"""Answers as one JSON object: the last line of a stream has the same head."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from google.protobuf.timestamp_pb2 import Timestamp

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2
from antiphon.wire.base import HttpReply
from antiphon.wire.fields import RESPONSE, Fields, Place, count_of, object_at, whole_text
from antiphon.wire.jsontext import Json, JsonObject, dumps, object_of
from antiphon.wire.ollama_native.errors import decode_error
from antiphon.wire.ollama_native.messages import is_client_call, lift_message, lower_answer
from antiphon.wire.ollama_native.spelling import WIRE, answerer, reader
from antiphon.wire.openai_chat.logprobs import is_list, lift_token, lower_token
from antiphon.wire.scribe import Scribe

FINISH: Mapping[str, chat_pb2.FinishReason.ValueType] = {
    "stop": chat_pb2.FINISH_REASON_STOP,
    "length": chat_pb2.FINISH_REASON_LENGTH,
}
_WORDS: Mapping[chat_pb2.FinishReason.ValueType, str | None] = {
    chat_pb2.FINISH_REASON_UNSPECIFIED: None,
    chat_pb2.FINISH_REASON_LENGTH: "length",
    chat_pb2.FINISH_REASON_CONTEXT_WINDOW: "length",
    chat_pb2.FINISH_REASON_TIME_LIMIT: "length",
}
"""The wire's word by reason; "stop" for every other."""
_LENIENT = Place(RESPONSE)
_HEAD = Fields(chat_pb2.Completion, model="model", remote_host="upstream_provider", remote_model="upstream_model")
COUNTS = Fields(usage_pb2.Usage, prompt_eval_count="input_tokens", eval_count="output_tokens")
DURATIONS: Mapping[str, str] = {
    "total_duration": "total_seconds",
    "load_duration": "load_seconds",
    "prompt_eval_duration": "prefill_seconds",
    "eval_duration": "decode_seconds",
}
"""Nanoseconds, and the field of Timing that holds them in seconds."""
_NANO = 1_000_000_000
_ZONE = "zone"


def decode_response(reply: HttpReply) -> chat_pb2.Completion:
    """The answer in a reply. Raises ServiceError: MALFORMED_RESPONSE, or the error that the body says."""
    body = object_of(reply.body, "the answer")
    if "error" in body and "message" not in body:
        raise decode_error(reply)
    if not isinstance(body.get("message"), dict):
        raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer has no message")
    return lift_answer(body)


def lift_answer(body: JsonObject, *, called: bool = False) -> chat_pb2.Completion:
    """The answer that an object with a message says; `called` tells of calls that are told apart."""
    completion = chat_pb2.Completion()
    output = completion.outputs.add()
    message = output.messages.add()
    message.CopyFrom(lift_message(object_at(body, "message"), _LENIENT))
    _HEAD.lift(body, completion, _LENIENT)
    scribe = reader(RESPONSE)
    _lift_time(body.get("created_at"), completion, scribe)
    lift_usage(body, completion.usage)
    reason = body.get("done_reason")
    if isinstance(reason, str):
        output.provider_finish_reason = whole_text(reason)
        output.finish_reason = _finish(reason, called or any(map(is_client_call, message.parts)))
    tokens = body.get("logprobs")
    text = next((part.text for part in message.parts if part.HasField("text")), None)
    if text is not None and tokens and is_list(tokens):
        text.logprobs.extend(map(lift_token, tokens))
    same = {"message": 0}  # the message keeps its own remainder
    scribe.keep(completion, {**_lowered_head(completion, scribe), **same}, {**body, **same})
    return completion


def encode_response(completion: chat_pb2.Completion) -> HttpReply:
    """The answer for a client of this wire, which knows one output. Raises ServiceError UNSUPPORTED_PARAMETER."""
    body = lower_head(completion)
    messages = completion.outputs[0].messages if completion.outputs else []
    whole = content_pb2.Message(role=content_pb2.ROLE_ASSISTANT)
    for message in messages:
        whole.MergeFrom(message)
    body["message"] = lower_answer(whole, answerer())
    return HttpReply(status=200, body=dumps(body), headers={"content-type": "application/json; charset=utf-8"})


def lower_head(completion: chat_pb2.Completion) -> JsonObject:
    """The object of an answer but its message. Raises ServiceError UNSUPPORTED_PARAMETER for several answers."""
    if len(completion.outputs) > 1:
        raise one_answer()
    scribe = answerer()
    return scribe.restore(completion, _lowered_head(completion, scribe))


def one_answer() -> ServiceError:
    """The error of more answers than the wire holds."""
    return ServiceError(Reason.UNSUPPORTED_PARAMETER, "this format holds one answer: ask for n = 1")


def lift_usage(body: JsonObject, usage: usage_pb2.Usage) -> None:
    """Set counts and times from the object that holds them."""
    usage.SetInParent()
    COUNTS.lift(body, usage, _LENIENT)
    for key, name in DURATIONS.items():
        if (nanos := count_of(body.get(key))) is not None:
            setattr(usage.timing, name, nanos / _NANO)
    raw = {key: value for key, value in body.items() if key in COUNTS.keys or key in DURATIONS}
    if raw:
        usage.raw.wire, usage.raw.media_type, usage.raw.data = WIRE, "application/json", dumps(raw)


def lower_usage(usage: usage_pb2.Usage, body: JsonObject) -> None:
    """Write counts and times."""
    for key, name in DURATIONS.items():
        if usage.timing.HasField(name):  # type: ignore[arg-type]  # one of the table's names
            body[key] = round(getattr(usage.timing, name) * _NANO)
    COUNTS.lower(usage, body)


def time_text(time: Timestamp, zone: str = "") -> str:
    """A time as Go's RFC3339Nano writes it: no zeros at the end of the fraction, and the zone where not UTC."""
    text = time.ToJsonString().removesuffix("Z")
    if zone:
        sign, hours, minutes = zone[0], int(zone[1:3]), int(zone[4:6])
        shift = (hours * 60 + minutes) * 60 * (1 if sign == "+" else -1)
        moved = Timestamp(seconds=time.seconds + shift, nanos=time.nanos)
        text = moved.ToJsonString().removesuffix("Z")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text + (zone or "Z")


def lift_time(value: Json, target: Timestamp) -> str:
    """Set `target` from a text, and tell its zone, empty for UTC; left unset where it is no time."""
    if not isinstance(value, str):
        return ""
    try:
        target.FromJsonString(value)
    except ValueError:
        target.Clear()
        return ""
    return "" if value.endswith("Z") else value[-6:]


def lower_logprobs(tokens: Iterable[content_pb2.TokenLogprob]) -> list[JsonObject]:
    """`logprobs`; some providers tell tokens without how likely they were, and this wire cannot."""
    return [lower_token(token) for token in tokens if token.HasField("logprob")]


def _lift_time(value: Json, completion: chat_pb2.Completion, scribe: Scribe) -> None:
    zone = lift_time(value, completion.create_time)
    if not completion.create_time.ListFields():
        completion.ClearField("create_time")
    if zone:
        scribe.spell(completion, f"{_ZONE}{zone}")


def _finish(word: str, called: bool) -> chat_pb2.FinishReason.ValueType:
    """Ollama says "stop" also where the model waits for tools."""
    if word == "stop" and called:
        return chat_pb2.FINISH_REASON_TOOL_CALLS
    return FINISH.get(word, chat_pb2.FINISH_REASON_OTHER)


def _lowered_head(completion: chat_pb2.Completion, scribe: Scribe) -> JsonObject:
    output = completion.outputs[0] if completion.outputs else chat_pb2.Output()
    body = _HEAD.lower(completion, {"model": completion.model})
    if "://" not in completion.upstream_provider:
        body.pop("remote_host", None)  # the name of a provider is no address
    if completion.HasField("create_time"):
        body["created_at"] = time_text(completion.create_time, scribe.spelling(completion, _ZONE) or "")
    body["done"] = True
    if (word := _word(output)) is not None:
        body["done_reason"] = word
    lower_usage(completion.usage, body)
    parts = [part for message in output.messages for part in message.parts if part.HasField("text")]
    tokens = lower_logprobs([token for part in parts for token in part.text.logprobs])
    if tokens:
        body["logprobs"] = tokens
    return body


def _word(output: chat_pb2.Output) -> str | None:
    own = output.provider_finish_reason
    if own and output.finish_reason in (_finish(own, called=True), _finish(own, called=False)):
        return own
    return _WORDS.get(output.finish_reason, "stop")
