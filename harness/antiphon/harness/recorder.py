"""From a finished tape to a cassette: what may be stored, the secret scan, the write, and its failures.

A refused write must not look like a successful recording, and must not hide a caller's cancellation
either: the error is raised where the answer ends if someone is still there to read it, else when the
transport closes.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from importlib import metadata
from itertools import chain, islice
from typing import Final
from urllib.parse import parse_qsl, urlencode

import httpx

from antiphon.harness import files, jsonbody
from antiphon.harness.errors import HarnessError, RecordingRefused, SecretFound
from antiphon.harness.interaction import (
    Answer,
    Failure,
    Headers,
    Interaction,
    Provenance,
    RecordedRequest,
    grouped,
)
from antiphon.harness.modes import Outcome, RecordingCall
from antiphon.harness.recording import Tape
from antiphon.harness.secrets import SecretScanner, accepted_in, credential_values
from antiphon.harness.store import CassetteStore

REQUEST_HEADERS: Final = ("accept", "content-type", "*-version", "*-beta")
"""Request headers that are stored: none of them can identify or authorise anyone."""

RESPONSE_HEADERS: Final = (
    "content-type", "content-encoding", "content-length", "retry-after", "retry-after-ms",
    "x-should-retry", "*request-id", "*ratelimit*", "*-processing-ms", "*-version",
)  # fmt: skip
"""Response headers that are stored: what clients act on, and what support asks for."""

_MODEL_PATHS: Final = (("model",), ("message", "model"), ("response", "model"), ("modelVersion",))
_MAX_STARTED: Final = 100_000

_log = logging.getLogger("antiphon.harness")


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One exchange being recorded: what was asked, where it goes, and what must not be in it."""

    asked: RecordedRequest
    tape: Tape
    cassette: str
    replace: bool
    """Whether it takes the place of what the cassette holds for equal requests."""
    credentials: tuple[str, ...]
    scenario: str | None


