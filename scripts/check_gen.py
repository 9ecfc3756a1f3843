"""Fails where gen/ is not what proto/ generates, and names the files that differ."""

from __future__ import annotations

import filecmp
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Generate into a temporary folder and compare."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["buf", "generate", "--output", folder]
        subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)  # noqa: S603 - a fixed command
        fresh, kept = Path(folder, "gen"), ROOT / "gen"
        names = {
            path.relative_to(base)
            for base in (fresh, kept)
            for kind in ("py", "pyi")
            for path in base.rglob(f"*.{kind}")
        }
        differing = [
            name
            for name in sorted(names)
            if not (fresh / name).is_file()
            or not (kept / name).is_file()
            or not filecmp.cmp(fresh / name, kept / name, shallow=False)
        ]
    for name in differing:
        print(f"gen/{name} is not what proto/ generates: run `make gen` and commit", file=sys.stderr)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
