"""What a request says of itself that faults, mocks and filters need: its model, and whether it wants a stream."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urlsplit

from antiphon.harness import jsonbody
from antiphon.harness.interaction import RecordedRequest


def model_of(asked: RecordedRequest) -> str:
    """The model that a request names in its body, or in its path; empty where it names none."""
    named = _json(asked).get("model")
    if isinstance(named, str):
        return named
    found = _MODEL_IN_PATH.search(urlsplit(asked.url).path)
    return unquote(found[1]) if found is not None else ""


def wants_stream(asked: RecordedRequest) -> bool:
    """Whether the answer is to be a stream."""
    path = urlsplit(asked.url).path
    if _STREAM_PATH.search(path):
        return True
    return _json(asked).get("stream", bool(_STREAM_UNLESS.search(path))) is True


def streams_as_array(asked: RecordedRequest) -> bool:
    """Whether that stream would be one JSON array, and an error an array too."""
    parts = urlsplit(asked.url)
    return parts.path.endswith(":streamGenerateContent") and "alt=sse" not in parts.query


def _json(asked: RecordedRequest) -> dict[str, object]:
    try:
        value = jsonbody.parse(asked.body)
    except jsonbody.NotJsonError:
        return {}
    return value if isinstance(value, dict) else {}


_MODEL_IN_PATH: Final = re.compile(r"/(?:models|tunedModels|endpoints|deployments|model)/([^/]+?)(?::\w+)?(?:/|$)")
_STREAM_PATH: Final = re.compile(r":streamGenerateContent$|/(converse-stream|invoke-with-response-stream)$")
_STREAM_UNLESS: Final = re.compile(r"/api/(chat|generate)$")
"""Paths of servers that stream unless they are told not to."""
