"""A span, a metric and a log line around every HTTP request: what `core.telemetry.rpc` does for the gRPC door."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

from opentelemetry.context import Context
from opentelemetry.propagate import extract
from opentelemetry.trace import Span, SpanKind, set_span_in_context
from opentelemetry.util.types import AttributeValue

from antiphon.core.call import CURRENT, Call
from antiphon.core.telemetry import names
from antiphon.core.telemetry.instruments import installed
from antiphon.core.telemetry.lines import tell
from antiphon.core.telemetry.rpc import Outcome
from antiphon.core.telemetry.spans import FAILED

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
            call = call.within(extract(headers, Context()))
        if self._instruments is not None:
            parent = call.trace if call.trace is not None else Context()
            self._span = self._instruments.tracer.start_span(
                f"{self._method} {route}", parent, SpanKind.SERVER, self._dimensions(), record_exception=False
            )
            call = call.within(set_span_in_context(self._span, parent))
        self.call = call
        """The call whose trace is this span."""
        CURRENT.set(call)

    def end(self, outcome: Outcome, *, status: int, caller: str, request_id: str) -> None:
        """The request is over. `status` is the one sent, 0 where none was."""
        if self._ended:
            return
        self._ended = True
        seconds = perf_counter() - self._began
        if self._span is not None and self._instruments is not None:
            found = self._dimensions()
            if status:
                found[names.HTTP_STATUS] = status
            if status >= 500 or (outcome.status != "OK" and status == 200 and not outcome.cancelled):
                found[names.ERROR_TYPE] = outcome.reason or outcome.status
                self._span.set_status(FAILED)
            written = dict(found)
            if caller:
                written[names.CALLER] = caller
            if outcome.reason:
                written[names.REASON] = outcome.reason
            if outcome.cancelled:
                written[names.CANCELLED] = True
            self._span.set_attributes(written)
            self._instruments.http_seconds.record(seconds, found, self.call.trace)
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
        tell("http", line, self.call.trace, free={"request_id": request_id})

    def _dimensions(self) -> dict[str, AttributeValue]:
        return {names.HTTP_METHOD: self._method, names.HTTP_ROUTE: self._route, names.URL_SCHEME: "http"}
