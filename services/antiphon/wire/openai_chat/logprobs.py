"""Log probabilities of tokens, in both directions."""

from __future__ import annotations

from typing import Any

from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.jsontext import JsonObject

TokenLogprob = content_pb2.TokenLogprob


def lift_logprobs(output: chat_pb2.Output, logprobs: Any) -> None:
    """Read `logprobs.content` into the first text part; without one it stays untyped."""
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    part = _text(output)
    if part is not None and tokens is not None and is_list(tokens):
        part.text.logprobs.extend(map(lift_token, tokens))


def lower_logprobs(output: chat_pb2.Output) -> JsonObject | None:
    """`logprobs`, from the text parts."""
    parts = [part for message in output.messages for part in message.parts if part.WhichOneof("kind") == "text"]
    tokens = [lower_token(token) for part in parts for token in part.text.logprobs]
    return {"content": tokens, "refusal": None} if tokens else None


def is_list(tokens: Any) -> bool:
    """Whether this is the list of tokens that the codec knows; old formats write parallel lists."""
    return isinstance(tokens, list) and all(isinstance(token, dict) for token in tokens)


def lift_token(data: JsonObject) -> TokenLogprob:
    """One token and its alternatives."""
    token = TokenLogprob()
    text = data.get("token")
    token.token = text if isinstance(text, str) else ""
    if isinstance(data.get("logprob"), int | float):
        token.logprob = data["logprob"]
    if isinstance(data.get("token_id"), int) and 0 <= data["token_id"] < 2**31:
        token.token_id = data["token_id"]
    numbers = data.get("bytes")
    if isinstance(numbers, list) and all(isinstance(n, int) and 0 <= n < 256 for n in numbers):
        token.bytes = bytes(numbers)
    top = data.get("top_logprobs")
    if top is not None and is_list(top):
        token.top.extend(map(lift_token, top))
    return token


def lower_token(token: TokenLogprob) -> JsonObject:
    """One token and its alternatives."""
    data: JsonObject = {"token": token.token}
    if token.HasField("logprob"):
        data["logprob"] = token.logprob
    if token.HasField("token_id"):
        data["token_id"] = token.token_id
    if token.HasField("bytes"):
        data["bytes"] = list(token.bytes)
    if token.top:
        data["top_logprobs"] = [lower_token(item) for item in token.top]
    return data


def _text(output: chat_pb2.Output) -> content_pb2.Part | None:
    parts = (part for message in output.messages for part in message.parts)
    return next((part for part in parts if part.WhichOneof("kind") == "text"), None)
