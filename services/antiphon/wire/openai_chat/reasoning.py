"""Reasoning in messages: a text under one of two names, or `reasoning_details` with signatures and ciphers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from antiphon.v1 import content_pb2
from antiphon.wire.jsontext import JsonObject, word
from antiphon.wire.openai_chat.quirks import WIRE
from antiphon.wire.openai_chat.spelling import spell, spellings
from antiphon.wire.remainder import keep, restore

Part = content_pb2.Part
DETAILS = "reasoning_details"
CONTENT = "reasoning_content"
"""DeepSeek, Z.ai, Qwen, xAI, vLLM, LM Studio."""
PLAIN = "reasoning"
"""OpenRouter, Groq, Cerebras, Ollama, Together."""
TEXT_FIELDS = (CONTENT, PLAIN)
FIELDS = (DETAILS, *TEXT_FIELDS)

GROWS = {
    "reasoning.text": ("text", "text"),
    "reasoning.summary": ("summary", "text"),
    "reasoning.encrypted": ("data", "encrypted"),
}
"""By kind of detail: its field, and the field of PartDelta that says the same."""
_TEXTS = {kind: field for kind, (field, _) in GROWS.items()}


def lift_reasoning(message: content_pb2.Message, data: JsonObject, direction: str) -> None:
    """Append the reasoning parts of a message."""
    parts = lift_details(data.get(DETAILS), direction)
    if parts:
        spell(message, direction, DETAILS)
    else:
        text = next((data[name] for name in TEXT_FIELDS if isinstance(data.get(name), str) and data[name]), "")
        parts = [Part(reasoning=content_pb2.ReasoningPart(text=text))] if text else []
    whole = "".join(part.reasoning.text for part in parts)
    for name in TEXT_FIELDS:
        if whole and data.get(name) == whole:
            spell(message, direction, name)
    message.parts.extend(parts)


def lower_reasoning(
    message: content_pb2.Message, parts: Sequence[Part], direction: str, field: str | None
) -> JsonObject:
    """The fields that say `parts`. `field` is the provider's only one, or None for as it was read."""
    if not parts:
        return {}
    names = [field] if field else spellings(message, FIELDS) or _default(parts)
    whole = "".join(part.reasoning.text for part in parts)
    data: JsonObject = {name: whole for name in TEXT_FIELDS if name in names and whole}
    if DETAILS in names:
        single = [one for part in parts for one in _single(part)]
        data[DETAILS] = [lower_detail(part, index, direction) for index, part in enumerate(single)]
    return data


def _single(part: Part) -> list[Part]:
    """A part as the details that say it: text and cipher are two."""
    if not part.reasoning.text or not part.reasoning.encrypted:
        return [part]
    text, cipher = Part(), Part()
    text.CopyFrom(part)
    text.reasoning.ClearField("encrypted")
    cipher.id = part.id
    cipher.reasoning.encrypted, cipher.reasoning.format = part.reasoning.encrypted, part.reasoning.format
    return [text, cipher]


def lift_details(details: Any, direction: str) -> list[Part]:
    """The parts of `reasoning_details`; empty where one of them is of an unknown kind."""
    if not isinstance(details, list) or not all(map(known_detail, details)):
        return []
    return [lift_detail(detail, index, direction) for index, detail in enumerate(details)]


def lift_detail(detail: JsonObject, index: int, direction: str) -> Part:
    """One element of `reasoning_details`, of a known kind."""
    kind = detail["type"]
    text = detail.get(_TEXTS[kind])
    part = Part()
    part.reasoning.text = ""
    if kind == "reasoning.encrypted":
        part.reasoning.encrypted = text.encode() if isinstance(text, str) else b""
    else:
        part.reasoning.text = text if isinstance(text, str) else ""
        part.reasoning.summary = kind == "reasoning.summary"
    if isinstance(detail.get("format"), str):
        part.reasoning.format = detail["format"]
    if isinstance(detail.get("id"), str):
        part.id = detail["id"]
    if isinstance(detail.get("signature"), str):
        part.signature = detail["signature"].encode()
    keep(part, WIRE, direction, _lowered(part, index), detail)
    return part


def lower_detail(part: Part, index: int, direction: str) -> JsonObject:
    """One element of `reasoning_details`."""
    return restore(part, WIRE, direction, _lowered(part, index))


def known_detail(detail: Any) -> bool:
    """Whether an element of `reasoning_details` is of a known kind."""
    return isinstance(detail, dict) and word(detail.get("type")) in _TEXTS


def _default(parts: Sequence[Part]) -> list[str]:
    """Without a spelling: the name that most clients read, and the details where a text cannot say it all."""
    details = len(parts) > 1 or any(
        part.id or part.signature or part.reasoning.encrypted or part.reasoning.summary or part.reasoning.format
        for part in parts
    )
    texts = [CONTENT] if any(part.reasoning.text for part in parts) else []
    return [*texts, DETAILS] if details else [CONTENT]


def _lowered(part: Part, index: int) -> JsonObject:
    reasoning = part.reasoning
    if reasoning.encrypted:
        data: JsonObject = {"type": "reasoning.encrypted", "data": reasoning.encrypted.decode("utf-8", "replace")}
    elif reasoning.summary:
        data = {"type": "reasoning.summary", "summary": reasoning.text}
    else:
        data = {"type": "reasoning.text", "text": reasoning.text}
    if part.signature:
        data["signature"] = part.signature.decode("utf-8", "replace")
    if part.id:
        data["id"] = part.id
    if reasoning.format:
        data["format"] = reasoning.format
    data["index"] = index
    return data
