"""Arguments of a call as the object that some wires want, whatever the model wrote."""

from __future__ import annotations

from antiphon.v1 import content_pb2
from antiphon.wire.jsontext import JsonObject, loads

INVALID_ARGUMENTS = "INVALID_JSON"
"""Key under which Anthropic's documentation asks for arguments that are no JSON object to be sent back; the other
wires of objects use it too."""


def arguments(call: content_pb2.ToolCall) -> JsonObject:
    """The arguments of a call. Free text goes under `input`."""
    if call.WhichOneof("input") == "text":
        return {"input": call.text}
    if not call.arguments_json.strip():
        return {}
    try:
        value = loads(call.arguments_json)
    except ValueError:
        return {INVALID_ARGUMENTS: call.arguments_json}
    return value if isinstance(value, dict) else {INVALID_ARGUMENTS: call.arguments_json}
