"""Every reason why tritonserver can't run here says what to do."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import pytest

from antiphon.triton import installation, unsupported_reason

_needs_package = pytest.mark.skipif(
    "not installed" in (unsupported_reason() or ""), reason="nvidia-pytriton is not installed"
)


def _environment(folder: Path, *, version: str, numpy: str | None) -> Path:
    """Make a folder that answers the probe as a virtual environment of these versions would."""
    answer = json.dumps({"version": version, "numpy": numpy, "library": "/nowhere/libpython.so"})
    program = folder / "bin" / "python3"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    return folder


def test_other_systems_are_told_to_use_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    reason = unsupported_reason()
    assert reason is not None
    assert "this is Darwin arm64" in reason
    assert "container" in reason


def test_a_missing_package_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert unsupported_reason() == (
        "nvidia-pytriton is not installed; run: pip install --no-deps nvidia-pytriton==0.7.0 'numpy<2'"
    )


@_needs_package
def test_a_python_without_a_stub_names_those_that_have_one(tmp_path: Path) -> None:
    reason = unsupported_reason(_environment(tmp_path, version="3.14", numpy="1.26.4"))
    assert reason is not None
    assert "no Python backend for Python 3.14, only for 3.8, 3.9, 3.10, 3.11, 3.12, 3.13" in reason


@_needs_package
@pytest.mark.parametrize(("numpy", "found"), [("2.4.6", "has NumPy 2.4.6"), (None, "has no NumPy")])
def test_a_numpy_that_the_stub_misreads_names_the_command_that_replaces_it(
    tmp_path: Path, numpy: str | None, found: str
) -> None:
    reason = unsupported_reason(_environment(tmp_path, version="3.11", numpy=numpy))
    assert reason is not None
    assert found in reason
    assert f"{tmp_path}/bin/python3 -m pip install 'numpy<2'" in reason


@_needs_package
def test_python_3_13_is_told_to_use_an_older_one_as_numpy_1_does_not_exist_for_it(tmp_path: Path) -> None:
    reason = unsupported_reason(_environment(tmp_path, version="3.13", numpy="2.4.6"))
    assert reason is not None
    assert "use Python 3.11 or 3.12" in reason


@_needs_package
def test_a_python_that_does_not_run_is_named(tmp_path: Path) -> None:
    reason = unsupported_reason(tmp_path / "bin" / "python")
    assert reason is not None
    assert f"{tmp_path}/bin/python3 does not run" in reason


@_needs_package
def test_a_library_that_the_loader_misses_is_named_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = tmp_path / "stub"
    stub.write_text("#!/bin/sh\necho 'error while loading shared libraries: libpython3.11.so.1.0' >&2\nexit 127\n")
    stub.chmod(0o755)
    found = installation.Installation(
        server=Path("/bin/true"),
        libraries=tmp_path,
        backend=tmp_path,
        stub=stub,
        python=installation.ModelPython(
            programs=Path(sys.executable).parent, version="3.11", numpy="1.26.4", library=tmp_path / "none"
        ),
    )
    with pytest.raises(
        installation.TritonUnsupportedError, match=r"libpython3\.11\.so\.1\.0.*apt-get install libpython3\.11"
    ):
        installation._check_loads(found)
