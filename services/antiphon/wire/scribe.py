"""What one encoding or decoding carries along: the wire, the direction, and what the wire cannot say.

Every codec that lowers an object needs the same four things: to note what is left out, to keep a remainder, to put it
back, and to name a spelling.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from antiphon.core.errors import Reason, invalid
from antiphon.v1 import chat_pb2, tools_pb2
from antiphon.wire.fields import sorted_text
from antiphon.wire.jsontext import JsonObject, loads
from antiphon.wire.remainder import keep, restore
from antiphon.wire.unsaid import unsaid

REQUEST, RESPONSE = "request", "response"

_HINTS = frozenset({"cache.key", "cache.retention", "cache.mode", "cache.breakpoint", "include"})
_HINTS |= {"reasoning.include_encrypted"}
"""Fields without which the answer is the same: what it costs, and what is told beside it. They are left out with a
warning."""


@dataclass(slots=True, kw_only=True)
class Scribe:
    """Collects warnings while a document is written. `strict` turns what cannot be said into an error; a codec that
    lowers what it just read, to find the remainder, is not strict."""

    wire: str
    direction: str = REQUEST
    provider: str = ""
    """A further key of `provider_data` that is merged into requests."""
    strict: bool = False
    warnings: list[chat_pb2.Warning] = field(default_factory=list)

    def unsupported(self, path: str, why: str) -> None:
        """Note, or raise as ServiceError UNSUPPORTED_PARAMETER, that the wire cannot say the field at `path`."""
        if self.strict:
            why = f"{why}. Leave the field out, or set on_unsupported to WARN"
            raise invalid(path, why, reason=Reason.UNSUPPORTED_PARAMETER)
        self.warn("UNSUPPORTED_PARAMETER", path, why)

    def warn(self, code: str, path: str, message: str) -> None:
        """Note something that the caller should know."""
        self.warnings.append(chat_pb2.Warning(code=code, field=path, message=message))

    def omit(self, path: str, message: str) -> None:
        """Note something of the history that the provider could not act on, so that any answer can be replayed."""
        self.warn("NOT_SENT", path, message)

    def restore(self, carrier: Any, lowered: JsonObject) -> JsonObject:
        """`lowered` with the remainder of `carrier` put back."""
        if not carrier.provider_data and not carrier.HasField("form"):
            return lowered
        names = (self.provider,) if self.provider else ()
        return restore(carrier, self.wire, self.direction, lowered, *names)

    def keep(self, carrier: Any, lowered: JsonObject, read: JsonObject) -> None:
        """Store in `carrier` what `lowered` lacks of `read`."""
        keep(carrier, self.wire, self.direction, lowered, read)
        if self.wire in carrier.provider_data:
            carrier.provider_data[self.wire] = sorted_text(loads(carrier.provider_data[self.wire]))

    def spell(self, carrier: Any, name: str) -> None:
        """Note how the wire spelled `carrier`."""
        carrier.form.wire = f"{self.wire}/{self.direction}"
        if name not in carrier.form.spellings:
            carrier.form.spellings.append(name)

    def spelled(self, carrier: Any, name: str) -> bool:
        """Whether `carrier` was read from this wire, in this direction, in the named spelling."""
        return (
            carrier.HasField("form")
            and name in carrier.form.spellings
            and carrier.form.wire == f"{self.wire}/{self.direction}"
        )

    def spelling(self, carrier: Any, prefix: str) -> str | None:
        """What follows `prefix` in the spelling of `carrier` that begins with it; None where none does."""
        if not carrier.HasField("form") or carrier.form.wire != f"{self.wire}/{self.direction}":
            return None
        found = (name for name in carrier.form.spellings if name.startswith(prefix))
        return next((name[len(prefix) :] for name in found), None)


def strict_by(spec: chat_pb2.ChatSpec) -> bool:
    """Whether a field that cannot be said is an error."""
    return spec.on_unsupported != chat_pb2.UNSUPPORTED_POLICY_WARN


def refuse_unsaid(spec: chat_pb2.ChatSpec, said: frozenset[str], scribe: Scribe, who: str) -> None:
    """Note every set field of `spec` that is not among `said`; see `unsaid`."""
    for path in unsaid(spec, said):
        if path in _HINTS:
            scribe.omit(f"spec.{path}", f"{who} cannot say this; the answer is the same without it")
        else:
            scribe.unsupported(f"spec.{path}", f"{who} cannot say this")


def refuse_unsaid_function(tool: tools_pb2.Tool, said: frozenset[str], scribe: Scribe, path: str, who: str) -> None:
    """Note every set field of a function, and of the tool around it, that is not among `said`."""
    for descriptor, value in tool.function.ListFields():
        if descriptor.name not in said | {"name", "description", "parameters_schema_json"} and value:
            where = f"{path}.function.{descriptor.name}"
            if descriptor.name == "eager_input_streaming":
                scribe.omit(where, f"{who} streams arguments as it likes")
            else:
                scribe.unsupported(where, f"{who} cannot say this of a tool")
    if tool.allowed_callers:
        scribe.unsupported(f"{path}.allowed_callers", f"{who} lets the model alone call tools")
