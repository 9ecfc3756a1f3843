"""What filters and moderation models say, in both directions: Azure's ratings and OpenAI's moderation block."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.jsontext import JsonObject, objects, word
from antiphon.wire.remainder import says_nothing

SafetyRating = chat_pb2.SafetyRating
_INPUTS = {"text": content_pb2.MODALITY_TEXT, "image": content_pb2.MODALITY_IMAGE}
_INPUT_WORDS = {modality: word for word, modality in _INPUTS.items()}


def lift_ratings(ratings: Any, results: Any) -> None:
    """Read `content_filter_results`; `ratings` is a repeated field of SafetyRating."""
    if not isinstance(results, dict):
        return
    for category, found in results.items():
        if not isinstance(found, dict) or says_nothing(found):
            continue
        rating = ratings.add(category=category)
        if isinstance(found.get("filtered"), bool):
            rating.blocked = found["filtered"]
        if isinstance(found.get("detected"), bool):
            rating.detected = found["detected"]
        if isinstance(found.get("severity"), str):
            rating.severity = found["severity"]


def lower_ratings(ratings: Iterable[SafetyRating]) -> JsonObject:
    """`content_filter_results`."""
    return {rating.category: _lowered_rating(rating) for rating in ratings}


def lift_prompt(completion: chat_pb2.Completion, results: Any) -> None:
    """Read `prompt_filter_results` of the one prompt that chat has."""
    if isinstance(results, list) and len(results) == 1 and isinstance(results[0], dict):
        lift_ratings(completion.prompt_safety, results[0].get("content_filter_results"))


def lower_prompt(completion: chat_pb2.Completion) -> JsonObject:
    """`prompt_filter_results`."""
    if not completion.prompt_safety:
        return {}
    results = lower_ratings(completion.prompt_safety)
    return {"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": results}]}


def lift_moderation(completion: chat_pb2.Completion, block: Any) -> None:
    """Read `moderation`, what a moderation model says of prompt and answers."""
    if not isinstance(block, dict):
        return
    for name, field in (("input", completion.prompt_moderation), ("output", completion.output_moderation)):
        side = block.get(name)
        for result in objects(side.get("results")) if isinstance(side, dict) else ():
            _lift_result(field.add(), result)


def lower_moderation(completion: chat_pb2.Completion) -> JsonObject:
    """`moderation`."""
    block: JsonObject = {}
    for name, results in (("input", completion.prompt_moderation), ("output", completion.output_moderation)):
        if results:
            found = [_lowered_result(result) for result in results]
            block[name] = {"type": "moderation_results", "model": results[0].model, "results": found}
    return {"moderation": block} if block else {}


def _lift_result(result: chat_pb2.Moderation, data: JsonObject) -> None:
    result.model = word(data.get("model"))
    if isinstance(data.get("flagged"), bool):
        result.flagged = data["flagged"]
    scores, inputs = data.get("category_scores"), data.get("category_applied_input_types")
    categories = data.get("categories")
    for category, detected in categories.items() if isinstance(categories, dict) else ():
        rating = result.ratings.add(category=category)
        if isinstance(detected, bool):
            rating.detected = detected
        if isinstance(scores, dict) and isinstance(scores.get(category), int | float):
            rating.score = scores[category]
        if isinstance(inputs, dict) and isinstance(inputs.get(category), list):
            rating.input_types.extend(_INPUTS[kind] for kind in map(word, inputs[category]) if kind in _INPUTS)


def _lowered_result(result: chat_pb2.Moderation) -> JsonObject:
    data: JsonObject = {"type": "moderation_result", "model": result.model}
    if result.HasField("flagged"):
        data["flagged"] = result.flagged
    data["categories"] = {rating.category: rating.detected for rating in result.ratings if rating.HasField("detected")}
    data["category_scores"] = {rating.category: rating.score for rating in result.ratings if rating.HasField("score")}
    data["category_applied_input_types"] = {
        rating.category: [_INPUT_WORDS.get(kind, "text") for kind in rating.input_types] for rating in result.ratings
    }
    return data


def _lowered_rating(rating: SafetyRating) -> JsonObject:
    data: JsonObject = {}
    if rating.HasField("blocked"):
        data["filtered"] = rating.blocked
    if rating.HasField("detected"):
        data["detected"] = rating.detected
    if rating.severity:
        data["severity"] = rating.severity
    return data
