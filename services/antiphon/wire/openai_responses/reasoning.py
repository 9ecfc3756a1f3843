"""Reasoning items: one item holds summaries, reasoning in the clear and a cipher; the contract has a part a text.

The parts of one item stand side by side and share its identifier; the last of them carries the cipher, the status and
the remainder of the item.
"""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.v1 import content_pb2
from antiphon.wire.fields import REQUEST, RESPONSE, Place, objects, whole_text, word
from antiphon.wire.jsontext import JsonObject
from antiphon.wire.openai_responses.quirks import WIRE
from antiphon.wire.openai_responses.spelling import spell
from antiphon.wire.openai_responses.status import lower_status, status_of
from antiphon.wire.openai_responses.writer import Writer, lift_name

Part = content_pb2.Part

SUMMARY, CONTENT = "summary", "content"
TYPES = {SUMMARY: "summary_text", CONTENT: "reasoning_text"}
_OWN_FORMATS = ("openai", "xai")
"""How other wires name the origin of ciphers that this one takes."""
_OWN = "own"
"""A provider of this wire wrote the reasoning, though neither identifier nor cipher tell."""
END = "end"
"""The item ended here, though the next one has the same identifier and this one no cipher."""


def lift_reasoning(item: JsonObject, place: Place) -> list[Part]:
    """The parts of one item."""
    parts = [
        text_part(whole_text(entry["text"]), key, item)
        for key in (SUMMARY, CONTENT)
        for entry in objects(item.get(key))
        if isinstance(entry.get("text"), str)
    ]
    if not parts:
        parts.append(text_part("", "", item))
    finish(parts, item, place)
    return parts


def text_part(text: str, key: str, item: JsonObject) -> Part:
    """The part of one text of an item, without what the last part of an item carries."""
    part = Part()
    part.reasoning.text = text
    part.reasoning.summary = key == SUMMARY
    part.id = lift_name(item, Part(), RESPONSE)
    return part


def finish(parts: Sequence[Part], item: JsonObject, place: Place) -> None:
    """Put into the last part what is known of the whole item."""
    last = parts[-1]
    if isinstance(item.get("encrypted_content"), str):
        last.reasoning.encrypted = whole_text(item["encrypted_content"]).encode()
    lift_name(item, last, place.direction)
    last.status = status_of(item.get("status"))
    if not last.id and not last.reasoning.encrypted:
        spell(last, _OWN, place.direction)
    writer = Writer(direction=place.direction)
    writer.keep_item(last, lowered(parts, writer), item)


def groups(parts: Sequence[Part]) -> list[list[Part]]:
    """Reasoning parts that stand side by side, item by item."""
    found: list[list[Part]] = []
    for part in parts:
        if found and continues(found[-1][-1], part):
            found[-1].append(part)
        else:
            found.append([part])
    return found


def continues(before: Part, part: Part) -> bool:
    """Whether a reasoning part belongs to the item of the one before it."""
    return (
        before.HasField("reasoning")
        and part.HasField("reasoning")
        and before.id == part.id
        and bool(part.id or not (before.signature or part.signature))
        and not before.reasoning.encrypted
        and not (before.HasField("form") and END in before.form.spellings)
        and not before.reasoning.redacted
    )


def lower_reasoning(parts: Sequence[Part], writer: Writer, path: str) -> JsonObject | None:
    """The item of some parts; None, and noted, where the provider would not take it."""
    if writer.direction == REQUEST and not _is_own(parts, writer):
        text = "reasoning that this provider did not write was left out"
        writer.warn("REASONING_OMITTED", path, text)
        return None
    item = lowered(parts, writer)
    return writer.restore(parts[-1], item)


def lowered(parts: Sequence[Part], writer: Writer) -> JsonObject:
    """The item without its remainder."""
    last = parts[-1]
    name = writer.name(last, last.id, "rs")
    item: JsonObject = {"type": "reasoning", **({"id": name} if name else {}), SUMMARY: []}
    for part in parts:
        key = SUMMARY if part.reasoning.summary else CONTENT
        if part.reasoning.text or len(parts) > 1:
            item.setdefault(key, []).append({"type": TYPES[key], "text": part.reasoning.text})
    if last.reasoning.encrypted:
        item["encrypted_content"] = word(last.reasoning.encrypted)
    lower_status(last.status, item)
    return item


def _is_own(parts: Sequence[Part], writer: Writer) -> bool:
    """Whether a provider of this wire wrote the reasoning. Others' is refused: it is neither stored under its
    identifier nor can its cipher be read."""
    last = parts[-1]
    if last.HasField("form") and last.form.wire.startswith(WIRE):
        return True
    if any(part.reasoning.redacted or part.signature for part in parts):
        return False
    known = not last.reasoning.format or last.reasoning.format.startswith(_OWN_FORMATS)
    return known and bool(last.id or last.reasoning.encrypted or writer.quirks.takes_reasoning_text)
