"""A conversation as plain text, for a model that reads about it instead of taking part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from antiphon.v1 import content_pb2


def transcript(messages: Iterable[content_pb2.Message]) -> str:
    """Who said what, a paragraph a message. Media are named, not shown; reasoning is left out."""
    return "\n\n".join(
        f"{content_pb2.Role.Name(message.role).removeprefix('ROLE_').lower()}: {_said(message.parts)}"
        for message in messages
    )


def _said(parts: Iterable[content_pb2.Part]) -> str:
    return " ".join(filter(None, (_KINDS.get(part.WhichOneof("kind") or "", _named)(part) for part in parts)))


def _named(part: content_pb2.Part) -> str:
    return f"[{part.WhichOneof('kind')}]"


def _call(part: content_pb2.Part) -> str:
    return f"[calls {part.tool_call.name} with {part.tool_call.arguments_json or part.tool_call.text}]"


def _result(part: content_pb2.Part) -> str:
    return f"[result of {part.tool_result.name or 'a tool'}: {_said(part.tool_result.content)}]"


_KINDS: Mapping[str, Callable[[content_pb2.Part], str]] = {
    "text": lambda part: part.text.text,
    "refusal": lambda part: part.refusal,
    "reasoning": lambda part: "",
    "tool_call": _call,
    "tool_result": _result,
}
