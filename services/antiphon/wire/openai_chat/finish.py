"""Why an answer ended, in the words of the wire and of those who speak it."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.v1 import chat_pb2

FINISH: Mapping[str, chat_pb2.FinishReason.ValueType] = {
    "stop": chat_pb2.FINISH_REASON_STOP,
    "length": chat_pb2.FINISH_REASON_LENGTH,
    "tool_calls": chat_pb2.FINISH_REASON_TOOL_CALLS,
    "content_filter": chat_pb2.FINISH_REASON_CONTENT_FILTER,
    "function_call": chat_pb2.FINISH_REASON_TOOL_CALLS,
    "eos": chat_pb2.FINISH_REASON_STOP,  # Together
    "eos_token": chat_pb2.FINISH_REASON_STOP,  # Hugging Face
    "stop_sequence": chat_pb2.FINISH_REASON_STOP_SEQUENCE,
    "model_length": chat_pb2.FINISH_REASON_CONTEXT_WINDOW,  # Mistral
    "sensitive": chat_pb2.FINISH_REASON_CONTENT_FILTER,  # Z.ai
    "network_error": chat_pb2.FINISH_REASON_ERROR,  # Z.ai
    "insufficient_system_resource": chat_pb2.FINISH_REASON_ERROR,  # DeepSeek
    "error": chat_pb2.FINISH_REASON_ERROR,  # OpenRouter, Mistral
    "time_limit": chat_pb2.FINISH_REASON_TIME_LIMIT,
}
FINISH_WORDS: Mapping[chat_pb2.FinishReason.ValueType, str | None] = {
    chat_pb2.FINISH_REASON_UNSPECIFIED: None,
    chat_pb2.FINISH_REASON_STOP: "stop",
    chat_pb2.FINISH_REASON_STOP_SEQUENCE: "stop",
    chat_pb2.FINISH_REASON_LENGTH: "length",
    chat_pb2.FINISH_REASON_CONTEXT_WINDOW: "length",
    chat_pb2.FINISH_REASON_TOOL_CALLS: "tool_calls",
    chat_pb2.FINISH_REASON_CONTENT_FILTER: "content_filter",
    chat_pb2.FINISH_REASON_REFUSAL: "content_filter",
    chat_pb2.FINISH_REASON_RECITATION: "content_filter",
    chat_pb2.FINISH_REASON_PAUSE_TURN: "stop",
    chat_pb2.FINISH_REASON_MALFORMED_TOOL_CALL: "stop",
    chat_pb2.FINISH_REASON_TIME_LIMIT: "length",
    chat_pb2.FINISH_REASON_COMPACTION: "length",
    chat_pb2.FINISH_REASON_ERROR: "error",
    chat_pb2.FINISH_REASON_OTHER: "stop",
}
"""What clients of this wire are told; they know few words."""


_ELSEWHERE = frozenset({"stop_sequence"})
"""Words that are more often those of another wire, whose clients alone know them."""
OWN_WORDS = frozenset(FINISH) - _ELSEWHERE
"""Words of providers that clients of this wire are told as they are."""


def finish_word(output: chat_pb2.Output) -> str | None:
    """The finish reason for clients of this wire: the provider's word where it is one of the wire's own."""
    word = output.provider_finish_reason
    if word in FINISH and word not in _ELSEWHERE and meaning(word) == output.finish_reason:
        return word
    return FINISH_WORDS[output.finish_reason]


def meaning(word: str) -> chat_pb2.FinishReason.ValueType:
    """What a provider's word for the end of an answer means."""
    return FINISH.get(word.lower(), chat_pb2.FINISH_REASON_OTHER)
