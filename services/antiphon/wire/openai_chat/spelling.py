"""Named spellings: where the wire has several ways to write one meaning, the form tells which one was read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from antiphon.v1 import content_pb2
from antiphon.wire.openai_chat.quirks import WIRE
from antiphon.wire.remainder import Carrier

REQUEST = "request"
RESPONSE = "response"


class Spelled(Carrier, Protocol):
    """A message of the contract that has a form."""


def spell(carrier: Spelled, direction: str, name: str) -> None:
    """Note that `carrier` was read in the spelling `name`."""
    carrier.form.wire = f"{WIRE}/{direction}"
    carrier.form.spellings.append(name)


def spelled(carrier: Spelled, name: str, direction: str = "") -> bool:
    """Whether `carrier` was read in the spelling `name` (in `direction`, where that is given)."""
    if not carrier.HasField("form"):
        return False
    form: content_pb2.WireForm = carrier.form
    return name in form.spellings and form.wire.startswith(f"{WIRE}/{direction}")


def spellings(carrier: Spelled, names: Iterable[str]) -> list[str]:
    """Those of `names` in which `carrier` was read."""
    return [name for name in names if spelled(carrier, name)]
