"""A span, a metric and a log line around every HTTP request: what `core.telemetry.rpc` does for the gRPC door."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

from opentelemetry.propagate import extract
from opentelemetry.trace import Span, SpanKind
from opentelemetry.util.types import AttributeValue

from antiphon.core.call import CURRENT, Call
from antiphon.core.telemetry import names
from antiphon.core.telemetry.instruments import installed
from antiphon.core.telemetry.lines import tell
from antiphon.core.telemetry.rpc import Outcome
from antiphon.core.telemetry.spans import FAILED, NO_TRACE, begin, noted, notes_of

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


class Watch:
    """One request of ours. `route` is the template of its path: names of models are no dimension."""

    def __init__(self, method: str, route: str, headers: Mapping[str, str], call: Call) -> None:
        self._method = method if method in METHODS else "_OTHER"
        self._route = route
        self._instruments = installed()
        self._span: Span | None = None
        self._began = perf_counter()
        self._ended = False
        if "traceparent" in headers:
            call = call.within(extract(headers, NO_TRACE))
        if self._instruments is not None:
            asked: dict[str, AttributeValue] = {
                names.HTTP_METHOD: self._method,
                names.HTTP_ROUTE: route,
                names.URL_SCHEME: "http",
            }
            self._span, call = begin(self._instruments.tracer, f"{self._method} {route}", call, SpanKind.SERVER, asked)
        self.call = call
        """The call whose trace is this span."""
        CURRENT.set(call)

    def end(self, outcome: Outcome, *, status: int, caller: str, request_id: str, ours: bool) -> None:
        """The request is over. `status` is the one sent, 0 where none was; `ours` is whether we gave it its number."""
        if self._ended:
            return
        self._ended = True
        seconds = perf_counter() - self._began
        if self._span is not None and self._instruments is not None:
            written = notes_of(self._span)
            error_type = None
            if status:
                written[names.HTTP_STATUS] = status
            if status >= 500 or (outcome.status != "OK" and status == 200 and not outcome.cancelled):
                written[names.ERROR_TYPE] = error_type = outcome.reason or outcome.status
                self._span.set_status(FAILED)
            if caller:
                written[names.CALLER] = caller
            if outcome.reason:
                written[names.REASON] = outcome.reason
            if outcome.cancelled:
                written[names.CANCELLED] = True
            noted(self._span, written)
            series = self._instruments.http_seconds.of[self._method, self._route, "http", status or None, error_type]
            series.record(seconds, self.call.trace)
            self._span.end()
        line = {
            "method": self._method,
            "route": self._route,
            "http_status": status,
            "status": outcome.status,
            "ms": round(seconds * 1e3, 2),
            "caller": caller,
        }
        if outcome.reason:
            line["reason"] = outcome.reason
        if ours:  # nobody's text: there is nothing to look for in it
            line["request_id"] = request_id
        tell("http", line, self.call.trace, free=None if ours else {"request_id": request_id})
