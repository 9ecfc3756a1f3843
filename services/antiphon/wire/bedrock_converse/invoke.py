"""Anthropic's messages over Bedrock's `invoke`, `invoke-with-response-stream` and `count-tokens`.

The body is Anthropic's own, with two differences: the model is in the path, and the version and the features on trial
are fields instead of headers. A stream wraps Anthropic's events as base64 into binary frames, and tells at its end how
long it took. The codec is Anthropic's; this one wraps and unwraps.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.v1 import chat_pb2, usage_pb2
from antiphon.wire.anthropic_messages.codec import AnthropicMessages
from antiphon.wire.anthropic_messages.fields import spell, spelled
from antiphon.wire.anthropic_messages.quirks import WIRE as ANTHROPIC
from antiphon.wire.anthropic_messages.quirks import Quirks as AnthropicQuirks
from antiphon.wire.base import ChatCall, HttpCall, HttpReply
from antiphon.wire.bedrock_converse import errors, response
from antiphon.wire.bedrock_converse.errors import exception, frame_error
from antiphon.wire.bedrock_converse.request import HEADERS, model_and_action, path_of, read_body
from antiphon.wire.eventstream import BrokenFrames, Frame, FrameParser, event_frame, exception_frame
from antiphon.wire.fields import RESPONSE, count_of, object_at
from antiphon.wire.jsontext import Json, JsonObject, dumps, loads, object_of
from antiphon.wire.sse import SseParser, encode_event

WIRE = "bedrock_anthropic"
VERSION = "bedrock-2023-05-31"
"""The `anthropic_version` that Bedrock asks for; the only one so far."""
METRICS = "amazon-bedrock-invocationMetrics"
_LATENCY_HEADER = "x-amzn-bedrock-invocation-latency"
_TIMES: Mapping[str, str] = {"invocationLatency": "total_seconds", "firstByteLatency": "time_to_first_token_seconds"}
_COUNT = "TokenCount"
_STREAM_ACTION, _ACTION = "invoke-with-response-stream", "invoke"
_BETA_HEADER, _BETA = "anthropic-beta", "anthropic_beta"

Event = chat_pb2.StreamChatResponse


class BedrockAnthropic:
    """The codec. Has no state but the quirks of its provider."""

    name = WIRE

    def __init__(self, quirks: AnthropicQuirks | None = None) -> None:
        self._inner = AnthropicMessages(quirks or AnthropicQuirks(provider="bedrock"))

    def encode_request(self, spec: chat_pb2.ChatSpec, /, *, stream: bool) -> HttpCall:
        """The request for the provider, to be signed. Raises ServiceError UNSUPPORTED_PARAMETER."""
        body, warnings = self._body(spec)
        path = path_of(spec.model, _STREAM_ACTION if stream else _ACTION)
        return HttpCall(method="POST", path=path, body=dumps(body), headers=HEADERS, warnings=warnings)

    def decode_request(self, call: HttpCall, /) -> ChatCall:
        """What a client asks. Raises ServiceError INVALID_REQUEST with the path in the body."""
        model, action = model_and_action(call)
        return ChatCall(spec=self._spec(read_body(call), model), stream=action == _STREAM_ACTION)

    def decode_response(self, reply: HttpReply, /) -> chat_pb2.Completion:
        """The answer in a reply. Raises ServiceError: MALFORMED_RESPONSE, or the error inside it."""
        body = object_of(reply.body, "the answer")
        if "content" not in body and ("message" in body or "__type" in body):
            raise self.decode_error(reply)
        metrics = body.pop(METRICS, None)
        completion = self._inner.decode_response(HttpReply(status=reply.status, body=dumps(body)))
        completion.upstream_request_id = reply.headers.get(response.REQUEST_ID, "")
        if isinstance(metrics, dict):
            _lift_metrics(metrics, completion)
        latency = reply.headers.get(_LATENCY_HEADER, "")
        if latency.isdecimal():
            completion.usage.timing.total_seconds = int(latency) / 1000
        return completion

    def encode_response(self, completion: chat_pb2.Completion, /) -> HttpReply:
        """The answer for a client. Raises ServiceError UNSUPPORTED_PARAMETER for more than one output."""
        reply = self._inner.encode_response(completion)
        headers = response.reply_headers(completion)
        if completion.usage.timing.HasField("total_seconds"):
            headers[_LATENCY_HEADER] = str(round(completion.usage.timing.total_seconds * 1000))
        body = loads(reply.body)
        if spelled(completion, METRICS, RESPONSE):
            body[METRICS] = {**_lower_metrics(completion.usage), **object_at(body, METRICS)}
        return HttpReply(status=200, body=dumps(body), headers=headers)

    def stream_decoder(self) -> Decoder:
        """A fresh reader for one stream."""
        return Decoder(self._inner)

    def stream_encoder(self) -> Encoder:
        """A fresh writer for one stream."""
        return Encoder(self._inner)

    def encode_count_request(self, spec: chat_pb2.ChatSpec, /) -> HttpCall:
        """The request that counts the tokens of `spec`."""
        body, warnings = self._body(spec)
        text = dumps({"input": {"invokeModel": {"body": base64.b64encode(dumps(body)).decode()}}})
        path = path_of(spec.model, "count-tokens")
        return HttpCall(method="POST", path=path, body=text, headers=HEADERS, warnings=warnings)

    def decode_count_request(self, call: HttpCall, /) -> chat_pb2.ChatSpec:
        """What a client wants counted. Raises ServiceError INVALID_REQUEST."""
        model, _ = model_and_action(call)
        text: Json = object_at(object_at(read_body(call), "input"), "invokeModel").get("body")
        try:
            body = loads(base64.b64decode(text, validate=True))
        except (binascii.Error, TypeError, ValueError) as error:
            raise invalid("input.invokeModel.body", "must be base64 of JSON") from error
        if not isinstance(body, dict):
            raise invalid("input.invokeModel.body", "must be base64 of a JSON object")
        return self._spec(body, model)

    def decode_count_response(self, reply: HttpReply, /) -> chat_pb2.CountTokensResponse:
        """The count in a reply. Raises ServiceError."""
        return response.decode_count(reply)

    def encode_count_response(self, count: chat_pb2.CountTokensResponse, /) -> HttpReply:
        """The count for a client."""
        return response.encode_count(count)

    def decode_error(self, reply: HttpReply, /) -> ServiceError:
        """The meaning of an unsuccessful reply, whatever its body."""
        return errors.decode_error(reply)

    def encode_error(self, error: ServiceError, /) -> HttpReply:
        """The error for a client."""
        return errors.encode_error(error)

    def _body(self, spec: chat_pb2.ChatSpec) -> tuple[JsonObject, tuple[chat_pb2.Warning, ...]]:
        call = self._inner.encode_request(spec, stream=False)
        body: JsonObject = {"anthropic_version": VERSION, **loads(call.body)}
        del body["model"]
        body.pop("stream", None)
        if betas := call.headers.get(_BETA_HEADER):
            body[_BETA] = betas.split(",")
        return body, call.warnings

    def _spec(self, body: JsonObject, model: str) -> chat_pb2.ChatSpec:
        if "anthropic_version" not in body:
            raise invalid("anthropic_version", "is missing: only bodies of Anthropic's messages are read here")
        inner = {**body, "model": model}
        if inner["anthropic_version"] == VERSION:
            del inner["anthropic_version"]
        headers: dict[str, str] = {}
        betas = inner.get(_BETA)
        if isinstance(betas, list) and all(isinstance(beta, str) for beta in betas):
            headers[_BETA_HEADER] = ",".join(betas)
            del inner[_BETA]
        call = HttpCall(method="POST", path="/v1/messages", body=dumps(inner), headers=headers)
        return self._inner.decode_request(call).spec


class Decoder:
    """Reads one stream."""

    def __init__(self, wire: AnthropicMessages) -> None:
        self._parser = FrameParser()
        self._inner = wire.stream_decoder()
        self._metrics: JsonObject | None = None
        self._error: ServiceError | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. Raises ServiceError."""
        if self._error is not None:
            raise self._error
        broken: ServiceError | None = None
        try:
            frames = self._parser.feed(chunk)
        except BrokenFrames as error:
            frames, broken = error.frames, ServiceError(Reason.MALFORMED_RESPONSE, str(error))
        except ValueError as error:
            frames, broken = [], ServiceError(Reason.MALFORMED_RESPONSE, str(error))
        out: list[Event] = []
        try:
            for frame in frames:
                out += self._finished(self._inner.feed(self._unwrapped(frame)))
        except ServiceError as error:
            broken = error
        if broken is not None:
            self._error = broken
            if not out:  # else what came before the error is told first; the next call raises
                raise broken
        return out

    def close(self) -> list[Event]:
        """The last events. Raises ServiceError OUTCOME_UNKNOWN where the stream broke off."""
        if self._error is not None:
            raise self._error
        return self._finished(self._inner.close())

    def usage(self) -> usage_pb2.Usage:
        """What is known to have been used so far."""
        return self._inner.usage()

    def _unwrapped(self, frame: Frame) -> bytes:
        """The server-sent event that a frame holds."""
        if frame.text(":message-type") in ("exception", "error"):
            raise frame_error(frame)
        try:
            data = loads(base64.b64decode(object_of(frame.payload, "an event of the stream")["bytes"], validate=True))
        except (binascii.Error, KeyError, TypeError, ValueError) as error:
            raise ServiceError(Reason.MALFORMED_RESPONSE, "an event of the stream holds no base64 of JSON") from error
        if isinstance(data, dict) and isinstance(data.get(METRICS), dict):
            self._metrics = {**(self._metrics or {}), **data.pop(METRICS)}
        return encode_event(dumps(data))

    def _finished(self, events: list[Event]) -> list[Event]:
        for event in events if self._metrics else ():
            if event.HasField("completed"):
                _lift_metrics(self._metrics or {}, event.completed.completion)
            elif event.HasField("usage"):
                _lift_times(self._metrics or {}, event.usage)
        return events


