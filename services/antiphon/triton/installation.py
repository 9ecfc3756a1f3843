"""Finds `tritonserver` in the installed `nvidia-pytriton`, and says why it can't run where it can't.

The package is made to be driven by its own Python API. Used as a plain server it needs three things that
are done here: a backend folder with the stub process that fits the Python version, the loader's path to its
bundled libraries, and an environment with NumPy 1 (its stub misreads every tensor under NumPy 2: it was
built with a pybind11 that has the old layout of NumPy's dtype structure).
"""

from __future__ import annotations

import importlib.util
import json
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "nvidia-pytriton==0.7.0"
INSTALL_COMMAND = f"pip install --no-deps {PACKAGE} 'numpy<2'"
_STUB = "triton_python_backend_stub"
_PROBE_TIMEOUT_S = 20.0

# Runs in the interpreter that the stub will become; answers without importing anything heavy.
_PROBE = """
import importlib.metadata as m, json, os, sys, sysconfig
try: numpy = m.version("numpy")
except m.PackageNotFoundError: numpy = None
names = ("LIBDIR", "INSTSONAME")
print(json.dumps({"version": "%d.%d" % sys.version_info[:2], "numpy": numpy,
                  "library": os.path.join(*(sysconfig.get_config_var(n) or "" for n in names))}))
"""


class TritonUnsupportedError(RuntimeError):
    """Triton can't run here; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPython:
    """The Python environment in which models run: its folder of programs, version and packages."""

    programs: Path
    version: str
    numpy: str | None
    library: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Where the parts of the installed server are."""

    server: Path
    libraries: Path
    backend: Path
    stub: Path
    python: ModelPython

    def environment(self, *, extra_libraries: Path) -> dict[str, str]:
        """Return the variables that the server's process needs, and no others.

        Credentials in our own environment are not handed on to model code. The stub takes no notice of
        PYTHONPATH; it is the first `python3` on PATH that decides which packages a model can import.
        """
        return {
            "PATH": f"{self.python.programs}:/usr/local/bin:/usr/bin:/bin",
            "LD_LIBRARY_PATH": f"{extra_libraries}:{self.libraries}",
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def prepare(self, folder: Path) -> Path:
        """Lay out the backend folder below `folder`, by links, and return it. Costs no disk space."""
        backend = folder / "backends" / "python"
        libraries = folder / "lib"
        backend.mkdir(parents=True)
        libraries.mkdir()
        for part in self.backend.iterdir():
            (backend / part.name).symlink_to(part)
        (backend / _STUB).symlink_to(self.stub)
        if self.python.library.is_file():
            # The stub's own libpython must be that of the interpreter, not one the system has as well.
            (libraries / self.python.library.name).symlink_to(self.python.library)
        return backend.parent


def unsupported_reason(python: Path | None = None) -> str | None:
    """Return why tritonserver can't run here and what to do about it, or None where it can.

    Args:
        python: the interpreter, or the folder of the virtual environment, whose packages models import;
            None means the running one.
    """
    try:
        locate(python)
    except TritonUnsupportedError as error:
        return str(error)
    return None


def locate(python: Path | None = None) -> Installation:
    """Find the server and check that it can run. Takes about 0.1 s: it starts three short processes.

    Raises:
        TritonUnsupportedError: it can't.
    """
    if (system := platform.system()) != "Linux" or platform.machine() != "x86_64":
        raise TritonUnsupportedError(
            f"the local tritonserver runs on Linux x86-64 only, and this is {system} {platform.machine()}; "
            "run Triton in its container and give its address instead"
        )
    root = _package_root()
    model_python = _probe(_programs(python))
    server_root = root / "tritonserver"
    stub = server_root / "python_backend_stubs" / model_python.version / _STUB
    if not stub.is_file():
        known = ", ".join(sorted((path.parent.name for path in stub.parents[1].glob(f"*/{_STUB}")), key=_order))
        raise TritonUnsupportedError(
            f"{PACKAGE} has no Python backend for Python {model_python.version}, only for {known}; "
            "use one of these for the models' environment"
        )
    _check_numpy(model_python)
    installation = Installation(
        server=server_root / "bin" / "tritonserver",
        libraries=root.parent / "nvidia_pytriton.libs",
        backend=server_root / "backends" / "python",
        stub=stub,
        python=model_python,
    )
    _check_loads(installation)
    return installation


def _package_root() -> Path:
    # find_spec, not import: importing pytriton needs packages that the server itself does not.
    spec = importlib.util.find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise TritonUnsupportedError(f"nvidia-pytriton is not installed; run: {INSTALL_COMMAND}")
    root = Path(spec.origin).parent
    if not (root / "tritonserver" / "bin" / "tritonserver").is_file():
        raise TritonUnsupportedError(
            f"the package at {root} carries no tritonserver; run: pip install --force-reinstall --no-deps {PACKAGE}"
        )
    return root


def _programs(python: Path | None) -> Path:
    if python is None:
        return Path(sys.executable).parent
    # Absolute, as the server has another working folder; not resolved, as a link is what makes a venv.
    return python.absolute() / "bin" if python.is_dir() else python.absolute().parent


def _probe(programs: Path) -> ModelPython:
    interpreter = programs / "python3"  # the name that the stub looks for
    try:
        done = subprocess.run(  # noqa: S603 - a path from our own settings
            [interpreter, "-I", "-c", _PROBE], capture_output=True, timeout=_PROBE_TIMEOUT_S, check=True
        )
        answer = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, json.JSONDecodeError) as error:
        raise TritonUnsupportedError(
            f"the models' Python {interpreter} does not run ({error}); give a virtual environment that has bin/python3"
        ) from error
    return ModelPython(
        programs=programs,
        version=answer["version"],
        numpy=answer["numpy"],
        library=Path(answer["library"]),
    )


def _check_numpy(python: ModelPython) -> None:
    if python.numpy is not None and int(python.numpy.split(".")[0]) < 2:
        return
    found = f"has NumPy {python.numpy}" if python.numpy else "has no NumPy"
    if _order(python.version) >= _order("3.13"):
        raise TritonUnsupportedError(
            f"{PACKAGE} needs NumPy 1, which does not exist for Python {python.version}; "
            "use Python 3.11 or 3.12 for the models' environment"
        )
    raise TritonUnsupportedError(
        f"the models' Python in {python.programs} {found}, and {PACKAGE} needs NumPy 1; "
        f"run: {python.programs / 'python3'} -m pip install 'numpy<2'"
    )


def _check_loads(installation: Installation) -> None:
    """Ask the system's loader, by starting each program without work, whether all libraries are there."""
    environment = installation.environment(extra_libraries=installation.python.library.parent)
    for command in ([str(installation.server), "--help"], [str(installation.stub)]):
        try:
            done = subprocess.run(  # noqa: S603 - programs of the installed package
                command, capture_output=True, timeout=_PROBE_TIMEOUT_S, env=environment, check=False
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise TritonUnsupportedError(f"{command[0]} does not start: {error}") from error
        if done.returncode == 127 or b"error while loading shared libraries" in done.stderr:
            version = installation.python.version
            raise TritonUnsupportedError(
                f"the system can't load {Path(command[0]).name}: {done.stderr.decode(errors='replace').strip()}. "
                f"Where libpython is named: run apt-get install libpython{version}, or use a Python built with "
                "--enable-shared (uv's are)"
            )


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
