"""Histograms of our own, handed to OpenTelemetry's readers when they collect.

The SDK's cost some 25 us a measurement: each cleans, sorts and hashes the attributes, matches views and offers an
exemplar. Ours find the measurements of a set of attributes by its values alone, and put one more at their end: into
buckets they are counted when there are many, or when somebody looks. The Python SDK has no MetricProducer to bring
them in by, so they join what a reader collects; where that seam or a setting wants what these can't do, the SDK's are
used.
"""

from __future__ import annotations

import math
import os
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from time import time_ns
from typing import Any, Final, Protocol

from opentelemetry import metrics
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

from antiphon.core.telemetry.memo import Memo

MOST_SETS: Final = 2000
"""Sets of attributes a histogram keeps apart, as in the SDK: names of models come from callers."""
OVERFLOW: Final[Mapping[str, AttributeValue]] = {"otel.metric.overflow": True}
"""The attributes of what is over that, by OpenTelemetry's specification."""

MANY: Final = 512
"""Measurements that wait to be counted into buckets together."""

SETTINGS: Final[Mapping[str, frozenset[str]]] = {
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": frozenset({"", "cumulative"}),
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": frozenset({"", "explicit_bucket_histogram"}),
    "OTEL_METRICS_EXEMPLAR_FILTER": frozenset({"", "always_off"}),
    "OTEL_SDK_DISABLED": frozenset({"", "false"}),
}
"""OpenTelemetry's variables that change histograms, and the values that ours suit: cumulative, without exemplars."""


Values = tuple[AttributeValue | None, ...]
"""Values of a histogram's dimensions in their order; None for none, and those at the end may be left out."""


class Series(Protocol):
    """The measurements of one set of attributes."""

    def record(self, amount: float, context: Context | None = None) -> None:
        """Take one measurement. `context` is that of an exemplar."""


class Records(Protocol):
    """What takes measurements: a histogram of ours or the SDK's."""

    def record(
        self, amount: float, attributes: Mapping[str, AttributeValue] | None = None, context: Context | None = None
    ) -> None:
        """Take one measurement."""

    @property
    def of(self) -> Mapping[Values, Series]:
        """The series of some values of the dimensions."""


class Cell:
    """A series of ours. An append is all that a measurement costs, and needs no lock."""

    __slots__ = (
        *("_attributes", "_bounds", "_counts", "_highest"),
        *("_lock", "_lowest", "_since", "_total", "_waiting"),
    )

    def __init__(self, attributes: Mapping[str, AttributeValue], bounds: tuple[float, ...]) -> None:
        self._attributes = dict(attributes)
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total: float = 0
        self._lowest: float = math.inf
        self._highest: float = -math.inf
        self._since = time_ns()
        self._waiting: list[float] = []
        self._lock = Lock()

    def record(self, amount: float, context: Context | None = None) -> None:
        """Take one measurement. `context` is not used."""
        waiting = self._waiting
        waiting.append(amount)
        if len(waiting) >= MANY and self._lock.acquire(blocking=False):  # or else somebody counts already
            try:
                self._count()
            finally:
                self._lock.release()

    def point(self, now: int) -> HistogramDataPoint | None:
        """What was measured until `now`; None where nothing was."""
        with self._lock:
            self._count()
            counts = tuple(self._counts)
            if not any(counts):
                return None
            return HistogramDataPoint(
                attributes=self._attributes,
                start_time_unix_nano=self._since,
                time_unix_nano=now,
                count=sum(counts),
                sum=self._total,
                bucket_counts=counts,
                explicit_bounds=self._bounds,
                min=self._lowest,
                max=self._highest,
            )

    def _count(self) -> None:
        """Count what waits into its buckets."""
        amounts = self._waiting[:]
        del self._waiting[: len(amounts)]  # what came meanwhile stands after these
        if not amounts:
            return
        self._total = sum(amounts, self._total)
        amounts.sort()
        self._lowest = min(self._lowest, amounts[0])
        self._highest = max(self._highest, amounts[-1])
        before = 0
        for number, bound in enumerate(self._bounds):
            upto = bisect_right(amounts, bound, before)
            self._counts[number] += upto - before
            before = upto
        self._counts[-1] += len(amounts) - before


def attributes_of(dimensions: Sequence[str], values: Values) -> dict[str, AttributeValue]:
    """Attributes as OpenTelemetry has them."""
    return {name: value for name, value in zip(dimensions, values, strict=False) if value is not None}


class Histogram:
    """Counts of measurements by bucket, for every set of attributes since the start. Safe to use from threads."""

    __slots__ = ("_bounds", "_cells", "_name", "_unit", "_what", "of")

    def __init__(
        self, name: str, *, unit: str, description: str, bounds: Sequence[float], dimensions: Sequence[str] = ()
    ) -> None:
        self._name = name
        self._unit = unit
        self._what = description
        self._bounds = tuple(bounds)
        self._cells: dict[frozenset[tuple[str, AttributeValue]], Cell] = {}
        self.of: Memo[Values, Cell] = Memo(lambda values: self._cell(attributes_of(dimensions, values)))

    def record(
        self, amount: float, attributes: Mapping[str, AttributeValue] | None = None, context: Context | None = None
    ) -> None:
        """Take one measurement. Values of attributes are texts, numbers and booleans; `context` is not used."""
        cell = self._cells.get(frozenset(attributes.items())) if attributes else None
        (cell or self._cell(attributes or {})).record(amount)

    def metric(self, now: int) -> Metric | None:
        """What was measured until `now`, in nanoseconds since 1970; None where nothing was."""
        points = [point for cell in list(self._cells.values()) if (point := cell.point(now)) is not None]
        if not points:
            return None
        data = HistogramData(data_points=points, aggregation_temporality=AggregationTemporality.CUMULATIVE)
        return Metric(name=self._name, description=self._what, unit=self._unit, data=data)

    def _cell(self, attributes: Mapping[str, AttributeValue]) -> Cell:
        key = frozenset(attributes.items())
        cell = self._cells.get(key)
        if cell is not None:
            return cell
        if len(self._cells) >= MOST_SETS:
            key, attributes = frozenset(OVERFLOW.items()), OVERFLOW
        return self._cells.setdefault(key, Cell(attributes, self._bounds))


class Theirs:
    """A histogram of the SDK, to be used as ours are."""

    __slots__ = ("of", "record")

    def __init__(self, histogram: metrics.Histogram, dimensions: Sequence[str]) -> None:
        self.record = histogram.record
        self.of: Memo[Values, _Their] = Memo(lambda values: _Their(histogram, attributes_of(dimensions, values)))


class _Their:
    """A series of the SDK's."""

    __slots__ = ("_attributes", "_histogram")

    def __init__(self, histogram: metrics.Histogram, attributes: Mapping[str, AttributeValue]) -> None:
        self._histogram = histogram
        self._attributes = attributes

    def record(self, amount: float, context: Context | None = None) -> None:
        self._histogram.record(amount, self._attributes, context)


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

    def add(
        self, name: str, *, unit: str, description: str, bounds: Sequence[float], dimensions: Sequence[str] = ()
    ) -> Histogram:
        """A new histogram."""
        histogram = Histogram(name, unit=unit, description=description, bounds=bounds, dimensions=dimensions)
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
