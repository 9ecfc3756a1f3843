"""One choice of a streamed answer: deltas in, events out.

What is said piece by piece (text, reasoning, refusal, calls, audio, citations) becomes events at once. Everything
else is gathered as the JSON that a whole answer would hold, and read by the same code at the end.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.jsontext import JsonObject, fits, word
from antiphon.wire.openai_chat import citations, messages, reasoning
from antiphon.wire.openai_chat.finish import meaning
from antiphon.wire.openai_chat.logprobs import is_list, lift_token
from antiphon.wire.openai_chat.parts import lift_part
from antiphon.wire.openai_chat.response import lift_output
from antiphon.wire.openai_chat.spelling import RESPONSE, spell
from antiphon.wire.openai_chat.stream_part import Delta, Event, Part, StreamedCall, StreamedPart
from antiphon.wire.remainder import says_nothing


class StreamedChoice:
    """One choice that grows. `events` gathers what it tells."""

    def __init__(self, index: int, events: list[Event]) -> None:
        self.index = index
        self.events = events
        self.parts = 0
        self.open: list[StreamedPart] = []
        self.data: JsonObject = {"index": index, "finish_reason": None}
        self.message: JsonObject = {}
        self.spellings: list[str] = []
        self._text: StreamedPart | None = None
        self._said: list[str] = []
        self._refusal: StreamedPart | None = None
        self._thought: StreamedPart | None = None
        self._details: dict[tuple[Any, Any], StreamedPart] = {}
        self._calls: list[StreamedCall] = []
        self._by_index: dict[int, int] = {}
        self._last = 0
        self._audio: StreamedPart | None = None
        self._citations: list[JsonObject] = []

    @property
    def finished(self) -> bool:
        """Whether a finish reason has come."""
        return bool(self.data["finish_reason"])

    def take(self, choice: Delta) -> None:
        """Grow by one element of `choices`."""
        delta = choice.get("delta")
        if isinstance(delta, dict):
            for key, value in delta.items():
                if value is None or value == "":
                    continue
                handler = _DELTAS.get(key)
                if handler is not None:
                    handler(self, value, delta)
                elif not says_nothing(value):
                    gather(self.message, key, value)
        for key, value in choice.items():
            if value is None or key in ("index", "delta"):
                continue
            if key == "finish_reason":
                self._finish_reason(value)
            elif key == "message":
                self._cumulative(value)
            elif key == "logprobs":
                self._logprobs(value)
            elif key == "text" and isinstance(delta, dict) and value == delta.get("content"):
                continue  # Together says every text twice
            elif not says_nothing(value):
                gather(self.data, key, value)

    def add_text(self, text: str) -> None:
        """Grow by text alone; see `text_alone`."""
        self.say(text).add_text(text)

    def finish(self) -> None:
        """Tell the end of every part, and of the choice."""
        for position, call in enumerate(self._calls):
            if call.part is None:
                call.begin(self, position)
        if self._text is not None:
            for item in self._citations:
                self._text.add(citation=citations.lift_citation(item, RESPONSE))
        elif self._citations:
            self.message["annotations"] = self._citations
        for streamed in self.open:
            streamed.done()
        self.open = []
        event = Event()
        output = event.output_done.output
        self._end(output)
        message = output.messages.add(role=content_pb2.ROLE_ASSISTANT)
        if self.message:
            self._end_message(message)
        for name in self.spellings:
            spell(message, RESPONSE, name)
        self.events.append(event)
        # Parts hold their choice: without this, only the garbage collector would find that both are done with.
        self._text = self._refusal = self._thought = self._audio = None
        self._details.clear()
        self._calls.clear()

    def _end(self, output: chat_pb2.Output) -> None:
        """What a choice says beside its message; most say why they ended and no more."""
        word = self.data["finish_reason"]
        if len(self.data) > 2:
            output.CopyFrom(lift_output(self.data, self.index))
            output.ClearField("form")
            return
        output.index = self.index
        if word:
            output.finish_reason = meaning(word)
            output.provider_finish_reason = word

    def _end_message(self, message: content_pb2.Message) -> None:
        """What was gathered of a message, as parts and fields of it."""
        gathered = {"role": "assistant", "content": None, **self.message}
        message.CopyFrom(messages.lift_message(gathered, RESPONSE, "message"))
        for part in message.parts:
            StreamedPart(self, part).done()
        self.open = []
        del message.parts[:]
        message.ClearField("form")

    def say(self, text: str) -> StreamedPart:
        """Add to the text."""
        if self._text is None:
            self._text = StreamedPart(self, Part(text=content_pb2.TextPart()))
        self._said.append(text)
        return self._text

    def _take_content(self, content: Any, delta: Delta) -> None:
        if isinstance(content, str):
            grown = self.say(content).add(text=content)
            if fits(delta.get("token_id")):  # Together: the token's number beside its text
                grown.logprobs.add(token=content, token_id=delta["token_id"])
            return
        for item in content if isinstance(content, list) else ():
            part = lift_part(item, RESPONSE)
            kind = part.WhichOneof("kind")
            if kind == "text":
                self.say(part.text.text).add(text=part.text.text)
            elif kind == "reasoning":
                self._think(part.reasoning.text, messages.IN_CONTENT)
            else:
                StreamedPart(self, part)

    def _take_refusal(self, text: Any, delta: Delta) -> None:
        if not isinstance(text, str):
            gather(self.message, "refusal", text)
            return
        if self._refusal is None:
            self._refusal = StreamedPart(self, Part(refusal=""))
        self._refusal.add(text=text)

    def _take_reasoning_content(self, text: Any, delta: Delta) -> None:
        self._spell(reasoning.CONTENT)
        if isinstance(text, str) and not self._told_by_details(delta):
            self._think(text, reasoning.CONTENT)

    def _take_reasoning(self, text: Any, delta: Delta) -> None:
        self._spell(reasoning.PLAIN)
        told = delta.get(reasoning.CONTENT) == text or self._told_by_details(delta)
        if isinstance(text, str) and not told:
            self._think(text, reasoning.PLAIN)

    def _spell(self, name: str) -> None:
        if name not in self.spellings:
            self.spellings.append(name)

    def _told_by_details(self, delta: Delta) -> bool:
        details = delta.get(reasoning.DETAILS)
        if not isinstance(details, list):
            return False
        return any(detail.get("text") or detail.get("summary") for detail in details if reasoning.known_detail(detail))

    def _think(self, text: str, spelling: str) -> None:
        if self._thought is None:
            part = Part(reasoning=content_pb2.ReasoningPart())
            spell(part, RESPONSE, spelling)
            self._thought = StreamedPart(self, part)
        self._thought.add(text=text)

    def _take_details(self, details: Any, delta: Delta) -> None:
        for detail in details if isinstance(details, list) else ():
            if not reasoning.known_detail(detail):
                gather(self.message, reasoning.DETAILS, [detail])
                continue
            self._spell(reasoning.DETAILS)
            self._take_detail(detail)

    def _take_detail(self, detail: JsonObject) -> None:
        field, delta = reasoning.GROWS[detail["type"]]
        text, signature = detail.get(field), detail.get("signature")
        index = detail.get("index")
        key = detail["type"], index if isinstance(index, int) else None
        part = self._details.get(key)
        if part is None:
            said = {name: value for name, value in detail.items() if name != "signature"}
            lifted = reasoning.lift_detail({**said, field: ""}, len(self._details), RESPONSE)
            lifted.ClearField("form")
            spell(lifted, RESPONSE, reasoning.DETAILS)
            part = self._details[key] = StreamedPart(self, lifted)
        else:
            self._know_detail(part, detail)
        if isinstance(text, str) and text:
            part.add(**{delta: text.encode() if delta == "encrypted" else text})
        if isinstance(signature, str) and signature:
            part.add(signature=signature.encode())

    def _know_detail(self, part: StreamedPart, detail: JsonObject) -> None:
        """Later chunks of a detail may bring its id and format, and fields that nobody knows."""
        rest = {name: value for name, value in detail.items() if name not in _DETAIL and not says_nothing(value)}
        if rest:
            late = reasoning.lift_detail({"type": detail["type"], **rest}, 0, RESPONSE)
            late.ClearField("form")
            part.know().MergeFrom(late)

    def _take_calls(self, deltas: Any, delta: Delta) -> None:
        for item in deltas if isinstance(deltas, list) else ():
            if isinstance(item, dict):
                self._take_call(item)

    def _take_call(self, delta: JsonObject) -> None:
        position = self._position(delta)
        if position is None:
            position = len(self._calls)
            self._calls.append(StreamedCall())
        if isinstance(delta.get("index"), int):
            self._by_index[delta["index"]] = position
        self._last = position
        self._calls[position].take(delta, self, position)

    def _position(self, delta: JsonObject) -> int | None:
        """The call that a delta belongs to: by index, by id, or the last; None where it begins another."""
        index, call_id = delta.get("index"), delta.get("id")
        function = delta.get("function") or delta.get("custom")
        named = isinstance(function, dict) and bool(function.get("name"))
        if not isinstance(index, int):
            known = [number for number, call in enumerate(self._calls) if call_id and call.call_id == call_id]
            return known[0] if known else None if call_id or named or not self._calls else self._last
        position = self._by_index.get(index)
        if position is not None and named and call_id and self._calls[position].call_id not in ("", call_id):
            return None  # Gemini's OpenAI door gives every parallel call the index 0
        return position

    def _take_function_call(self, value: Any, delta: Delta) -> None:
        if isinstance(value, dict):
            self._spell(messages.FUNCTION_CALL)
            if not self._calls:
                self._calls.append(StreamedCall())
            self._calls[0].take({"function": value}, self, 0)

    def _take_audio(self, audio: Any, delta: Delta) -> None:
        if not isinstance(audio, dict):
            return
        if self._audio is None:
            part = Part(id=word(audio.get("id")))
            part.media.modality = content_pb2.MODALITY_AUDIO
            self._audio = StreamedPart(self, part)
        if word(audio.get("data")):
            try:
                self._audio.add(media=base64.b64decode(audio["data"]))
            except (binascii.Error, ValueError):
                gather(self.message, "audio_data", [audio["data"]])
        if word(audio.get("transcript")):
            self._audio.add(transcript=audio["transcript"])
        if fits(audio.get("expires_at"), 36):
            self._audio.know().media.expire_time.seconds = audio["expires_at"]

    def _take_annotations(self, items: Any, delta: Delta) -> None:
        self._citations += [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        if self._text is not None:
            for item in self._citations:
                self._text.add(citation=citations.lift_citation(item, RESPONSE))
            self._citations = []

    def _take_role(self, role: Any, delta: Delta) -> None:
        """Every choice is the assistant's."""

    def _take_token_id(self, value: Any, delta: Delta) -> None:
        """Told with the text that it belongs to; the token that ends an answer has none."""
        if delta.get("content"):
            return
        if self._text is not None and fits(value):
            self._text.add().logprobs.add(token_id=value)
        else:
            gather(self.message, "token_id", value)

    def _finish_reason(self, word: Any) -> None:
        # Some send a second reason with the usage; `stop` there knows less than what came before.
        if isinstance(word, str) and word and not (word == "stop" and self.finished):
            self.data["finish_reason"] = word

    def _logprobs(self, logprobs: Any) -> None:
        tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
        if tokens and is_list(tokens) and self._text is not None:
            self._text.add().logprobs.extend(map(lift_token, tokens))
        elif not says_nothing(logprobs):
            gather(self.data, "logprobs", logprobs)

    def _cumulative(self, message: Any) -> None:
        """The message so far (Perplexity), or the whole message in place of deltas."""
        text = message.get("content") if isinstance(message, dict) else None
        said = "".join(self._said)
        if isinstance(text, str) and len(text) > len(said) and text.startswith(said):
            self.say(text[len(said) :]).add(text=text[len(said) :])


