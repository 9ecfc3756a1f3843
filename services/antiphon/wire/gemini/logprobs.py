"""How likely the tokens of an answer were: the chosen ones and their alternatives in two lists side by side."""

from __future__ import annotations

from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.fields import RESPONSE, Fields, Place, object_at, objects
from antiphon.wire.jsontext import JsonObject

_TOKEN = Fields(content_pb2.TokenLogprob, token="token", tokenId="token_id", logProbability="logprob")  # noqa: S106
_LENIENT = Place(RESPONSE)
RESULT = "logprobsResult"


def lift_logprobs(candidate: JsonObject, output: chat_pb2.Output) -> None:
    """Read `logprobsResult` into the first text part; without one it stays untyped."""
    result = object_at(candidate, RESULT)
    total = result.get("logProbabilitySum")
    if isinstance(total, int | float) and not isinstance(total, bool):
        output.total_logprob = total
    texts = (part for message in output.messages for part in message.parts if part.WhichOneof("kind") == "text")
    part = next(texts, None)
    if part is not None and not part.text.logprobs:
        part.text.logprobs.extend(tokens_of(result))


def lower_logprobs(output: chat_pb2.Output) -> JsonObject:
    """`logprobsResult`, from the text parts; nothing where there is none."""
    tokens = [
        token
        for message in output.messages
        for part in message.parts
        if part.WhichOneof("kind") == "text"
        for token in part.text.logprobs
    ]
    result: JsonObject = {}
    if any(token.top for token in tokens):
        result["topCandidates"] = [{"candidates": [_TOKEN.lower(one, {}) for one in token.top]} for token in tokens]
    if tokens:
        result["chosenCandidates"] = [_TOKEN.lower(token, {}) for token in tokens]
    if output.HasField("total_logprob"):
        result["logProbabilitySum"] = output.total_logprob
    return {RESULT: result} if result else {}


def tokens_of(result: JsonObject) -> list[content_pb2.TokenLogprob]:
    """The chosen tokens, each with its alternatives."""
    tokens: list[content_pb2.TokenLogprob] = []
    tops = list(objects(result.get("topCandidates")))
    for number, chosen in enumerate(objects(result.get("chosenCandidates"))):
        token = content_pb2.TokenLogprob()
        _TOKEN.lift(chosen, token, _LENIENT)
        for one in objects(tops[number].get("candidates")) if number < len(tops) else ():
            _TOKEN.lift(one, token.top.add(), _LENIENT)
        tokens.append(token)
    return tokens
