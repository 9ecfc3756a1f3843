"""Answers as one JSON object, and counts of tokens."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.base import HttpReply
from antiphon.wire.fields import RESPONSE, Fields, Place, count_of, object_at, whole_text
from antiphon.wire.gemini.candidates import lift_candidate, lift_safety, lower_candidate, lower_safety
from antiphon.wire.gemini.errors import body_error
from antiphon.wire.gemini.spelling import plain
from antiphon.wire.gemini.usage import lift_cached, lift_details, lift_usage, lower_details, lower_usage
from antiphon.wire.gemini.writer import Writer
from antiphon.wire.jsontext import Json, JsonObject, dumps, object_of

_HEAD = Fields(chat_pb2.Completion, responseId="id", modelVersion="model")
_COUNT = Fields(chat_pb2.CountTokensResponse, totalBillableCharacters="billable_characters")
_LENIENT = Place(RESPONSE)
_FEEDBACK, _USAGE = "promptFeedback", "usageMetadata"
JSON = {"content-type": "application/json; charset=UTF-8"}


def decode_response(reply: HttpReply) -> chat_pb2.Completion:
    """The answer in a reply. Raises ServiceError: MALFORMED_RESPONSE, or the error that the body says."""
    read = object_of(reply.body, "the answer")
    if "error" in read:
        raise body_error(read, reply)
    candidates = read.get("candidates")
    known = {"candidates", _FEEDBACK, _USAGE, "usage_metadata", "prompt_feedback"}
    listed = isinstance(candidates, list) and all(isinstance(item, dict) for item in candidates)
    if not known & read.keys() or (candidates is not None and not listed):
        raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer has no list of candidates")
    completion = chat_pb2.Completion()
    _lift_id(read, completion)
    found: list[content_pb2.SearchResult] = []
    for number, candidate in enumerate(candidates or ()):
        output = completion.outputs.add(index=number)
        lift_candidate(candidate, output, found, completion.id)
    completion.search_results.extend(found)
    lift_head(read, completion)
    return completion


def encode_response(completion: chat_pb2.Completion) -> HttpReply:
    """The answer for a client of this wire."""
    body = lower_head(completion)
    writer = Writer(direction=RESPONSE)
    if not completion.prompt_blocked and completion.outputs:
        body["candidates"] = [lower_candidate(output, completion, writer) for output in completion.outputs]
    return HttpReply(status=200, body=dumps(body), headers=dict(JSON))


def lift_head(read: JsonObject, completion: chat_pb2.Completion) -> None:
    """Set everything of an answer but its candidates."""
    usage = read.get(_USAGE, read.get("usage_metadata"))
    frame = {key: item for key, item in read.items() if not _is_carried(key, item)}
    value, _ = plain(frame)
    writer = Writer(direction=RESPONSE)
    _lift_id(read, completion)
    lift_usage(usage, completion.usage)
    if isinstance(usage, dict):
        completion.service_tier = completion.usage.service_tier
        if _USAGE not in read:
            writer.spell(completion, "usage_metadata")
    _lift_time(value.get("createTime"), completion.create_time)
    feedback = object_at(value, _FEEDBACK)
    completion.prompt_safety.extend(lift_safety(feedback.get("safetyRatings")))
    reason = feedback.get("blockReason")
    if isinstance(reason, str) and not completion.outputs:
        completion.prompt_blocked = True
        output = completion.outputs.add(finish_reason=chat_pb2.FINISH_REASON_CONTENT_FILTER)
        output.provider_finish_reason = whole_text(reason)
        message = feedback.get("blockReasonMessage")
        output.finish_message = whole_text(message) if isinstance(message, str) else ""
    writer.keep(completion, _lower_head(completion), frame)


def lower_head(completion: chat_pb2.Completion) -> JsonObject:
    """Everything of an answer but its candidates."""
    writer = Writer(direction=RESPONSE)
    body = writer.restore(completion, _lower_head(completion))
    if completion.HasField("usage"):
        key = "usage_metadata" if writer.spelled(completion, "usage_metadata") else _USAGE
        body[key] = lower_usage(completion.usage)
    return body


def decode_count(reply: HttpReply) -> chat_pb2.CountTokensResponse:
    """The count in a reply. Raises ServiceError MALFORMED_RESPONSE."""
    read = object_of(reply.body, "the count")
    if "error" in read:
        raise body_error(read, reply)
    value, _ = plain(read)
    assert isinstance(value, dict)  # noqa: S101 - an object stays one
    total = count_of(value.get("totalTokens", 0))
    if total is None:
        raise ServiceError(Reason.MALFORMED_RESPONSE, "the count has no number `totalTokens`")
    count = chat_pb2.CountTokensResponse()
    count.usage.input_tokens = total
    _COUNT.lift(value, count, _LENIENT)
    cached = count_of(value.get("cachedContentTokenCount"))
    if cached is not None:
        count.usage.cache_read_tokens = cached
    lift_details(value.get("promptTokensDetails"), count.usage.input_by_modality)
    lift_cached(value.get("cacheTokensDetails"), count.usage)
    Writer(direction=RESPONSE).keep(count, _lower_count(count), read)
    return count


def encode_count(count: chat_pb2.CountTokensResponse) -> HttpReply:
    """The count for a client of this wire."""
    body = Writer(direction=RESPONSE).restore(count, _lower_count(count))
    return HttpReply(status=200, body=dumps(body), headers=dict(JSON))


def _is_carried(key: str, value: Json) -> bool:
    if key == "candidates":
        return value is not None and value != []
    return key in (_USAGE, "usage_metadata") and isinstance(value, dict)


def _lift_id(read: JsonObject, completion: chat_pb2.Completion) -> None:
    value, _ = plain({key: item for key, item in read.items() if isinstance(item, str)})
    _HEAD.lift(value, completion, _LENIENT)


def _lower_head(completion: chat_pb2.Completion) -> JsonObject:
    body = _HEAD.lower(completion, {})
    if completion.HasField("create_time"):
        body["createTime"] = completion.create_time.ToJsonString()
    feedback: JsonObject = {}
    if completion.prompt_blocked and completion.outputs:
        feedback["blockReason"] = completion.outputs[0].provider_finish_reason or "OTHER"
        if completion.outputs[0].finish_message:
            feedback["blockReasonMessage"] = completion.outputs[0].finish_message
    if completion.prompt_safety:
        feedback["safetyRatings"] = lower_safety(completion.prompt_safety)
    if feedback:
        body[_FEEDBACK] = feedback
    return body


def _lower_count(count: chat_pb2.CountTokensResponse) -> JsonObject:
    lowered = _COUNT.lower(count, {"totalTokens": count.usage.input_tokens})
    if count.usage.HasField("cache_read_tokens"):
        lowered["cachedContentTokenCount"] = count.usage.cache_read_tokens
    if details := lower_details(count.usage.input_by_modality):
        lowered["promptTokensDetails"] = details
    if cached := lower_details(count.usage.input_by_modality, "cached_tokens"):
        lowered["cacheTokensDetails"] = cached
    return lowered


def _lift_time(value: Json, target: Timestamp) -> None:
    """Set `target` from an RFC 3339 text; left unset where it is none."""
    if not isinstance(value, str):
        return
    try:
        target.FromJsonString(value)
    except ValueError:
        target.Clear()
