"""How a command reaches a server: its address, key, deadline and metadata, and the way a call of it ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import typer

from antiphon.cli.failure import reported
from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.remote import RemoteBackend

DEFAULT_SERVER = "127.0.0.1:50051"
HINT = "start one with `antiphon up`, or name another with --server or ANTIPHON_SERVER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What the user said about the server and the call. `timeout` is in seconds; empty texts are unset."""

    server: str = ""
    timeout: float | None = None
    mode: str = ""
    session: str = ""

    @property
    def address(self) -> str:
        """The server's address: the option, else ANTIPHON_SERVER, else the local default."""
        return self.server or os.environ.get("ANTIPHON_SERVER", "") or DEFAULT_SERVER

    def metadata(self) -> dict[str, str]:
        """What travels beside the request. Raises ServiceError for a text that metadata cannot carry."""
        pairs = {"x-antiphon-mode": self.mode, "x-antiphon-session": self.session}
        for name, value in pairs.items():
            if not (value.isascii() and value.isprintable()):
                raise ServiceError(Reason.INVALID_REQUEST, f"{name}: only printable ASCII can be sent, not {value!r}")
        return {name: value for name, value in pairs.items() if value}

    def call(self) -> Call:
        """A call that ends `timeout` seconds from now. Needs a running event loop."""
        deadline = None if self.timeout is None else asyncio.get_running_loop().time() + self.timeout
        return Call(deadline=deadline, metadata=self.metadata())


def caller_key() -> str:
    """The caller's key, from ANTIPHON_KEY only: arguments of a command are seen by every user of the machine."""
    key = os.environ.get("ANTIPHON_KEY", "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ServiceError(Reason.UNAUTHENTICATED, "ANTIPHON_KEY holds characters that no caller key has")
    return key


def perform(work: Callable[[RemoteBackend], Awaitable[int]], connection: Connection, *, as_json: bool = False) -> None:
    """Run a command's work against the server, and end the command with the status that it returns.

    Ctrl-C cancels the work, which closes its calls; errors are printed. Raises typer.Exit.
    """

    async def connected() -> int:
        backend = RemoteBackend("server", connection.address, hint=HINT, token=caller_key())
        try:
            return await work(backend)
        finally:
            await backend.close()

    with reported(as_json=as_json):
        status = asyncio.run(connected())
    raise typer.Exit(status)
