"""From a test to the name of its cassette, such as `api/test_chat/TestGreeting.test_says_hello`."""

from __future__ import annotations

import hashlib
import re
from typing import Final

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.\-]+")
_LEFT_OUT: Final = ("tests", "test")
"""Folders that all tests are in say nothing."""
_MAX_FOLDERS: Final = 3
_MAX_PART: Final = 60
_DIGEST: Final = 8


def cassette_of(node: str) -> str:
    """The cassette's name for a node id of pytest. Different ids have different names."""
    file, *inner = node.split("::")
    folders = [part for part in file.removesuffix(".py").split("/") if part and part != "."]
    while len(folders) > 1 and folders[0] in _LEFT_OUT:
        folders.pop(0)
    while len(folders) > _MAX_FOLDERS:  # a name may have four parts
        folders[:2] = [f"{folders[0]}.{folders[1]}"]
    return "/".join([*(_safe(part) for part in folders), _safe(".".join(inner) or "module")])


def _safe(part: str) -> str:
    name = _UNSAFE.sub("-", part).strip("-.")
    while ".." in name:
        name = name.replace("..", ".")
    if name == part and len(part) <= _MAX_PART:
        return name
    digest = hashlib.sha256(part.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{name[:_MAX_PART].rstrip('-.') or 'test'}-{digest}"
