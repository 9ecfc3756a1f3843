"""The harness over gRPC: mocks, faults and captured requests of the transport that a replaying server answers by.

Server(..., services=[harness_service(controls, store)])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.core.http2.server import GrpcServer
from antiphon.harness.controls import Controls
from antiphon.harness.errors import BadRecordingCall
from antiphon.harness.faults import KINDS, Kind
from antiphon.harness.mocks import Mock
from antiphon.harness.requestfilter import RequestFilter
from antiphon.harness.store import CassetteStore
from antiphon.replay import pages
from antiphon.replay.captured import captured_of, filter_of
from antiphon.replay.mocks import mock_handler
from antiphon.v1 import harness_pb2, harness_pb2_grpc

Context: TypeAlias = object
pb = harness_pb2

LONGEST_NAME = 200
"""Characters of the name of a session or a mock."""


class HarnessServicer(harness_pb2_grpc.HarnessServiceServicer):
    """The service. `store` is where sessions have their place in the recordings."""

    def __init__(self, controls: Controls, store: CassetteStore) -> None:
        self._controls = controls
        self._store = store

    async def AddMock(self, request: pb.AddMockRequest, context: Context) -> pb.AddMockResponse:  # noqa: N802
        """Answer requests without a recording. Raises ServiceError INVALID_REQUEST."""
        mock = request.mock
        if mock.HasField("times") and mock.times < 1:
            raise invalid("mock.times", f"is {mock.times}; at least 1, or unset for ever")
        if len(mock.name) > LONGEST_NAME:
            raise invalid("mock.name", f"has {len(mock.name)} characters; at most {LONGEST_NAME}")
        kept = pb.Mock()
        kept.CopyFrom(mock)
        try:
            added = self._controls.mocks.add(
                mock_handler(mock),
                filter_of(mock.filter, "mock.filter"),
                session=_session(mock.session, "mock.session") if mock.HasField("session") else None,
                times=mock.times if mock.HasField("times") else None,
                name=mock.name,
                kind=mock.WhichOneof("answer") or "",
                source=kept,
            )
        except BadRecordingCall as error:
            raise ServiceError(Reason.INVALID_REQUEST, str(error)) from error
        return pb.AddMockResponse(mock=self._mock(added))

    async def ListMocks(self, request: pb.ListMocksRequest, context: Context) -> pb.ListMocksResponse:  # noqa: N802
        """The mocks, in the order in which they are asked."""
        asked = request.session if request.HasField("session") else None
        mocks = [each for each in self._controls.mocks if asked is None or each.session in (None, asked)]
        shown, token = pages.page(mocks, request.page_size, request.page_token, lambda each: _number(each.id))
        return pb.ListMocksResponse(mocks=map(self._mock, shown), next_page_token=token)

    async def RemoveMock(self, request: pb.RemoveMockRequest, context: Context) -> pb.RemoveMockResponse:  # noqa: N802
        """Take a mock away. Raises ServiceError RESOURCE_NOT_FOUND."""
        if not self._controls.mocks.remove(request.id):
            raise ServiceError(Reason.RESOURCE_NOT_FOUND, f"there is no mock {request.id!r:.80}; ListMocks tells which")
        return pb.RemoveMockResponse()

    async def SetFault(self, request: pb.SetFaultRequest, context: Context) -> pb.SetFaultResponse:  # noqa: N802
        """Let a fault happen to a session's calls. Raises ServiceError INVALID_REQUEST."""
        try:
            self._controls.faults.set(_session(request.session), request.fault or None)
        except BadRecordingCall as error:
            raise invalid("fault", str(error)) from error
        return pb.SetFaultResponse()

    async def ListFaults(self, request: pb.ListFaultsRequest, context: Context) -> pb.ListFaultsResponse:  # noqa: N802
        """Every fault there is."""
        return pb.ListFaultsResponse(faults=map(_kind, KINDS.values()))

    async def ListRequests(self, request: pb.ListRequestsRequest, context: Context) -> pb.ListRequestsResponse:  # noqa: N802
        """The requests that came, oldest first."""
        wanted = filter_of(request.filter)
        found = self._controls.requests.find(
            wanted,
            after=pages.after(request.page_token),
            limit=pages.size_of(request.page_size) + 1,
        )
        shown, token = pages.page(found, request.page_size, request.page_token, lambda each: each.number)
        return pb.ListRequestsResponse(
            requests=[captured_of(each, decode=request.decode) for each in shown],
            next_page_token=token,
            dropped_count=self._controls.requests.dropped,
        )

    async def CheckRequests(  # noqa: N802
        self, request: pb.CheckRequestsRequest, context: Context
    ) -> pb.CheckRequestsResponse:
        """Whether the requests that fit are as many as they should be. Raises ServiceError INVALID_REQUEST."""
        least = request.at_least if request.HasField("at_least") else 1
        most = request.at_most if request.HasField("at_most") else None
        if least < 0 or (most is not None and most < least):
            raise invalid("at_most", f"{least} to {most} is no range; give at_most of at_least or more")
        wanted = filter_of(request.filter)
        try:
            found = self._controls.requests.check(wanted, least=least, most=most)
        except AssertionError as error:
            count = len(self._controls.requests.find(wanted))
            return pb.CheckRequestsResponse(passed=False, count=count, message=str(error))
        return pb.CheckRequestsResponse(passed=True, count=len(found))

    async def ListSessions(self, request: pb.ListSessionsRequest, context: Context) -> pb.ListSessionsResponse:  # noqa: N802
        """The sessions by name."""
        known = {*self._store.sessions(), *self._controls.sessions()}
        shown, token = pages.named(sorted(known), request.page_size, request.page_token)
        return pb.ListSessionsResponse(sessions=shown, next_page_token=token)

    async def GetSession(self, request: pb.GetSessionRequest, context: Context) -> pb.GetSessionResponse:  # noqa: N802
        """How a session stands."""
        name = _session(request.session)
        report = self._store.report(name)
        session = pb.HarnessSession(
            name=name,
            request_count=len(self._controls.requests.find(RequestFilter(session=name))),
            fault=self._controls.faults.get(name),
            unused=report.unused,
            unused_mocks=[
                each.id for each in self._controls.mocks if each.session == name and not self._controls.mocks.used(each)
            ],
        )
        for each in self._controls.injected(name):
            session.injected_faults.add(
                call=each.call, fault=each.fault, origin=each.origin, applied=each.applied, why_not=each.why_not
            )
        for recording, times in report.used.items():
            session.used.add(recording=recording, times=times)
        for miss in report.missing:
            session.missing.add(
                asked=miss.asked, nearest=miss.nearest, differences=miss.differences, used_up=miss.used_up
            )
        return pb.GetSessionResponse(session=session)

    async def ResetSession(self, request: pb.ResetSessionRequest, context: Context) -> pb.ResetSessionResponse:  # noqa: N802
        """Start a session over."""
        name = _session(request.session)
        self._store.forget(name)
        self._controls.forget(name)
        return pb.ResetSessionResponse()

    def _mock(self, mock: Mock) -> pb.Mock:
        shown = pb.Mock()
        if isinstance(mock.source, pb.Mock):
            shown.CopyFrom(mock.source)
        shown.id = mock.id
        shown.name = mock.name
        shown.used = self._controls.mocks.used(mock)
        return shown


def harness_service(controls: Controls, store: CassetteStore) -> Callable[[GrpcServer], str]:
    """What puts the service on a server, and returns its full name."""

    def add(server: GrpcServer) -> str:
        taker: Any = server  # it has what generated code calls, and is none of grpc's own classes
        harness_pb2_grpc.add_HarnessServiceServicer_to_server(HarnessServicer(controls, store), taker)
        return harness_pb2.DESCRIPTOR.services_by_name["HarnessService"].full_name

    return add


def _session(name: str, field: str = "session") -> str:
    if len(name) > LONGEST_NAME:
        raise invalid(field, f"has {len(name)} characters; at most {LONGEST_NAME}")
    return name


def _number(identifier: str) -> int:
    return int(identifier.rpartition("-")[2])


def _kind(kind: Kind) -> pb.FaultKind:
    shown = pb.FaultKind(
        name=kind.name,
        summary=kind.summary,
        changes_answer=kind.over is not None,
        streams_only=kind.streams_only,
    )
    for setting in kind.settings:
        default = "" if setting.default is None else str(setting.default)
        shown.settings.add(name=setting.name, meaning=setting.meaning, default_value=default)
    return shown
