"""Our histograms say what the SDK's would, and step back where they can't."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.resources import Resource

from antiphon.core.telemetry import names
from antiphon.core.telemetry.histograms import MANY, MOST_SETS, OVERFLOW, SETTINGS, Histogram, Histograms
from antiphon.core.telemetry.instruments import SCOPE, Instruments, installed
from antiphon.core.telemetry.setup import configure
from tests.core.telemetry.parts import Measured

BOUNDS = (0.0, 1.0, 5.0)
MEASURED: list[tuple[float, dict[str, str | int | bool]]] = [
    (0, {"a": "x"}),
    (1, {"a": "x"}),
    (1.5, {"b": 1, "a": "x"}),
    (9, {"a": "x", "b": 1}),
    (5, {"a": "y", "c": True}),
    (0.5, {}),
]


def instruments() -> Instruments:
    found = installed()
    assert found is not None
    return found


def points(reader: InMemoryMetricReader) -> dict[frozenset[Any], tuple[Any, ...]]:
    data: Any = reader.get_metrics_data()
    (resource,) = data.resource_metrics
    (scope,) = resource.scope_metrics
    (metric,) = scope.metrics
    assert (metric.name, metric.unit, metric.description) == ("it", "s", "What it is.")
    return {
        frozenset((point.attributes or {}).items()): (
            *(point.count, point.sum, tuple(point.bucket_counts), point.explicit_bounds, point.min, point.max),
        )
        for point in metric.data.data_points
    }


def test_points_are_those_of_the_sdk() -> None:
    theirs, ours = InMemoryMetricReader(), InMemoryMetricReader()
    resource = Resource({"service.name": "test"})
    sdk = MeterProvider(metric_readers=[theirs], resource=resource, shutdown_on_exit=False)
    reference = sdk.get_meter("it").create_histogram(
        "it", unit="s", description="What it is.", explicit_bucket_boundaries_advisory=BOUNDS
    )
    provider = MeterProvider(metric_readers=[ours], resource=resource, shutdown_on_exit=False)
    histograms = Histograms.joined([ours], scope="it", resource=resource)
    assert histograms is not None
    histogram = histograms.add("it", unit="s", description="What it is.", bounds=BOUNDS)
    for amount, attributes in MEASURED:
        reference.record(amount, attributes)
        histogram.record(amount, attributes)
    assert points(ours) == points(theirs)
    histogram.record(2, {"a": "x"})
    reference.record(2, {"a": "x"})
    assert points(ours) == points(theirs)  # since the start, not since the last look
    sdk.shutdown()
    provider.shutdown()


def test_a_series_is_found_by_the_values_of_its_dimensions() -> None:
    histogram = Histogram("it", unit="s", description="", bounds=BOUNDS, dimensions=("a", "b", "c"))
    histogram.of["x", None, True].record(1)
    histogram.of["x",].record(2)
    histogram.of["x", None].record(3)
    histogram.record(4, {"a": "x"})
    assert histogram.of["y",] is not histogram.of["x",]  # which was asked for, and measured nothing
    metric: Any = histogram.metric(1)
    found = {frozenset(point.attributes.items()): point.sum for point in metric.data.data_points}
    assert found == {frozenset({("a", "x"), ("c", True)}): 1, frozenset({("a", "x")}): 9}


@pytest.mark.parametrize("looks", [0, 1, 3])
def test_many_measurements_are_those_of_the_sdk_whenever_somebody_looks(looks: int) -> None:
    amounts = [number * 7 % 11 / 2 for number in range(3 * MANY + 5)]
    theirs = InMemoryMetricReader()
    sdk = MeterProvider(metric_readers=[theirs], shutdown_on_exit=False)
    reference = sdk.get_meter("it").create_histogram(
        "it", unit="s", description="What it is.", explicit_bucket_boundaries_advisory=BOUNDS
    )
    histogram = Histogram("it", unit="s", description="", bounds=BOUNDS)
    for number, amount in enumerate(amounts):
        reference.record(amount)
        histogram.record(amount)
        if looks and number % (len(amounts) // looks) == 0:
            histogram.metric(1)
    metric: Any = histogram.metric(1)
    (point,) = metric.data.data_points
    said = (point.count, point.sum, point.bucket_counts, point.explicit_bounds, point.min, point.max)
    assert {frozenset[Any](): said} == points(theirs)
    sdk.shutdown()


async def test_measurements_from_threads_are_all_counted() -> None:
    histogram = Histogram("it", unit="s", description="", bounds=BOUNDS)

    def many() -> None:
        for _ in range(5000):
            histogram.record(1, {"a": "x"})

    await asyncio.gather(*(asyncio.to_thread(many) for _ in range(4)))
    metric: Any = histogram.metric(1)
    (point,) = metric.data.data_points
    assert (point.count, point.sum) == (20_000, 20_000)


def test_more_sets_of_attributes_than_are_kept_apart_are_counted_as_one() -> None:
    histogram = Histogram("it", unit="s", description="", bounds=BOUNDS)
    for number in range(MOST_SETS + 10):
        histogram.record(1, {"model": str(number)})
    histogram.record(1, {"model": "0"})
    metric: Any = histogram.metric(1)
    over = [point for point in metric.data.data_points if point.attributes == OVERFLOW]
    assert [point.count for point in over] == [10]
    assert len(metric.data.data_points) == MOST_SETS + 1
    assert sum(point.count for point in metric.data.data_points) == MOST_SETS + 11


def test_they_stand_beside_what_others_measure(measured: Measured) -> None:
    def read(_: CallbackOptions) -> list[Observation]:
        return [Observation(3)]

    instruments().meter.create_observable_counter("theirs", [read])
    instruments().tokens.record(1, {})
    data = measured.reader.get_metrics_data()
    assert data is not None
    (resource,) = data.resource_metrics
    assert resource.resource.attributes["service.name"] == "test"
    (scope,) = resource.scope_metrics
    assert scope.scope.name == SCOPE
    assert [metric.name for metric in scope.metrics] == ["theirs", "gen_ai.client.token.usage"]


def test_what_is_not_measured_is_not_sent(measured: Measured) -> None:
    assert measured.reader.get_metrics_data() is None
    assert isinstance(instruments().tokens, Histogram)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
        ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram"),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "always_on"),
    ],
)
async def test_a_setting_that_ours_cannot_follow_brings_the_sdks(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert name in SETTINGS
    monkeypatch.setenv(name, value)
    reader = InMemoryMetricReader()
    shutdown = configure("test", metric_readers=[reader])
    try:
        assert not isinstance(instruments().tokens, Histogram)
        instruments().tokens.record(1, {})
        instruments().tokens.of["chat", "openai"].record(2)
        data: Any = reader.get_metrics_data()
        (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
        assert [(dict(point.attributes), point.sum) for point in metric.data.data_points] == [
            ({}, 1),
            ({names.OPERATION: "chat", names.PROVIDER: "openai"}, 2),
        ]
        assert metric.data.aggregation_temporality is AggregationTemporality.CUMULATIVE
    finally:
        await shutdown()