class Recorder:
    """Writes finished exchanges into a store, each in its own task."""

    def __init__(
        self,
        store: CassetteStore,
        *,
        secrets: Callable[[], Iterable[str]] = tuple,
        request_headers: Iterable[str] = REQUEST_HEADERS,
        response_headers: Iterable[str] = RESPONSE_HEADERS,
        licence: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._request_headers = tuple(request_headers)
        self._response_headers = tuple(response_headers)
        self._licence = licence
        self._clock = clock
        self._started: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._unseen: list[HarnessError] = []

    def take(self, asked: RecordedRequest, sent: httpx.Headers, call: RecordingCall, *, rerecord: bool) -> Take:
        """Start recording a request that leaves now. Re-recording replaces once a session, then adds.

        Raises BadRecordingCall for a cassette name that could leave the folder.
        """
        key = self._store.matcher.key(asked)
        folder = call.provider or _slug(httpx.URL(asked.url).netloc.decode("ascii"))
        name = call.cassette or f"{_file_name(asked)}-{key[:12]}"
        name = files.checked_name(name if "/" in name else f"{folder}/{name}")
        place = (call.session or "", name, key)
        first = place not in self._started
        self._started[place] = None
        if len(self._started) > _MAX_STARTED:
            self._started.popitem(last=False)
        return Take(
            asked=asked,
            tape=Tape(),
            cassette=name,
            replace=rerecord and first,
            credentials=self._credentials(asked, sent),
            scenario=call.scenario,
        )

    async def finish(self, take: Take, outcome: Outcome, failure: Failure | None) -> None:
        """Store an exchange. Raises HarnessError where it isn't stored, unless the caller has left.

        The write goes on when the awaiting task is cancelled; `drain` waits for it.
        """
        task = asyncio.create_task(self._write(take, outcome, failure))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(self._note)
            raise
        except HarnessError as error:
            if outcome is not Outcome.CANCELLED:
                raise
            self._remember(error)

    async def drain(self) -> None:
        """Wait for all writes; raises the first refusal that no caller was there to see."""
        if self._tasks:
            await asyncio.wait(self._tasks)
            await asyncio.sleep(0)  # lets the done callbacks run
        unseen, self._unseen = self._unseen, []
        if unseen:
            raise unseen[0]

    async def _write(self, take: Take, outcome: Outcome, failure: Failure | None) -> None:
        await asyncio.to_thread(self._store_now, take, outcome, failure)

    def _store_now(self, take: Take, outcome: Outcome, failure: Failure | None) -> None:
        interaction = self._interaction(take, take.tape.answer(outcome, failure))
        scanner = SecretScanner(take.credentials, accepted=accepted_in(self._store.root))
        places = scanner.places(interaction)
        if places:
            raise SecretFound(places, cassette=take.cassette)
        try:
            self._store.write(take.cassette, interaction, replace=take.replace)
        except OSError as error:
            raise RecordingRefused(
                f"{take.cassette} was not written: {error.strerror} ({error.filename}); "
                "check that the cassette folder is writable"
            ) from error

    def _interaction(self, take: Take, answer: Answer) -> Interaction:
        asked = take.asked
        request = replace(
            asked,
            url=without_credentials(asked.url, self._store.matcher.ignored_query),
            headers=one_each(allowed(asked.headers, self._request_headers)),
        )
        provenance = Provenance(
            recorded_at=self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            version=version(),
            client=f"httpx {httpx.__version__}",
            scenario=take.scenario,
            model_asked=model_in(asked.body),
            model_answered=model_in(answer.body),
            content_encoding=take.tape.content_encoding,
            licence=self._licence,
        )
        kept = replace(
            answer,
            headers=allowed(answer.headers, self._response_headers),
            trailers=allowed(answer.trailers, self._response_headers),
            provenance=provenance,
        )
        return Interaction(request=request, answer=kept)

    def _credentials(self, asked: RecordedRequest, sent: httpx.Headers) -> tuple[str, ...]:
        """Return the values that came from a credential: handed in, or sent with this request."""
        url = httpx.URL(asked.url)
        query = parse_qsl(url.query.decode("ascii", "replace"))
        dropped = [value for name, value in query if name.lower() in self._store.matcher.ignored_query]
        return (*self._secrets(), *credential_values(sent.multi_items()), *dropped, url.password)

    def _note(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, HarnessError):
            self._remember(error)
        elif error is not None:
            self._remember(RecordingRefused(f"the write failed with {type(error).__name__}: {error}"))

    def _remember(self, error: HarnessError) -> None:
        _log.warning("recording refused after its caller had left: %s", error)
        self._unseen.append(error)


def version() -> str:
    """Return antiphon's version, "unknown" where it runs from a checkout that isn't installed."""
    try:
        return metadata.version("antiphon")
    except metadata.PackageNotFoundError:
        return "unknown"


def allowed(headers: Headers, patterns: Iterable[str]) -> Headers:
    """Return the headers whose names match one of the patterns."""
    kept = tuple(patterns)
    return grouped(pair for pair in headers if any(fnmatchcase(pair[0].lower(), p) for p in kept))


def one_each(headers: Headers) -> Headers:
    """Return headers with repeated names joined, as vcrpy keeps one value a request header."""
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return tuple(joined.items())


def without_credentials(url: str, dropped: frozenset[str]) -> str:
    """Return a URL without user info and without the named query parameters."""
    parsed = httpx.URL(url).copy_with(username=None, password=None)
    pairs = parse_qsl(parsed.query.decode("ascii", "replace"), keep_blank_values=True)
    kept = [(name, value) for name, value in pairs if name.lower() not in dropped]
    if len(kept) == len(pairs):
        return str(parsed)
    return str(parsed.copy_with(query=urlencode(kept).encode("ascii") or None))


def model_in(body: bytes) -> str | None:
    """Return the model that a body names, in the whole or in its first event; None where it names none."""
    for candidate in chain((body,), islice(_EVENT.findall(body[:_PEEKED]), _PEEKED_EVENTS)):
        try:
            value = jsonbody.parse(candidate)
        except jsonbody.NotJsonError:
            continue
        for path in _MODEL_PATHS:
            found = value
            for step in path:
                found = found.get(step) if isinstance(found, dict) else None
            if isinstance(found, str):
                return found
    return None


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")[:60] or "unnamed"


def _file_name(asked: RecordedRequest) -> str:
    path = _slug(httpx.URL(asked.url).path).replace(".", "-")
    return f"{asked.method.lower()}-{path}"


_EVENT: Final = re.compile(rb"^(?:data:)?[ ]*(\{.*\})\r?$", re.MULTILINE)
_PEEKED: Final = 64 * 1024
_PEEKED_EVENTS: Final = 4
