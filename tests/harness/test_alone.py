"""The harness is usable without the rest of antiphon: `pip install 'antiphon[harness]'`."""

from __future__ import annotations

import subprocess
import sys

import pytest

ALONE = """
import importlib, sys
importlib.import_module({module!r})
services = [f"antiphon.{{part}}" for part in ("v1", "core", "wire", "adapter", "gateway", "inference", "triton", "cli")]
wrong = [name for name in sys.modules if name.split(".")[0] in ("grpc", "google") or name.startswith(tuple(services))]
print(sorted(wrong))
"""


@pytest.mark.parametrize(
    "module",
    ["antiphon.harness", "antiphon.harness.server", "antiphon.harness.controls", "antiphon.pytest_plugin.replaying"],
)
def test_importing_it_pulls_in_no_grpc_and_no_service(module: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-P", "-c", ALONE.format(module=module)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout.strip() == "[]"
