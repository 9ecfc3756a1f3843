"""Run by another environment's interpreter: the bytes of distributions and of everything that they require there."""

import importlib.metadata
import json
import re
import sys
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9._-]+")


def closure(wanted: list[str]) -> dict[str, importlib.metadata.Distribution]:
    """Distributions by normal name. Requirements of extras count where they are installed and asked for."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = list(wanted)
    while waiting:
        text = waiting.pop()
        matched = NAME.match(text)
        if matched is None:
            continue
        name = matched[0].lower().replace("_", "-").replace(".", "-")
        extras = re.findall(r"\[([^\]]*)\]", text.partition(";")[0])
        if name in found and not extras:
            continue
        try:
            found[name] = importlib.metadata.distribution(matched[0])
        except importlib.metadata.PackageNotFoundError:
            continue
        for required in found[name].requires or ():
            marker = required.partition(";")[2]
            asked = [extra.strip() for extra in ",".join(extras).split(",")]
            if "extra ==" in marker and not any(f'"{extra}"' in marker or f"'{extra}'" in marker for extra in asked):
                continue
            inner = required.partition(";")[0].strip()
            waiting.append(inner)
    return found


def weight(distribution: importlib.metadata.Distribution) -> int:
    """Bytes of its files, without compiled Python: that comes and goes."""
    total = 0
    for file in distribution.files or ():
        path = Path(str(distribution.locate_file(file)))
        if path.suffix != ".pyc" and path.is_file():
            total += path.stat().st_size
    return total


if __name__ == "__main__":
    distributions = closure(sys.argv[1:])
    print(json.dumps({"bytes": sum(map(weight, distributions.values())), "distributions": len(distributions)}))
