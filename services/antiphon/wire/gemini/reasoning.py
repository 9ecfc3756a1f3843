"""How much the model reasons: older models take a number of tokens, newer ones a level."""

from __future__ import annotations

from antiphon.v1 import chat_pb2
from antiphon.wire.fields import Fields, Place, whole_text
from antiphon.wire.gemini.writer import REQUEST, Writer
from antiphon.wire.jsontext import JsonObject

_DYNAMIC = -1
"""A budget that leaves it to the model."""
_LEVEL, _LOWER_CASE = "level", "lower_case_level"
_BUDGET = Fields(chat_pb2.Reasoning, thinkingBudget="budget_tokens")
_SHOWN = ("auto", "concise", "detailed", "summarized", "parsed", "raw")
_HIDDEN = ("omitted", "hidden")
_LEVELS = {"xhigh": "high", "max": "high"}
_PLACE = Place(REQUEST, "generationConfig.thinkingConfig")


def lift_thinking(thinking: JsonObject, spec: chat_pb2.ChatSpec) -> None:
    """Set how `spec` reasons from `thinkingConfig`."""
    reasoning, writer = spec.reasoning, Writer()
    shown, level, budget = (thinking.get(key) for key in ("includeThoughts", "thinkingLevel", "thinkingBudget"))
    if isinstance(shown, bool):
        reasoning.exclude = not shown
    if isinstance(level, str):
        reasoning.effort = whole_text(level.lower())
        writer.spell(spec, _LOWER_CASE if level.islower() else _LEVEL)
    if budget == _DYNAMIC:
        reasoning.adaptive = True
    elif budget == 0 and type(budget) is int:
        reasoning.enabled = False
    else:
        _BUDGET.lift(thinking, reasoning, _PLACE)


def lower_thinking(spec: chat_pb2.ChatSpec, writer: Writer) -> JsonObject:
    """`thinkingConfig`; nothing where it says nothing."""
    reasoning = spec.reasoning
    thinking: JsonObject = {}
    if not spec.HasField("reasoning"):
        return thinking
    if reasoning.HasField("exclude") or reasoning.display in (*_SHOWN, *_HIDDEN):
        thinking["includeThoughts"] = not (reasoning.exclude or reasoning.display in _HIDDEN)
    elif reasoning.display:
        writer.unsupported(
            "spec.reasoning.display", f"'{reasoning.display}' is unknown to Gemini; give auto or omitted"
        )
    _lower_amount(spec, thinking, writer)
    return thinking


def _lower_amount(spec: chat_pb2.ChatSpec, thinking: JsonObject, writer: Writer) -> None:
    reasoning = spec.reasoning
    effort = _LEVELS.get(reasoning.effort, reasoning.effort)
    if reasoning.effort == "none" or (reasoning.HasField("enabled") and not reasoning.enabled):
        thinking["thinkingBudget"] = 0
    elif reasoning.HasField("budget_tokens"):
        thinking["thinkingBudget"] = reasoning.budget_tokens
    elif (reasoning.adaptive or reasoning.enabled) and not effort:
        thinking["thinkingBudget"] = _DYNAMIC
    budget = writer.quirks.effort_budgets.get(effort) if writer.quirks.takes_budget(writer.model) else None
    if writer.spelled(spec, _LOWER_CASE):
        thinking["thinkingLevel"] = reasoning.effort
    elif writer.spelled(spec, _LEVEL):
        thinking["thinkingLevel"] = reasoning.effort.upper()
    elif effort and "thinkingBudget" not in thinking:  # Google refuses the two together
        thinking |= {"thinkingLevel": effort.upper()} if budget is None else {"thinkingBudget": budget}
