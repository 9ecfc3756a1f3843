"""What a session has heard, over HTTP: for test runners of any language, at the path `/~session=NAME` itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from antiphon.harness.server.refusals import Refusal
from antiphon.harness.store import CassetteStore


def answer(store: CassetteStore, method: str, settings: Mapping[str, Any]) -> bytes | Refusal:
    """GET tells what a session used, left over and missed, of one cassette where one is named; DELETE starts it over.

    Both answer with the report, DELETE with that from before.
    """
    if method not in ("GET", "DELETE"):
        return Refusal(status=405, reason="METHOD_NOT_ALLOWED", message="a session takes GET and DELETE")
    session = str(settings.get("session", ""))
    cassette = settings.get("cassette")
    report = store.report(session, cassettes=[str(cassette)] if cassette else None)
    if method == "DELETE":
        store.forget(session)
    return json.dumps(asdict(report), indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace")
