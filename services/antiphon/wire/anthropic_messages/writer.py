"""What one encoding carries along: the direction, the features that it uses, and what the wire cannot say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from antiphon.core.errors import Reason, invalid
from antiphon.v1 import chat_pb2
from antiphon.wire.anthropic_messages.quirks import DEFAULT, WIRE, Quirks
from antiphon.wire.fields import REQUEST, sorted_text
from antiphon.wire.jsontext import JsonObject, loads
from antiphon.wire.remainder import keep, restore


@dataclass(slots=True, kw_only=True)
class Writer:
    """Collects warnings and features while a document is written. `strict` turns what cannot be said into an
    error; a codec that lowers what it just read, to find the remainder, is not strict."""

    direction: str = REQUEST
    quirks: Quirks = DEFAULT
    strict: bool = False
    warnings: list[chat_pb2.Warning] = field(default_factory=list)
    features: dict[str, None] = field(default_factory=dict)

    def unsupported(self, path: str, why: str) -> None:
        """Note, or raise as ServiceError UNSUPPORTED_PARAMETER, that the wire cannot say the field at `path`."""
        if self.strict:
            raise invalid(path, why, reason=Reason.UNSUPPORTED_PARAMETER)
        self.warn("UNSUPPORTED_PARAMETER", path, why)

    def warn(self, code: str, path: str, message: str) -> None:
        """Note something that the caller should know."""
        self.warnings.append(chat_pb2.Warning(code=code, field=path, message=message))

    def use(self, feature: str) -> None:
        """Note that the request needs a feature on trial, by its name in the `anthropic-beta` header."""
        self.features[feature] = None

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
