"""What the laws say of one exchange, and how two values are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from google.protobuf.message import Message

from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.base import HttpReply
from antiphon.wire.jsontext import canonical, leaves, loads
from antiphon.wire.remainder import untyped_leaves
from tests.laws.recordings import Recorded

LAWS = ("L1", "L2", "L3", "L4")
UNSPECIFIC = frozenset({Reason.INTERNAL, Reason.MALFORMED_RESPONSE, Reason.UNEXPECTED_STATUS})


@dataclass(slots=True)
class Verdict:
    """The laws that apply to an exchange, each with its first difference, or None where it holds."""

    checks: list[tuple[str, str | None]] = field(default_factory=list)
    leaves: int = 0
    untyped: int = 0
    refused: str = ""
    """Why the request is no request of the wire; the exchange is then out of scope."""

    def check(self, law: str, find: Callable[[], str | None]) -> None:
        """Apply one law; what it raises is its failure."""
        try:
            difference = find()
        except ServiceError as error:
            difference = f"ServiceError {error}"
        except Exception as error:  # a law that crashes fails; the next exchange still has its turn
            difference = f"{type(error).__name__}: {error} ({_place(error)})"
        self.checks.append((law, difference))

    def count(self, total: int, untyped: int) -> None:
        """Add to the typed share."""
        self.leaves += total
        self.untyped += untyped


class ErrorWire(Protocol):
    """A wire that has errors."""

    def decode_error(self, reply: HttpReply, /) -> ServiceError:
        """Read one."""

    def encode_error(self, error: ServiceError, /) -> HttpReply:
        """Write one."""


class WireLaws(Protocol):
    """The laws of one wire."""

    @property
    def name(self) -> str:
        """The wire."""

    def claims(self, recorded: Recorded) -> bool:
        """Whether the exchange belongs to the wire, by method, path and shape, whatever the provider."""

    def examine(self, recorded: Recorded) -> Verdict:
        """Apply every law that fits."""


def untyped(message: Message, wire: str) -> int:
    """How many values of a message, and of the messages in it, sit in escape hatches."""
    names = message.DESCRIPTOR.fields_by_name
    count = _escaped(message) if "provider_data" in names else 0
    if message.DESCRIPTOR.name == "ProviderTool":
        return leaves(loads(message.config_json))  # type: ignore[attr-defined]
    if message.DESCRIPTOR.name == "Opaque":
        return _opaque(message)
    for descriptor, value in message.ListFields():
        # Usage.raw repeats what the typed fields say; encoders never read it.
        if descriptor.message_type is None or descriptor.name in ("raw", "form"):
            continue
        if descriptor.message_type.GetOptions().map_entry:
            continue
        count += sum(untyped(item, wire) for item in value) if _repeated(descriptor) else untyped(value, wire)
    return count


def error_difference(wire: ErrorWire, error: ServiceError) -> str | None:
    """L2 of an error: it has a specific reason, and keeps it when written and read again."""
    if error.reason in UNSPECIFIC:
        return f"the error has no specific reason: {error}"
    again = wire.decode_error(wire.encode_error(error))
    return None if again.reason is error.reason else f"reason {error.reason} became {again.reason}"


def without_form(message: Any) -> Any:
    """A copy without what carries no meaning: spelling, and the provider's own usage block."""
    copied = type(message)()
    copied.CopyFrom(message)
    _clear(copied)
    return copied


def first_difference(expected: Any, actual: Any, path: str = "$") -> str | None:
    """Where two JSON values differ first; None where they are the same."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in expected | actual:
            if key not in expected or key not in actual:
                side = "lost" if key in expected else "added"
                return f"{path}.{key} {side}: {_short(expected.get(key, actual.get(key)))}"
            found = first_difference(expected[key], actual[key], f"{path}.{key}")
            if found:
                return found
        return None
    if isinstance(expected, list) and isinstance(actual, list):
        for index, (one, other) in enumerate(zip(expected, actual, strict=False)):
            found = first_difference(one, other, f"{path}[{index}]")
            if found:
                return found
        if len(expected) != len(actual):
            return f"{path}: {len(expected)} items became {len(actual)}"
        return None
    return None if canonical(expected) == canonical(actual) else f"{path}: {_short(expected)} became {_short(actual)}"


def message_difference(expected: Any, actual: Any) -> str | None:
    """Where two messages of one type differ first, spelling aside."""
    one, other = without_form(expected), without_form(actual)
    if one == other:
        return None
    for left, right in zip(str(one).splitlines(), str(other).splitlines(), strict=False):
        if left != right:
            return f"{_short(left.strip())} became {_short(right.strip())}"
    return "one message goes on where the other ends"


def _escaped(message: Any) -> int:
    """Untyped fields under any name (usage is one codec's in several wires), and values in the form, once."""
    count = untyped_leaves(message, "")
    return count + sum(leaves(loads(text)) for text in message.provider_data.values())


def _repeated(descriptor: Any) -> bool:
    return bool(descriptor.is_repeated)


def _opaque(message: Message) -> int:
    try:
        return leaves(loads(message.data))  # type: ignore[attr-defined]
    except ValueError:
        return 1


def _clear(message: Message) -> None:
    for descriptor, value in message.ListFields():
        if descriptor.name == "form" or (descriptor.name == "raw" and message.DESCRIPTOR.name == "Usage"):
            message.ClearField(descriptor.name)
        elif descriptor.message_type is not None and not descriptor.message_type.GetOptions().map_entry:
            for item in value if _repeated(descriptor) else (value,):
                _clear(item)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}" if trace else ""
