"""When to come back is read from every place where providers write it."""

from __future__ import annotations

import pytest

from antiphon.wire.retry_after import delay

DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "text", "expected"),
    [
        ({}, "", None),
        ({"retry-after": "7"}, "", 7.0),
        ({"retry-after": "1.5"}, "", 1.5),
        ({"retry-after": "1", "retry-after-ms": "250"}, "", 0.25),
        ({"retry-after": "1", "retry-after-ms": "0"}, "", 1.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT", "date": DATE}, "", 30.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT"}, "", None),
        ({"retry-after": "Wed, 21 Oct 2015 07:27:00 GMT", "date": DATE}, "", None),
        ({"retry-after": "soon"}, "", None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, "", 360.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20ms"}, "", 0.02),
        ({"x-ratelimit-remaining-requests": "9", "x-ratelimit-reset-requests": "20ms"}, "", None),
        ({"x-ratelimit-reset": "1445412490000", "date": DATE}, "", 10.0),
        ({"x-ratelimit-reset": "1445412490", "date": DATE}, "", 10.0),
        ({"x-ratelimit-reset": "30"}, "", 30.0),
        ({}, "Please try again in 1m2.5s.", 62.5),
        ({}, "Please retry in 48.939935699s.", 48.939935699),
        ({}, "Please retry after 5 seconds.", 5.0),
        ({}, "Try again in 20ms", 0.02),
        ({}, "try again later", None),
        ({"retry-after": "999999999"}, "", None),
    ],
)
def test_delays(headers: dict[str, str], text: str, expected: float | None) -> None:
    found = delay(headers, text)
    assert found == (None if expected is None else pytest.approx(expected))


def test_spans_of_error_details_count() -> None:
    assert delay({}, "", ["38s"]) == 38.0
