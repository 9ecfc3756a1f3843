"""Stop strings over streamed text: nothing of a stop string may be sent, even when it comes in pieces."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class StopScanner:
    """Holds back text that may be the start of a stop string until it is known not to be."""

    stops: tuple[str, ...]
    _held: str = field(default="", init=False)

    def push(self, piece: str) -> tuple[str, bool]:
        """Take the next piece; return the text that may be sent now, and whether a stop string was met.

        Text from the stop string on is dropped, as vLLM does by default.
        """
        text = self._held + piece
        found = [position for position in map(text.find, self.stops) if position >= 0]
        if found:
            self._held = ""
            return text[: min(found)], True
        keep = self._undecided(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], False

    def flush(self) -> str:
        """Return what was held back: the stream ended before it became a stop string."""
        held, self._held = self._held, ""
        return held

    def _undecided(self, text: str) -> int:
        """Return the length of the longest end of `text` that begins a stop string."""
        longest = max((len(stop) - 1 for stop in self.stops), default=0)
        for length in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self.stops):
                return length
        return 0
