"""The value of the `antiphon` fixture, and how a test gets one: a port, a session and a cassette of its own."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from dataclasses import dataclass, field, fields
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest

from antiphon.harness.controls import Controls
from antiphon.harness.errors import BadRecordingCall, HarnessError
from antiphon.harness.faults import Faults
from antiphon.harness.mocks import Mocks
from antiphon.harness.modes import Mode, RecordingCall, pace_of
from antiphon.harness.requestlog import RequestLog
from antiphon.harness.server import KNOWN, ReplayApp, ReplayListener, Served, Upstream, upstream_of, upstreams
from antiphon.harness.sessions import Missed, SessionReport
from antiphon.harness.store import CassetteStore
from antiphon.harness.transport import CassetteTransport
from antiphon.pytest_plugin import MARK
from antiphon.pytest_plugin.loop import LoopThread
from antiphon.pytest_plugin.naming import cassette_of
from antiphon.pytest_plugin.network import Guard, loopback_only
from antiphon.pytest_plugin.state import LOOP, REPORTS, STORES, Told

NO_KEY: Final = "replayed-without-a-key"
"""Stands in for keys that are not set: SDKs refuse to start without one."""
GRPC_GROUP: Final = "antiphon.grpc"
GrpcDoor: TypeAlias = Callable[[CassetteTransport, str], AbstractAsyncContextManager[str]]
"""Serves gRPC through a transport in a mode, for as long as its context lasts; gives the address."""
_CALLS: Final = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How a test wants to be answered: the arguments of its mark."""

    name: str | None = None
    mode: str | None = None
    pace: str | float | None = None
    chunking: str | None = None
    fault: str | None = None
    repeat: bool | None = None
    allow_hosts: tuple[str, ...] = ()

    @classmethod
    def of(cls, mark: pytest.Mark | None) -> Wanted:
        """Read a mark. Raises pytest.UsageError that says what is wrong with it."""
        if mark is None:
            return cls()
        known = [each.name for each in fields(cls)]
        if len(mark.args) > 1 or not set(mark.kwargs) <= set(known) or (mark.args and "name" in mark.kwargs):
            raise pytest.UsageError(f"@pytest.mark.{MARK} takes a name and {', '.join(known[1:])}; not {mark.kwargs}")
        given = {**mark.kwargs, **({"name": mark.args[0]} if mark.args else {})}
        return cls(**{**given, "allow_hosts": tuple(given.get("allow_hosts", ()))})


