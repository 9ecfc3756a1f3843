"""Errors as a person or a script reads them: one panel or one JSON object, and an exit status.

What draws is imported where there is something to draw: a server ends without an error, mostly.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from antiphon.cli import exits
from antiphon.core.errors import Code, Reason, ServiceError

if TYPE_CHECKING:
    from rich.panel import Panel

_CHANGE_REQUEST: Final = "Change the request as the message says."
_PROVIDER_KEY: Final = "Set a valid provider key in the environment of the adapter, and start it again."
_LATER: Final = "Try again a little later; `antiphon health` shows what is down."
_MODELS: Final = "`antiphon models` lists what can be called."
_REPORT: Final = "Look into the server's log; the same call will fail again until that is mended."

ADVICE: Final[Mapping[Reason, str]] = {
    Reason.INVALID_REQUEST: _CHANGE_REQUEST,
    Reason.CONTEXT_LENGTH_EXCEEDED: "Send less text, or choose a model with a longer context.",
    Reason.UNSUPPORTED_PARAMETER: "Leave the option out, or choose a model that takes it.",
    Reason.CONTENT_BLOCKED: "The provider's rules block this content; change it or choose another provider.",
    Reason.MESSAGE_TOO_LARGE: "Send less: a shorter text, or an image by URL.",
    Reason.INVALID_CREDENTIALS: _PROVIDER_KEY,
    Reason.TOKEN_EXPIRED: _PROVIDER_KEY,
    Reason.SCOPE_INSUFFICIENT: "The provider key lacks a right; give it that right, or set another key.",
    Reason.ALL_KEYS_EXHAUSTED: "Add a provider key, or wait until one of them may be used again.",
    Reason.CREDENTIALS_MISSING: "Set the key as the message says, or replay: `--replay`.",
    Reason.MODEL_NOT_FOUND: _MODELS,
    Reason.PROVIDER_NOT_FOUND: "`antiphon providers` lists them, and what is missing where one cannot be called.",
    Reason.RESOURCE_NOT_FOUND: "Check the name; the server has nothing under it.",
    Reason.RATE_LIMIT_EXCEEDED: "Wait, then try again.",
    Reason.QUOTA_EXCEEDED: "Waiting does not help: raise the quota at the provider, or use another one.",
    Reason.PROVIDER_UNAVAILABLE: _LATER,
    Reason.OVERLOADED: _LATER,
    Reason.NETWORK_ERROR: "Check the network between the adapter and the provider.",
    Reason.OUTCOME_UNKNOWN: "The provider may have done and billed the work; repeat the call only if that is fine.",
    Reason.BACKEND_UNAVAILABLE: "Start the service that the message names; `antiphon up` starts them all.",
    Reason.SHUTTING_DOWN: _LATER,
    Reason.DEADLINE_EXCEEDED: "Give the call more time with `--timeout`.",
    Reason.CANCELLED: "The call was given up before its end.",
    Reason.MALFORMED_RESPONSE: "The provider's answer cannot be read; try again, or choose another model.",
    Reason.UNEXPECTED_STATUS: _REPORT,
    Reason.INTERNAL: _REPORT,
    Reason.UNAUTHENTICATED: "Put your caller key into the environment as ANTIPHON_KEY.",
    Reason.PERMISSION_DENIED: "Your caller key may not do this; ask whoever runs the server.",
    Reason.UNSUPPORTED_OPERATION: "Choose a provider that offers this, or use a newer server.",
    Reason.RECORDING_MISSING: "Ask exactly as the recording does, or record this call (see the message).",
    Reason.CASSETTE_UNREADABLE: "Mend the cassette file that the message names, or delete it and record again.",
    Reason.SECRET_IN_RECORDING: "Take the secret out of the request before you record it.",
    Reason.MODE_NOT_ALLOWED: "Leave out `--mode` and `--replay`, or have the mode allowed at the server.",
}
"""What to do, for every reason."""


EXITS: Final[Mapping[Code, int]] = {
    Code.CANCELLED: exits.FAILED,
    Code.UNKNOWN: exits.FAILED,
    Code.INVALID_ARGUMENT: exits.USAGE,
    Code.DEADLINE_EXCEEDED: 7,
    Code.NOT_FOUND: 3,
    Code.PERMISSION_DENIED: 4,
    Code.RESOURCE_EXHAUSTED: 5,
    Code.FAILED_PRECONDITION: 4,
    Code.ABORTED: exits.FAILED,
    Code.UNIMPLEMENTED: exits.FAILED,
    Code.INTERNAL: exits.FAILED,
    Code.UNAVAILABLE: 6,
    Code.UNAUTHENTICATED: 4,
}
"""The exit status for every code."""


def document(error: ServiceError) -> dict[str, Any]:
    """The error as JSON: every key is always there."""
    partial = None
    if error.partial is not None:
        from google.protobuf.json_format import MessageToDict

        partial = MessageToDict(error.partial, preserving_proto_field_name=True)
    return {
        "error": {
            "code": error.code.name,
            "reason": error.reason.value,
            "message": error.message,
            "advice": ADVICE[error.reason],
            "retryable": error.retryable,
            "retry_after_seconds": error.retry_after,
            "field_violations": [{"field": item.field, "description": item.description} for item in error.violations],
            "quota": error.quota,
            "metadata": dict(sorted(error.metadata.items())),
            "partial": partial,
        }
    }


def panel(error: ServiceError) -> Panel:
    """The error as one panel: what happened, where, and what to do."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    from antiphon.cli import terminal

    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for item in error.violations:
        facts.add_row("field", Text.assemble((terminal.line(item.field), "bold"), " ", terminal.line(item.description)))
    if error.quota:
        facts.add_row("quota", Text(terminal.line(error.quota)))
    if error.retry_after is not None:
        facts.add_row("retry after", Text(f"{error.retry_after:g} s"))
    if error.partial is not None:
        facts.add_row("partial", Text(_partial(error)))
    for name, value in sorted(error.metadata.items()):
        facts.add_row(terminal.line(name).replace("_", " "), Text(terminal.line(value)))
    facts.add_row("what to do", Text(ADVICE[error.reason], style="bold"))
    title = Text.assemble((error.reason.value, "bold red"), (f"  {error.code.name}", "dim"))
    return Panel(
        Group(Text(terminal.safe(error.message)), Text(), facts), title=title, title_align="left", border_style="red"
    )


