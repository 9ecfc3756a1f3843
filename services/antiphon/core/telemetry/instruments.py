"""What this process measures with: one tracer and its histograms, or nothing at all.

Kept here rather than in OpenTelemetry's globals: those can be set only once in a process, and every span through them
pays for a proxy. None means that telemetry is off, which costs one comparison a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

from opentelemetry.metrics import Meter, MeterProvider
from opentelemetry.trace import TracerProvider

from antiphon.core.telemetry import names
from antiphon.core.telemetry.histograms import Histograms, Records, Series, Theirs, Values
from antiphon.core.telemetry.memo import Memo
from antiphon.core.telemetry.spans import Starts

SCOPE = "antiphon"


class Measured(NamedTuple):
    """What the calls of a provider with the same dimensions are measured by: their time, and their tokens by type."""

    seconds: Series
    tokens: Mapping[str, Series]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """What begins spans, a meter for what others measure, and one histogram a metric. Durations are in seconds."""

    tracer: Starts
    meter: Meter
    server_seconds: Records
    client_seconds: Records
    http_seconds: Records
    genai_seconds: Records
    first_chunk_seconds: Records
    tokens: Records
    genai: Mapping[Values, Measured]
    """By the dimensions of `genai_seconds`, for calls whose usage is whole."""

    @classmethod
    def of(
        cls,
        tracers: TracerProvider,
        meters: MeterProvider,
        *,
        spans: Starts | None = None,
        histograms: Histograms | None = None,
    ) -> Self:
        """The instruments of two providers. `spans` and `histograms` stand in for the providers' own."""
        meter = meters.get_meter(SCOPE)

        def histogram(
            name: str, unit: str, what: str, bounds: tuple[float, ...], dimensions: tuple[str, ...]
        ) -> Records:
            if histograms is not None:
                return histograms.add(name, unit=unit, description=what, bounds=bounds, dimensions=dimensions)
            theirs = meter.create_histogram(
                name, unit=unit, description=what, explicit_bucket_boundaries_advisory=bounds
            )
            return Theirs(theirs, dimensions)

        genai_seconds = histogram(
            names.GENAI_DURATION, "s", "Duration of provider calls.", names.GENAI_SECONDS, names.GENAI_DIMENSIONS
        )
        tokens = histogram(
            names.GENAI_TOKENS, "{token}", "Tokens of one provider call.", names.TOKENS, names.TOKEN_DIMENSIONS
        )

        def measured(dimensions: Values) -> Measured:
            # Not before tokens come: sets of attributes are bounded, and calls that fail have none.
            return Measured(genai_seconds.of[dimensions], Memo(lambda kind: tokens.of[*dimensions, None, kind]))

        return cls(
            tracer=tracers.get_tracer(SCOPE) if spans is None else spans,
            meter=meter,
            server_seconds=histogram(
                names.RPC_SERVER_DURATION, "s", "Duration of incoming calls.", names.RPC_SECONDS, names.RPC_DIMENSIONS
            ),
            client_seconds=histogram(
                names.RPC_CLIENT_DURATION, "s", "Duration of outgoing calls.", names.RPC_SECONDS, names.RPC_DIMENSIONS
            ),
            http_seconds=histogram(
                names.HTTP_SERVER_DURATION, "s", "Duration of HTTP requests.", names.RPC_SECONDS, names.HTTP_DIMENSIONS
            ),
            genai_seconds=genai_seconds,
            first_chunk_seconds=histogram(
                *(names.GENAI_FIRST_CHUNK, "s", "Time until a provider's first chunk."),
                *(names.FIRST_CHUNK_SECONDS, names.GENAI_DIMENSIONS),
            ),
            tokens=tokens,
            genai=Memo(measured),
        )


_installed: Instruments | None = None


def installed() -> Instruments | None:
    """The instruments of this process; None while telemetry is off."""
    return _installed


def install(instruments: Instruments | None) -> None:
    """Measure with these from now on. Calls that have begun end with what they began with."""
    global _installed
    _installed = instruments
