"""The providers' errors as faults write them, read by the wires that real errors have proven; and beside real ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from antiphon.core.errors import Code, Reason, ServiceError
from antiphon.core.fold import fold
from antiphon.harness import Answer, RecordedRequest
from antiphon.harness.faults import KINDS, STATUSES, FaultNotApplicable, dialect_of, fault_of
from antiphon.replay.formats import ChatFormat, format_of
from antiphon.wire.base import HttpReply
from tests.harness.faults.samples import STREAMS, URLS, asked, stream
from tests.laws.recordings import Folder, Recorded

REASONS: dict[int, set[Reason]] = {
    400: {Reason.INVALID_REQUEST},
    401: {Reason.INVALID_CREDENTIALS},
    403: {Reason.SCOPE_INSUFFICIENT, Reason.INVALID_REQUEST},
    404: {Reason.MODEL_NOT_FOUND, Reason.RESOURCE_NOT_FOUND},
    413: {Reason.MESSAGE_TOO_LARGE, Reason.INVALID_REQUEST},
    429: {Reason.RATE_LIMIT_EXCEEDED},
    500: {Reason.PROVIDER_UNAVAILABLE},
    502: {Reason.PROVIDER_UNAVAILABLE, Reason.OVERLOADED, Reason.NETWORK_ERROR},
    503: {Reason.OVERLOADED, Reason.PROVIDER_UNAVAILABLE},
    529: {Reason.OVERLOADED, Reason.PROVIDER_UNAVAILABLE},
}


def decoded(provider: str, word: str) -> ServiceError:
    request = asked(provider)
    answer = fault_of(word).answer(request)
    found = format_of(request)
    assert isinstance(found, ChatFormat)
    return found.wire.decode_error(HttpReply(status=answer.status, body=answer.body, headers=dict(answer.headers)))


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("provider", URLS)
def test_the_wire_reads_a_fault_as_what_it_stands_for(provider: str, status: int) -> None:
    error = decoded(provider, str(status))
    assert error.reason in REASONS.get(status, {error.reason})
    assert error.code is not Code.UNKNOWN
    assert error.message


@pytest.mark.parametrize("provider", URLS)
def test_a_delay_is_read_where_the_provider_says_it(provider: str) -> None:
    assert decoded(provider, "429;retry-after=7").retry_after == 7
    assert decoded(provider, "429").retry_after is None


@pytest.mark.parametrize("provider", STREAMS)
def test_the_wire_reads_an_error_inside_a_stream_as_an_error(provider: str) -> None:
    request = asked(provider)
    found = format_of(request)
    assert isinstance(found, ChatFormat)
    body = fault_of("error-event@event=1;status=529").changed(stream(provider), request).body
    decoder = found.wire.stream_decoder()
    with pytest.raises(ServiceError) as caught:
        while decoder.feed(body):
            body = b""
        fold(decoder.close())
    assert caught.value.reason in {Reason.OVERLOADED, Reason.PROVIDER_UNAVAILABLE}


def refused(folder: Path) -> Iterator[Recorded]:
    recordings = Folder(folder)
    for file in recordings.files:
        for each in recordings.exchanges(file):
            if each.status >= 400 and isinstance(each.json, dict):
                yield each


def test_a_recorded_error_has_the_members_that_its_dialect_writes(recordings: Path) -> None:
    """Members that a provider sometimes leaves out are named here, so that a new one is seen."""
    optional = {"error.param", "error.code", "request_id", "error.type", "id"}
    compared = 0
    for each in refused(recordings):
        request = RecordedRequest(method=each.method, url=each.url, body=each.request_body)
        dialect = dialect_of(request)
        if "/complete" in each.url or "detail" in each.json or each.provider in ("ollama",):
            continue  # other endpoints, and the gateways in front of a provider
        written = set(members(json.loads(dialect.error(each.status))))
        compared += 1
        assert written - set(members(each.json)) <= optional, (each.file, dialect.name, each.json)
    assert compared >= 30


def members(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path}{key}"
            yield from members(inner, f"{path}{key}.")


def test_every_fault_can_happen_to_every_recorded_answer_or_says_why_not(recordings: Path) -> None:
    folder = Folder(recordings)
    happened = dict.fromkeys((name for name, kind in KINDS.items() if kind.over is not None), 0)
    for file in folder.files:
        for each in folder.exchanges(file):
            if each.status >= 300 or len(each.body) > 200_000:
                continue
            request = RecordedRequest(method=each.method, url=each.url, body=each.request_body)
            answer = Answer(status=each.status, headers=tuple(each.headers.items()), body=each.body)
            for name in happened:
                word = {"oversized": "oversized;bytes=10", "cut": "cut@event=1", "reset": "reset@event=1"}.get(
                    name, name
                )
                try:
                    changed = fault_of(word).changed(answer, request)
                except FaultNotApplicable:
                    continue
                happened[name] += 1
                assert sum(length for _, length in changed.chunks or ()) == len(changed.body) or changed.chunks is None
                assert changed != answer or not answer.body
    assert min(happened.values()) >= 20, happened
