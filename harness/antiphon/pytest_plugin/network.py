"""Keeps a test off the network: what it connects to is loopback, or nothing.

A client whose base URL was forgotten would call a provider for real, with whatever key the environment holds. The
guard stands at Python's sockets, under every pure Python client; clients with an event loop or a network stack in C
(uvloop, gRPC) pass it by.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from antiphon.pytest_plugin.loop import THREAD_PREFIX

_CHECKED: Final = ("connect", "connect_ex", "sendto")
_INTERNET: Final = (socket.AF_INET, socket.AF_INET6)


class NetworkBlocked(RuntimeError):  # noqa: N818 - named for the fact
    """A test tried to leave the machine. No OSError, so that no client takes it for a failure and tries again."""


class Guard:
    """Says which hosts may be reached. Our own threads may reach all: they record, and go live where that is asked."""

    def __init__(self, allowed: Iterable[str], hint: str) -> None:
        self._allowed = {host.lower() for host in allowed}
        self._hint = hint

    def check(self, host: object) -> None:
        """Raise NetworkBlocked for a host that is neither loopback nor allowed."""
        name = (host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)).lower()
        if _is_loopback(name) or name in self._allowed or threading.current_thread().name.startswith(THREAD_PREFIX):
            return
        raise NetworkBlocked(
            f"this test tried to reach {name}, and the antiphon fixture keeps it to loopback. {self._hint} To let it "
            f"through: @pytest.mark.cassette(allow_hosts=[{name!r}])"
        )

    def resolved(self, host: object, found: Iterable[tuple[Any, ...]]) -> None:
        """Allow the addresses of an allowed host."""
        if str(host).lower() in self._allowed:
            self._allowed.update(str(entry[4][0]).lower() for entry in found)


@contextmanager
def loopback_only(guard: Guard) -> Iterator[None]:
    """Have Python's sockets ask the guard."""
    plain = {name: getattr(socket.socket, name) for name in _CHECKED}
    inherited = [name for name in _CHECKED if name not in vars(socket.socket)]
    look_up = socket.getaddrinfo

    def checked(original: Callable[..., Any]) -> Callable[..., Any]:
        def check(self: socket.socket, *arguments: Any) -> Any:
            address = arguments[-1]  # sendto may have flags before it
            if self.family in _INTERNET and isinstance(address, tuple):
                guard.check(address[0])
            return original(self, *arguments)

        return check

    def getaddrinfo(host: Any, *arguments: Any, **more: Any) -> Any:
        if host:
            guard.check(host)
        found = look_up(host, *arguments, **more)
        guard.resolved(host, found)
        return found

    for name, original in plain.items():
        setattr(socket.socket, name, checked(original))
    socket.getaddrinfo = getaddrinfo
    try:
        yield
    finally:
        socket.getaddrinfo = look_up
        for name, original in plain.items():
            setattr(socket.socket, name, original)
        for name in inherited:
            delattr(socket.socket, name)


def _is_loopback(host: str) -> bool:
    if host in ("localhost", "") or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