class Encoder:
    """Writes one stream."""

    def __init__(self, wire: AnthropicMessages) -> None:
        self._inner = wire.stream_encoder()
        self._parser = SseParser()

    def encode(self, event: Event) -> bytes:
        """The bytes of an event; empty where the wire has none for it, or holds it back."""
        usage = event.completed.completion.usage if event.HasField("completed") else None
        return b"".join(
            _wrapped(loads(item.data), usage)
            for item in self._parser.feed(self._inner.encode(event))
            if item.comment is None
        )

    def error(self, error: ServiceError) -> bytes:
        """The exception that ends a stream which fails."""
        name, body = exception(error)
        return exception_frame(name, dumps(body))


def _wrapped(data: JsonObject, usage: usage_pb2.Usage | None) -> bytes:
    if data.get("type") == "message_stop" and usage is not None and usage.HasField("timing"):
        data[METRICS] = _lower_metrics(usage)
    return event_frame("chunk", dumps({"bytes": base64.b64encode(dumps(data)).decode()}))


def _lift_metrics(metrics: JsonObject, completion: chat_pb2.Completion) -> None:
    """Set times and counts; what else there is, is kept untyped."""
    _lift_times(metrics, completion.usage)
    spell(completion, METRICS, RESPONSE)
    derived = _lower_metrics(completion.usage)
    rest = {key: value for key, value in metrics.items() if derived.get(key) != value}
    if rest:
        before = loads(completion.provider_data[ANTHROPIC]) if ANTHROPIC in completion.provider_data else {}
        completion.provider_data[ANTHROPIC] = dumps({**before, METRICS: rest}).decode()


def _lift_times(metrics: JsonObject, usage: usage_pb2.Usage) -> None:
    """Bedrock's own counts differ from those of the model's usage: they are what it bills."""
    for key, value in metrics.items():
        count = count_of(value)
        if count is not None and key in _TIMES:
            setattr(usage.timing, _TIMES[key], count / 1000)
        elif count is not None and key.endswith(_COUNT):
            usage.billed_units[key] = count


def _lower_metrics(usage: usage_pb2.Usage) -> JsonObject:
    metrics: JsonObject = {key: round(count) for key, count in usage.billed_units.items() if key.endswith(_COUNT)}
    if not metrics:
        plain = max(usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens, 0)
        metrics = {"inputTokenCount": plain, "outputTokenCount": usage.output_tokens}
    for key, name in _TIMES.items():
        if usage.timing.HasField(name):  # type: ignore[arg-type]  # one of the table's names
            metrics[key] = round(getattr(usage.timing, name) * 1000)
    return metrics
