"""What this process measures with: one tracer and its histograms, or nothing at all.

Kept here rather than in OpenTelemetry's globals: those can be set only once in a process, and every span through them
pays for a proxy. None means that telemetry is off, which costs one comparison a call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from opentelemetry.metrics import Histogram, Meter, MeterProvider
from opentelemetry.trace import Tracer, TracerProvider

from antiphon.core.telemetry import names

SCOPE = "antiphon"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """A tracer, a meter for what others measure, and one histogram a metric. Durations are in seconds."""

    tracer: Tracer
    meter: Meter
    server_seconds: Histogram
    client_seconds: Histogram
    http_seconds: Histogram
    genai_seconds: Histogram
    first_chunk_seconds: Histogram
    tokens: Histogram

    @classmethod
    def of(cls, tracers: TracerProvider, meters: MeterProvider) -> Self:
        """The instruments of two providers."""
        meter = meters.get_meter(SCOPE)

        def seconds(name: str, what: str, bounds: tuple[float, ...]) -> Histogram:
            return meter.create_histogram(name, unit="s", description=what, explicit_bucket_boundaries_advisory=bounds)

        return cls(
            tracer=tracers.get_tracer(SCOPE),
            meter=meter,
            server_seconds=seconds(names.RPC_SERVER_DURATION, "Duration of incoming calls.", names.RPC_SECONDS),
            client_seconds=seconds(names.RPC_CLIENT_DURATION, "Duration of outgoing calls.", names.RPC_SECONDS),
            http_seconds=seconds(names.HTTP_SERVER_DURATION, "Duration of HTTP requests.", names.RPC_SECONDS),
            genai_seconds=seconds(names.GENAI_DURATION, "Duration of provider calls.", names.GENAI_SECONDS),
            first_chunk_seconds=seconds(
                names.GENAI_FIRST_CHUNK, "Time until a provider's first chunk.", names.FIRST_CHUNK_SECONDS
            ),
            tokens=meter.create_histogram(
                names.GENAI_TOKENS,
                unit="{token}",
                description="Tokens of one provider call.",
                explicit_bucket_boundaries_advisory=names.TOKENS,
            ),
        )


_installed: Instruments | None = None


def installed() -> Instruments | None:
    """The instruments of this process; None while telemetry is off."""
    return _installed


def install(instruments: Instruments | None) -> None:
    """Measure with these from now on. Calls that have begun end with what they began with."""
    global _installed
    _installed = instruments
