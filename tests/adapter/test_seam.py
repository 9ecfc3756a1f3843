"""A replayed call answers the same by the narrow seam and by httpx's, whatever its recording and its settings are."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon.adapter.limits import Limits
from antiphon.adapter.seam import Replays
from antiphon.adapter.upstream import Target, Upstream
from antiphon.core.call import Call
from antiphon.core.errors import ServiceError
from antiphon.harness import (
    CassetteTransport,
    Interaction,
    RecordingCall,
    SseEvent,
    authored_json,
    authored_sse,
    write_cassette,
)
from antiphon.harness.controls import Controls
from antiphon.harness.faults import Faults
from antiphon.harness.faults.plan import plan_of
from antiphon.harness.interaction import Failure
from antiphon.harness.library import Library
from antiphon.harness.modes import Outcome
from antiphon.wire.base import HttpCall

URL = "https://api.example.test/v1/chat/completions"
CASSETTES = Path(__file__).parents[2] / "cassettes"
ASKED = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
ONE = authored_json(url=URL, request=ASKED, response={"text": "one"})
TWO = authored_json(url=URL, request=ASKED, response={"text": "two"})
STREAM = authored_sse(url=URL, request=ASKED, events=[SseEvent(data={"n": n}) for n in range(300)])


class General(httpx.AsyncBaseTransport):
    """A recording transport without the narrow seam."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._inner.handle_async_request(request)


