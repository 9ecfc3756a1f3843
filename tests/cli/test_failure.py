"""The tables of errors are whole, and errors are shown whole."""

from __future__ import annotations

import json
import re

from antiphon.cli import exits
from antiphon.cli.failure import ADVICE, EXITS, document
from antiphon.core.errors import Code, Reason, ServiceError


def test_every_reason_has_advice_and_every_code_an_exit_status() -> None:
    assert set(ADVICE) == set(Reason)
    assert set(EXITS) == set(Code)
    assert 0 not in EXITS.values()


def test_every_exit_status_is_explained_in_the_help() -> None:
    explained = {int(number) for number in re.findall(r"\b\d+\b", exits.HELP)}
    assert explained == {0, *EXITS.values(), exits.INTERRUPTED, exits.BROKEN_PIPE}


def test_an_error_as_json_always_has_the_same_keys() -> None:
    poor = document(ServiceError(Reason.INTERNAL, "x"))["error"]
    rich = document(ServiceError(Reason.QUOTA_EXCEEDED, "x", {"a": "b"}, retry_after=1, quota="100 a day"))["error"]
    assert poor.keys() == rich.keys()
    assert json.loads(json.dumps(rich))["quota"] == "100 a day"
