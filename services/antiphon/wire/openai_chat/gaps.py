"""What a request of the contract says and the wire cannot: refused, or reported, never dropped silently."""

from __future__ import annotations

from antiphon.core.errors import FieldViolation, Reason, ServiceError
from antiphon.v1 import chat_pb2


class Gaps:
    """Collects the fields of one request that cannot be said."""

    def __init__(self) -> None:
        self._lacking: list[FieldViolation] = []
        self._dropped: list[chat_pb2.Warning] = []

    def lacks(self, field: str, why: str) -> None:
        """A field that changes what is asked: an error, or a warning where the caller said so."""
        self._lacking.append(FieldViolation(field=field, description=why))

    def drops(self, field: str, why: str) -> None:
        """A hint without which the answer is the same, or a field of the history that this provider could not act on:
        always a warning, so that any provider's answer can be replayed to any other."""
        self._dropped.append(chat_pb2.Warning(code="NOT_SENT", field=field, message=why))

    def settle(self, policy: chat_pb2.UnsupportedPolicy.ValueType) -> tuple[chat_pb2.Warning, ...]:
        """The warnings. Raises ServiceError UNSUPPORTED_PARAMETER unless `policy` is WARN."""
        if self._lacking and policy != chat_pb2.UNSUPPORTED_POLICY_WARN:
            text = "; ".join(f"{gap.field}: {gap.description}" for gap in self._lacking)
            raise ServiceError(
                Reason.UNSUPPORTED_PARAMETER,
                f"{text}. Leave the field out, or set on_unsupported to WARN",
                violations=tuple(self._lacking),
            )
        lacking = [
            chat_pb2.Warning(code=str(Reason.UNSUPPORTED_PARAMETER), field=gap.field, message=gap.description)
            for gap in self._lacking
        ]
        return (*lacking, *self._dropped)
