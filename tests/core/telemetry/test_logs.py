"""The log as its reader gets it."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from contextvars import copy_context
from io import StringIO
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from pydantic import SecretStr

from antiphon.core.call import CURRENT, Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.telemetry.genai import operation
from antiphon.core.telemetry.logs import configure_logs, redact, register_secret
from antiphon.core.telemetry.redaction import words
from tests.core.telemetry.parts import Measured

CANARY = 'canary "7f3d" über/secret'


@pytest.fixture
def written(root_logger: logging.Logger) -> Iterator[StringIO]:
    text = StringIO()
    configure_logs(service="adapter", stream=text)
    yield text
    structlog.reset_defaults()


def lines(written: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_both_kinds_of_logger_write_the_same_json(written: StringIO) -> None:
    logging.getLogger("here").warning("it is %s", "late", extra={"minutes": 5})
    structlog.get_logger("here").warning("it is %s", "late", minutes=5)
    plain, structured = lines(written)
    assert plain.pop("timestamp") <= structured.pop("timestamp")
    assert plain == structured
    assert plain == {"event": "it is late", "level": "warning", "logger": "here", "minutes": 5, "service": "adapter"}


def test_a_line_within_a_call_has_its_trace(written: StringIO, measured: Measured) -> None:
    def work() -> None:
        with operation(Call(), "chat", provider="openai", model="m") as op:
            CURRENT.set(op.call)
            logging.getLogger("here").info("plain")
            structlog.get_logger("here").info("structured")

    copy_context().run(work)
    logging.getLogger("here").info("outside")
    context = measured.one("chat m").context
    assert context is not None
    plain, structured, outside = lines(written)
    for line in (plain, structured):
        assert line["trace_id"] == f"{context.trace_id:032x}"
        assert line["span_id"] == f"{context.span_id:016x}"
    assert "trace_id" not in outside


def test_lines_below_the_level_are_not_written(root_logger: logging.Logger) -> None:
    text = StringIO()
    configure_logs(level="warning", stream=text)
    logging.getLogger("here").info("no")
    structlog.get_logger("here").info("no")
    logging.getLogger("here").error("yes")
    structlog.get_logger("here").error("yes")
    structlog.reset_defaults()
    assert [line["event"] for line in lines(text)] == ["yes", "yes"]


def test_an_exception_is_one_line_without_local_variables(written: StringIO) -> None:
    hidden = "local-variable-value"
    try:
        raise ServiceError(Reason.INTERNAL, "it broke")
    except ServiceError:
        logging.getLogger("here").exception("failed")
        structlog.get_logger("here").exception("failed")
    assert hidden not in written.getvalue()
    for line in lines(written):
        assert line["exception"].endswith("INTERNAL: it broke")
        assert "Traceback" in line["exception"]


def test_a_registered_secret_is_in_no_log_line_however_it_got_there(written: StringIO) -> None:
    register_secret(CANARY)
    plain, structured = logging.getLogger("here"), structlog.get_logger("here")
    plain.info("the key is %s", CANARY)
    plain.info("fields", extra={"header": {"x": [CANARY]}, "raw": CANARY.encode()})
    plain.info("quoted %r", CANARY)
    structured.info("fields", anything=CANARY, error=ServiceError(Reason.INTERNAL, CANARY))
    structured.info(CANARY)
    structured.info(
        "a body", text=json.dumps({"error": f"bad key {CANARY}"}), url=f"https://host/?k={quote(CANARY, '')}"
    )
    try:
        raise ValueError(CANARY)
    except ValueError:
        plain.exception("failed")
        structured.exception("failed")
    assert len(lines(written)) == 8
    assert "7f3d" not in written.getvalue()


def test_a_registered_secret_is_in_no_span_or_metric(measured: Measured) -> None:
    register_secret(CANARY)

    def work() -> None:
        with operation(Call(), "chat", provider="openai", model=f"m {CANARY}") as op:
            op.request_id(CANARY)
            op.replayed(CANARY)
            op.finished(usage=None, model=CANARY, response_id=CANARY, finish_reasons=[CANARY])
            raise ServiceError(Reason.INVALID_CREDENTIALS, f"wrong key {CANARY}")

    with pytest.raises(ServiceError):
        work()
    assert "redacted" in measured.text()
    assert "7f3d" not in measured.text()


def test_a_text_that_becomes_a_secret_is_no_longer_let_through() -> None:
    text = "a-model-named-like-a-password"
    assert words[text] == text
    register_secret(text)
    assert words[text] == "[redacted]"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop1234",
        "sk-ant-api03-abcdefghijkl_mnop",
        "ak-Zm9vYmFyYmF6cXV4Zm9vYmFy",
        "AIzaSyA-abcdefghijklmnopqrstuvwxyz01",
        "AKIAIOSFODNN7EXAMPLE",
        "gsk_abcdefghijklmnopqrstuvwx",
        "xai-abcdefghijklmnopqrstuvwx",
        "hf_abcdefghijklmnopqrstuvwx",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-def_ghi",
    ],
)
def test_what_is_shaped_like_a_key_is_redacted_without_being_known(secret: str) -> None:
    assert redact(f"before {secret}, after") == "before [redacted], after"
    assert redact(f'{{"a": "{secret}"}}') == '{"a": "[redacted]"}'
    assert secret not in redact(f"https://host/path?key={secret}&x=1")


def test_an_authorization_header_is_redacted_but_for_its_scheme() -> None:
    assert redact("authorization: Bearer abc.def-ghi_123") == "authorization: Bearer [redacted]"
    basic = base64.b64encode(b"user:password").decode()
    assert redact(f"Basic {basic}") == "Basic [redacted]"


@pytest.mark.parametrize(
    "text",
    ["the bearer of news", "task-oriented", "sk-short", "risk-of-something-long-enough", "key-value", "basic training"],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redact(text) == text


def test_fields_that_are_named_as_secrets_and_secret_types_are_hidden(written: StringIO) -> None:
    structlog.get_logger("here").info("x", Authorization="opaque", headers={"X-Api-Key": "opaque", "ok": "shown"})
    logging.getLogger("here").info("x", extra={"key": SecretStr("opaque"), "many": [SecretStr("opaque")]})
    assert "opaque" not in written.getvalue()
    assert lines(written)[0]["headers"] == {"X-Api-Key": "[redacted]", "ok": "shown"}


def test_a_short_value_is_not_taken_for_a_secret() -> None:
    register_secret("a")
    register_secret("")
    assert redact("a banana") == "a banana"
