"""What a guardrail found, as ratings that any client reads. The trace itself is far richer, and stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from antiphon.v1 import chat_pb2
from antiphon.wire.fields import object_at, objects, whole_text
from antiphon.wire.jsontext import Json, JsonObject

_NAMES = ("type", "name", "match")
_PROBABILITY = "confidence"
_BLOCKED = "BLOCKED"


def lift_ratings(guardrail: JsonObject, completion: chat_pb2.Completion) -> None:
    """Set the ratings of prompt and answer."""
    for assessment in object_at(guardrail, "inputAssessment").values():
        _lift(assessment, completion.prompt_safety)
    for assessments in object_at(guardrail, "outputAssessments").values():
        for assessment in objects(assessments):
            _lift(assessment, completion.outputs[0].safety)


def _lift(assessment: Json, target: Any) -> None:
    for finding in _findings(assessment):
        name = next((finding[key] for key in _NAMES if isinstance(finding.get(key), str)), "")
        rating = target.add(category=whole_text(name), blocked=finding["action"] == _BLOCKED)
        if isinstance(finding.get(_PROBABILITY), str):
            rating.probability = whole_text(finding[_PROBABILITY])
        if isinstance(finding.get("detected"), bool):
            rating.detected = finding["detected"]
        if isinstance(finding.get("score"), int | float):
            rating.score = finding["score"]


def _findings(value: Json) -> Iterator[JsonObject]:
    """The objects with an `action`, however deep."""
    if isinstance(value, dict):
        if isinstance(value.get("action"), str):
            yield value
        for inner in value.values():
            yield from _findings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _findings(inner)
