"""Errors in every shape that providers of this wire write, and how they are written for its clients."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from antiphon.core.errors import FieldViolation, Reason, ServiceError
from antiphon.wire.base import HttpReply
from antiphon.wire.jsontext import JsonObject, dumps, loads
from antiphon.wire.openai_chat.error_words import BELIEVED, OWN_WORDS, PATTERNS, STATUSES, WORDS, WRITTEN
from antiphon.wire.retry_after import delay


def lift_error(reply: HttpReply) -> ServiceError:
    """The meaning of an unsuccessful reply, whatever its body."""
    try:
        body = loads(reply.body)
    except ValueError:
        body = None
    found = _Found(body, reply)
    reason = _reason(found)
    error = ServiceError(reason, found.text, metadata=found.metadata)
    if found.param and error.code == 3:
        error.violations = (FieldViolation(field=found.param, description=found.text),)
    if error.retryable:
        error.retry_after = delay(reply.headers, found.text, found.delays)
    if reason in (Reason.RATE_LIMIT_EXCEEDED, Reason.QUOTA_EXCEEDED):
        error.quota = next((word for word in found.words if word in ("requests", "tokens")), "")
    return error


def lower_error(error: ServiceError) -> HttpReply:
    """The error for a client of this wire."""
    headers = {"content-type": "application/json"}
    if error.retry_after is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after))
        headers["retry-after-ms"] = str(math.ceil(error.retry_after * 1000))
    return HttpReply(status=WRITTEN[error.reason].status, body=dumps(error_object(error)), headers=headers)


def error_object(error: ServiceError) -> JsonObject:
    """The JSON of an error, as the body of a reply or an event of a stream."""
    written = WRITTEN[error.reason]
    param = error.violations[0].field if error.violations else None
    return {"error": {"message": error.message, "type": written.type, "param": param, "code": written.code}}


class _Found:
    """What can be read in the body of an error: words, a text, a parameter."""

    def __init__(self, body: Any, reply: HttpReply) -> None:
        self.words: list[str] = []
        self.texts: list[str] = []
        self.delays: list[str] = []
        self.param = ""
        self.metadata: dict[str, str] = {}
        self.status = reply.status if reply.status >= 300 else 0
        self._read(body)
        if body is None and reply.body.strip():
            self.texts.append(_plain(reply.body))
        if reply.status >= 300:
            self.metadata["upstream_status"] = str(reply.status)
        request_id = reply.headers.get("x-request-id")
        if request_id:
            self.metadata["upstream_request_id"] = request_id

    @property
    def text(self) -> str:
        """The provider's words, or ours where it gave none."""
        texts = list(dict.fromkeys(text for text in self.texts if text))
        return ": ".join(texts)[:2000] or f"the provider answered with status {self.status} and said nothing more"

    def _read(self, body: Any) -> None:
        if isinstance(body, list):
            for item in body[:1]:
                self._read(item)
        elif isinstance(body, str):
            self.texts.append(body)
        elif isinstance(body, dict):
            for error in _errors(body):
                self._read_error(error)

    def _read_error(self, error: JsonObject) -> None:
        for name in ("code", "type", "status", "error_type", "reason"):
            self._take_word(name, error.get(name))
        for name in ("message", "error", "detail", "msg", "description"):
            if isinstance(error.get(name), str):
                self.texts.append(error[name])
        if isinstance(error.get("param"), str):
            self.param = self.metadata["upstream_param"] = error["param"]
        for item in _list(error.get("detail")) + _list(error.get("details")):
            self._read_detail(item)
        metadata = error.get("metadata")
        if isinstance(metadata, dict):  # OpenRouter: what its upstream said
            for name in ("raw", "error_type"):
                if isinstance(metadata.get(name), str):
                    self.texts.append(metadata[name])
            if isinstance(metadata.get("provider_name"), str):
                self.metadata["upstream_provider"] = metadata["provider_name"]

    def _read_detail(self, detail: Any) -> None:
        if not isinstance(detail, dict):
            return
        if isinstance(detail.get("msg"), str):  # FastAPI
            self.texts.append(detail["msg"])
            self.param = self.param or ".".join(str(step) for step in _list(detail.get("loc")) if step != "body")
        self._take_word("reason", detail.get("reason"))  # google.rpc.ErrorInfo
        if isinstance(detail.get("retryDelay"), str):
            self.delays.append(detail["retryDelay"])

    def _take_word(self, name: str, value: Any) -> None:
        if isinstance(value, bool) or value is None:
            return
        number = value if isinstance(value, int) else int(value) if str(value).isdecimal() else None
        if number is not None:
            if not self.status and 300 <= number < 600:
                self.status = number
        elif isinstance(value, str) and value:
            self.words.append(value.lower())
        self.metadata.setdefault(f"upstream_{name}", str(value))


def _reason(found: _Found) -> Reason:
    for word in found.words:
        reason = WORDS.get(word) or OWN_WORDS.get(word)
        # "resource_exhausted" and its kin are both limits; the text tells them apart.
        if reason is Reason.RATE_LIMIT_EXCEEDED and _said(found) is Reason.QUOTA_EXCEEDED and not found.delays:
            return Reason.QUOTA_EXCEEDED
        if reason is not None:
            return reason
    said = _said(found)
    if said is Reason.QUOTA_EXCEEDED and found.status == 429 and found.delays:
        return Reason.RATE_LIMIT_EXCEEDED  # Gemini calls a limit a minute a quota, and says when to come back
    if said is not None and found.status != 413:  # what is too large in bytes is often called too long
        return said
    if found.status in STATUSES:
        return STATUSES[found.status]
    if not found.status or found.status >= 500:
        return Reason.PROVIDER_UNAVAILABLE
    return Reason.INVALID_REQUEST if found.status >= 400 else Reason.UNEXPECTED_STATUS


def _said(found: _Found) -> Reason | None:
    text = found.text if found.texts else ""
    for pattern, reason in PATTERNS:
        allowed = BELIEVED.get(reason, frozenset(range(500)))
        if found.status in allowed and pattern.search(text):
            return reason
    return None


def _errors(body: JsonObject) -> Iterator[JsonObject]:
    """The objects that say what went wrong, the innermost first."""
    inner = body.get("error")
    if isinstance(inner, dict):
        yield inner
    if isinstance(inner, list):
        yield from (item for item in inner if isinstance(item, dict))
    yield from (item for item in _list(body.get("errors")) if isinstance(item, dict))
    yield body


def _plain(body: bytes) -> str:
    """The text of a body that is not JSON; of an HTML page its title, for the rest is markup."""
    text = body.decode("utf-8", "replace")
    if "<" in text:
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        text = title.group(1) if title else re.sub(r"<[^>]*>", " ", text)
    return " ".join(text.split())[:500]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
