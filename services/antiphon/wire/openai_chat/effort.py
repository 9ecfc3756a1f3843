"""How much and how the model reasons, as the request fields of several providers say it."""

from __future__ import annotations

from typing import Any

from antiphon.v1 import chat_pb2
from antiphon.wire.jsontext import JsonObject, word
from antiphon.wire.openai_chat.gaps import Gaps
from antiphon.wire.openai_chat.quirks import Quirks, ReasoningStyle
from antiphon.wire.openai_chat.spelling import REQUEST, spell, spellings

Reasoning = chat_pb2.Reasoning
FORMAT = "reasoning_format"
"""Groq: parsed, raw or hidden."""
INCLUDE = "include_reasoning"
"""Groq, OpenRouter: the opposite of `exclude`."""
DISABLE = "disable_reasoning"
"""Cerebras: the opposite of `enabled`."""

_SAYS: dict[str, frozenset[str]] = {
    ReasoningStyle.EFFORT: frozenset({"effort"}),
    ReasoningStyle.OBJECT: frozenset({"effort", "budget_tokens", "exclude", "enabled"}),
    ReasoningStyle.THINKING: frozenset({"enabled", "adaptive", "budget_tokens"}),
    ReasoningStyle.ENABLE_THINKING: frozenset({"enabled", "budget_tokens"}),
    FORMAT: frozenset({"display"}),
    INCLUDE: frozenset({"exclude"}),
    DISABLE: frozenset({"enabled"}),
}
"""The fields of Reasoning that each way of writing can say."""
_TYPES = {"enabled": ("enabled", True), "disabled": ("enabled", False), "adaptive": ("adaptive", True)}
_OBJECT = {"max_tokens": ("budget_tokens", int), "exclude": ("exclude", bool), "enabled": ("enabled", bool)}


def lift_reasoning(spec: chat_pb2.ChatSpec, data: JsonObject) -> None:
    """Read every way in which a request says how the model reasons."""
    reasoning = Reasoning()
    said: list[str] = []
    effort = data.get("reasoning_effort")
    if isinstance(effort, str) and effort:
        reasoning.effort = effort
        said.append(ReasoningStyle.EFFORT)
    if isinstance(data.get("reasoning"), dict):
        _lift_object(reasoning, data["reasoning"])
        said.append(ReasoningStyle.OBJECT)
    thinking = data.get("thinking")
    if isinstance(thinking, dict) and word(thinking.get("type")) in _TYPES:
        name, value = _TYPES[thinking["type"]]
        setattr(reasoning, name, value)
        if _is(thinking.get("budget_tokens"), int):
            reasoning.budget_tokens = thinking["budget_tokens"]
        said.append(ReasoningStyle.THINKING)
    if isinstance(data.get("enable_thinking"), bool):
        reasoning.enabled = data["enable_thinking"]
        said.append(ReasoningStyle.ENABLE_THINKING)
        if _is(data.get("thinking_budget"), int):
            reasoning.budget_tokens = data["thinking_budget"]
    if isinstance(data.get(FORMAT), str) and data[FORMAT]:
        reasoning.display = data[FORMAT]
        said.append(FORMAT)
    for name, field in ((INCLUDE, "exclude"), (DISABLE, "enabled")):
        if isinstance(data.get(name), bool):
            setattr(reasoning, field, not data[name])
            said.append(name)
    if not said:
        return
    spec.reasoning.CopyFrom(reasoning)
    for style in said:
        spell(spec, REQUEST, str(style))


