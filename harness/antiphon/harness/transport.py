"""The door: an httpx transport that answers from cassettes, records into them, or steps aside.

It sits under the client, so every line above the socket runs the same live and replayed, in any mode,
for any client that takes an httpx transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from antiphon.harness import files, replay
from antiphon.harness.errors import BadRecordingCall, HarnessError, RecordingMissing
from antiphon.harness.interaction import RecordedRequest, grouped
from antiphon.harness.modes import EXTENSION, Mode, RecordingCall
from antiphon.harness.playback import AnswerSource, Playback, Shaper, of_recording
from antiphon.harness.recorder import Recorder, Take
from antiphon.harness.recording import DECODABLE, RecordingStream
from antiphon.harness.secrets import SecretScanner, credential_values
from antiphon.harness.store import CassetteStore, Recording

_SHOWN: Final = 300
_ENCODINGS: Final = frozenset({*DECODABLE, "identity"})


class CassetteTransport(httpx.AsyncBaseTransport):
    """Records and replays HTTP exchanges.

    `store` is a folder of cassettes, or a store shared with others. `default` are the settings of a call
    that brings none in `request.extensions["antiphon"]`; its mode is replay unless given. `allowed` limits
    the modes that a call may choose. `inner` sends live requests (made when first needed; replay alone
    needs none). `secrets` are credentials that must never be written, or a function that returns them.
    Where a call may be replayed, `sources` are asked before the cassettes, and `shapers` in their order
    change what is played.
    """

    def __init__(
        self,
        store: CassetteStore | Path | str,
        *,
        inner: httpx.AsyncBaseTransport | None = None,
        default: RecordingCall | None = None,
        allowed: Collection[Mode] = tuple(Mode),
        secrets: Sequence[str] | Callable[[], Iterable[str]] = (),
        repeat: bool = True,
        recorder: Recorder | None = None,
        sources: Sequence[AnswerSource] = (),
        shapers: Sequence[Shaper] = (),
    ) -> None:
        self._store = store if isinstance(store, CassetteStore) else CassetteStore(store)
        self._inner = inner
        own = RecordingCall(mode=Mode.REPLAY, session="", pace=1.0)
        self._default = (default or RecordingCall()).over(own)
        self._allowed = frozenset(allowed)
        self._secrets = secrets if callable(secrets) else lambda: secrets
        self._repeat = repeat
        self._recorder = recorder or Recorder(self._store, secrets=self._secrets)
        self._sources = tuple(sources)
        self._shapers = tuple(shapers)

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
            call = self._call(request)
            if call.mode is Mode.LIVE:
                return await self._live().handle_async_request(request)
            body = await request.aread()
            asked = RecordedRequest(
                method=request.method,
                url=str(request.url),
                headers=grouped(request.headers.multi_items()),
                body=body,
            )
            if call.mode is Mode.RECORD:
                take = self._recorder.take(asked, request.headers, call, rerecord=True)
                return await self._record(request, take)
            return await self._replay(request, asked, call)
        except HarnessError as error:
            error.request = request
            raise

    async def aclose(self) -> None:
        """Wait for writes under way and close the inner transport; raises a refusal nobody has seen."""
        try:
            await self._recorder.drain()
        finally:
            if self._inner is not None:
                await self._inner.aclose()

    def _call(self, request: httpx.Request) -> RecordingCall:
        asked = RecordingCall.of(request.extensions.get(EXTENSION))
        if asked.mode is not None and asked.mode is not self._default.mode and asked.mode not in self._allowed:
            raise BadRecordingCall(f"mode {asked.mode.value!r} is not allowed here; {self._modes()}")
        call = asked.over(self._default)
        if call.cassette is not None:
            call = replace(call, cassette=files.checked_name(call.cassette))
        if call.provider is not None:
            files.checked_name(call.provider)
        return call

    def _modes(self) -> str:
        return "allowed: " + (", ".join(sorted(mode.value for mode in self._allowed)) or "none but the default")

    async def _replay(self, request: httpx.Request, asked: RecordedRequest, call: RecordingCall) -> httpx.Response:
        for source in self._sources:
            playback = await source.answer(asked, call)
            if playback is not None:
                return await self._play(playback, request, asked, call)
        if not self._store.loaded:
            await asyncio.to_thread(self._store.load)
        recording = self._take(asked, call)
        if recording is None and call.mode is Mode.RECORD_ON_MISS:
            take = self._recorder.take(asked, request.headers, call, rerecord=False)
            # Another process may have recorded it by now.
            changed = await asyncio.to_thread(self._store.changed, take.cassette)
            if changed is not None:
                self._store.adopt(take.cassette, changed)
                recording = self._take(asked, call)
            if recording is None:
                return await self._record(request, take)
        if recording is None:
            raise self._missing(asked, call)
        return await self._play(of_recording(recording), request, asked, call)

    async def _play(
        self, playback: Playback, request: httpx.Request, asked: RecordedRequest, call: RecordingCall
    ) -> httpx.Response:
        for shaper in self._shapers:
            playback = shaper.shape(playback, asked, call)
        return await replay.play(playback, request, pace=call.pace if call.pace is not None else 1.0)

    def _take(self, asked: RecordedRequest, call: RecordingCall) -> Recording | None:
        return self._store.take(
            asked,
            session=call.session or "",
            cassette_name=call.cassette,
            repeat=self._repeat if call.repeat is None else call.repeat,
            whole=call.mode is Mode.RECORD_ON_MISS,
        )

    def _missing(self, asked: RecordedRequest, call: RecordingCall) -> RecordingMissing:
        scanner = SecretScanner([*self._secrets(), *credential_values(asked.headers)])
        shown = replace(asked, url=scanner.redact(asked.url), body=_redacted(asked.body, scanner))
        near = self._store.nearest(shown, cassette_name=call.cassette)
        folder = f"{self._store.root}" + (f" (cassette {call.cassette})" if call.cassette else "")
        return RecordingMissing(
            self._store.matcher.endpoint(shown)[:_SHOWN],
            folder=folder,
            nearest=near.recording.label if near is not None else "",
            differences=near.differences if near is not None else (),
        )

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
            self._inner = httpx.AsyncHTTPTransport()
        return self._inner


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
