"""The adapter's rows as prefixes of the replay server."""

from __future__ import annotations

import pytest

from antiphon.adapter.rows import BUILT_IN
from antiphon.core.errors import Reason, ServiceError
from antiphon.gateway.edges.routes import ROWS
from antiphon.harness.server.upstreams import KNOWN
from antiphon.replay.endpoints import endpoints

NOWHERE: dict[str, str] = {}


def test_every_row_has_a_prefix_of_its_own_name() -> None:
    assert set(endpoints(BUILT_IN, NOWHERE)) == {row.name for row in BUILT_IN}


def test_what_the_harness_knows_alone_is_what_the_rows_say() -> None:
    behind = endpoints(BUILT_IN, NOWHERE)
    assert {known.name: behind[known.name].origin for known in KNOWN} == {known.name: known.origin for known in KNOWN}
    assert {known.name: behind[known.name].sdk_path for known in KNOWN} == {
        known.name: known.sdk_path for known in KNOWN
    }


def test_no_edge_begins_like_a_prefix() -> None:
    edges = {row.path.split("/")[1] for row in ROWS}
    assert not edges & set(endpoints(BUILT_IN, NOWHERE))


def test_an_address_with_a_value_that_is_not_set_says_which_and_one_that_is_set_is_used() -> None:
    assert "AZURE_OPENAI_ENDPOINT" in endpoints(BUILT_IN, NOWHERE)["azure"].missing
    azure = endpoints(BUILT_IN, {"AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com"})["azure"]
    assert (azure.origin, azure.missing) == ("https://mine.openai.azure.com", "")
    assert "eu-west-1" in endpoints(BUILT_IN, {"AWS_REGION": "eu-west-1"})["bedrock"].origin


def test_the_operators_own_upstreams_win_and_new_ones_are_added() -> None:
    given = ["azure=https://a.example", "mine=http://127.0.0.1:8000/v1", "openai=http://127.0.0.1:9"]
    behind = endpoints(BUILT_IN, NOWHERE, given=given)
    assert behind["azure"].origin == "https://a.example"
    assert behind["mine"].base_url("http://here") == "http://here/mine/v1"
    assert behind["openai"].base_url("http://here") == "http://here/openai/v1"
    assert behind["openai"].origin == "http://127.0.0.1:9"


@pytest.mark.parametrize(
    "text", ["mine", "=http://a", "a/b=http://a", "mine=ftp://a", "mine=http://user:pw@a", "mine="]
)
def test_an_upstream_that_cannot_be_one_is_refused(text: str) -> None:
    with pytest.raises(ServiceError) as refused:
        endpoints(BUILT_IN, NOWHERE, given=[text])
    assert refused.value.reason is Reason.INVALID_REQUEST
