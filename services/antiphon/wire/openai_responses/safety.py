"""What filters and moderation models say of prompt and answer: Azure's `content_filters`, OpenAI's `moderation`."""

from __future__ import annotations

from collections.abc import Iterable

from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.fields import RESPONSE, Fields, Place, object_at, objects, whole_text
from antiphon.wire.jsontext import JsonObject

Completion = chat_pb2.Completion

_OFFSETS = Fields(
    chat_pb2.SafetyRating, start_offset="start_offset", end_offset="end_offset", check_offset="check_offset"
)
_RATING = Fields(chat_pb2.SafetyRating, filtered="blocked", detected="detected", severity="severity")
_LENIENT = Place(RESPONSE)
_PROMPT, _ANSWER = "prompt", "completion"
_RESULT = Fields(chat_pb2.Moderation, model="model", flagged="flagged")
_KIND = "moderation_result"
_INPUTS = {"text": content_pb2.MODALITY_TEXT, "image": content_pb2.MODALITY_IMAGE}
_INPUT_WORDS = {modality: word for word, modality in _INPUTS.items()}
_WHOLE = ""
"""Category of the rating that tells of a check as a whole: what was looked at, and whether it was stopped."""


def lift_filters(body: JsonObject, completion: Completion) -> None:
    """Read `content_filters`."""
    for check in objects(body.get("content_filters")):
        ratings = completion.prompt_safety if check.get("source_type") == _PROMPT else completion.outputs[0].safety
        whole = ratings.add()
        if isinstance(check.get("blocked"), bool):
            whole.blocked = check["blocked"]
        _OFFSETS.lift(object_at(check, "content_filter_offsets"), whole, _LENIENT)
        for category, found in object_at(check, "content_filter_results").items():
            if isinstance(found, dict):
                _RATING.lift(found, ratings.add(category=whole_text(category)), _LENIENT)


def lower_filters(completion: Completion) -> list[JsonObject]:
    """`content_filters`."""
    answer = completion.outputs[0].safety if completion.outputs else ()
    return [*_checks(completion.prompt_safety, _PROMPT), *_checks(answer, _ANSWER)]


def lift_moderation(body: JsonObject, completion: Completion) -> None:
    """Read `moderation`."""
    block = object_at(body, "moderation")
    for side, results in (("input", completion.prompt_moderation), ("output", completion.output_moderation)):
        read = object_at(block, side)
        if read.get("type") == _KIND:
            _lift_result(read, results.add())


def lower_moderation(completion: Completion) -> JsonObject:
    """`moderation`; empty where no model looked."""
    sides = (("input", completion.prompt_moderation), ("output", completion.output_moderation))
    return {side: _lowered_result(results[0]) for side, results in sides if results}


def _lift_result(read: JsonObject, result: chat_pb2.Moderation) -> None:
    _RESULT.lift(read, result, _LENIENT)
    scores, inputs = object_at(read, "category_scores"), object_at(read, "category_applied_input_types")
    for category, detected in object_at(read, "categories").items():
        rating = result.ratings.add(category=whole_text(category))
        if isinstance(detected, bool):
            rating.detected = detected
        if isinstance(scores.get(category), int | float):
            rating.score = scores[category]
        words = inputs.get(category)
        known = [word for word in words if isinstance(word, str)] if isinstance(words, list) else []
        rating.input_types.extend(_INPUTS[word] for word in known if word in _INPUTS)


def _lowered_result(result: chat_pb2.Moderation) -> JsonObject:
    lowered = _RESULT.lower(result, {"type": _KIND, "flagged": result.flagged})
    ratings = result.ratings
    lowered["categories"] = {rating.category: rating.detected for rating in ratings}
    lowered["category_scores"] = {rating.category: rating.score for rating in ratings}
    lowered["category_applied_input_types"] = {
        rating.category: [_INPUT_WORDS[kind] for kind in rating.input_types if kind in _INPUT_WORDS]
        for rating in ratings
    }
    return lowered


def _checks(ratings: Iterable[chat_pb2.SafetyRating], source: str) -> list[JsonObject]:
    checks: list[JsonObject] = []
    for rating in ratings:
        if rating.category == _WHOLE or not checks:
            checks.append(
                {
                    "blocked": rating.blocked,
                    "source_type": source,
                    "content_filter_raw": [],
                    "content_filter_results": {},
                    "content_filter_offsets": _OFFSETS.lower(rating, {}),
                }
            )
        if rating.category != _WHOLE:
            checks[-1]["content_filter_results"][rating.category] = _RATING.lower(rating, {})
            checks[-1]["blocked"] = checks[-1]["blocked"] or rating.blocked
    return checks
