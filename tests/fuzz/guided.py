"""A coverage-guided run of one target: `python -m tests.fuzz.guided TARGET [libFuzzer's options]`.

It needs atheris (`pip install atheris`), which is no requirement of the suite: it installs only where a build
for the platform exists. A failing input is written by libFuzzer; put it into `found/<target>/` as a `.bin`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # optional, see above

with atheris.instrument_imports(include=["antiphon", "yaml", "vcr"]):
    from tests.fuzz.inputs import SEEDS
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run until libFuzzer's own limits (-runs=N, -max_total_time=S) end it."""
    name, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(SEEDS[name]):
            (Path(corpus) / str(number)).write_bytes(seed)
        atheris.Setup([sys.argv[0], *options, corpus], TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
