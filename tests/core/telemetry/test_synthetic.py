"""Spans and metrics of answers that are no provider's own say so."""

from __future__ import annotations

import pytest

from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.telemetry import names
from antiphon.core.telemetry.genai import operation
from tests.core.telemetry.parts import Measured, attributes


def test_an_answer_with_a_fault_or_from_a_mock_is_marked(measured: Measured) -> None:
    with operation(Call(), "chat", provider="openai", model="m") as op:
        op.replayed("openai/chat")
        op.synthetic("cut@event=3")
        op.finished(usage=None)
    found = attributes(measured.one("chat m"))
    assert (found[names.REPLAYED], found[names.SYNTHETIC]) == (True, "cut@event=3")
    (duration,) = measured.points(names.GENAI_DURATION)
    assert duration.attributes[names.SYNTHETIC] is True


def test_a_failure_that_was_asked_for_is_marked(measured: Measured) -> None:
    with pytest.raises(ServiceError), operation(Call(), "chat", provider="openai", model="m"):
        raise ServiceError(Reason.NETWORK_ERROR, "no connection", metadata={"synthetic": "refused"})
    assert attributes(measured.one("chat m"))[names.SYNTHETIC] == "refused"


def test_a_providers_own_answer_is_not(measured: Measured) -> None:
    with operation(Call(), "chat", provider="openai", model="m") as op:
        op.finished(usage=None)
    assert names.SYNTHETIC not in attributes(measured.one("chat m"))
