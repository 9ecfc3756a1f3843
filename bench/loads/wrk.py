"""wrk, as a second opinion on the HTTP door: where both generators find the same, neither is what limits."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

from bench.places import WORK
from bench.systems.base import Target


def version() -> str:
    """wrk's own word."""
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return said.split("[", 1)[0].replace("wrk", "").strip()


def rate(target: Target, *, callers: int, seconds: float, pinned: Sequence[str]) -> float:
    """Calls a second. Raises RuntimeError where calls failed."""
    script = WORK / "wrk.lua"
    headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in target.headers.items())
    body = f'wrk.body = io.open("{target.body_file()}", "rb"):read("*a")'
    script.write_text(f'wrk.method = "POST"\n{body}\n{headers}\n')
    words = [*pinned, "wrk", "-t", "1", "-c", str(callers), "-d", f"{max(1, round(seconds))}s", "-s", str(script)]
    said = subprocess.run(
        [*words, f"http://{target.address}{target.path}"], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if found is None or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"wrk did not get its answers:\n{said}")
    return float(found[1])
