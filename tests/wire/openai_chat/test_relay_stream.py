"""Streams that go on as they came mean what the general way would have said, wherever they are cut and end."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.core.errors import ServiceError
from antiphon.core.fold import fold
from antiphon.core.streams import together
from antiphon.gateway.edges.openai import WithoutUsage
from antiphon.v1 import chat_pb2
from antiphon.wire.base import StreamEncoder, Told
from antiphon.wire.jsontext import canonical, loads
from antiphon.wire.openai_chat import OpenAIChat
from antiphon.wire.openai_chat.relay_chunks import Chunks, Kind
from antiphon.wire.openai_chat.relay_stream import RelayReader
from tests.laws.recordings import Recorded
from tests.wire.openai_chat.test_plain import DELTAS, PLAIN, changed, delta, streams
from tests.wire.openai_chat.test_relay import recordings, told_of

WIRE = OpenAIChat()


@pytest.fixture(scope="module")
def recorded() -> list[Recorded]:
    return recordings()


class Client:
    """What a client gets of a stream, either way."""

    def __init__(self, *, usage: bool, chunks: Chunks | None = None) -> None:
        self.chunks = chunks
        encoder: StreamEncoder = WIRE.stream_encoder() if usage else WithoutUsage()
        self.usage = usage
        self._encode = encoder.encode
        self.body = b""
        self.told: Told | None = None
        self.error: ServiceError | None = None
        self.known = chat_pb2.Completion().usage

    def write(self, events: Sequence[chat_pb2.StreamChatResponse]) -> bytes:
        return b"".join(map(self._encode, together(list(events))))

    def generally(self, chunks: Iterable[bytes]) -> Client:
        decoder, reasons = WIRE.stream_decoder(), []
        try:
            for events in self._events(decoder, chunks):
                self.body += self.write(events)
                for event in events:
                    if event.HasField("output_done"):
                        reasons.append(event.output_done.output.provider_finish_reason)
                    elif event.HasField("completed"):
                        self.told = told_of(event.completed.completion, reasons)
        except ServiceError as error:
            self.error = error
        self.known = decoder.usage()
        return self

    def _events(self, decoder: Any, chunks: Iterable[bytes]) -> Iterator[list[chat_pb2.StreamChatResponse]]:
        for chunk in chunks:
            rest = chunk
            while events := decoder.feed(rest):
                yield events
                rest = b""
        yield decoder.close()

    def relayed(self, chunks: Iterable[bytes]) -> Client:
        reader = RelayReader(usage=self.usage, write=self.write, chunks=self.chunks)
        for chunk in chunks:
            self.body += reader.feed(chunk)
            assert reader.begun or not self.body
            if (error := reader.error) is not None:
                self.error = error
                break
        else:
            self.body += reader.close()
            self.error = reader.error
        self.told = reader.told() if reader.ended else None
        if self.told is not None:
            self.told.usage.ClearField("form")
        self.known = reader.usage()
        self.general = reader._general is not None
        return self

    general = False


def chunks_of(body: bytes) -> list[Any]:
    return [loads(line[6:]) for line in body.split(b"\n") if line.startswith(b"data: {")]


def meant(body: bytes, *, usage: bool) -> Any:
    """What a client makes of the bytes it got, whole or cut."""
    decoder = WIRE.stream_decoder()
    events: list[chat_pb2.StreamChatResponse] = []
    if not body.endswith(b"data: [DONE]\n\n"):  # cut: only the deltas count, joined
        said: dict[Any, str] = {}
        for chunk in chunks_of(body):
            for choice in chunk["choices"]:
                for key, value in choice["delta"].items():
                    if isinstance(value, str) and key != "role":
                        place = (choice["index"], key)
                        said[place] = said.get(place, "") + value
        return {place: text for place, text in said.items() if text}
    events += decoder.feed(body)
    events += decoder.close()
    whole = fold(events)
    for name, text in whole.provider_data.items():
        whole.provider_data[name] = canonical(loads(text)).decode()
    if whole.usage.raw.data:  # as the provider spelled it: the order of its keys says nothing
        whole.usage.raw.data = canonical(loads(whole.usage.raw.data))
    if not usage:  # then the last chunk, in which the general way writes these, is not sent
        whole.ClearField("service_tier")
        whole.ClearField("system_fingerprint")
        whole.ClearField("usage")
    return whole


def streamed_alike(body: bytes, *, usage: bool, chunkings: Iterable[list[bytes]]) -> bool:
    general = Client(usage=usage).generally([body])
    relayed = False
    for chunks in chunkings:
        client = Client(usage=usage).relayed(chunks)
        assert client.body.endswith(b"\n\n") or not client.body
        assert meant(client.body, usage=usage) == meant(general.body, usage=usage), chunks
        assert (client.error and (client.error.reason, client.error.message)) == (
            general.error and (general.error.reason, general.error.message)
        )
        assert client.told == general.told
        assert client.known == general.known
        if not usage:
            assert not any("usage" in chunk or not chunk["choices"] for chunk in chunks_of(client.body))
        roles = [choice["index"] for chunk in chunks_of(client.body) for choice in chunk["choices"]
                 if "role" in choice["delta"]]  # fmt: skip
        assert len(roles) == len(set(roles))
        relayed = relayed or not client.general
    return relayed


def sized(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def sse(*chunks: Any, done: bool = True, spaced: bool = False) -> bytes:
    separators = None if spaced else (",", ":")
    texts = [json.dumps(each, ensure_ascii=False, separators=separators) for each in chunks]
    return "".join(f"data: {text}\n\n" for text in [*texts, *(["[DONE]"] if done else [])]).encode()


USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def told(delta_: Any, *, index: int = 0, finish: Any = None, **more: Any) -> dict[str, Any]:
    return delta(choices=[{"index": index, "delta": delta_, "logprobs": None, "finish_reason": finish}], **more)


FIRST = told({"role": "assistant", "content": ""})
WORDS = [told({"content": word}) for word in ("Hel", "lo", ' "you"', "\\", "\u2028", "!")]
STOP = told({}, finish="stop")
COUNTED = delta(choices=[], usage=USAGE)
USUAL = sse(FIRST, *WORDS, STOP, COUNTED)
PADDED = sse(*({**each, "obfuscation": "x" * number} for number, each in enumerate((FIRST, *WORDS, STOP, COUNTED))))
WHOLE = {
    "usual": USUAL,
    "padded": PADDED,
    "two choices": sse(
        FIRST, told({"role": "assistant", "content": "a"}, index=1), *WORDS, told({"content": "b"}, index=1), STOP,
        told({}, index=1, finish="length"), COUNTED,
    ),
    "padded in front": sse(
        *({"p": "x" * number, **each} for number, each in enumerate((FIRST, *WORDS, STOP, COUNTED), 1))
    ),
    "padded alike in front": sse(*({"p": "xy", **each} for each in (FIRST, *WORDS, STOP, COUNTED))),
    "commented": b": hello\n\n" + USUAL.replace(b"\n\n", b"\n\n: on\n\n", 3),
    "spaced": sse(FIRST, *WORDS, STOP, COUNTED, spaced=True),
    "without a last blank line": USUAL[:-2],
}  # fmt: skip
BROKEN = {
    "nothing": b"",
    "cut after words": sse(FIRST, *WORDS, done=False),
    "cut within a chunk": sse(FIRST, *WORDS, done=False)[:-30],
    "no mark at the end": sse(FIRST, *WORDS, STOP, COUNTED, done=False),
    "an error": sse(FIRST, *WORDS, {"error": {"message": "too much", "type": "server_error", "code": 500}}),
    "an error first": sse({"error": {"message": "too much", "type": "server_error"}}),
    "no JSON": sse(FIRST, *WORDS, done=False) + b"data: {\n\n",
    "only the mark": b"data: [DONE]\n\n",
    "an answer that is no stream": json.dumps(PLAIN).encode(),
    "a page": b"<html>no</html>",
    "no usage": sse(FIRST, *WORDS, STOP),
    "no sum": sse(FIRST, *WORDS, STOP, delta(choices=[], usage={"prompt_tokens": 1})),
    "usage with the end": sse(FIRST, *WORDS, told({}, finish="stop", usage=USAGE)),
    "never finished": sse(FIRST, *WORDS, COUNTED),
    "a text with its end": sse(FIRST, *WORDS, told({"content": "z"}, finish="stop"), COUNTED),
    "words after the end": sse(FIRST, STOP, *WORDS, COUNTED),
    "a call": sse(FIRST, *WORDS, told({"tool_calls": [{"index": 0, "id": "c", "type": "function",
                  "function": {"name": "f", "arguments": "{}"}}]}), told({}, finish="tool_calls"), COUNTED),
    "thoughts": sse(FIRST, told({"reasoning_content": "hm"}), *WORDS, STOP, COUNTED),
    "roles in every chunk": sse(*(told({"role": "assistant", "content": word}) for word in "abc"), STOP, COUNTED),
    "no role": sse(*WORDS, STOP, COUNTED),
    "a foreign word at the end": sse(FIRST, *WORDS, told({}, finish="eos_of_mine"), COUNTED),
    "another head": sse(FIRST, *WORDS, {**WORDS[0], "id": "other"}, STOP, COUNTED),
    "carriage returns": USUAL.replace(b"\n", b"\r\n"),
    "a byte order mark": b"\xef\xbb\xbf" + USUAL,
    "named events": USUAL.replace(b"data: {", b"event: x\ndata: {"),
    "no space": USUAL.replace(b"data: ", b"data:"),
    "lines within": USUAL.replace(b'"object"', b'\ndata: "object"'),
    "half a surrogate": USUAL.replace(b'"lo"', b'"\\ud83d"'),
    "a broken text": USUAL.replace(b'"lo"', b'"l"o"'),
    "a text that runs on": USUAL.replace(b'"lo"', b'"lo\\"'),
    "padding in front, then a broken chunk": sse(
        *({"p": "xy", **each} for each in (FIRST, *WORDS)), done=False
    ) + sse({"p": "xy", **WORDS[0]}, done=False).replace(b'"choices":[', b'"choices":["', 1),
    "two texts": USUAL.replace(b'"lo"', b'"l","o"'),
}  # fmt: skip


@pytest.mark.parametrize("usage", [True, False])
@pytest.mark.parametrize("name", WHOLE)
def test_a_plain_stream_is_passed_on_wherever_it_is_cut(name: str, usage: bool) -> None:
    body = WHOLE[name]
    everywhere = ([body[:at], body[at:]] for at in range(0, len(body), 1 if name == "usual" else 7))
    assert streamed_alike(body, usage=usage, chunkings=[[body], *everywhere, *(sized(body, n) for n in (1, 7, 300))])
    assert not Client(usage=usage).relayed([body]).general


@pytest.mark.parametrize("usage", [True, False])
@pytest.mark.parametrize("name", BROKEN)
def test_any_other_stream_comes_as_in_the_general_way(name: str, usage: bool) -> None:
    body = BROKEN[name]
    everywhere = ([body[:at], body[at:]] for at in range(0, len(body), 13))
    streamed_alike(body, usage=usage, chunkings=[[body], *everywhere, *(sized(body, n) for n in (1, 7, 300))])


def noting(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The chunks that are looked at one by one, from now on."""
    taken: list[bytes] = []
    take = RelayReader._take

    def noted(self: RelayReader, event: bytes) -> bytes | None:
        taken.append(event)
        return take(self, event)

    monkeypatch.setattr(RelayReader, "_take", noted)
    return taken


