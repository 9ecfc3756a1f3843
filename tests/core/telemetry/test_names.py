"""The names are the conventions'."""

from __future__ import annotations

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes, rpc_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics, rpc_metrics
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes, url_attributes
from opentelemetry.semconv.metrics import http_metrics

from antiphon.core.telemetry import names

PACKAGES = (
    *(gen_ai_attributes, rpc_attributes, gen_ai_metrics, rpc_metrics, error_attributes, server_attributes),
    *(http_attributes, url_attributes, http_metrics),
)


def test_every_name_is_in_the_installed_conventions_or_says_that_it_is_ours() -> None:
    published = {value for package in PACKAGES for value in vars(package).values() if isinstance(value, str)}
    ours = {key: value for key, value in vars(names).items() if key.isupper() and isinstance(value, str)}
    assert len(ours) > 25
    assert [name for name in ours.values() if name not in published and not name.startswith("antiphon.")] == []


def test_every_provider_word_is_in_the_installed_conventions() -> None:
    published = {item.value for item in gen_ai_attributes.GenAiProviderNameValues}
    assert set(names.PROVIDERS.values()) <= published


def test_buckets_of_durations_go_to_640_seconds() -> None:
    for bounds in (names.RPC_SECONDS, names.GENAI_SECONDS, names.FIRST_CHUNK_SECONDS):
        assert bounds[-1] == 640
        assert list(bounds) == sorted(set(bounds))
