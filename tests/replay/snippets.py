"""The fenced blocks of a Markdown file, as a reader would copy them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_BLOCK: Final = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME: Final = re.compile(r"(?:#|//) (?P<name>[\w./\-]+)\n")


@dataclass(frozen=True, kw_only=True)
class Snippet:
    """One block. `file` is what its first line says, empty where it says nothing."""

    language: str
    text: str
    file: str


def snippets(page: Path) -> list[Snippet]:
    """All blocks of a page, in their order."""
    found = []
    for block in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        named = _NAME.match(block["text"])
        found.append(Snippet(language=block["language"], text=block["text"], file=named["name"] if named else ""))
    return found