@pytest.mark.parametrize("usage", [True, False])
@pytest.mark.parametrize("padded", [True, False])
def test_of_a_run_of_chunks_only_the_first_are_parsed(
    monkeypatch: pytest.MonkeyPatch, usage: bool, padded: bool
) -> None:
    chunks = [FIRST, *(told({"content": f"word{number} "}) for number in range(100)), STOP, COUNTED]
    if padded:
        chunks = [{**chunk, "obfuscation": "x" * (number % 9)} for number, chunk in enumerate(chunks)]
    taken = noting(monkeypatch)
    client = Client(usage=usage).relayed([sse(*chunks)])
    assert not client.general
    assert len(taken) <= 5
    assert b"word99 " in client.body


@settings(max_examples=300, deadline=None)
@given(streams(), st.booleans(), st.integers(1, 400))
def test_whatever_comes_means_the_same_both_ways(body: bytes, usage: bool, size: int) -> None:
    streamed_alike(body, usage=usage, chunkings=[[body], sized(body, size)])


@st.composite
def nearly_plain(draw: st.DrawFn) -> bytes:
    words = draw(st.lists(DELTAS, min_size=1, max_size=8))
    chunks = [copy.deepcopy(each) for each in (FIRST, *(told({"content": word}) for word in words), STOP, COUNTED)]
    at = draw(st.integers(0, len(chunks) - 1))
    chunks[at] = changed(draw, chunks[at], ["usage", "error", "obfuscation", "role", "x", "tool_calls"])
    spaced, done = draw(st.booleans()), draw(st.booleans())
    return sse(*chunks, done=done, spaced=spaced)


