"""Answers in both directions."""

from __future__ import annotations

from typing import Any

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.base import HttpReply
from antiphon.wire.jsontext import JsonObject, dumps, loads_text, object_of, objects
from antiphon.wire.openai_chat import filters
from antiphon.wire.openai_chat.citations import lift_found, lower_found
from antiphon.wire.openai_chat.errors import lift_error
from antiphon.wire.openai_chat.finish import finish_word, meaning
from antiphon.wire.openai_chat.gaps import Gaps
from antiphon.wire.openai_chat.logprobs import lift_logprobs, lower_logprobs
from antiphon.wire.openai_chat.messages import lift_message, lower_messages
from antiphon.wire.openai_chat.plain_answer import lift_plain
from antiphon.wire.openai_chat.quirks import WIRE, Quirks
from antiphon.wire.openai_chat.spelling import RESPONSE, spell, spelled
from antiphon.wire.openai_chat.usage import OUTSIDE, lift_models, lift_usage, lower_models, lower_usage
from antiphon.wire.remainder import keep, merge, restore

Completion = chat_pb2.Completion
Output = chat_pb2.Output

CITATIONS = "citations"
CITATIONS_ONLY = "citations_only"
"""Addresses without `search_results` (Perplexity before 2025-06, xAI)."""
REQUEST_ID = "request_id"
GROQ_ID = "x_groq"
_STANDARD = "standard"
"""What other providers call OpenAI's `default` tier."""
DELTA = "delta"
"""An empty `delta` beside the message (Perplexity)."""
_WORDS = {"id": "id", "model": "model", "service_tier": "service_tier", "system_fingerprint": "system_fingerprint"}
_EMPTY_DELTA = {"role": "assistant", "content": ""}


def lift_response(reply: HttpReply) -> Completion:
    """The answer in a successful reply. Raises ServiceError: MALFORMED_RESPONSE, or the error inside it."""
    data = object_of(reply.body, "the answer", read=loads_text)
    if "choices" not in data and ("error" in data or "detail" in data):
        raise lift_error(reply)
    return lift_completion(data)


def lower_response(completion: Completion) -> HttpReply:
    """The answer for a client of this wire."""
    gaps = Gaps()
    body = dumps(lower_completion(completion, gaps))
    warnings = gaps.settle(chat_pb2.UNSUPPORTED_POLICY_WARN)
    return HttpReply(status=200, body=body, headers={"content-type": "application/json"}, warnings=warnings)


def lift_completion(data: JsonObject) -> Completion:
    """The answer in the JSON of one. Raises ServiceError MALFORMED_RESPONSE."""
    return lift_plain(data) or lift_any(data)


def lift_any(data: JsonObject) -> Completion:
    """The answer in the JSON of one, whatever else it says."""
    choices = data.get("choices")
    if not isinstance(choices, list):
        raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer has no list of choices")
    completion = Completion()
    for position, choice in enumerate(choices):
        if not isinstance(choice, dict):
            raise ServiceError(Reason.MALFORMED_RESPONSE, f"choice {position} of the answer is not an object")
        completion.outputs.append(lift_output(choice, position))
    lift_frame(completion, data)
    keep(completion, WIRE, RESPONSE, _lowered(completion, Gaps()), data)
    return completion


def lower_completion(completion: Completion, gaps: Gaps) -> JsonObject:
    """The JSON of an answer."""
    return restore(completion, WIRE, RESPONSE, _lowered(completion, gaps))


def lift_output(choice: JsonObject, position: int) -> Output:
    """One of the choices."""
    output = Output(index=choice["index"] if _is_index(choice.get("index")) else position)
    message = choice.get("message")
    if isinstance(message, dict):
        output.messages.append(lift_message(message, RESPONSE, f"choices[{position}].message"))
        lift_logprobs(output, choice.get("logprobs"))
    word = choice.get("finish_reason")
    if isinstance(word, str) and word:
        output.finish_reason = meaning(word)
        output.provider_finish_reason = word
    if isinstance(choice.get("native_finish_reason"), str):
        output.upstream_finish_reason = choice["native_finish_reason"]
    stop = choice.get("stop_reason")
    if isinstance(stop, str):
        output.matched_stop = stop
    elif stop is not None and _is_index(stop):
        output.matched_stop_token_id = stop
    seed = choice.get("seed")
    if isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**64:
        output.seed = seed
    filters.lift_ratings(output.safety, choice.get("content_filter_results"))
    if choice.get("delta") == _EMPTY_DELTA and "message" in choice:
        spell(output, RESPONSE, DELTA)
    keep(output, WIRE, RESPONSE, _lowered_output(output, Gaps()), choice)
    return output


def lift_frame(completion: Completion, data: JsonObject) -> None:
    """Everything about an answer but its choices."""
    for name, field in _WORDS.items():
        if isinstance(data.get(name), str):
            setattr(completion, field, data[name])
    if isinstance(data.get("provider"), str):
        completion.upstream_provider = data["provider"]
    _lift_created(completion, data.get("created"))
    if isinstance(data.get("usage"), dict) or OUTSIDE & data.keys():
        lift_usage(data, completion.usage)
    breakdown = data.get("usage_breakdown")
    if isinstance(breakdown, dict) and objects(breakdown.get("models")):
        lift_models(breakdown, completion.usage)
    _lift_search(completion, data)
    filters.lift_prompt(completion, data.get("prompt_filter_results"))
    filters.lift_moderation(completion, data.get("moderation"))
    groq = data.get("x_groq")
    if isinstance(data.get("request_id"), str):
        completion.upstream_request_id = data["request_id"]
        spell(completion, RESPONSE, REQUEST_ID)
    elif isinstance(groq, dict) and isinstance(groq.get("id"), str):
        completion.upstream_request_id = groq["id"]
        spell(completion, RESPONSE, GROQ_ID)


