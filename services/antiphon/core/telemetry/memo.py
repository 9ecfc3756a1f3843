"""What is made once and found again by a plain look-up, for what comes again in call after call.

A dict with a default rather than `functools.lru_cache`: a hit calls no function. When it is full it forgets all, which
needs no order of use; names of models come from callers, so it must not grow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST: Final = 4096
"""Values that one keeps."""


class Memo(dict[K, V], Generic[K, V]):
    """Values by what they are made of: `memo[key]`. Threads may ask: at worst a value is made twice.

    `worth` says which to keep; without it, all are.
    """

    __slots__ = ("_make", "_worth")

    def __init__(self, make: Callable[[K], V], *, worth: Callable[[K, V], bool] | None = None) -> None:
        super().__init__()
        self._make = make
        self._worth = worth

    def __missing__(self, key: K) -> V:
        value = self._make(key)
        if self._worth is None or self._worth(key, value):
            if len(self) >= MOST:
                self.clear()
            self[key] = value
        return value
