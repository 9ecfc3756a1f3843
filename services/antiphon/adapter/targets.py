"""Where each call goes, worked out once for all calls that go alike.

An address and its headers hang on the provider's row, the path, the model and a few values of the environment. What
was worked out serves until one of those values is another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from antiphon.adapter.addresses import VARIABLE, url_of
from antiphon.adapter.credentials import Credentials
from antiphon.adapter.providers import Auth, Provider
from antiphon.adapter.recording import KEYLESS, RecordingPolicy
from antiphon.adapter.upstream import Target
from antiphon.core.call import Call
from antiphon.wire.base import HttpCall

MAX_KNOWN: Final = 1024
"""Targets that are remembered: callers choose the names of models."""

_Key = tuple[str, str, str, bool]
_Names = tuple[str, ...]
_Values = tuple[str | None, ...]


class Targets:
    """The targets of calls."""

    def __init__(self, credentials: Credentials, policy: RecordingPolicy) -> None:
        self._credentials = credentials
        self._policy = policy
        self._known: dict[_Key, tuple[_Names, _Values, Target]] = {}

    def of(self, provider: Provider, model: str, wired: HttpCall, call: Call) -> Target:
        """Where one call goes. `model` is the provider's own name. Raises ServiceError CREDENTIALS_MISSING, or what is
        wrong with the mode that the caller asks for."""
        recording = self._policy.options(call, provider.name)
        required = recording is None or recording["mode"] not in KEYLESS
        if not isinstance(provider.auth, Auth):
            return self._target(provider, model, wired, recording, required=required)
        key = (provider.name, wired.path, model, required)
        known = self._known.get(key)
        if known is not None and known[1] == self._values(known[0]):
            target = known[2]
            # What is said to a recording transport is the same object for all calls that ask for nothing.
            return target if target.recording is recording else replace(target, recording=recording)
        names = _names(provider, wired)
        values = self._values(names)
        target = self._target(provider, model, wired, recording, required=required)
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[key] = (names, values, target)
        return target

    def _target(
        self, provider: Provider, model: str, wired: HttpCall, recording: Mapping[str, str] | None, *, required: bool
    ) -> Target:
        return Target(
            provider=provider.name,
            url=url_of(provider, wired.path, model, self._credentials.values),
            headers=self._credentials.headers(provider, required=required),
            recording=recording,
            sign=self._credentials.signer(provider),
        )

    def _values(self, names: Iterable[str]) -> _Values:
        return tuple(map(self._credentials.values.get, names))


def _names(provider: Provider, wired: HttpCall) -> _Names:
    """The names of every value that a target hangs on."""
    texts = (provider.base_url, provider.query, wired.path, *provider.headers.values())
    return (*provider.key_names, *(match[1] for text in texts for match in VARIABLE.finditer(text)))
