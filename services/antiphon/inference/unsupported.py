"""Fields that a model on Triton has no place for: an error, or a warning where the caller asked for leniency."""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.core.errors import Reason, invalid
from antiphon.v1 import chat_pb2


def refused_or_warned(paths: Sequence[str], policy: chat_pb2.UnsupportedPolicy.ValueType) -> list[chat_pb2.Warning]:
    """A warning for each path under WARN. Raises ServiceError UNSUPPORTED_PARAMETER for the first otherwise."""
    if paths and policy != chat_pb2.UNSUPPORTED_POLICY_WARN:
        raise invalid(
            paths[0],
            "is not something that a model on Triton takes; leave it out, or set on_unsupported to WARN",
            reason=Reason.UNSUPPORTED_PARAMETER,
        )
    code = Reason.UNSUPPORTED_PARAMETER.value
    return [chat_pb2.Warning(code=code, field=path, message="left out: Triton takes no such field") for path in paths]
