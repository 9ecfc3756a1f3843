"""A streamed answer, read. Each chunk is a small answer with the next pieces of its candidates.

Texts grow; everything else comes whole. What a candidate says beside its content is put together as the JSON that a
whole answer would have had, and lifted once at the end by the same code, because places in the text are known then.
A part with a signature stays a part of its own, as Google asks for it to be sent back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2
from antiphon.wire.base import HttpReply
from antiphon.wire.fields import RESPONSE, Place, object_at, objects, whole_text
from antiphon.wire.gemini.candidates import call_prefix, lift_rest, lift_shell
from antiphon.wire.gemini.errors import body_error
from antiphon.wire.gemini.framing import Framer
from antiphon.wire.gemini.logprobs import RESULT, tokens_of
from antiphon.wire.gemini.partial_args import GrowingArguments
from antiphon.wire.gemini.parts import lift_part, name_calls
from antiphon.wire.gemini.response import lift_head
from antiphon.wire.gemini.spelling import plain
from antiphon.wire.gemini.usage import lift_usage
from antiphon.wire.jsontext import Json, JsonObject, loads

Event = chat_pb2.StreamChatResponse

_LENIENT = Place(RESPONSE)
_REPLY = HttpReply(status=200, body=b"")
_USAGE = "usageMetadata"
_GROWING = frozenset({"text", "thought"})
_CALL = "functionCall"
_OPENAI_END = b"[DONE]"
"""Ends the streams of another wire; some providers that speak both send it here too."""


@dataclass(slots=True)
class _Answer:
    """One candidate so far."""

    index: int
    parts: list[content_pb2.Part] = field(default_factory=list)
    """As far as they are known; the text of the last one is in `text`."""
    text: list[str] = field(default_factory=list)
    is_open: bool = False
    grows: bool = False
    """Whether the next piece of text belongs to the last part."""
    arguments: GrowingArguments | None = None
    rest: JsonObject = field(default_factory=dict)
    content: JsonObject | None = None
    tokens: list[content_pb2.TokenLogprob] = field(default_factory=list)


class Decoder:
    """Reads one stream."""

    def __init__(self) -> None:
        self._framer = Framer()
        self._head: JsonObject = {}
        self._usage: JsonObject = {}
        self._answers: dict[int, _Answer] = {}
        self._started = False
        self._closed = False
        self._error: ServiceError | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. Raises ServiceError."""
        if self._error is not None:
            raise self._error
        try:
            frames = self._framer.feed(chunk)
        except ValueError as error:
            raise ServiceError(Reason.MALFORMED_RESPONSE, str(error)) from error
        return self._take(frames)

    def close(self) -> list[Event]:
        """The last events. Raises ServiceError OUTCOME_UNKNOWN where the stream broke off."""
        if self._error is not None:
            raise self._error
        if self._closed:
            return []
        frames = self._framer.close()
        whole = [frame for frame in frames if _is_json(frame)]
        out = self._take(whole)
        if self._error is not None:
            return out
        if len(whole) < len(frames) or not self._is_whole():
            raise ServiceError(
                Reason.OUTCOME_UNKNOWN,
                "the stream broke off before every candidate had a `finishReason`: the provider may bill what it had "
                "written; ask again if that is acceptable",
            )
        self._finish(out)
        self._closed = True
        return out

    def usage(self) -> usage_pb2.Usage:
        """What is known to have been used so far."""
        usage = usage_pb2.Usage()
        lift_usage(self._usage, usage)
        usage.partial = not self._closed
        return usage

    def _is_whole(self) -> bool:
        if not self._started:
            return False
        blocked = "blockReason" in object_at(self._head, "promptFeedback")
        finished = all("finishReason" in answer.rest for answer in self._answers.values())
        return self._framer.ended or (finished and (bool(self._answers) or blocked))

    def _take(self, frames: list[bytes]) -> list[Event]:
        out: list[Event] = []
        for frame in frames:
            if frame == _OPENAI_END:
                continue
            try:
                self._read(frame, out)
            except ServiceError as error:
                self._error = error
                if out:  # what came before the error is still told; the next call raises
                    return out
                raise
        return out

    def _read(self, frame: bytes, out: list[Event]) -> None:
        try:
            read = loads(frame)
        except ValueError as error:
            raise ServiceError(Reason.MALFORMED_RESPONSE, f"a chunk of the stream is not JSON: {error}") from error
        if isinstance(read, list) and len(read) == 1:
            read = read[0]  # an error in a list of one
        if not isinstance(read, dict):
            raise ServiceError(Reason.MALFORMED_RESPONSE, "a chunk of the stream is no JSON object")
        if "error" in read:
            raise body_error(read, _REPLY)
        value, _ = plain(read)
        _more(self._usage, value.get(_USAGE))
        _more(self._head, {key: item for key, item in value.items() if key not in ("candidates", _USAGE)})
        if not self._started:
            self._started = True
            out.append(Event(started=chat_pb2.Started(completion=self._completion())))
        for number, candidate in enumerate(objects(value.get("candidates"))):
            self._read_candidate(candidate, number, out)

    def _read_candidate(self, candidate: JsonObject, number: int, out: list[Event]) -> None:
        given = candidate.get("index")
        index = given if type(given) is int and 0 <= given < 1 << 31 else number
        answer = self._answers.setdefault(index, _Answer(index))
        content = candidate.get("content")
        if isinstance(content, dict):
            answer.content = answer.content or {}
            _more(answer.content, {key: item for key, item in content.items() if key != "parts"})
            parts = content.get("parts")
            for part in objects([parts] if isinstance(parts, dict) else parts):
                self._read_part(part, answer, out)
        _grow_rest(answer.rest, {key: item for key, item in candidate.items() if key != "content"})
        if RESULT in candidate:
            self._read_logprobs(object_at(candidate, RESULT), answer, out)

    def _read_part(self, read: JsonObject, answer: _Answer, out: list[Event]) -> None:
        text = read.get("text")
        if isinstance(text, str) and read.keys() <= _GROWING:
            kind = "reasoning" if read.get("thought") is True else "text"
            if not (answer.grows and answer.parts[-1].WhichOneof("kind") == kind):
                self._start(lift_part({**read, "text": ""}, _LENIENT), answer, out, grows=True)
            self._say(text, answer, out)
        elif _is_piece_of_call(read, answer):
            self._read_arguments(read[_CALL], answer, out)
        else:
            self._read_whole(read, answer, out)

    def _read_whole(self, read: JsonObject, answer: _Answer, out: list[Event]) -> None:
        part = lift_part(read, _LENIENT)
        said = ""
        if part.WhichOneof("kind") == "text":
            said, part.text.text = part.text.text, ""
        elif part.WhichOneof("kind") == "reasoning":
            said, part.reasoning.text = part.reasoning.text, ""
        self._start(part, answer, out)
        if part.HasField("tool_call"):
            self._tell_arguments(part.tool_call.arguments_json, answer, out)
        self._say(said, answer, out)

    def _read_arguments(self, call: JsonObject, answer: _Answer, out: list[Event]) -> None:
        """A call whose arguments come in pieces, or the next pieces of one."""
        if answer.arguments is None or "name" in call:
            self._end_arguments(answer, out)
            started = {key: item for key, item in call.items() if key in ("name", "id")}
            part = lift_part({_CALL: {**started, "args": {}}}, _LENIENT)
            part.tool_call.arguments_json = ""
            self._start(part, answer, out)
            answer.arguments = GrowingArguments()
        said = "".join(map(answer.arguments.add, objects(call.get("partialArgs"))))
        self._tell_arguments(said, answer, out)
        if call.get("willContinue") is not True:
            self._end_arguments(answer, out)

    def _end_arguments(self, answer: _Answer, out: list[Event]) -> None:
        if answer.arguments is not None:
            self._tell_arguments(answer.arguments.close(), answer, out)
            answer.arguments = None

    def _start(self, part: content_pb2.Part, answer: _Answer, out: list[Event], *, grows: bool = False) -> None:
        self._done(answer, out)
        number = len(answer.parts)
        answer.parts.append(part)
        answer.is_open, answer.grows = True, grows
        if part.HasField("tool_call") or part.HasField("tool_result"):
            self._name(answer)
        started = content_pb2.Part()
        started.CopyFrom(part)
        if started.HasField("tool_call"):
            started.tool_call.arguments_json = ""
        if grows:
            started.ClearField("form")  # the spelling of an empty text is not that of the whole one
        event = chat_pb2.PartStarted(output_index=answer.index, part_index=number, part=started)
        event.role = content_pb2.ROLE_ASSISTANT
        out.append(Event(part_started=event))

    def _name(self, answer: _Answer) -> None:
        """Name calls by their place, as in a whole answer."""
        name_calls(answer.parts, call_prefix(str(self._head.get("responseId", "")), answer.index))

    def _say(self, text: str, answer: _Answer, out: list[Event]) -> None:
        if text:
            text = whole_text(text)
            answer.text.append(text)
            delta = chat_pb2.PartDelta(output_index=answer.index, part_index=len(answer.parts) - 1, text=text)
            out.append(Event(part_delta=delta))

    def _tell_arguments(self, text: str, answer: _Answer, out: list[Event]) -> None:
        if text:
            number = len(answer.parts) - 1
            delta = chat_pb2.PartDelta(output_index=answer.index, part_index=number, arguments_json=text)
            out.append(Event(part_delta=delta))

    def _read_logprobs(self, result: JsonObject, answer: _Answer, out: list[Event]) -> None:
        """Tokens are told with the first text part, as a whole answer has them."""
        answer.tokens += tokens_of(result)
        number = next((n for n, part in enumerate(answer.parts) if part.WhichOneof("kind") == "text"), None)
        if answer.tokens and number is not None:
            delta = chat_pb2.PartDelta(output_index=answer.index, part_index=number, logprobs=answer.tokens)
            answer.parts[number].text.logprobs.extend(answer.tokens)
            answer.tokens = []
            out.append(Event(part_delta=delta))

    def _done(self, answer: _Answer, out: list[Event]) -> None:
        self._end_arguments(answer, out)
        if answer.is_open:
            self._join_text(answer)
            done = chat_pb2.PartDone(output_index=answer.index, part_index=len(answer.parts) - 1)
            out.append(Event(part_done=done))
            answer.is_open = False

    def _join_text(self, answer: _Answer) -> None:
        if answer.text:
            part, said = answer.parts[-1], "".join(answer.text)
            if part.WhichOneof("kind") == "text":
                part.text.text = said
            else:
                part.reasoning.text = said
            answer.text = []

    def _finish(self, out: list[Event]) -> None:
        found: list[content_pb2.SearchResult] = []
        for index in sorted(self._answers):
            self._finish_answer(self._answers[index], found, out)
        completion = chat_pb2.Completion(search_results=found)
        if self._answers:
            completion.outputs.add()  # what a prompt's block would add does not hold
        self._lift_head(completion)
        if not self._answers:
            out.extend(Event(output_done=chat_pb2.OutputDone(output=output)) for output in completion.outputs)
        completion.ClearField("outputs")
        out.append(Event(usage=completion.usage))
        out.append(Event(completed=chat_pb2.Completed(completion=completion)))

    def _finish_answer(self, answer: _Answer, found: list[content_pb2.SearchResult], out: list[Event]) -> None:
        self._end_arguments(answer, out)
        self._join_text(answer)
        output = chat_pb2.Output(index=answer.index)
        if answer.content is not None:
            message = output.messages.add(role=content_pb2.ROLE_ASSISTANT)
            lift_shell(answer.content, message)
            message.parts.extend(answer.parts)
        lift_rest(answer.rest, output, found)
        for number, part in enumerate(output.messages[0].parts if output.messages else ()):
            for citation in part.text.citations if part.HasField("text") else ():
                delta = chat_pb2.PartDelta(output_index=answer.index, part_index=number, citation=citation)
                out.append(Event(part_delta=delta))
        self._done(answer, out)
        for message in output.messages:
            message.ClearField("parts")
        out.append(Event(output_done=chat_pb2.OutputDone(output=output)))

    def _completion(self) -> chat_pb2.Completion:
        """What is known at the start."""
        completion = chat_pb2.Completion()
        self._lift_head(completion)
        for name in ("outputs", "form", "usage", "prompt_blocked"):
            completion.ClearField(name)
        return completion

    def _lift_head(self, completion: chat_pb2.Completion) -> None:
        lift_head({**self._head, _USAGE: self._usage}, completion)


