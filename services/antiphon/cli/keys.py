"""`antiphon keys new`: a caller key, shown once, and what the server keeps of it."""

from __future__ import annotations

import json
import re

import typer
from rich.text import Text

from antiphon.cli import terminal
from antiphon.cli.failure import reported
from antiphon.core.auth import hash_of, new_key

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def run(name: str, *, as_json: bool) -> None:
    """Make a key for the caller `name` and print it with its configuration. It is stored nowhere."""
    if not _NAME.fullmatch(name):
        raise typer.BadParameter("use letters, digits, '.', '_' and '-', at most 64", param_hint="NAME")
    key = new_key()
    digest = hash_of(key)
    with reported(as_json=as_json):
        if as_json:
            terminal.write(json.dumps({"name": name, "key": key, "sha256": digest}) + "\n")
            return
        # The key alone goes to standard output, so that it can be piped into a secret store.
        terminal.write(key + "\n")
        # Not in a frame: these lines are there to be copied.
        terminal.err().print(
            Text.assemble(
                f"The key of {name}, shown this once. It is sent as 'authorization: Bearer <key>'; "
                "this command reads it from ANTIPHON_KEY.\n",
                ("For the server's configuration file:\n", "dim"),
                f"caller_keys:\n  {name}: {digest}\n",
                ("or for its environment:\n", "dim"),
                f"ANTIPHON_CALLER_KEYS='{json.dumps({name: digest})}'",
            ),
            soft_wrap=True,
        )