@dataclass(frozen=True, slots=True, kw_only=True)
class Antiphon:
    """A running server of one test.

    `url` is the server's own, `cassette` and `session` are the test's. `mocks` and `faults` change what is answered,
    `requests` is what was asked.
    """

    url: str
    cassette: str
    session: str
    mode: str
    upstreams: Mapping[str, Upstream]
    store: CassetteStore
    controls: Controls
    _served: list[Served] = field(default_factory=list, repr=False)
    _grpc: Callable[[], str] = field(default=lambda: "", repr=False)

    def base_url(self, provider: str) -> str:
        """The base URL for a vendor's own SDK, such as `http://127.0.0.1:40123/openai/v1`. Raises KeyError."""
        if provider not in self.upstreams:
            raise KeyError(f"{provider!r} is none of {', '.join(sorted(self.upstreams))}; add it to antiphon_upstreams")
        return self.upstreams[provider].base_url(self.url)

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead SDKs here, in this process (where they are set already) or in one that a test starts."""
        found: dict[str, str] = {}
        for upstream in self.upstreams.values():
            found |= dict.fromkeys(upstream.url_variables, upstream.base_url(self.url))
            if self.mode == Mode.REPLAY:
                found |= {name: NO_KEY for name in upstream.key_variables if not os.environ.get(name)}
        return found

    @property
    def grpc_address(self) -> str:
        """host:port of antiphon's gRPC services, which answer from the same cassette; started when first asked for.

        Raises RuntimeError where the services are not installed.
        """
        return self._grpc()

    @property
    def mocks(self) -> Mocks:
        """Answers without a recording."""
        return self.controls.mocks

    @property
    def faults(self) -> Faults:
        """What is to go wrong."""
        return self.controls.faults

    @property
    def requests(self) -> RequestLog:
        """What was asked, in its order."""
        return self.controls.requests

    def report(self) -> SessionReport:
        """What this test has used, left over and missed so far."""
        named = [self.cassette] if self.mode == Mode.REPLAY else []
        return self.store.report(self.session, cassettes=named)

    def told(self, test: str) -> Told:
        """What there is to tell of this test."""
        report = self.report()
        refused = [str(each.error) for each in self._served if _was_refused(each)]
        recorded = sum(each.said.get("replayed") is False and each.error is None for each in self._served)
        return Told(
            test=test,
            cassette=self.cassette,
            missing=[_line(missed) for missed in report.missing],
            unused=list(report.unused),
            refused=refused,
            recorded=recorded,
        )


@contextmanager
def replaying(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Antiphon]:
    """Serve for one test, and afterwards see what its cassette has left."""
    config, node = request.config, request.node
    wanted = Wanted.of(node.get_closest_marker(MARK))
    behind = _upstreams(config)
    call = _call(config, wanted, node.nodeid)
    store = _store(config)
    served: list[Served] = []
    controls = Controls()
    if LOOP not in config.stash:
        config.stash[LOOP] = LoopThread()
    loop = config.stash[LOOP]
    stack = AsyncExitStack()
    secrets = [os.environ.get(name, "") for upstream in behind.values() for name in upstream.key_variables]
    transport = controls.transport(store, default=call, secrets=[value for value in secrets if value])

    async def start() -> str:
        stack.push_async_callback(transport.aclose)
        app = ReplayApp(transport, behind, store=store, observe=served.append)
        return (await stack.enter_async_context(ReplayListener(app))).url

    mode = call.mode.value if call.mode is not None else Mode.REPLAY.value

    @functools.cache
    def start_grpc() -> str:
        door = _grpc_door()
        return loop.call(stack.enter_async_context(door(transport, mode)))

    running = Antiphon(
        url=loop.call(start()),
        cassette=call.cassette or "",
        session=call.session or "",
        mode=mode,
        upstreams=behind,
        store=store,
        controls=controls,
        _served=served,
        _grpc=start_grpc,
    )
    if config.getini("antiphon_environment"):
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
    hint = f"Give the client its base URL, such as antiphon.base_url('openai'): {running.base_url('openai')}"
    try:
        with loopback_only(Guard(wanted.allow_hosts, hint)):
            yield running
    finally:
        refused = _closed(loop, stack)
        told = running.told(node.nodeid)
        told.refused.extend(text for text in refused if text not in told.refused)
        config.stash.setdefault(REPORTS, []).append(told)
    if told.complaints and _strict(config):
        pytest.fail("antiphon: " + "\n".join(told.complaints), pytrace=False)


def _grpc_door() -> GrpcDoor:
    """What serves gRPC in front of a transport. Found by name, because the harness knows no service."""
    for point in entry_points(group=GRPC_GROUP):
        door: GrpcDoor = point.load()
        return door
    raise RuntimeError(f"no installed package serves gRPC (entry point group {GRPC_GROUP}): pip install antiphon")


def _closed(loop: LoopThread, stack: AsyncExitStack) -> list[str]:
    """End the server; a recording that was refused after its caller had left shows only now."""
    try:
        loop.call(stack.aclose())
    except HarnessError as error:
        return [str(error)]
    return []


def _call(config: pytest.Config, wanted: Wanted, node: str) -> RecordingCall:
    mode = wanted.mode or config.getoption("--antiphon-mode") or config.getini("antiphon_mode")
    pace = wanted.pace if wanted.pace is not None else config.getini("antiphon_pace")
    try:
        return RecordingCall(
            mode=Mode(mode),
            session=f"{node}#{next(_CALLS)}",  # a test that is run again begins again
            cassette=wanted.name or cassette_of(node),
            pace=pace_of(pace),
            chunking=wanted.chunking,
            fault=wanted.fault,
            repeat=wanted.repeat,
        )
    except (BadRecordingCall, ValueError) as error:
        raise pytest.UsageError(f"{node}: {error}") from error


def _upstreams(config: pytest.Config) -> dict[str, Upstream]:
    try:
        return upstreams(KNOWN, [upstream_of(line) for line in config.getini("antiphon_upstreams")])
    except BadRecordingCall as error:
        raise pytest.UsageError(f"antiphon_upstreams: {error}") from error


def _store(config: pytest.Config) -> CassetteStore:
    """The store of the run: read once, shared by all tests of this process."""
    named = config.getini("antiphon_cassettes")
    folder = Path(named) if named else Path("tests/cassettes" if (config.rootpath / "tests").is_dir() else "cassettes")
    stores: dict[str, Any] = config.stash.setdefault(STORES, {})
    store = stores.setdefault("", CassetteStore(config.rootpath / folder))
    assert isinstance(store, CassetteStore)  # noqa: S101 - told to mypy; only this function writes there
    return store


def _strict(config: pytest.Config) -> bool:
    return bool(config.getoption("--antiphon-strict") or config.getini("antiphon_strict"))


def _was_refused(served: Served) -> bool:
    return isinstance(served.error, HarnessError) and served.error.reason in ("SECRET_FOUND", "RECORDING_REFUSED")


def _line(missed: Missed) -> str:
    if missed.used_up:
        return f"{missed.asked}: its recordings are used up, the last was {missed.nearest}"
    near = f", nearest {missed.nearest}: {'; '.join(missed.differences)}" if missed.nearest else ""
    return f"{missed.asked}{near}"