def lower_reasoning(spec: chat_pb2.ChatSpec, quirks: Quirks, gaps: Gaps) -> JsonObject:
    """The request fields that say how the model reasons."""
    if not spec.HasField("reasoning"):
        return {}
    reasoning = spec.reasoning
    styles = _styles(spec, quirks)
    data: JsonObject = {}
    for style in styles:
        data |= _lowered(style, reasoning)
    if ReasoningStyle.EFFORT in styles and "enabled" not in _said(styles) and not reasoning.effort:
        # Without a word for on and off, "none" is off; on is what a reasoning model does anyway.
        if reasoning.HasField("enabled") and not reasoning.enabled:
            data["reasoning_effort"] = "none"
    elif reasoning.HasField("enabled") and "enabled" not in _said(styles) and not reasoning.enabled:
        gaps.lacks("spec.reasoning.enabled", "this provider takes an effort, not a switch; say effort `none`")
    if reasoning.include_encrypted:
        gaps.drops("spec.reasoning.include_encrypted", "this format has no word for it; the answer is the same without")
    for name in ("effort", "budget_tokens", "display", "adaptive", "exclude"):
        value = getattr(reasoning, name)
        if name not in _said(styles) and value and not (name == "exclude" and not value):
            gaps.lacks(f"spec.reasoning.{name}", "this provider's format has no field for it")
    for name in [name for name in data if name in quirks.refuses]:
        del data[name]
        for field, value in reasoning.ListFields():
            alone = chat_pb2.Reasoning(**{field.name: value})
            if any(name in _lowered(style, alone) for style in styles):
                gaps.lacks(f"spec.reasoning.{field.name}", f"this provider does not take {name}")
    return data


def _styles(spec: chat_pb2.ChatSpec, quirks: Quirks) -> list[str]:
    if quirks.reasoning_style is None:
        return spellings(spec, map(str, _SAYS)) or [ReasoningStyle.EFFORT]
    extra = [ReasoningStyle.EFFORT] if quirks.reasoning_style is ReasoningStyle.THINKING else []
    return [quirks.reasoning_style, *extra, *spellings(spec, (FORMAT, INCLUDE, DISABLE))]


def _said(styles: list[str]) -> frozenset[str]:
    return frozenset().union(*(_SAYS[style] for style in styles))


def _lowered(style: str, reasoning: Reasoning) -> JsonObject:
    enabled = reasoning.enabled if reasoning.HasField("enabled") else None
    budget = reasoning.budget_tokens if reasoning.HasField("budget_tokens") else None
    data: JsonObject = {}
    if style == ReasoningStyle.EFFORT and reasoning.effort:
        data = {"reasoning_effort": reasoning.effort}
    elif style == ReasoningStyle.OBJECT:
        data = {"reasoning": _lowered_object(reasoning)}
    elif style == ReasoningStyle.THINKING and (enabled is not None or reasoning.adaptive or budget is not None):
        kind = "adaptive" if reasoning.adaptive else "disabled" if enabled is False else "enabled"
        data = {"thinking": {"type": kind, **({} if budget is None else {"budget_tokens": budget})}}
    elif style == ReasoningStyle.ENABLE_THINKING:
        data = {} if enabled is None else {"enable_thinking": enabled}
        if budget is not None:
            data["thinking_budget"] = budget
    elif style == FORMAT and reasoning.display:
        data = {FORMAT: reasoning.display}
    elif style == INCLUDE and reasoning.HasField("exclude"):
        data = {INCLUDE: not reasoning.exclude}
    elif style == DISABLE and enabled is not None:
        data = {DISABLE: not enabled}
    return data


def _lift_object(reasoning: Reasoning, data: JsonObject) -> None:
    if isinstance(data.get("effort"), str):
        reasoning.effort = data["effort"]
    for name, (field, kind) in _OBJECT.items():
        if _is(data.get(name), kind):
            setattr(reasoning, field, data[name])


def _lowered_object(reasoning: Reasoning) -> JsonObject:
    data: JsonObject = {"effort": reasoning.effort} if reasoning.effort else {}
    for name, (field, _) in _OBJECT.items():
        if reasoning.HasField(field):  # type: ignore[arg-type]
            data[name] = getattr(reasoning, field)
    return data


def _is(value: Any, kind: object) -> bool:
    return type(value) is kind and not (kind is int and abs(value) >= 2**31)
