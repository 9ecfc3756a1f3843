"""The query of a request: names and values, of which the last of a name counts."""

from __future__ import annotations

from urllib.parse import parse_qsl


class Query:
    """The pairs of a query, in their order."""

    __slots__ = ("_last", "pairs")

    def __init__(self, text: bytes = b"") -> None:
        self.pairs: list[tuple[str, str]] = parse_qsl(text.decode("latin-1"), keep_blank_values=True)
        self._last = dict(self.pairs)

    def __bool__(self) -> bool:
        return bool(self.pairs)

    def get(self, name: str, default: str = "") -> str:
        """The value of that name."""
        return self._last.get(name, default)

    def __contains__(self, name: str) -> bool:
        return name in self._last
