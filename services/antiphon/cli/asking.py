"""Scenarios in the contract's words: what a step of a scenario file asks a provider's model.

The file writes fields by the contract's names, with a few shorter ways for what would be tiring to read; each is
undone here, so that nothing that the contract can say is out of a scenario's reach.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.json_format import ParseDict, ParseError

from antiphon.cli.render import calls_of
from antiphon.harness.scenarios import ScenarioError, Step
from antiphon.v1 import chat_pb2, content_pb2, embeddings_pb2

_ROLES: Final[Mapping[str, str]] = {
    "system": "ROLE_SYSTEM",
    "developer": "ROLE_DEVELOPER",
    "user": "ROLE_USER",
    "assistant": "ROLE_ASSISTANT",
}
_JSON_TEXT: Final = "_json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A question that was answered, for the step that goes on with it."""

    spec: chat_pb2.ChatSpec
    completion: chat_pb2.Completion


def chat_spec(step: Step, model: str, before: Turn | None) -> chat_pb2.ChatSpec:
    """What a step asks. Raises ScenarioError where it is no ChatSpec, or has nothing to go on with."""
    spec = chat_pb2.ChatSpec()
    given = _plain(step.ask)
    if step.then is not None:
        if before is None:
            raise ScenarioError("`then` goes on with an answer, and the step before gave none")
        spec.CopyFrom(before.spec)
        if before.completion.outputs:
            spec.messages.extend(before.completion.outputs[0].messages)
        _go_on(spec, step.then, before)
    merged = chat_pb2.ChatSpec()
    _parsed({**given, "messages": [_message(each) for each in given.get("messages", ())]}, merged)
    spec.MergeFrom(merged)
    spec.model = model
    return spec


def embed_request(step: Step, model: str) -> embeddings_pb2.EmbedRequest:
    """What a step embeds. Raises ScenarioError where it is no EmbedRequest."""
    request = embeddings_pb2.EmbedRequest()
    _parsed(_plain(step.ask), request)
    request.model = model
    return request


def _go_on(spec: chat_pb2.ChatSpec, then: Mapping[str, Any], before: Turn) -> None:
    results = then.get("tool_results") or {}
    calls = calls_of(before.completion)
    if results and not calls:
        raise ScenarioError("the model called no tool, so there is nothing to give results for")
    if calls:
        message = spec.messages.add(role=content_pb2.ROLE_TOOL)
        for call in calls:
            text = str(results.get(call.name, "unknown tool"))
            result = content_pb2.ToolResult(call_id=call.call_id, name=call.name)
            result.content.add(text=content_pb2.TextPart(text=text))
            message.parts.add(tool_result=result)
    if "user" in then:
        ParseDict(_message({"user": then["user"]}), spec.messages.add())


def _message(given: Any) -> dict[str, Any]:
    """A message of the contract: `{user: ...}` and the like are undone, anything else stands as it is."""
    if not isinstance(given, dict):
        raise ScenarioError(f"a message must be a mapping such as {{user: text}}, not {given!r}")
    role = next(iter(given), "")
    if len(given) == 1 and role in _ROLES:
        content = given[role]
        parts = content if isinstance(content, list) else [content]
        return {"role": _ROLES[role], "parts": [_part(part) for part in parts]}
    return given


def _part(given: Any) -> Any:
    return given if isinstance(given, dict) else {"text": {"text": str(given)}}


def _plain(value: Any) -> Any:
    """The value with what stands under `*_json` as JSON text, unless it is text already."""
    if isinstance(value, Mapping):
        return {
            str(key): json.dumps(item, ensure_ascii=False)
            if str(key).endswith(_JSON_TEXT) and not isinstance(item, str)
            else _plain(item)
            for key, item in value.items()
        }
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _parsed(given: dict[str, Any], message: Any) -> None:
    try:
        ParseDict(given, message)
    except ParseError as error:
        raise ScenarioError(f"it is no {type(message).__name__}: {error}") from error