def report(error: ServiceError, *, as_json: bool) -> int:
    """Print the error, as JSON to standard output or as a panel to standard error; the exit status for it."""
    from antiphon.cli import terminal

    if as_json:
        terminal.write(json.dumps(document(error), ensure_ascii=False) + "\n")
    else:
        terminal.err().print(panel(error))
    return EXITS[error.code]


@contextmanager
def quiet_ends() -> Iterator[None]:
    """Turn Ctrl-C and a reader that left into exit statuses, without a trace of Python's."""
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt as interrupt:
        raise SystemExit(exits.INTERRUPTED) from interrupt
    except BrokenPipeError as broken:
        # Python flushes once more at its end, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(exits.BROKEN_PIPE) from broken


@contextmanager
def reported(*, as_json: bool = False) -> Iterator[None]:
    """Turn whatever ends a command into its exit status, having told the user about it once."""
    with quiet_ends():
        try:
            yield
        except ServiceError as error:
            raise SystemExit(report(error, as_json=as_json)) from error


def _partial(error: ServiceError) -> str:
    partial = error.partial
    if partial is None or not partial.HasField("usage") or not partial.usage.HasField("output_tokens"):
        return "the answer was cut; how many tokens it used is not known"
    return f"the answer was cut after {partial.usage.output_tokens} tokens"