def _lowered(completion: Completion, gaps: Gaps) -> JsonObject:
    data: JsonObject = {"id": completion.id, "object": "chat.completion"}
    if completion.HasField("create_time"):
        created = completion.create_time
        data["created"] = created.seconds
    data["model"] = completion.model
    data["choices"] = [lower_output(output, gaps) for output in completion.outputs]
    data |= lower_frame(completion)
    return data


def lower_frame(completion: Completion) -> JsonObject:
    """The fields that stand beside the choices, but id, model and time."""
    data: JsonObject = {}
    if completion.HasField("usage"):
        merge(data, lower_usage(completion.usage))
        if not data["usage"] and OUTSIDE & data.keys():
            del data["usage"]
        if completion.usage.by_model:
            data["usage_breakdown"] = lower_models(completion.usage)
    for name in ("service_tier", "system_fingerprint"):
        if getattr(completion, name):
            data[name] = getattr(completion, name)
    if completion.service_tier == _STANDARD and completion.usage.raw.wire != WIRE:
        data["service_tier"] = "default"
    if completion.upstream_provider:
        data["provider"] = completion.upstream_provider
    data |= _lowered_search(completion)
    data |= filters.lower_prompt(completion) | filters.lower_moderation(completion)
    if spelled(completion, REQUEST_ID):
        data["request_id"] = completion.upstream_request_id
    elif spelled(completion, GROQ_ID):
        data["x_groq"] = {"id": completion.upstream_request_id}
    return data


def lower_output(output: Output, gaps: Gaps) -> JsonObject:
    """One of the choices."""
    return restore(output, WIRE, RESPONSE, _lowered_output(output, gaps))


def _lowered_output(output: Output, gaps: Gaps) -> JsonObject:
    data: JsonObject = {"index": output.index}
    objects = [
        item
        for number, message in enumerate(output.messages)
        for item in lower_messages(message, RESPONSE, Quirks(), f"completion.outputs.messages[{number}]", gaps)
    ]
    if objects:
        data["message"] = objects[0] if len(objects) == 1 else _joined(output)
    data |= lower_choice(output)
    logprobs = lower_logprobs(output)
    if logprobs is not None:
        data["logprobs"] = logprobs
    if spelled(output, DELTA):
        data["delta"] = dict(_EMPTY_DELTA)
    return data


def lower_choice(output: Output) -> JsonObject:
    """Everything about a choice but its message."""
    data: JsonObject = {"finish_reason": finish_word(output)}
    if output.HasField("upstream_finish_reason"):
        data["native_finish_reason"] = output.upstream_finish_reason
    if output.HasField("matched_stop"):
        data["stop_reason"] = output.matched_stop
    elif output.HasField("matched_stop_token_id"):
        data["stop_reason"] = output.matched_stop_token_id
    if output.HasField("seed"):
        data["seed"] = output.seed
    ratings = filters.lower_ratings(output.safety)
    if ratings:
        data["content_filter_results"] = ratings
    return data


def _joined(output: Output) -> JsonObject:
    """The one message that a client of this wire expects, from several that another provider wrote."""
    message = content_pb2.Message(role=content_pb2.ROLE_ASSISTANT)
    for said in output.messages:
        message.parts.extend(part for part in said.parts if part.WhichOneof("kind") != "tool_result")
    return lower_messages(message, RESPONSE, Quirks(), "choices.message", Gaps())[0]


def _lift_created(completion: Completion, created: Any) -> None:
    if isinstance(created, bool) or not isinstance(created, int | float) or not 0 <= created < 2**33:
        return
    completion.create_time.seconds = int(created)
    completion.create_time.nanos = round((created - int(created)) * 1e9)


def _lift_search(completion: Completion, data: JsonObject) -> None:
    found, addresses = data.get("search_results"), data.get(CITATIONS)
    if isinstance(found, list) and all(isinstance(item, dict) for item in found):
        completion.search_results.extend(map(lift_found, found))
    if not isinstance(addresses, list) or not addresses or not all(isinstance(item, str) for item in addresses):
        return
    if addresses == [result.source for result in completion.search_results]:
        spell(completion, RESPONSE, CITATIONS)
    elif not found:
        completion.search_results.extend(content_pb2.SearchResult(source=address) for address in addresses)
        spell(completion, RESPONSE, CITATIONS_ONLY)


def _lowered_search(completion: Completion) -> JsonObject:
    if not completion.search_results:
        return {}
    addresses = [result.source for result in completion.search_results]
    if spelled(completion, CITATIONS_ONLY):
        return {CITATIONS: addresses}
    found = {"search_results": [lower_found(result) for result in completion.search_results]}
    return {CITATIONS: addresses, **found} if spelled(completion, CITATIONS) else found


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
