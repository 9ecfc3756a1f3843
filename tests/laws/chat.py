"""The laws of a chat format, for any codec."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import fold
from antiphon.v1 import chat_pb2
from antiphon.wire.base import ChatWire, HttpReply
from antiphon.wire.jsontext import leaves, loads
from tests.laws.recordings import Recorded
from tests.laws.verdict import Verdict, error_difference, first_difference, message_difference, untyped

Events = list[chat_pb2.StreamChatResponse]
STRIDE = 32
"""Cuts every so many bytes, once from each offset, so that every position is cut with room on both sides."""
SHORT = 1500
"""Up to this many bytes a stream is also cut in two at every position."""


class ChatLaws:
    """L1 to L5 for one codec. A wire says which exchanges are its own, and how its raw text joins (L3)."""

    def __init__(self, wire: ChatWire) -> None:
        self.wire = wire
        self.name = wire.name

    def claims(self, recorded: Recorded) -> bool:
        """Whether the exchange belongs to the wire."""
        raise NotImplementedError

    def joined(self, body: bytes) -> Mapping[str, str] | None:
        """What the stream says, by kind (`text`, `reasoning`, `arguments`), joined without the codec."""
        raise NotImplementedError

    def canonical_order(self, completion: chat_pb2.Completion) -> chat_pb2.Completion:
        """The answer with its parts in the order that the wire's unary form can say."""
        return completion

    def examine(self, recorded: Recorded) -> Verdict:
        """Apply every law that fits the exchange."""
        verdict = Verdict()
        if isinstance(recorded.request_json, dict):
            self.request(recorded, verdict)
        if verdict.refused:
            return verdict
        if recorded.status >= 400:
            verdict.check("L2", lambda: self.error(recorded))
        elif recorded.streamed:
            self.stream(recorded, verdict)
        else:
            verdict.check("L2", lambda: self.answer(recorded, verdict))
        return verdict

    def request(self, recorded: Recorded, verdict: Verdict) -> None:
        """L1, or the reason for which the request is none of this wire."""
        try:
            call = self.wire.decode_request(recorded.call)
        except ServiceError as error:
            if recorded.status >= 400 and error.reason is Reason.INVALID_REQUEST:
                verdict.refused = f"refused: {error.message}"
                return
            verdict.checks.append(("L1", f"ServiceError {error}"))
            return
        except Exception as error:
            verdict.checks.append(("L1", f"{type(error).__name__}: {error}"))
            return
        verdict.count(leaves(recorded.request_json), untyped(call.spec, self.name))
        verdict.check("L1", lambda: self._written_again(recorded, call.spec, call.stream))

    def answer(self, recorded: Recorded, verdict: Verdict) -> str | None:
        """L2 for an answer; an error may come with status 200."""
        if recorded.json is None:
            return "the answer is not JSON"
        try:
            completion = self.wire.decode_response(recorded.reply)
        except ServiceError as error:
            return self._error_again(error)
        verdict.count(leaves(recorded.json), untyped(completion, self.name))
        return first_difference(recorded.json, loads(self.wire.encode_response(completion).body))

    def error(self, recorded: Recorded) -> str | None:
        """L2 for an error."""
        return self._error_again(self.wire.decode_error(recorded.reply))

    def stream(self, recorded: Recorded, verdict: Verdict) -> None:
        """L3, L4 and the typed share of a stream."""
        try:
            events, error = decode(self.wire, [recorded.body])
        except Exception as failure:
            verdict.checks.append(("L3", f"{type(failure).__name__}: {failure}"))
            return
        if error is not None:
            verdict.check("L3", lambda: self._error_again(error))
        else:
            verdict.check("L3", lambda: self._folds(recorded, events, verdict))
        verdict.check("L4", lambda: self._cuts(recorded.body, events, error))

    def _written_again(self, recorded: Recorded, spec: chat_pb2.ChatSpec, stream: bool) -> str | None:
        return first_difference(recorded.request_json, loads(self.wire.encode_request(spec, stream=stream).body))

    def _error_again(self, error: ServiceError) -> str | None:
        return error_difference(self.wire, error)

    def _folds(self, recorded: Recorded, events: Events, verdict: Verdict) -> str | None:
        completion = fold(events)
        reply = self.wire.encode_response(completion)
        verdict.count(leaves(loads(reply.body)), untyped(completion, self.name))
        expected = self.joined(recorded.body)
        if expected is not None:
            found = first_difference(dict(expected), spoken(completion), "$joined")
            if found:
                return found
        ordered = self.canonical_order(completion)
        whole = self.canonical_order(self.wire.decode_response(HttpReply(status=200, body=reply.body)))
        found = message_difference(ordered, whole)
        if found:
            return f"as one answer: {found}"
        again, error = decode(self.wire, [written(self.wire, events)])
        if error is not None:
            return f"encoded again: {error}"
        found = message_difference(ordered, self.canonical_order(fold(again)))
        return f"encoded again: {found}" if found else self.lost(recorded, completion)

    def lost(self, recorded: Recorded, completion: chat_pb2.Completion) -> str | None:
        """A value of the stream that the folded answer lacks; for wires that can tell."""
        return None

    def _cuts(self, body: bytes, events: Events, error: ServiceError | None) -> str | None:
        expected = [event.SerializeToString(deterministic=True) for event in events], str(error)
        for name, chunks in cuts(body):
            cut_events, cut_error = decode(self.wire, chunks)
            actual = [event.SerializeToString(deterministic=True) for event in cut_events], str(cut_error)
            if actual != expected:
                place = next((i for i, (a, b) in enumerate(zip(*(expected[0], actual[0]), strict=False)) if a != b), -1)
                return f"{name}: {len(expected[0])} events became {len(actual[0])}, first at {place}; {cut_error}"
        return None


