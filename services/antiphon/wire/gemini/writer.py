"""What one encoding or decoding carries along: see `Scribe`; and this wire's two dialects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from antiphon.wire.fields import whole_text
from antiphon.wire.gemini.quirks import DEFAULT, WIRE, Quirks
from antiphon.wire.gemini.spelling import plain, respelled
from antiphon.wire.jsontext import JsonObject
from antiphon.wire.scribe import REQUEST, RESPONSE, Scribe

__all__ = ["REQUEST", "RESPONSE", "Writer"]


@dataclass(slots=True, kw_only=True)
class Writer(Scribe):
    """Carriers keep their remainder in camelCase and words, and beside it how it was spelled."""

    wire: str = WIRE
    quirks: Quirks = DEFAULT
    model: str = ""
    """The model that is asked."""

    def keep(self, carrier: Any, lowered: JsonObject, read: JsonObject) -> None:
        """Store in `carrier` what `lowered` lacks of `read`, and how `read` was spelled."""
        value, names = plain(read)
        Scribe.keep(self, carrier, lowered, value)
        for name in names:
            self.spell(carrier, name)

    def spell(self, carrier: Any, name: str) -> None:
        """Note how the wire spelled `carrier`."""
        Scribe.spell(self, carrier, whole_text(name))

    def restore(self, carrier: Any, lowered: JsonObject) -> JsonObject:
        """`lowered` with the remainder of `carrier` put back, spelled as it was read."""
        restored = Scribe.restore(self, carrier, lowered)
        if carrier.HasField("form") and carrier.form.wire == f"{self.wire}/{self.direction}":
            return respelled(restored, carrier.form.spellings)
        return restored
