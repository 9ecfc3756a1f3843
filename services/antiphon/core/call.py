"""What travels with a call beside its request: deadline, caller, trace, and the metadata that services hand on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Self

from opentelemetry.context import Context

HANDED_ON = re.compile(r"x-antiphon-[a-z0-9-]{0,47}[a-z0-9](?<!-bin)")
"""Names of a caller's metadata that every hop sends to the next: words for whoever answers in the end, such as
`x-antiphon-mode`. The hops in between need not know them, so a new word needs no new hop."""

SAID = "x-antiphon-"
"""How the names of trailers begin that say something of an answer."""
LONGEST_SAID = 200
"""Characters of one of them: trailers have little room."""

MARGIN = 0.05
"""Seconds that a hop keeps of its caller's deadline, to answer with a typed error before the caller gives up."""

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a service.

    `deadline` is on the event loop's clock, in seconds; None for none. `caller` is the name of the key that the
    caller used, empty where keys are off. `trace` is the OpenTelemetry context to be the parent of spans: handed on
    explicitly, because a span made current inside an async generator leaks into whoever iterates it. `said` grows by
    what is said of the answer beside it, such as that it is no provider's: names of metadata and their values, which
    every hop sends to its caller as trailers. Copies of a call share it.
    """

    deadline: float | None = None
    caller: str = ""
    metadata: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    trace: Context | None = None
    said: dict[str, str] = field(default_factory=dict, compare=False)

    def remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; None for no deadline."""
        if self.deadline is None:
            return None
        return max(0.0, self.deadline - asyncio.get_running_loop().time())

    def timeout(self) -> float | None:
        """Seconds that an onward call may take: what is left, less the margin for our own answer."""
        remaining = self.remaining()
        return None if remaining is None else max(0.0, remaining - min(MARGIN, remaining / 10))

    def say(self, name: str, text: str) -> None:
        """Say something of the answer: `text` as far as metadata can carry it."""
        self.said[f"{SAID}{name}"] = " ".join(text.split()).encode("ascii", "backslashreplace").decode()[:LONGEST_SAID]

    def hear(self, trailers: Iterable[tuple[str, str | bytes]]) -> None:
        """Take over what the next hop said."""
        self.said.update((key, value) for key, value in trailers if isinstance(value, str) and key.startswith(SAID))

    def within(self, trace: Context) -> Self:
        """The same call with another parent for spans."""
        return self._but(trace=trace, caller=self.caller)

    def named(self, caller: str) -> Self:
        """The same call by an identified caller."""
        return self._but(trace=self.trace, caller=caller)

    def _but(self, *, trace: Context | None, caller: str) -> Self:
        """As `dataclasses.replace` makes one; a frozen dataclass takes three times as long to make itself."""
        call = object.__new__(type(self))
        _deadline(call, self.deadline)
        _caller(call, caller)
        _metadata(call, self.metadata)
        _trace(call, trace)
        _said(call, self.said)
        return call

    @classmethod
    def plain(cls) -> Self:
        """The call of which nothing is known, as `Call()`."""
        call = object.__new__(cls)
        _deadline(call, None)
        _caller(call, "")
        _metadata(call, _NOTHING)
        _trace(call, None)
        _said(call, {})
        return call

    @classmethod
    def received(cls, metadata: Iterable[tuple[str, str | bytes]], remaining: float | None) -> Self:
        """The call that a server got: its metadata, and the seconds its client still waits."""
        kept = {
            key: value
            for key, value in metadata
            if key.startswith(SAID) and isinstance(value, str) and HANDED_ON.fullmatch(key)
        }
        deadline = None if remaining is None else asyncio.get_running_loop().time() + remaining
        return cls(deadline=deadline, metadata=kept)


_deadline, _caller, _metadata, _trace, _said = (Call.__dict__[each.name].__set__ for each in fields(Call))

CURRENT: ContextVar[Call] = ContextVar("antiphon_call")
"""The call of this RPC's task, from the interceptors to the servicer; all other code takes `call` as an argument."""
