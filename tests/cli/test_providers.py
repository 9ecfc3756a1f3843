"""`antiphon providers` against a real server."""

from __future__ import annotations

import json
from collections.abc import Callable

from typer.testing import Result

from antiphon.v1 import models_pb2
from tests.cli.backend import Choices, serving

Invoke = Callable[..., Result]

PROVIDERS = [
    models_pb2.Provider(name="absent", wire="openai_chat", missing="set ABSENT_KEY", key_required=True),
    models_pb2.Provider(name="home", wire="ollama_chat", configured=True, local=True, features=["chat", "embeddings"]),
    models_pb2.Provider(
        name="odd", wire="gemini", configured=True, key_required=True, warning="keys of odd begin with 'AIza'",
        default_model="flash",
    ),
]  # fmt: skip


def test_what_can_be_called_comes_first_and_what_is_missing_is_said(invoke: Invoke) -> None:
    with serving(Choices(providers=PROVIDERS)) as server:
        result = invoke("providers", "--server", server)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["provider", "wire", "state", "key", "default", "model", "features"]
    assert [line.split()[0] for line in lines[1:]] == ["home", "odd", "absent"]
    home, odd, absent = lines[1:]
    assert all(said in home for said in ("local", "not needed", "chat, embeddings"))
    assert all(said in odd for said in ("configured, but keys of odd begin with 'AIza'", "flash"))
    assert "set ABSENT_KEY" in absent


def test_json_is_the_contracts_own_message(invoke: Invoke) -> None:
    with serving(Choices(providers=PROVIDERS)) as server:
        told = invoke("providers", "--json", "--server", server)
    document = json.loads(told.stdout)
    assert [each["name"] for each in document["providers"]] == ["absent", "home", "odd"]
    assert document["providers"][0]["missing"] == "set ABSENT_KEY"
