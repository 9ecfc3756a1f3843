"""Caller keys: bearer tokens, of which only hashes are known to the server."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping

from google.protobuf.message import Message

from antiphon.core.call import CURRENT
from antiphon.core.chain import Context
from antiphon.core.errors import Reason, ServiceError

PREFIX = "ak-"


def new_key() -> str:
    """A fresh caller key: 256 random bits, to be shown once and kept by the caller."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(key: str) -> str:
    """What the server keeps of a key. A plain SHA-256 does: keys are random, so there is nothing to guess."""
    return hashlib.sha256(key.encode()).hexdigest()


def bearer(value: str) -> str:
    """The key in an `authorization` value; empty where it holds none."""
    scheme, _, key = value.partition(" ")
    return key.strip() if scheme == "Bearer" or scheme.lower() == "bearer" else ""


class Auth:
    """A layer that lets calls in by bearer key. `hashes` maps a key's hash to its caller's name; empty: all may in."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = {digest.lower(): name for digest, name in hashes.items()}

    def begin(self, method: str, request: Message, context: Context) -> None:
        """Let a call in, or raise UNAUTHENTICATED."""
        if not self._hashes:
            return
        given = [value for name, value in context.invocation_metadata() if name == "authorization"]
        value = given[-1] if given else ""
        key = bearer(value) if isinstance(value, str) else ""
        caller = self.owner(key, send="metadata 'authorization: Bearer <key>'")
        CURRENT.set(CURRENT.get().named(caller))

    def owner(self, key: str, *, send: str) -> str:
        """The name of the caller whose key it is; empty where keys are off. `send` says how a caller gives its key.

        Raises ServiceError UNAUTHENTICATED.
        """
        if not self._hashes:
            return ""
        if not key:
            raise ServiceError(Reason.UNAUTHENTICATED, f"this server wants a caller key: send {send}")
        # No cache: one that may not hold keys needs a digest to look them up by, and the digest is all the work.
        name = self._hashes.get(hash_of(key))
        if name is None:
            raise ServiceError(
                Reason.UNAUTHENTICATED, "the caller key is not known here; ask whoever runs the server for a new one"
            )
        return name
