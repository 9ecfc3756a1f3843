"""What can be done to a transport while it runs, in one object: faults, mocks, and the log of what came.

controls = Controls()
http = httpx.AsyncClient(transport=controls.transport("cassettes"))
controls.faults.set("", "429;retry-after=2;times=1")
controls.requests.check(RequestFilter(model="gpt-*"), least=2)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from antiphon.harness.capturing import CURRENT, WatchedReply, captured
from antiphon.harness.faults import FaultPlan, Faults, Injected
from antiphon.harness.mocks import Mocks
from antiphon.harness.modes import EXTENSION, RecordingCall
from antiphon.harness.playback import AnswerSource, Shaper
from antiphon.harness.requestlog import RequestLog
from antiphon.harness.settled import SettledCalls
from antiphon.harness.store import CassetteStore
from antiphon.harness.transport import CassetteTransport

MAX_INJECTED: Final = 10_000


class Controls:
    """Faults, mocks and the log of requests, for one transport or several that share them."""

    def __init__(self, *, plan: FaultPlan | None = None, requests: RequestLog | None = None) -> None:
        self._injected: deque[Injected] = deque(maxlen=MAX_INJECTED)
        self.requests = requests or RequestLog()
        self.mocks = Mocks()
        self.faults = Faults(plan=plan, journal=self._inject)

    def transport(self, store: CassetteStore | Path | str, **settings: Any) -> ControlledTransport:
        """A transport under these controls. `settings` are those of CassetteTransport."""
        return ControlledTransport(store, controls=self, **settings)

    def injected(self, session: str | None = None) -> list[Injected]:
        """The faults that happened, or could not, of one session or of all, in their order."""
        return [each for each in self._injected if session is None or each.session == session]

    def _inject(self, injected: Injected) -> None:
        self._injected.append(injected)
        seen = CURRENT.get()
        if seen is not None and injected.applied:
            seen.synthetic = injected.fault  # a client may leave before any answer could say so

    def sessions(self) -> set[str]:
        """The sessions that anything is known of here."""
        of_mocks = {each.session for each in self.mocks if each.session is not None}
        return {*self.faults.sessions(), *of_mocks, *(each.session for each in self.requests)}

    def forget(self, session: str) -> None:
        """Start a session over: its faults, its mocks, its requests."""
        self.mocks.forget(session)
        self.requests.forget(session)
        self.forget_faults(session)

    def forget_faults(self, session: str) -> None:
        """Start the faults of a session over: none of its own, and its next call is the first."""
        self.faults.forget(session)
        kept = [each for each in self._injected if each.session != session]
        self._injected.clear()
        self._injected.extend(kept)


class ControlledTransport(CassetteTransport):
    """A recording transport whose requests are captured, and whose answers may be mocks and have faults.

    `sources` come after the mocks, `shapers` before the faults; `settings` are those of CassetteTransport.
    """

    def __init__(
        self,
        store: CassetteStore | Path | str,
        *,
        controls: Controls,
        default: RecordingCall | None = None,
        sources: Sequence[AnswerSource] = (),
        shapers: Sequence[Shaper] = (),
        **settings: Any,
    ) -> None:
        super().__init__(
            store,
            default=default,
            sources=(controls.faults, controls.mocks, *sources),
            shapers=(*shapers, controls.faults),
            **settings,
        )
        self.controls = controls
        own = default or RecordingCall()
        self._asked = SettledCalls(lambda given: RecordingCall.of(given).over(own))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request in its mode, as CassetteTransport does, and remember it."""
        call = self._asked.of(request.extensions.get(EXTENSION))
        return await captured(self.controls.requests, request, call, super().handle_async_request)

    def replayed(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, options: object
    ) -> WatchedReply | None:
        """Answer a plain request as CassetteTransport does, and remember it."""
        reply = super().replayed(method, url, headers, body, options)
        if reply is None:  # it comes again the general way
            return None
        log = self.controls.requests
        return WatchedReply(reply, log.note(method, url, headers.items(), body, self._asked.of(options)), log)
