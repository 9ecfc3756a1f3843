"""The door: an httpx transport that answers from cassettes, records into them, or steps aside.

It sits under the client, so every line above the socket runs the same live and replayed, in any mode,
for any client that takes an httpx transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx

from antiphon.harness import files, replay
from antiphon.harness.chunking import Chunking, chunking_of
from antiphon.harness.direct import Direct, DirectAnswers
from antiphon.harness.errors import BadRecordingCall, HarnessError, RecordingMissing, RecordingUsedUp
from antiphon.harness.interaction import Interaction, RecordedRequest
from antiphon.harness.modes import EXTENSION, Mode, RecordingCall
from antiphon.harness.playback import AnswerSource, Playback, Shaper, of_recording
from antiphon.harness.recorder import Recorder, Take
from antiphon.harness.recording import DECODABLE, RecordingStream
from antiphon.harness.secrets import SecretScanner, credential_values
from antiphon.harness.sessions import Missed
from antiphon.harness.settled import SettledCalls
from antiphon.harness.store import CassetteStore, Claim
from antiphon.harness.trailers import keeping_trailers

_SHOWN: Final = 300
_ATTEMPTS: Final = 3
"""A file can change between the lookup and the read of its recording; not again and again."""
_ENCODINGS: Final = frozenset({*DECODABLE, "identity"})


class CassetteTransport(httpx.AsyncBaseTransport):
    """Records and replays HTTP exchanges.

    `store` is a folder of cassettes, or a store shared with others. `default` are the settings of a call
    that brings none in `request.extensions["antiphon"]`; its mode is replay unless given. `allowed` limits
    the modes that a call may choose. `inner` sends live requests (made when first needed; replay alone
    needs none). `secrets` are credentials that must never be written, or a function that returns them.
    `repeat` says whether the last equal recording answers again once all are used up; by default it does
    outside of sessions, because who names a session wants to hear each recording once, and in mode
    record-on-miss, because nothing should be paid for twice. Where a call may be
    replayed, `sources` are asked before the cassettes, and `shapers` in their order change what is played;
    the chunking that a call asks for comes after them.
    """

    def __init__(
        self,
        store: CassetteStore | Path | str,
        *,
        inner: httpx.AsyncBaseTransport | None = None,
        default: RecordingCall | None = None,
        allowed: Collection[Mode] = tuple(Mode),
        secrets: Sequence[str] | Callable[[], Iterable[str]] = (),
        repeat: bool | None = None,
        recorder: Recorder | None = None,
        sources: Sequence[AnswerSource] = (),
        shapers: Sequence[Shaper] = (),
    ) -> None:
        self._store = store if isinstance(store, CassetteStore) else CassetteStore(store)
        self._inner = keeping_trailers(inner) if isinstance(inner, httpx.AsyncHTTPTransport) else inner
        own = RecordingCall(mode=Mode.REPLAY, session="", pace=1.0)
        self._default = (default or RecordingCall()).over(own)
        self._allowed = frozenset(allowed)
        self._secrets = secrets if callable(secrets) else lambda: secrets
        self._repeat = repeat
        self._recorder = recorder or Recorder(self._store, secrets=self._secrets)
        self._sources = tuple(sources)
        self._shapers = (*shapers, Chunking())
        self._direct = DirectAnswers(self._store, (*self._sources, *self._shapers))
        self._settled = SettledCalls(self._read)
        self._latest: tuple[object, RecordingCall] = (object(), self._default)
        """What was last given to `replayed`, and what it means: clients that ask for nothing give the same object."""

    def __init_subclass__(cls, **settings: Any) -> None:
        """Let a subclass see every call that it wants to, though it knows of one way alone."""
        super().__init_subclass__(**settings)
        if "handle_async_request" in cls.__dict__ and "replayed" not in cls.__dict__:
            cls.replayed = _never  # type: ignore[assignment, method-assign]

    @property
    def store(self) -> CassetteStore:
        """The recordings behind this transport."""
        return self._store

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request in its mode.

        Raises RecordingMissing, CassetteUnreadable, BadRecordingCall; when recording RecordingRefused or
        SecretFound at the end of the answer; and whatever httpx raises live, or raised when recorded.
        """
        try:
            call = self._settled.of(request.extensions.get(EXTENSION))
            if call.mode is Mode.LIVE:
                return await self._live().handle_async_request(request)
            whole = isinstance(request.stream, httpx.ByteStream)
            asked = RecordedRequest.arrived(request, request.read() if whole else await request.aread())
            if call.mode is Mode.RECORD:
                take = self._recorder.take(asked, request.headers, call, rerecord=True)
                return await self._record(request, take)
            return await self._replay(request, asked, call)
        except HarnessError as error:
            error.request = request
            raise

    def replayed(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, options: object
    ) -> Direct | None:
        """Answer a plain request from its recording without httpx's objects, for a client that asks here first.

        None where `handle_async_request` has to be asked: it then does and raises all that it would have. `options` are
        what `request.extensions["antiphon"]` holds there; `url` is spelled as httpx does, `headers` and `options` must
        not change.
        """
        known, call = self._latest
        if options is not known:
            try:
                call = self._settled.of(options)
            except HarnessError:
                return None
            self._latest = (options, call)
        if call.mode is not Mode.REPLAY:
            return None
        return self._direct.answer(method, url, headers, body, call, repeat=self._repeats(call))

    async def aclose(self) -> None:
        """Wait for writes under way and close the inner transport; raises a refusal nobody has seen."""
        try:
            await self._recorder.drain()
        finally:
            if self._inner is not None:
                await self._inner.aclose()

    def _read(self, given: object) -> RecordingCall:
        """The settings that a call brings, over the default. Raises BadRecordingCall."""
        asked = RecordingCall.of(given)
        if asked.mode is not None and asked.mode is not self._default.mode and asked.mode not in self._allowed:
            raise BadRecordingCall(f"mode {asked.mode.value!r} is not allowed here; {self._modes()}")
        call = asked.over(self._default)
        if call.cassette is not None:
            call = replace(call, cassette=files.checked_name(call.cassette))
        if call.provider is not None:
            files.checked_name(call.provider)
        if call.chunking is not None:
            chunking_of(call.chunking)
        if asked.fault is not None and call.mode in (Mode.LIVE, Mode.RECORD):
            raise BadRecordingCall(f"a fault can't happen to a call in mode {call.mode}; replay it")
        return call

    def _modes(self) -> str:
        return "allowed: " + (", ".join(sorted(mode.value for mode in self._allowed)) or "none but the default")

    async def _replay(self, request: httpx.Request, asked: RecordedRequest, call: RecordingCall) -> httpx.Response:
        for source in self._sources:
            playback = await source.answer(asked, call)
            if playback is not None:
                return await self._play(self._shaped(playback, asked, call), request, call)
        if not self._store.loaded:
            await asyncio.to_thread(self._store.load)
        found = await self._found(asked, call)
        if call.mode is Mode.RECORD_ON_MISS and not isinstance(found, _Found):
            take = self._recorder.take(asked, request.headers, call, rerecord=False)
            # Another process may have recorded it by now.
            if await asyncio.to_thread(self._store.reread, take.cassette):
                found = await self._found(asked, call)
            if not isinstance(found, _Found):
                return await self._record(request, take)
        elif not isinstance(found, _Found) and await asyncio.to_thread(self._store.refresh):
            found = await self._found(asked, call)
        if not isinstance(found, _Found):
            raise await asyncio.to_thread(self._missing, asked, call, found)
        try:
            playback = self._shaped(of_recording(found.claim.recording, found.interaction), asked, call)
        except Exception:  # a fault that cannot happen here, words that cannot be read, or another's broken shaper
            self._store.put_back(found.claim)
            raise
        if playback.said.get("synthetic"):  # a fault stood in: the recording is for the retry
            self._store.put_back(found.claim)
        return await self._play(playback, request, call)

    def _shaped(self, playback: Playback, asked: RecordedRequest, call: RecordingCall) -> Playback:
        for shaper in self._shapers:
            playback = shaper.shape(playback, asked, call)
        return playback

    async def _play(self, playback: Playback, request: httpx.Request, call: RecordingCall) -> httpx.Response:
        pace = playback.pace if playback.pace is not None else call.pace
        return await replay.play(playback, request, pace=pace if pace is not None else 1.0)

    async def _found(self, asked: RecordedRequest, call: RecordingCall) -> _Found | Claim | None:
        """Return the recording to play with its exchange; a used up claim, or None, where there is none."""
        repeat = self._repeats(call)
        for _ in range(_ATTEMPTS):
            claim = self._store.claim(
                asked,
                session=call.session or "",
                cassette_name=call.cassette,
                repeat=repeat,
                whole=call.mode is Mode.RECORD_ON_MISS,
            )
            if claim is None or claim.used_up:
                return claim
            interaction = self._store.held(claim.recording)
            if interaction is None:
                try:
                    interaction = await asyncio.to_thread(self._store.fetch, claim.recording)
                except BaseException:
                    self._store.put_back(claim)
                    raise
            if interaction is not None:
                return _Found(claim=claim, interaction=interaction)
            self._store.put_back(claim)  # its file was changed just now: look again
        return None

    def _repeats(self, call: RecordingCall) -> bool:
        repeat = call.repeat if call.repeat is not None else self._repeat
        if repeat is None:  # a recording that is there is no miss, so nothing is paid for twice
            repeat = not call.session or call.mode is Mode.RECORD_ON_MISS
        return repeat

    def _missing(self, asked: RecordedRequest, call: RecordingCall, used_up: Claim | None) -> RecordingMissing:
        """Return the error for a miss, remembered for the session's report. Blocks on the disk."""
        scanner = SecretScanner([*self._secrets(), *credential_values(asked.headers)])
        shown = replace(asked, url=scanner.redact(asked.url), body=_redacted(asked.body, scanner))
        last = used_up.recording if used_up is not None else None
        near = self._store.nearest(shown, cassette_name=call.cassette, used_up=last)
        folder = f"{self._store.root}" + (f" (cassette {call.cassette})" if call.cassette else "")
        error = (RecordingUsedUp if used_up is not None else RecordingMissing)(
            self._store.matcher.endpoint(shown)[:_SHOWN],
            folder=folder,
            nearest=near.recording.label if near is not None else "",
            differences=near.differences if near is not None else (),
        )
        missed = Missed(
            asked=error.asked, nearest=error.nearest, differences=tuple(error.differences), used_up=error.used_up
        )
        self._store.missed(call.session or "", missed, cassette_name=call.cassette)
        return error

    async def _record(self, request: httpx.Request, take: Take) -> httpx.Response:
        tape = take.tape
        tape.start()
        try:
            response = await self._live().handle_async_request(_readable(request, take.asked.body))
        except httpx.TransportError as error:
            await self._recorder.finish(take, *tape.failed(error))
            raise
        except asyncio.CancelledError:
            await self._recorder.finish(take, *tape.left())
            raise
        tape.head(response)
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=RecordingStream(_stream(response), tape, partial(self._recorder.finish, take)),
            extensions={**response.extensions, EXTENSION: {"replayed": False, "cassette": take.cassette}},
            request=request,
        )

    def _live(self) -> httpx.AsyncBaseTransport:
        if self._inner is None:
            self._inner = keeping_trailers(httpx.AsyncHTTPTransport())
        return self._inner


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    claim: Claim
    interaction: Interaction


def _never(*asked: object) -> None:
    """In the place of `replayed`."""


def _readable(request: httpx.Request, body: bytes) -> httpx.Request:
    """Return the request with the encodings that a recording can't be read back from taken out."""
    headers = request.headers.copy()
    if "accept-encoding" in headers:
        wanted = [part.strip() for part in headers["accept-encoding"].split(",")]
        kept = [part for part in wanted if part.split(";")[0].strip().lower() in _ENCODINGS]
        headers["accept-encoding"] = ", ".join(kept) or "identity"
    return httpx.Request(request.method, request.url, headers=headers, content=body, extensions=request.extensions)


def _stream(response: httpx.Response) -> httpx.AsyncByteStream:
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise BadRecordingCall("the inner transport must answer with an async stream")
    return response.stream


def _redacted(body: bytes, scanner: SecretScanner) -> bytes:
    text = body.decode("utf-8", "replace")
    redacted = scanner.redact(text)
    return body if redacted == text else redacted.encode("utf-8")
