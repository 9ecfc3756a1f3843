"""Text that looks random, where a key may stand: what finds a credential that has no shape of its own.

Providers' answers are full of random text that is no secret: ids, signatures of reasoning, images. So a
string counts by itself only where it stands alone in text, is as long as keys are, and its member isn't named
as an id or as the provider's opaque state. Under a name that says credential, less is enough.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Final


def suspects(path: str, text: str) -> Iterator[str]:
    """Yield the strings of a text that look like keys; `path` is the JSON path or name that it stands under."""
    name = _INDEX.sub("", path).rpartition(".")[2]
    if _CREDENTIAL.search(name) and not _NO_CREDENTIAL.search(name) and _random(text, _NAMED_BITS):
        yield text
    for match in _ASSIGNED.finditer(text):
        if _random(match[1], _NAMED_BITS):
            yield match[1]
    if _OPAQUE_NAME.search(name):
        return
    for match in _TOKEN.finditer(_URL.sub(" ", text)):
        token = match[0]
        if _ALONE.fullmatch(token) and _random(token, _ALONE_BITS) and _mixed(token):
            yield token


def fingerprint(text: str) -> str:
    """Return what stands for a value where the value may not: 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _random(text: str, bits: float) -> bool:
    """Whether a text could be a key: one word, letters and digits, and so many bits a character."""
    if not _WORD.fullmatch(text) or _UUID.fullmatch(text):
        return False
    if not (_DIGIT.search(text) and _LETTER.search(text)):
        return False
    counts = Counter(text)
    entropy = -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
    return entropy >= (_HEX_BITS if _HEX.fullmatch(text) else bits)


def _mixed(token: str) -> bool:
    """Whether upper case, lower case and digits alternate as in random text, not as in names of models."""
    kinds = [0 if c.isdigit() else 1 if c.islower() else 2 for c in token if c.isalnum()]
    changes = sum(a != b for a, b in pairwise(kinds))
    return len(set(kinds)) == 3 and changes * 3 >= len(kinds)


_NAMED_BITS: Final = 3.3
_ALONE_BITS: Final = 4.0
_HEX_BITS: Final = 3.0
_INDEX: Final = re.compile(r"\[\d+\]")
_DIGIT: Final = re.compile(r"[0-9]")
_LETTER: Final = re.compile(r"[A-Za-z]")
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_WORD: Final = re.compile(r"[A-Za-z0-9+/_\-.=~]{20,200}")
_UUID: Final = re.compile(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
# The whole run of base64's characters, so that a piece of an image isn't taken for a key.
_TOKEN: Final = re.compile(r"[A-Za-z0-9+/_\-.=]{32,}+")
_ALONE: Final = re.compile(r"[A-Za-z0-9_\-]{32,128}")
_URL: Final = re.compile(r"https?://[^\s\"'<>]+")
_CREDENTIAL: Final = re.compile(
    r"(?i)(?:^|[_\-.]|(?<=[a-z])(?=[A-Z]))(?:api[_\-]?key|access[_\-]?key|secret|token|auth|authorization"
    r"|passw(?:or)?d|credentials?|cookies?|session[_\-]?key)s?(?:[_\-]?(?:id|key|access[_\-]?key|value))?$"
)
_NO_CREDENTIAL: Final = re.compile(r"(?i)(?:page|continuation|sync)_?token$")
_ASSIGNED: Final = re.compile(
    r"(?i)(?:api[_\-]?key|access[_\-]?key|secret|token|passw(?:or)?d|credential)[\"'\\]{0,3}\s{0,3}[:=]\s{0,3}"
    r"[\"'\\]{0,3}([A-Za-z0-9+/_\-.=~]{20,200})"
)
_OPAQUE_NAME: Final = re.compile(
    r"(?i)(?:^|_)id$|Id$|_?ids$|signature$|encrypted|^data$|_data$|b64|base64|bytes$|ur[il]$|hash|digest|etag|finger_?print"
    r"|embedding|vector|^audio$|^image$|^blob$|^cursor$|page_?token$|nonce"
)