def decode(wire: ChatWire, chunks: Iterable[bytes]) -> tuple[Events, ServiceError | None]:
    """The events of a stream, and the error that ended it."""
    decoder = wire.stream_decoder()
    events: Events = []
    try:
        for chunk in chunks:
            events += decoder.feed(chunk)
        events += decoder.close()
    except ServiceError as error:
        return events, error
    return events, None


def written(wire: ChatWire, events: Iterable[chat_pb2.StreamChatResponse]) -> bytes:
    """The bytes of a stream."""
    encoder = wire.stream_encoder()
    return b"".join(map(encoder.encode, events))


def cuts(body: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """The same stream cut and ended in other ways."""
    yield "cut at every byte", [body[i : i + 1] for i in range(len(body))]
    if len(body) <= SHORT:
        for position in range(1, len(body)):
            yield f"cut at {position}", [body[:position], body[position:]]
    for offset in range(min(STRIDE, len(body))):
        pieces = [body[i : i + STRIDE] for i in range(offset, len(body), STRIDE)]
        yield f"cut every {STRIDE} bytes from {offset}", [body[:offset], *pieces]
    plain = body.replace(b"\r\n", b"\n")
    for name, ending in (("CRLF", b"\r\n"), ("CR", b"\r"), ("LF", b"\n")):
        rewritten = plain.replace(b"\n", ending)
        if rewritten != body:
            yield f"lines end with {name}", [rewritten]
            yield f"lines end with {name}, cut in 7s", [rewritten[i : i + 7] for i in range(0, len(rewritten), 7)]


def spoken(completion: chat_pb2.Completion) -> dict[str, str]:
    """What an answer says, by kind, joined over its outputs."""
    said: dict[str, list[str]] = {"text": [], "reasoning": [], "arguments": []}
    for output in completion.outputs:
        for message in output.messages:
            for part in message.parts:
                kind = part.WhichOneof("kind")
                if kind == "text":
                    said["text"].append(part.text.text)
                elif kind == "reasoning":
                    said["reasoning"].append(part.reasoning.text)
                elif kind == "tool_call" and part.tool_call.executor <= 1:
                    said["arguments"].append(part.tool_call.arguments_json or part.tool_call.text)
    return {name: "".join(pieces) for name, pieces in said.items()}


def events_of(body: bytes) -> list[Any]:
    """The JSON values in a stream's `data:` lines, read without the codec: a second opinion."""
    lines = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    data = [line[5:].strip() for line in lines if line.startswith(b"data:")]
    return [loads(text) for text in data if text and text != b"[DONE]"]
