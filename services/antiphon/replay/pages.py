"""Pages of lists whose items have numbers or names that only grow: a token is the last one that was given."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from antiphon.core.errors import invalid

T = TypeVar("T")
USUAL = 100
MOST = 1000


def page(items: Sequence[T], size: int, token: str, number: Callable[[T], int]) -> tuple[list[T], str]:
    """The items after the token, at most `size`, and the next token. Raises ServiceError INVALID_REQUEST."""
    last = after(token)
    rest = [each for each in items if number(each) > last]
    shown = rest[: size_of(size)]
    return shown, _token(str(number(shown[-1]))) if len(rest) > len(shown) else ""


def named(names: Sequence[str], size: int, token: str) -> tuple[list[str], str]:
    """The same for sorted names; the empty name is one too."""
    rest = [each for each in names if not token or each > _read(token)]
    shown = rest[: size_of(size)]
    return shown, _token(shown[-1]) if len(rest) > len(shown) else ""


def after(token: str) -> int:
    """The number in a token; 0 for none. Raises ServiceError INVALID_REQUEST."""
    text = _read(token) if token else "0"
    if not text.isdecimal() or len(text) > 18:
        raise invalid("page_token", "is not one that this server gave; start again without it")
    return int(text)


def size_of(asked: int) -> int:
    """How many items a page has. Raises ServiceError INVALID_REQUEST."""
    if asked < 0:
        raise invalid("page_size", f"is {asked}; at least 0")
    return min(asked or USUAL, MOST)


def _token(text: str) -> str:
    return base64.urlsafe_b64encode(b"=" + text.encode()).decode()


def _read(token: str) -> str:
    try:
        read = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise invalid("page_token", "is not one that this server gave; start again without it") from error
    if not read.startswith("="):
        raise invalid("page_token", "is not one that this server gave; start again without it")
    return read[1:]