def text_alone(choice: Any) -> str:
    """The text of an element of `choices` that has an index, adds text and says nothing else; empty for another."""
    if type(choice) is not dict or not choice.keys() <= _PLAIN or type(choice.get("index")) is not int:
        return ""
    delta = choice.get("delta")
    if type(delta) is not dict or not delta.keys() <= _PLAIN_DELTA or (len(choice) > 2 and _says_more(choice)):
        return ""
    text = delta.get("content")
    return text if type(text) is str else ""


def _says_more(choice: JsonObject) -> bool:
    return choice.get("finish_reason") is not None or choice.get("logprobs") is not None


def gather(target: JsonObject, key: str, value: Any) -> None:
    """Put a value that is not streamed where a whole answer has it: objects grow, indexed lists grow by element,
    of all else the last counts."""
    old = target.get(key)
    if isinstance(value, dict) and isinstance(old, dict):
        for name, inner in value.items():
            if inner is not None:
                gather(old, name, inner)
    elif isinstance(value, list) and isinstance(old, list) and old and value and _indexed(old) and _indexed(value):
        known = {item["index"]: item for item in old}
        for item in value:
            if item["index"] in known:
                for name, inner in item.items():
                    gather(known[item["index"]], name, inner)
            else:
                old.append(item)
    else:
        target[key] = value


def _indexed(items: list[Any]) -> bool:
    return all(isinstance(item, dict) and isinstance(item.get("index"), int) for item in items)


_PLAIN = frozenset({"index", "delta", "finish_reason", "logprobs"})
_PLAIN_DELTA = frozenset({"content", "role"})
_DETAIL = frozenset({"type", "index", "text", "summary", "data", "signature"})
_DELTAS: Mapping[str, Callable[[StreamedChoice, Any, Delta], None]] = {
    "content": StreamedChoice._take_content,
    "role": StreamedChoice._take_role,
    reasoning.CONTENT: StreamedChoice._take_reasoning_content,
    reasoning.PLAIN: StreamedChoice._take_reasoning,
    reasoning.DETAILS: StreamedChoice._take_details,
    "refusal": StreamedChoice._take_refusal,
    "tool_calls": StreamedChoice._take_calls,
    messages.FUNCTION_CALL: StreamedChoice._take_function_call,
    "audio": StreamedChoice._take_audio,
    "annotations": StreamedChoice._take_annotations,
    "token_id": StreamedChoice._take_token_id,
}
