"""The limits of one upstream call, and the meaning of every way in which it can fail."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, cast

import httpx

from antiphon.adapter.limits import Limits
from antiphon.core.alarms import Alarm, Alarms
from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError

T = TypeVar("T")

HARNESS_REASONS: Mapping[str, Reason] = {
    "RECORDING_MISSING": Reason.RECORDING_MISSING,
    "RECORDING_USED_UP": Reason.RECORDING_MISSING,
    "CASSETTE_UNREADABLE": Reason.CASSETTE_UNREADABLE,
    "SECRET_FOUND": Reason.SECRET_IN_RECORDING,
    "RECORDING_REFUSED": Reason.SECRET_IN_RECORDING,
    "BAD_RECORDING_CALL": Reason.INVALID_REQUEST,
    "RECORDING_ENDED": Reason.OUTCOME_UNKNOWN,
    "MOCK_FAILED": Reason.INTERNAL,
}
"""What a recording transport calls its own failures (its errors' `reason`); it is known here by no other name. Facts
for programs, such as the nearest recording of a miss, are in their `details`."""


class Clock:
    """The limits of one upstream call, and the meaning of going over one. It runs from the first wait on: a call that
    has its answer at hand needs none.

    One alarm serves all waits of a call, and then those of others: a wait only notes how long it may take.
    """

    __slots__ = (
        *("_alarm", "_alarms", "_call", "_deadline", "_fired", "_last", "_limits", "_loop", "_over", "_synthetic"),
        *("_task", "_total", "_waiting", "provider"),
    )

    def __init__(self, provider: str, limits: Limits, call: Call, alarms: Alarms) -> None:
        self.provider = provider
        self._limits = limits
        self._call = call
        self._alarms = alarms
        self._alarm: Alarm | None = None
        self._over = self._fired = False
        self._deadline: float | None = None
        self._total = math.inf
        self._task: asyncio.Task[Any] | None = None
        self._synthetic = ""

    async def wait(self, answer: Awaitable[T], patience: float) -> T:
        """The awaited value. Raises ServiceError by what came first: patience, total limit or caller's deadline."""
        self._task = task = cast("asyncio.Task[Any]", asyncio.current_task())
        cancelling = task.cancelling()
        self._set(patience, self._cancel)
        try:
            return await answer
        except asyncio.CancelledError as error:
            if self._fired and task.uncancel() <= cancelling:
                raise self._too_late(patience) from error
            raise
        except httpx.HTTPError as error:
            raise self.failure(error) from error
        finally:
            self._task = None
            self._rest()

    async def see(self, news: asyncio.Future[T], patience: float) -> T:
        """As `wait`, for a future of ours: who waits for it is told through it, at a quarter of the cost."""
        self._waiting = news
        self._set(patience, self._give_up)
        try:
            return await news
        except TimeoutError as error:
            raise self._too_late(patience) from error
        except httpx.HTTPError as error:
            raise self.failure(error) from error
        finally:
            self._rest()

    def note(self, extensions: Mapping[str, Any]) -> str:
        """Remember, tell the caller and give the fault or mock that a recording transport says it made up; empty for
        none."""
        said = extensions.get("antiphon")
        if isinstance(said, Mapping) and said.get("synthetic"):
            self._synthetic = str(said["synthetic"])
            self._call.say("synthetic", self._synthetic)
        return self._synthetic

    def stop(self) -> None:
        """The call is over."""
        self._over = True
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            self._alarms.give(alarm)

    def _set(self, patience: float, ring: Callable[[], object]) -> None:
        alarm = self._alarm
        if alarm is None:
            if self._over:
                return
            alarm = self._begin()
        until = self._loop.time() + patience
        alarm.set(until if until < self._last else self._last, ring)

    def _begin(self) -> Alarm:
        self._loop = loop = asyncio.get_running_loop()
        now = loop.time()
        self._last = self._total = now + self._limits.total
        if self._call.deadline is not None and (timeout := self._call.timeout()) is not None:
            self._deadline = now + timeout
            self._last = min(self._total, self._deadline)
        self._alarm = alarm = self._alarms.take(loop)
        return alarm

    def _rest(self) -> None:
        if self._alarm is not None:
            self._alarm.rest()

    def _cancel(self) -> None:
        if self._task is not None:
            self._fired = True
            self._task.cancel()

    def _give_up(self) -> None:
        if not self._waiting.done():
            self._waiting.set_exception(TimeoutError())

    def _too_late(self, patience: float) -> ServiceError:
        now = self._loop.time()
        metadata = {"provider": self.provider} | ({"synthetic": self._synthetic} if self._synthetic else {})
        if self._deadline is not None and now >= self._deadline:
            return ServiceError(
                Reason.DEADLINE_EXCEEDED, f"{self.provider} did not answer within the caller's deadline", metadata
            )
        limit = "the total limit" if now >= self._total else f"{patience:g} s"
        return ServiceError(
            Reason.OUTCOME_UNKNOWN,
            f"{self.provider} sent nothing within {limit}; it may have done the work, so a retry may be billed again",
            metadata,
        )

    def failure(self, error: httpx.HTTPError) -> ServiceError:
        """What a broken connection, or what a recording transport says it is, means to the caller."""
        metadata = {"provider": self.provider}
        if synthetic := self.note(error.__dict__):  # a failure that was asked for says so where an answer would
            metadata["synthetic"] = synthetic
        said = str(error) or type(error).__name__
        reason = HARNESS_REASONS.get(getattr(error, "reason", ""))
        if reason is not None:
            return ServiceError(reason, said, {**getattr(error, "details", {}), **metadata})
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.UnsupportedProtocol):
            return ServiceError(Reason.NETWORK_ERROR, f"{self.provider} cannot be reached: {said}", metadata)
        if isinstance(error, httpx.DecodingError):
            return ServiceError(Reason.MALFORMED_RESPONSE, f"{self.provider} sent a broken body: {said}", metadata)
        return ServiceError(
            Reason.OUTCOME_UNKNOWN,
            f"the connection to {self.provider} broke after the request was sent ({said}); it may have done the work, "
            "so a retry may be billed again",
            metadata,
        )
