"""The settings of calls, read and merged with their defaults once for all calls that say exactly the same.

Callers mostly say the same few words again and again, and reading them takes as long as looking a recording up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from antiphon.harness.modes import RecordingCall

MOST: Final = 512
"""Different settings that are remembered."""


class SettledCalls:
    """What `read` makes of the value of `request.extensions["antiphon"]`; what it raises, it raises every time."""

    def __init__(self, read: Callable[[object], RecordingCall]) -> None:
        self._read = read
        self._known: dict[tuple[Any, ...], RecordingCall] = {}

    def of(self, given: object) -> RecordingCall:
        """Return the settings that were given. Raises what `read` does."""
        try:
            names, said = (tuple(given), tuple(given.values())) if isinstance(given, Mapping) else ((), (given,))
            key = (*names, *said, *map(type, said))  # 1, 1.0 and True are equal and do not all mean something
            call = self._known.get(key)
        except TypeError:  # a value that has no hash is none that can be read
            return self._read(given)
        if call is None:
            call = self._read(given)
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = call
        return call
