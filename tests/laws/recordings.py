"""Reads a folder of recordings through the `reader.py` that lies in it."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from antiphon.wire.base import HttpCall, HttpReply


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One recorded request with its answer; `number` counts the exchanges of a file from 0."""

    file: str
    number: int
    provider: str
    method: str
    url: str
    request_body: bytes
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @cached_property
    def host(self) -> str:
        """The host of the URL."""
        return urlsplit(self.url).hostname or ""

    @cached_property
    def path(self) -> str:
        """The path of the URL, without its query and last slash."""
        return urlsplit(self.url).path.rstrip("/")

    @cached_property
    def call(self) -> HttpCall:
        """The request as a codec takes it."""
        return HttpCall(method=self.method, path=self.path, body=self.request_body)

    @cached_property
    def reply(self) -> HttpReply:
        """The answer as a codec takes it."""
        return HttpReply(status=self.status, body=self.body, headers=self.headers)

    @cached_property
    def streamed(self) -> bool:
        """Whether the answer is a stream of server-sent events; some servers mislabel them."""
        start = self.body.lstrip()[:6]
        return start.startswith((b"data:", b"event:", b"id:", b":")) or (
            "text/event-stream" in self.headers.get("content-type", "") and self.status < 300
        )

    @property
    def packed(self) -> str:
        """The coding in which a body is still compressed, that the standard library cannot undo; else empty."""
        coding = self.headers.get("content-encoding", "")
        return coding if coding in ("br", "zstd") and self.json is None and not self.streamed else ""

    @cached_property
    def request_json(self) -> Any:
        """The JSON value of the request; None where there is none."""
        return _json(self.request_body)

    @cached_property
    def json(self) -> Any:
        """The JSON value of the answer; None where there is none."""
        return _json(self.body)


class Folder:
    """A folder of recordings: `INDEX.tsv`, files, and the `reader.py` that reads them."""

    def __init__(self, path: Path) -> None:
        self._reader = _module(path / "reader.py")
        self._providers = {row["file"]: row.get("provider", "") for row in self._reader.index()}

    @property
    def files(self) -> list[str]:
        """The files that the index names."""
        return list(self._providers)

    def exchanges(self, file: str) -> Iterator[Recorded]:
        """The exchanges of one file. A body that is still compressed is unpacked."""
        for number, exchange in enumerate(self._reader.exchanges(file)):
            headers = {name.lower(): values[0] for name, values in exchange.response_headers.items() if values}
            body, headers = _unpacked(exchange.response_body, headers)
            yield Recorded(
                file=file,
                number=number,
                provider=self._providers[file],
                method=exchange.method,
                url=exchange.url,
                request_body=exchange.request_body,
                status=exchange.status,
                headers=headers,
                body=body,
            )


def default_folder() -> Path | None:
    """ANTIPHON_RECORDINGS, or `recordings` in the `shared` folder beside the repository; None where absent."""
    repository = Path(__file__).resolve().parents[2]
    path = Path(os.environ.get("ANTIPHON_RECORDINGS") or repository.parent / "shared" / "recordings")
    return path if (path / "reader.py").is_file() and (path / "INDEX.tsv").is_file() else None


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"recordings_reader_{abs(hash(path))}", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is missing: a folder of recordings holds reader.py and INDEX.tsv")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # the folder is somebody else's
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes
    return module


def _unpacked(body: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    """gzip is all that recorders leave packed; a body cut by its recorder gives what can be read."""
    if body[:2] != b"\x1f\x8b":
        return body, headers
    return zlib.decompressobj(31).decompress(body), {k: v for k, v in headers.items() if k != "content-encoding"}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
