"""The laws of a chat format whose streams are no server-sent events: JSON lines, or binary frames."""

from __future__ import annotations

from collections.abc import Iterator

from antiphon.core.errors import ServiceError
from tests.laws.chat import SHORT, STRIDE, ChatLaws, Events, cuts, decode
from tests.laws.recordings import Recorded
from tests.laws.verdict import Verdict


class FramedLaws(ChatLaws):
    """L1 to L5 where the request or the path tells that the answer is a stream."""

    binary = False
    """Whether the stream has no lines, so that line ends must not be rewritten."""

    def streams(self, recorded: Recorded) -> bool:
        """Whether a successful answer is a stream."""
        raise NotImplementedError

    def examine(self, recorded: Recorded) -> Verdict:
        """Apply every law that fits the exchange."""
        verdict = Verdict()
        if isinstance(recorded.request_json, dict):
            self.request(recorded, verdict)
        if verdict.refused:
            return verdict
        if recorded.status >= 400:
            verdict.check("L2", lambda: self.error(recorded))
        elif self.streams(recorded):
            self.stream(recorded, verdict)
        else:
            verdict.check("L2", lambda: self.answer(recorded, verdict))
        return verdict

    def _cuts(self, body: bytes, events: Events, error: ServiceError | None) -> str | None:
        expected = [event.SerializeToString(deterministic=True) for event in events], str(error)
        for name, chunks in binary_cuts(body) if self.binary else cuts(body):
            cut_events, cut_error = decode(self.wire, chunks)
            actual = [event.SerializeToString(deterministic=True) for event in cut_events], str(cut_error)
            if actual != expected:
                return f"{name}: {len(expected[0])} events became {len(actual[0])}; {cut_error}"
        return None


def binary_cuts(body: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """The same bytes cut otherwise."""
    yield "cut at every byte", [body[i : i + 1] for i in range(len(body))]
    if len(body) <= SHORT:
        for position in range(1, len(body)):
            yield f"cut at {position}", [body[:position], body[position:]]
    for offset in range(min(STRIDE, len(body))):
        pieces = [body[i : i + STRIDE] for i in range(offset, len(body), STRIDE)]
        yield f"cut every {STRIDE} bytes from {offset}", [body[:offset], *pieces]