@settings(max_examples=300, deadline=None)
@given(nearly_plain(), st.booleans(), st.integers(1, 400))
def test_a_stream_with_one_odd_chunk_means_the_same_both_ways(body: bytes, usage: bool, size: int) -> None:
    streamed_alike(body, usage=usage, chunkings=[[body], sized(body, size)])


TEXTS = st.text(alphabet='ab"\\,[]\n\x1f{}:/u0dDcC89fF\u20ac', max_size=12).map(str.encode)


@settings(max_examples=3000, deadline=None)
@given(st.lists(TEXTS | st.binary(max_size=3), min_size=1, max_size=5), st.booleans())
def test_a_run_goes_on_for_as_long_as_its_chunks_are_plain(texts: list[bytes], padded: bool) -> None:
    run = Kind(0, b'"a":"', b'","p":"' if padded else b"", b'"}\n\n', usage=False).run(b"data: {")
    events = [b'data: {"a":"%b"}\n\n' % (b'%b","p":"%b' % (text, text) if padded else text) for text in texts]
    plain = 0
    for event in events:
        try:
            loads(event[6:])
            pairs = json.loads(event[6:], object_pairs_hook=list)
        except ValueError:
            break
        if [name for name, _ in pairs] != (["a", "p"] if padded else ["a"]) or not all(
            type(each) is str for _, each in pairs
        ):
            break
        plain += 1
    found = run.end(b"".join(events), 0)
    ends = [sum(map(len, events[:count])) for count in range(len(events) + 1)]
    assert found == ends[plain] or (found == 0 and any(byte > 127 for event in events for byte in event))


