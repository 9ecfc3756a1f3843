"""`python -m tests.laws FOLDER [--json]`: the laws over a folder; exit status 0 only where all of them hold."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.laws.recordings import Folder
from tests.laws.report import run


def main() -> int:
    """Run the laws and print the outcome."""
    parser = argparse.ArgumentParser(prog="python -m tests.laws", description="The wire laws over recordings.")
    parser.add_argument("folder", type=Path, help="holds INDEX.tsv, reader.py and the recordings")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()
    if not (options.folder / "reader.py").is_file() or not (options.folder / "INDEX.tsv").is_file():
        parser.error(f"{options.folder} has no reader.py or no INDEX.tsv: give a folder of recordings")
    report = run(Folder(options.folder.resolve()))
    print(json.dumps(report.as_json(), indent=2) if options.json else report.as_text())
    return 0 if report.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