class Counting(General):
    """A recording transport that counts what the narrow seam answered."""

    def __init__(self, inner: CassetteTransport) -> None:
        super().__init__(inner)
        self._replays = inner
        self.direct = 0

    def replayed(self, method: str, url: str, headers: Mapping[str, str], body: bytes, options: object) -> Any:
        reply = self._replays.replayed(method, url, headers, body, options)
        self.direct += reply is not None
        return reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Recordings, what is asked of them how often with which settings, and how many answers are plain."""

    name: str
    recordings: Sequence[Interaction]
    direct: int
    times: int = 1
    said: Mapping[str, Any] = field(default_factory=dict)
    default: RecordingCall = field(default_factory=lambda: RecordingCall(pace=0.0))
    plan: str = "rules: []"


def changed(interaction: Interaction, **changes: Any) -> Interaction:
    return replace(interaction, answer=replace(interaction.answer, **changes))


def target(interaction: Interaction, said: Mapping[str, Any]) -> Target:
    return Target(
        provider="example",
        url=interaction.request.url,
        headers={"authorization": "Bearer sk-test"},
        recording={"mode": "replay", "provider": "example", **said},
    )


async def told(upstream: Upstream, interaction: Interaction, said: Mapping[str, Any]) -> dict[str, Any]:
    """All that the adapter sees of one call."""
    asked = interaction.request
    wired = HttpCall(method=asked.method, path="", body=asked.body, headers=dict(asked.headers))
    call = Call()
    seen: dict[str, Any] = {"chunks": []}
    try:
        async with upstream.open(target(interaction, said), wired, call) as reply:
            seen |= {"status": reply.status, "headers": dict(reply.headers), "recording": dict(reply.recording)}
            seen["request_id"] = reply.request_id
            while chunk := await reply.next():
                seen["chunks"].append(chunk)
    except ServiceError as error:
        seen |= {"reason": error.reason, "message": error.message, "metadata": dict(error.metadata)}
    return seen


async def both(
    ways: tuple[CassetteTransport, CassetteTransport], asked: Iterable[tuple[Interaction, Mapping[str, Any]]]
) -> tuple[list[dict[str, Any]], int]:
    """What is seen of each call, the same by both ways, and how many the narrow one answered."""
    counting = Counting(ways[0])
    assert isinstance(counting, Replays)
    narrow, general = Upstream(counting, Limits()), Upstream(General(ways[1]), Limits())
    seen = []
    for interaction, said in asked:
        one, other = await told(narrow, interaction, said), await told(general, interaction, said)
        assert one == other
        seen.append(one)
    return seen, counting.direct


async def test_every_recording_of_ours_answers_the_same_by_both_ways() -> None:
    ways = [CassetteTransport(CASSETTES, default=RecordingCall(pace=0.0)) for _ in range(2)]
    for way in ways:
        way.store.load()
    items = Library(CASSETTES).read().items
    seen, direct = await both((ways[0], ways[1]), [(item.interaction, {}) for item in items])
    assert all("status" in each for each in seen)
    assert direct == len(items) > 0


LATE = replace(ONE, answer=replace(ONE.answer, headers_ms=5.0))
CASES = [
    Case(name="plain", recordings=[ONE], direct=3, times=3),
    Case(name="a stream", recordings=[STREAM], direct=1),
    Case(name="an order of equal requests", recordings=[ONE, TWO], direct=3, times=3),
    Case(name="a session, used up", recordings=[ONE, TWO], direct=2, times=4, said={"session": "s"}),
    Case(
        name="a session that repeats", recordings=[ONE, TWO], direct=4, times=4, said={"session": "s", "repeat": "true"}
    ),
    Case(name="a cassette by name", recordings=[ONE], direct=1, said={"cassette": "chat"}),
    Case(name="a cassette that is not there", recordings=[ONE], direct=0, said={"cassette": "other"}),
    Case(name="a word that cannot be read", recordings=[ONE], direct=0, said={"repeat": "maybe"}),
    Case(name="a fault asked for", recordings=[ONE], direct=0, said={"fault": "429;retry-after=2"}),
    Case(name="a fault in the answer", recordings=[STREAM], direct=0, said={"fault": "cut@event=2"}),
    Case(name="no fault asked for", recordings=[ONE], direct=0, said={"fault": "none"}),
    Case(
        name="a plan of faults",
        recordings=[ONE],
        direct=0,
        times=3,
        said={"session": "s", "repeat": "true"},
        plan="rules: [{match: {}, fault: '503', calls: [2]}]",
    ),
    Case(name="another chunking", recordings=[STREAM], direct=0, said={"chunking": "blob"}),
    Case(name="delays, played", recordings=[LATE], direct=0, default=RecordingCall(pace=1.0)),
    Case(name="delays, not played", recordings=[LATE], direct=1),
    Case(name="no delays at the recorded pace", recordings=[ONE], direct=1, default=RecordingCall(pace=1.0)),
    Case(name="trailers", recordings=[changed(STREAM, trailers=(("x-check", "1"),))], direct=1),
    Case(
        name="repeated headers",
        recordings=[changed(ONE, headers=(("via", "a"), ("via", "b"), ("x-request-id", "r1")))],
        direct=1,
    ),
    Case(name="an error status", recordings=[authored_json(url=URL, request=ASKED, response={}, status=429)], direct=1),
    Case(name="no content", recordings=[changed(ONE, status=204, body=b"", chunks=())], direct=1),
    Case(name="empty chunks", recordings=[changed(ONE, body=b"ab", chunks=((0, 0), (0, 1), (0, 1), (0, 0)))], direct=1),
    Case(
        name="a broken answer",
        recordings=[
            changed(
                STREAM, outcome=Outcome.TRUNCATED, failure=Failure(error="ReadError", phase="body", message="reset")
            )
        ],
        direct=0,
        times=2,
    ),
    Case(
        name="no answer",
        recordings=[
            changed(
                ONE, outcome=Outcome.REFUSED, failure=Failure(error="ConnectError", phase="connect", message="refused")
            )
        ],
        direct=0,
    ),
    Case(name="a caller who left", recordings=[changed(STREAM, outcome=Outcome.CANCELLED)], direct=0),
    Case(
        name="a session whose broken answer comes between",
        recordings=[
            ONE,
            changed(
                TWO, outcome=Outcome.TIMEOUT, failure=Failure(error="ReadTimeout", phase="headers", message="late")
            ),
            TWO,
        ],
        direct=2,
        times=4,
        said={"session": "s"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_a_replayed_call_is_the_same_by_both_ways(tmp_path: Path, case: Case) -> None:
    write_cassette(tmp_path, "example/chat", case.recordings)
    ways, faults = [], [Faults(plan=plan_of(case.plan)) for _ in range(2)]
    for each in faults:
        way = CassetteTransport(tmp_path, default=case.default, sources=[each], shapers=[each])
        way.store.load()
        ways.append(way)
    _, direct = await both((ways[0], ways[1]), [(case.recordings[0], case.said)] * case.times)
    assert direct == case.direct
    for name in ("", "s"):
        assert ways[0].store.report(name) == ways[1].store.report(name)
        calls = [each._sessions[name].calls if name in each.sessions() else 0 for each in faults]
        assert calls[0] == calls[1]


async def test_a_compressed_answer_is_decompressed_by_both_ways(tmp_path: Path) -> None:
    write_cassette(tmp_path, "example/chat", [ONE])
    packed = changed(
        ONE,
        headers=(("content-type", "application/json"), ("content-encoding", "gzip")),
        body=gzip.compress(ONE.answer.body, mtime=0),
        chunks=None,
    )
    ways = [CassetteTransport(tmp_path, default=RecordingCall(pace=0.0)) for _ in range(2)]
    for way in ways:
        way.store.load()
        (recording,) = way.store
        way.store._bodies.put(recording, packed)  # a cassette holds bodies decompressed, so none is read like this
    (seen,), direct = await both((ways[0], ways[1]), [(ONE, {})])
    assert direct == 0
    assert b"".join(seen["chunks"]) == ONE.answer.body


async def test_a_request_without_a_recording_is_refused_the_same_way_and_told_once(tmp_path: Path) -> None:
    write_cassette(tmp_path, "example/chat", [ONE])
    ways = [CassetteTransport(tmp_path, default=RecordingCall(pace=0.0)) for _ in range(2)]
    other = authored_json(url=URL, request={**ASKED, "n": 2}, response={})
    (seen,), direct = await both((ways[0], ways[1]), [(other, {"session": "s"})])
    assert seen["metadata"]["nearest"] == "example/chat.yaml #0"
    assert direct == 0
    assert [len(way.store.report("s").missing) for way in ways] == [1, 1]


async def test_what_came_is_remembered_the_same_by_both_ways(tmp_path: Path) -> None:
    write_cassette(tmp_path, "example/chat", [ONE, STREAM])
    controls = [Controls(), Controls()]
    ways = [each.transport(tmp_path, default=RecordingCall(pace=0.0)) for each in controls]
    for way in ways:
        way.store.load()
    said = {"session": "s"}
    _, direct = await both((ways[0], ways[1]), [(ONE, said), (STREAM, said), (ONE, said)])
    assert direct == 2
    one, other = ([_remembered(each) for each in control.requests] for control in controls)
    assert one == other
    assert len(one) == 3
    assert "sk-test" not in repr(one)


async def test_a_mock_is_asked_before_a_plain_recording(tmp_path: Path) -> None:
    write_cassette(tmp_path, "example/chat", [ONE])
    controls = [Controls(), Controls()]
    ways = [each.transport(tmp_path, default=RecordingCall(pace=0.0)) for each in controls]
    for each, way in zip(controls, ways, strict=True):
        way.store.load()
        each.mocks.add(TWO.answer, session="mocked")
    seen, direct = await both((ways[0], ways[1]), [(ONE, {"session": "mocked"}), (ONE, {"session": "other"})])
    assert direct == 1
    assert ["synthetic" in each["recording"] for each in seen] == [True, False]


async def test_a_reader_who_leaves_a_plain_answer_is_remembered_as_gone(tmp_path: Path) -> None:
    write_cassette(tmp_path, "example/chat", [STREAM])
    controls = Controls()
    transport = controls.transport(tmp_path, default=RecordingCall(pace=0.0))
    transport.store.load()
    wired = HttpCall(method="POST", path="", body=STREAM.request.body)
    async with Upstream(transport, Limits()).open(target(STREAM, {}), wired, Call()) as reply:
        assert await reply.next()
    (seen,) = controls.requests
    assert seen.end.value == "left"


async def test_a_transport_that_overrides_the_general_way_alone_sees_every_call(tmp_path: Path) -> None:
    class Noting(CassetteTransport):
        calls = 0

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.calls += 1
            return await super().handle_async_request(request)

    write_cassette(tmp_path, "example/chat", [ONE])
    transport = Noting(tmp_path, default=RecordingCall(pace=0.0))
    transport.store.load()
    assert (await told(Upstream(transport, Limits()), ONE, {}))["status"] == 200
    assert transport.calls == 1


async def test_a_recording_that_is_not_plain_keeps_its_place_until_the_general_way_takes_it(tmp_path: Path) -> None:
    write_cassette(tmp_path, "example/chat", [LATE, TWO])
    transport = CassetteTransport(tmp_path, default=RecordingCall(pace=1.0))
    transport.store.load()
    options = {"mode": "replay", "session": "s"}
    for _ in range(2):
        assert transport.replayed("POST", URL, {}, ONE.request.body, options) is None
    assert transport.store.report("s").used == {}
    assert transport.store.sessions() == []
    seen = [await told(Upstream(transport, Limits()), ONE, {"session": "s"}) for _ in range(2)]
    assert [b"one" in each["chunks"][0] for each in seen] == [True, False]


async def test_a_source_that_cannot_tell_beforehand_is_always_asked(tmp_path: Path) -> None:
    class Noting:
        def __init__(self) -> None:
            self.calls = 0

        async def answer(self, asked: object, call: RecordingCall, /) -> None:
            self.calls += 1

    write_cassette(tmp_path, "example/chat", [ONE])
    sources = [Noting(), Noting()]
    ways = [
        CassetteTransport(tmp_path, default=RecordingCall(pace=0.0), sources=[cast("Any", source)])
        for source in sources
    ]
    for way in ways:
        way.store.load()
    _, direct = await both((ways[0], ways[1]), [(ONE, {})])
    assert direct == 0
    assert [source.calls for source in sources] == [1, 1]


def _remembered(seen: Any) -> tuple[Any, ...]:
    answered = seen.answered is not None and seen.ended is not None
    return (
        *(seen.number, seen.session, seen.provider, seen.request, seen.cut, seen.status),
        *(seen.place, seen.synthetic, answered, seen.end, seen.error),
    )


THREE = authored_json(url=URL, request=ASKED, response={"text": "three"})
STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "ask", "ask", "fail", "forget", "write", "fault"]), st.sampled_from(["", "s"])),
    min_size=4,
    max_size=14,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS, st.sampled_from([None, True]))
async def test_what_is_heard_again_and_again_is_what_the_general_way_would_say(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]], repeat: bool | None
) -> None:
    folder = tmp_path_factory.mktemp("both")  # messages name it
    write_cassette(folder, "example/chat", [ONE, TWO])
    ways, faults = [], [Faults() for _ in range(2)]
    for each in faults:
        way = CassetteTransport(folder, default=RecordingCall(pace=0.0), sources=[each], shapers=[each], repeat=repeat)
        way.store.load()
        ways.append(way)
    for step, session in steps:
        said = {"session": session} if session else {}
        if step == "forget":
            for way in ways:
                way.store.forget(session)
        elif step == "write":
            ways[0].store.write("example/chat", THREE, replace=False)
            assert ways[1].store.reread("example/chat")
        elif step == "fault":
            for each in faults:
                each.set(session, None if each.get(session) else "429")
        else:
            asked = {**said, "fault": "500"} if step == "fail" else said
            await both((ways[0], ways[1]), [(ONE, asked)])
    for session in ("", "s"):
        assert ways[0].store.report(session) == ways[1].store.report(session)


async def test_an_answer_that_is_heard_again_and_again_is_found_without_a_look_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cassette(tmp_path, "example/chat", [ONE])
    transport = CassetteTransport(tmp_path, default=RecordingCall(pace=0.0))
    transport.store.load()
    for _ in range(3):
        assert transport.replayed("POST", URL, {}, ONE.request.body, {"mode": "replay"}) is not None
    monkeypatch.setattr(transport.store, "claim", None)
    reply = transport.replayed("POST", URL, {}, ONE.request.body, {"mode": "replay"})
    assert reply is not None
    assert reply.ready() == ONE.answer.body
    assert transport.store.report("").used == {"example/chat.yaml #0": 4}