@pytest.mark.parametrize("escape", ["\\n", "\\u00e9", "\\ud83d\\ude00", "\\\\", '\\"', "\\/", "\u20ac", "\x7f"])
def test_escapes_do_not_end_a_run(escape: str) -> None:
    run = Kind(0, b'"a":"', b"", b'"}\n\n', usage=False).run(b"data: {")
    event = f'data: {{"a":"x{escape}y"}}\n\n'.encode()
    assert run.end(event * 3, 0) == 3 * len(event)


@pytest.mark.parametrize("usage", [True, False])
def test_what_was_learned_of_a_stream_holds_for_the_next(monkeypatch: pytest.MonkeyPatch, usage: bool) -> None:
    chunks = Chunks()
    bodies = [*WHOLE.values(), *BROKEN.values()] * 2
    for body in bodies:
        fresh, known = Client(usage=usage).relayed([body]), Client(usage=usage, chunks=chunks).relayed([body])
        assert (known.body, known.told, known.general) == (fresh.body, fresh.told, fresh.general)
        assert known.known == fresh.known
    assert chunks.kind is not None
    taken = noting(monkeypatch)
    body = USUAL.replace(b"abc", b"abcd")
    assert not Client(usage=usage, chunks=chunks).relayed([body]).general
    assert not any(b"Hel" in event for event in taken), "the first words were parsed"


@settings(max_examples=300, deadline=None)
@given(st.lists(nearly_plain(), min_size=2, max_size=4), st.booleans())
def test_what_was_learned_changes_no_other_stream(bodies: list[bytes], usage: bool) -> None:
    chunks = Chunks()
    for body in bodies:
        fresh, known = Client(usage=usage).relayed([body]), Client(usage=usage, chunks=chunks).relayed([body])
        assert meant(known.body, usage=usage) == meant(fresh.body, usage=usage)
        assert (known.told, known.known) == (fresh.told, fresh.known)
        assert str(known.error) == str(fresh.error)


@pytest.mark.parametrize("usage", [True, False])
def test_every_recorded_stream_means_the_same_both_ways(recorded: list[Recorded], usage: bool) -> None:
    bodies = [each.body for each in recorded if each.streamed and each.status == 200]
    relayed = 0
    for body in bodies:
        chunkings = [[body], sized(body, 1000), sized(body, 97), [*sized(body[:3000], 1), body[3000:]]]
        relayed += streamed_alike(body, usage=usage, chunkings=chunkings)
    # Few go on as they are from beginning to end: the recordings were chosen for their oddities.
    assert relayed >= 2, f"{relayed} of {len(bodies)}"
