"""Histograms of our own, handed to OpenTelemetry's readers when they collect.

The SDK's cost some 25 us a measurement: each cleans, sorts and hashes the attributes, matches views and offers an
exemplar. Ours are a dict of attribute sets to bucket counts. The Python SDK has no MetricProducer to bring them in by,
so they join what a reader collects; where that seam or a setting wants what these can't do, the SDK's are used.
"""

from __future__ import annotations

import math
import os
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from time import time_ns
from typing import Any, Final, Protocol

from opentelemetry.context import Context
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    Metric,
    MetricReader,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.util.types import AttributeValue

MOST_SETS: Final = 2000
"""Sets of attributes a histogram keeps apart, as in the SDK: names of models come from callers."""
OVERFLOW: Final[Mapping[str, AttributeValue]] = {"otel.metric.overflow": True}
"""The attributes of what is over that, by OpenTelemetry's specification."""

SETTINGS: Final[Mapping[str, frozenset[str]]] = {
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": frozenset({"", "cumulative"}),
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": frozenset({"", "explicit_bucket_histogram"}),
    "OTEL_METRICS_EXEMPLAR_FILTER": frozenset({"", "always_off"}),
    "OTEL_SDK_DISABLED": frozenset({"", "false"}),
}
"""OpenTelemetry's variables that change histograms, and the values that ours suit: cumulative, without exemplars."""


class Records(Protocol):
    """What takes measurements: a histogram of ours or the SDK's."""

    def record(
        self, amount: float, attributes: Mapping[str, AttributeValue] | None = None, context: Context | None = None
    ) -> None:
        """Take one measurement."""


class _Cell:
    """The measurements of one set of attributes."""

    __slots__ = ("attributes", "counts", "highest", "lowest", "since", "total")

    def __init__(self, attributes: Mapping[str, AttributeValue], buckets: int) -> None:
        self.attributes = dict(attributes)
        self.counts = [0] * buckets
        self.total: float = 0
        self.lowest: float = math.inf
        self.highest: float = -math.inf
        self.since = time_ns()


class Histogram:
    """Counts of measurements by bucket, for every set of attributes since the start. Safe to use from threads."""

    __slots__ = ("_bounds", "_cells", "_lock", "_name", "_unit", "_what")

    def __init__(self, name: str, *, unit: str, description: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._unit = unit
        self._what = description
        self._bounds = tuple(bounds)
        self._cells: dict[frozenset[tuple[str, AttributeValue]], _Cell] = {}
        self._lock = Lock()

    def record(
        self, amount: float, attributes: Mapping[str, AttributeValue] | None = None, context: Context | None = None
    ) -> None:
        """Take one measurement. Values of attributes are texts, numbers and booleans; `context` is not used."""
        key = frozenset(attributes.items()) if attributes else frozenset()
        with self._lock:
            cell = self._cells.get(key)
            if cell is None:
                cell = self._opened(key, attributes or {})
            cell.counts[bisect_left(self._bounds, amount)] += 1
            cell.total += amount
            if amount < cell.lowest:
                cell.lowest = amount
            if amount > cell.highest:
                cell.highest = amount

    def metric(self, now: int) -> Metric | None:
        """What was measured until `now`, in nanoseconds since 1970; None where nothing was."""
        with self._lock:
            points = [self._point(cell, now) for cell in self._cells.values()]
        if not points:
            return None
        data = HistogramData(data_points=points, aggregation_temporality=AggregationTemporality.CUMULATIVE)
        return Metric(name=self._name, description=self._what, unit=self._unit, data=data)

    def _opened(self, key: frozenset[tuple[str, AttributeValue]], attributes: Mapping[str, AttributeValue]) -> _Cell:
        if len(self._cells) >= MOST_SETS:
            key, attributes = frozenset(OVERFLOW.items()), OVERFLOW
        return self._cells.setdefault(key, _Cell(attributes, len(self._bounds) + 1))

    def _point(self, cell: _Cell, now: int) -> HistogramDataPoint:
        return HistogramDataPoint(
            attributes=cell.attributes,
            start_time_unix_nano=cell.since,
            time_unix_nano=now,
            count=sum(cell.counts),
            sum=cell.total,
            bucket_counts=tuple(cell.counts),
            explicit_bounds=self._bounds,
            min=cell.lowest,
            max=cell.highest,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Histograms:
    """The histograms of one scope."""

    scope: InstrumentationScope
    resource: Resource
    kept: list[Histogram]

    @classmethod
    def joined(cls, readers: Sequence[MetricReader], *, scope: str, resource: Resource) -> Histograms | None:
        """Histograms that these readers will see, which belong to a provider already.

        None where a setting wants what ours can't do, or the SDK has changed: then use the SDK's.
        """
        asked = {name: os.environ.get(name, "").strip().lower() for name in SETTINGS}
        if any(value not in SETTINGS[name] for name, value in asked.items()):
            return None
        # How a provider makes itself known to a reader. The SDK calls it internal and has no public way.
        collects: list[Any] = [getattr(reader, "_collect", None) for reader in readers]
        if not all(callable(collect) and hasattr(MetricReader, "_set_collect_callback") for collect in collects):
            return None
        found = cls(scope=InstrumentationScope(scope), resource=resource, kept=[])
        for reader, collect in zip(readers, collects, strict=True):
            joined: Any = _Joined(collect, found)  # the SDK's annotation is not what it calls
            reader._set_collect_callback(joined)
        return found

    def add(self, name: str, *, unit: str, description: str, bounds: Sequence[float]) -> Histogram:
        """A new histogram."""
        histogram = Histogram(name, unit=unit, description=description, bounds=bounds)
        self.kept.append(histogram)
        return histogram

    def onto(self, theirs: MetricsData | None) -> MetricsData | None:
        """What the SDK collected and ours, of one resource; None where neither measured anything."""
        now = time_ns()
        ours = [metric for histogram in self.kept if (metric := histogram.metric(now)) is not None]
        if not ours:
            return theirs
        scopes: list[ScopeMetrics] = []
        if theirs is not None:
            scopes += [scope for resource in theirs.resource_metrics for scope in resource.scope_metrics]
        for number, scope in enumerate(scopes):
            if scope.scope == self.scope:
                scopes[number] = replace(scope, metrics=[*scope.metrics, *ours])
                break
        else:
            scopes.append(ScopeMetrics(scope=self.scope, metrics=ours, schema_url=""))
        whole = ResourceMetrics(resource=self.resource, scope_metrics=scopes, schema_url=self.resource.schema_url)
        return MetricsData(resource_metrics=[whole])


class _Collects(Protocol):
    def __call__(self, reader: MetricReader, timeout_millis: float = ...) -> MetricsData | None: ...


class _Joined:
    """Collects from the SDK and from ours."""

    __slots__ = ("_histograms", "_theirs")

    def __init__(self, theirs: _Collects, histograms: Histograms) -> None:
        self._theirs = theirs
        self._histograms = histograms

    def __call__(self, reader: MetricReader, timeout_millis: float = 10_000) -> MetricsData | None:
        return self._histograms.onto(self._theirs(reader, timeout_millis=timeout_millis))
