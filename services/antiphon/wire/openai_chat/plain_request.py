"""The request as most clients write it most of the time: texts with a role, and a few numbers.

As with `plain_answer`: the general way reads, writes again and compares; of a plain request the outcome is known to be
nothing, and a test holds both ways to the same result.
"""

from __future__ import annotations

from typing import Any, Final

from antiphon.v1 import content_pb2
from antiphon.wire.jsontext import JsonObject
from antiphon.wire.openai_chat.messages import ROLES

_MESSAGE: Final = frozenset({"role", "content"})
_ROLES: Final = {name: role for name, role in ROLES.items() if name not in ("tool", "function")}
_FRAME: Final = frozenset({"model", "messages", "stream", "stream_options"})
_LIMIT: Final = 2**31
_OPTIONS: Final = frozenset({"include_usage"})


def lift_plain_message(data: Any) -> content_pb2.Message | None:
    """A message that is a role and a text; None for any other."""
    if type(data) is not dict or data.keys() != _MESSAGE:
        return None
    role, text = data["role"], data["content"]
    if type(text) is not str or not text or type(role) is not str or role not in _ROLES:
        return None
    message = content_pb2.Message(role=_ROLES[role])
    message.parts.add().text.text = text
    return message


def says_all(data: JsonObject, names: frozenset[str]) -> bool:
    """Whether the fields of a request beside its messages are all among `names` of scalars that fit their fields."""
    for key, value in data.items():
        if value is None or value == "" or (type(value) is int and not -_LIMIT <= value < _LIMIT):
            return False
        if key not in names and key not in _FRAME:
            return False
    stream, options = data.get("stream", False), data.get("stream_options")
    if type(stream) is not bool or type(data.get("model")) is not str:
        return False
    return options is None or (
        type(options) is dict and options.keys() == _OPTIONS and stream and type(options["include_usage"]) is bool
    )
