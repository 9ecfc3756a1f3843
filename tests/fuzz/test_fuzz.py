"""Hostile and broken input is read or refused: no crash, no hang, no growth.

ANTIPHON_FUZZ_EXAMPLES sets how many inputs each target gets (`make fuzz`: 50,000). An input that fails is
kept in `found/`, where it is a test ever after.
"""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon.wire.eventstream import FrameParser, event_frame
from antiphon.wire.sse import SseParser
from tests.fuzz.inputs import INPUTS, SEEDS
from tests.fuzz.targets import TARGETS

EXAMPLES = int(os.environ.get("ANTIPHON_FUZZ_EXAMPLES", "200"))
FOUND = Path(__file__).parent / "found"


def test_every_target_has_inputs_and_seeds() -> None:
    assert TARGETS.keys() == INPUTS.keys() == SEEDS.keys()
    assert {folder.name for folder in FOUND.iterdir()} <= TARGETS.keys()


@pytest.mark.parametrize("target", TARGETS)
def test_any_input_is_read_or_refused(target: str) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(data=st.data())
    def run(data: st.DataObject) -> None:
        TARGETS[target](data.draw(INPUTS[target]))

    run()


@pytest.mark.parametrize("target", TARGETS)
def test_the_seeds_are_read(target: str) -> None:
    for seed in SEEDS[target]:
        TARGETS[target](seed)


@pytest.mark.parametrize("file", sorted(FOUND.rglob("*.bin")), ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_an_input_that_once_failed_no_longer_does(file: Path) -> None:
    TARGETS[file.parent.name](file.read_bytes())


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n", b"data: x\n", b": ping\n\n"])
def test_a_chunk_of_very_many_lines_takes_one_pass(end: bytes) -> None:
    lines = 3_000_000 // len(end)
    parser = SseParser()
    events = parser.feed(end * lines)  # with a pass a line, the suite's time limit ends this
    assert len(events) == (lines if end.startswith(b":") else 0)


def test_parsers_do_not_grow_with_what_they_have_passed_on() -> None:
    sse, frames = SseParser(), FrameParser()
    event, frame = b"event: a\ndata: " + b"x" * 500 + b"\n\n: ping\n\n", event_frame("a", b"x" * 500)
    held = []
    tracemalloc.start()
    try:
        for _ in range(3):
            for _ in range(2000):
                assert len(sse.feed(event)) == 2
                assert len(frames.feed(frame)) == 1
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert held[2] - held[1] < 50_000  # of 2 MB that went through
