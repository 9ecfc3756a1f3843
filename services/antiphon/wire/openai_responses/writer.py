"""What one encoding carries along: the direction, what was said of tool calls, and what the wire cannot say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from antiphon.core.errors import Reason, invalid
from antiphon.v1 import chat_pb2
from antiphon.wire.fields import REQUEST, RESPONSE, sorted_text, whole_text
from antiphon.wire.jsontext import JsonObject, leaves, loads, text_of
from antiphon.wire.openai_responses.quirks import DEFAULT, WIRE, Quirks
from antiphon.wire.openai_responses.spelling import spell, spelled
from antiphon.wire.remainder import keep, restore, says_nothing

MADE_UP = "_antiphon"
"""In identifiers that this codec gives to items that have none, for clients of this wire require one. They are not
read back: the provider has never heard of them."""
_NAMELESS = "no_id"


@dataclass(slots=True, kw_only=True)
class Writer:
    """Collects warnings while a document is written. `strict` turns what cannot be said into an error; a codec that
    lowers what it just read, to find the remainder, is not strict."""

    direction: str = REQUEST
    quirks: Quirks = DEFAULT
    strict: bool = False
    warnings: list[chat_pb2.Warning] = field(default_factory=list)
    calls: dict[str, str] = field(default_factory=dict)
    """The type of the item that made a call, by the call's identifier: its result has to answer in kind."""
    items: int = 0
    """How many items were written."""

    def unsupported(self, path: str, why: str) -> None:
        """Note, or raise as ServiceError UNSUPPORTED_PARAMETER, that the wire cannot say the field at `path`."""
        if self.strict:
            raise invalid(path, why, reason=Reason.UNSUPPORTED_PARAMETER)
        self.warn("UNSUPPORTED_PARAMETER", path, why)

    def warn(self, code: str, path: str, message: str) -> None:
        """Note something that the caller should know."""
        self.warnings.append(chat_pb2.Warning(code=code, field=path, message=message))

    def restore(self, carrier: Any, lowered: JsonObject) -> JsonObject:
        """`lowered` with the remainder of `carrier` put back."""
        if not carrier.provider_data and not carrier.HasField("form"):
            return lowered
        return restore(carrier, WIRE, self.direction, lowered, self.quirks.provider)

    def keep(self, carrier: Any, lowered: JsonObject, read: JsonObject) -> None:
        """Store in `carrier` what `lowered` lacks of `read`."""
        keep(carrier, WIRE, self.direction, lowered, read)
        if WIRE in carrier.provider_data:
            carrier.provider_data[WIRE] = sorted_text(loads(carrier.provider_data[WIRE]))

    def keep_item(self, carrier: Any, lowered: JsonObject, read: JsonObject) -> None:
        """As `keep`, for an item that an answer has and a later request replays: untyped values within lists would
        go to the spelling, which a request does not take from an answer, so the list is kept whole instead."""
        self.keep(carrier, lowered, read)
        if self.direction != RESPONSE or not carrier.HasField("form") or not carrier.form.patch_json:
            return
        steps = loads(carrier.form.patch_json)
        lists = {key for key in map(_list_of, steps) if isinstance(read.get(key), list)}
        if not lists:
            return
        extra = loads(carrier.provider_data[WIRE]) if WIRE in carrier.provider_data else {}
        extra |= {key: read[key] for key in lists}
        carrier.provider_data[WIRE] = sorted_text(extra)
        rest = [step for step in steps if step["path"].split("/")[1] not in lists]
        carrier.form.patch_json = text_of(rest) if rest else ""

    def made_up(self, prefix: str) -> str:
        """An identifier for an item that has none."""
        return f"{prefix}{MADE_UP}_{self.items}"

    def name(self, carrier: Any, own: str, prefix: str) -> str:
        """The identifier of an item: its own, else, in an answer, one that is made up, unless it was read without."""
        if own or self.direction == REQUEST or spelled(carrier, _NAMELESS, RESPONSE):
            return own
        return self.made_up(prefix)


def lift_name(item: JsonObject, carrier: Any, direction: str) -> str:
    """The identifier of an item; empty where it has none, or one that this codec made up."""
    name = item.get("id")
    if isinstance(name, str) and name and MADE_UP not in name:
        return whole_text(name)
    if not (isinstance(name, str) and name) and direction == RESPONSE:
        spell(carrier, _NAMELESS, direction)
    return ""


def _list_of(step: JsonObject) -> str:
    """The member in whose list a step of a patch sets a value that says something; empty for other steps."""
    value = step.get("value")
    if step["op"] not in ("add", "replace") or says_nothing(value) or not leaves(value):
        return ""
    return str(step["path"].split("/")[1])
