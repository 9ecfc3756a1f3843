"""`antiphon embed`, `models`, `health`, `keys` and the command itself, against a real server where they need one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from typer.testing import Result

from antiphon.core.auth import hash_of
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.health import component
from antiphon.core.settings import load
from antiphon.v1 import health_pb2, models_pb2
from tests.cli.backend import Choices, serving

Invoke = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]


def test_embed_shows_dimensions_and_how_alike_the_texts_are(invoke: Invoke) -> None:
    with serving(Choices()) as server:
        result = invoke("embed", "test/embed", "one", "two", "--server", server)
        told = invoke("embed", "test/embed", "one", "two", "--json", "--server", server)
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows == [
        ["#", "text", "dims", "~1", "~2"],
        ["1", "one", "2", "1.000", "0.707"],
        ["2", "two", "2", "0.707", "1.000"],
    ]
    assert json.loads(told.stdout)["embeddings"][1]["float32"]["values"] == [1.0, 1.0]


def test_models_joins_all_pages_and_names_who_could_not_be_asked(invoke: Invoke) -> None:
    models = [
        models_pb2.Model(name=f"test/m{number}", provider="test", description=f"Number {number}.")
        for number in range(5)
    ]
    models[0].aliases.append("best")
    lost = models_pb2.UnreachableProvider(provider="groq", reason="NETWORK_ERROR", message="no route")
    with serving(Choices(models=models, unreachable=[lost])) as server:
        result = invoke("models", "--server", server)
        told = invoke("models", "--json", "--server", server)
        found = invoke("models", "--search", "m3", "--server", server)
        none = invoke("models", "--provider", "nobody", "--server", server)
    assert result.exit_code == 0
    for said in ("test/m0", "best", "test/m4", "Number 4."):
        assert said in result.stdout
    assert result.stderr.count("groq could not be asked: NETWORK_ERROR: no route") == 1
    document = json.loads(told.stdout)
    assert [model["name"] for model in document["models"]] == [f"test/m{number}" for number in range(5)]
    assert [item["provider"] for item in document["unreachable_providers"]] == ["groq"]
    assert "test/m3" in found.stdout
    assert "test/m1" not in found.stdout
    assert none.stdout == ""


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (health_pb2.STATUS_SERVING, 0),
        (health_pb2.STATUS_UNCONFIGURED, 0),
        (health_pb2.STATUS_DEGRADED, 1),
        (health_pb2.STATUS_NOT_SERVING, 1),
    ],
)
def test_health_tells_by_its_exit_status(invoke: Invoke, status: health_pb2.Status.ValueType, expected: int) -> None:
    parts = [component("provider/test", status, "seen just now")]
    with serving(Choices(parts=parts)) as server:
        shown = invoke("health", "--server", server)
        told = invoke("health", "--json", "--server", server)
    assert (shown.exit_code, told.exit_code) == (expected, expected)
    assert "provider/test" in shown.stdout
    assert "seen just now" in shown.stdout
    assert json.loads(told.stdout)["components"][1]["status"] == health_pb2.Status.Name(status)


def test_live_health_needs_no_key_and_no_backend(invoke: Invoke) -> None:
    broken = ServiceError(Reason.INTERNAL, "nothing works")
    with serving(Choices(error=broken), keys={hash_of("ak-x"): "ann"}) as server:
        assert invoke("health", "--live", "--server", server).exit_code == 0
        assert invoke("health", "--server", server).exit_code == 4
    assert invoke("health", "--live", "--server", "127.0.0.1:1").exit_code == 6


def test_watched_health_goes_on_until_the_server_drains(start: Start) -> None:
    with serving(Choices(parts=[component("provider/test", health_pb2.STATUS_SERVING)])) as server:
        process = start("health", "--watch", "--json", "--server", server)
        assert process.stdout is not None
        names = [json.loads(process.stdout.readline())["component"]["name"] for _ in range(2)]
    _, stderr = process.communicate(timeout=10)
    assert names == ["gateway", "provider/test"]
    assert (process.returncode, stderr) == (0, "")


def test_a_new_key_opens_the_server_whose_settings_hold_what_was_printed(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = invoke("keys", "new", "ann")
    assert result.exit_code == 0
    key = result.stdout.strip()
    printed = re.search(r"ANTIPHON_CALLER_KEYS='(.*?)'", result.stderr)
    assert printed is not None
    monkeypatch.setenv("ANTIPHON_CALLER_KEYS", printed.group(1))
    assert load().caller_keys == {"ann": hash_of(key)}
    assert key not in result.stderr
    told = json.loads(invoke("keys", "new", "ann", "--json").stdout)
    assert told["sha256"] == hash_of(told["key"])
    assert told["key"] != key
    assert invoke("keys", "new", "no spaces").exit_code == 2


def test_help_names_the_exit_statuses_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from antiphon.cli.app import app\n"
        "text = CliRunner().invoke(app, ['--help']).stdout\n"
        "assert '7 deadline exceeded' in ' '.join(text.split()), text\n"
        "print([name for name in ('grpc', 'google.protobuf', 'pydantic', 'opentelemetry') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_wrong_settings_of_a_service_are_told_like_any_error(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_MODE", "sometimes")
    result = invoke("serve", "adapter")
    assert result.exit_code == 2
    assert "mode" in result.stderr


def test_an_open_door_is_refused(invoke: Invoke) -> None:
    result = invoke("serve", "adapter", "--listen", "0.0.0.0:0")
    assert result.exit_code == 2
    assert "antiphon keys new" in result.stderr