def _is_json(frame: bytes) -> bool:
    """Whether the last frame of a stream is whole."""
    try:
        loads(frame)
    except ValueError:
        return frame == _OPENAI_END
    return True


def _is_piece_of_call(read: JsonObject, answer: _Answer) -> bool:
    call = object_at(read, _CALL)
    if "partialArgs" in call or "willContinue" in call:
        return True
    return answer.arguments is not None and read.get(_CALL) == {}


def _more(target: JsonObject, source: Json) -> None:
    """Add what `source` has. Counts are cumulative, so later ones replace; what says nothing replaces nothing."""
    if isinstance(source, dict):
        for key, value in source.items():
            if value not in (None, "", {}, []) or key not in target:
                target[key] = value


def _grow_rest(target: JsonObject, source: JsonObject) -> None:
    """Add what a chunk says of its candidate: objects grow by their fields, tokens and citations by their items."""
    for key, value in source.items():
        before = target.get(key)
        if not isinstance(value, dict) or not isinstance(before, dict):
            _more(target, {key: value})
            continue
        for name, item in value.items():
            if key in (RESULT, "citationMetadata") and isinstance(item, list) and isinstance(before.get(name), list):
                before[name] = before[name] + [one for one in item if key == RESULT or one not in before[name]]
            else:
                _more(before, {name: item})
