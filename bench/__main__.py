"""The bench's command: `python -m bench setup | run | check | list`."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from bench import profiling, report
from bench.goals import judge
from bench.places import BENCH, RESULTS, ROOT, WORK
from bench.rows.table import ROWS
from bench.session import Case, Options, Session
from bench.systems import portkey
from bench.systems.base import pip_install
from bench.systems.table import SYSTEMS, put_beside
from bench.traffic import BURST, EMBED, PACED, UNARY
from bench.upstream import PACER

PIP = ("tools", "bare", "litellm", "tensorzero", "smg", "vllm-router")
WORKS = {work.name: work for work in (UNARY, BURST, PACED, EMBED)}
PROGRAMS = {
    "nginx": "nginx",
    "h2load": "nghttp2-client",
    "wrk": "wrk",
    "gcc": "gcc",
    "taskset": "util-linux",
    "setpriv": "util-linux",
}
"""Programs and Debian's packages that bring them."""
PLAIN = Options(systems=frozenset(), rows=())
QUICK = Options(systems=frozenset(), rows=(), rounds=2, seconds=1.0, callers=(1, 32))


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="antiphon beside its peers")
    commands = parser.add_subparsers(dest="command", required=True)
    setup = commands.add_parser("setup", help="install the peers into bench/.work")
    setup.add_argument("--python", default=sys.executable, help="interpreter of their environments")
    run = commands.add_parser("run", help="measure")
    run.add_argument("--systems", default="", help="comma-separated; all by default")
    run.add_argument("--rows", default="", help="comma-separated; all by default")
    run.add_argument("--rounds", type=int)
    run.add_argument("--seconds", type=float, help="how long one measurement takes")
    run.add_argument("--callers", help="comma-separated numbers, for the rows that vary them")
    run.add_argument("--beside", type=Path, help="another checkout of antiphon, measured as antiphon-beside")
    run.add_argument("--quick", action="store_true", help="short rounds, to see whether it works; figures mean little")
    run.add_argument("--results", type=Path, help="folder; bench/results, or bench/.work/results with --quick")
    check = commands.add_parser("check", help="fail while a goal is missed in the newest results")
    check.add_argument("--results", type=Path, default=RESULTS, help="folder or file")
    profile = commands.add_parser("profile", help="where a system spends its time under a load, by py-spy")
    profile.add_argument("--system", default="antiphon")
    profile.add_argument("--work", choices=sorted(WORKS), default="unary")
    profile.add_argument("--door", choices=("grpc", "http"), default="grpc")
    profile.add_argument("--seconds", type=float, default=10.0)
    profile.add_argument("--lines", type=int, default=50)
    profile.add_argument("--beside", type=Path, help="another checkout of antiphon, as system antiphon-beside")
    commands.add_parser("list", help="systems and rows")
    given = parser.parse_args(words)
    return {"setup": _setup, "run": _run, "check": _check, "profile": _profile, "list": _list}[given.command](given)


def _setup(given: argparse.Namespace) -> int:
    lacking = {package for program, package in PROGRAMS.items() if shutil.which(program) is None}
    if lacking:
        sys.stderr.write(f"Programs are missing: apt-get install {' '.join(sorted(lacking))}\n")
        return 1
    WORK.mkdir(exist_ok=True)
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-o", str(PACER), str(BENCH / "paced.c")], check=True)
    for name in PIP:
        pip_install(name, given.python)
    if shutil.which("npm"):
        portkey.install()
    else:
        sys.stderr.write("npm is missing: Portkey is left out\n")
    return 0


def _run(given: argparse.Namespace) -> int:
    chosen = QUICK if given.quick else PLAIN
    if given.beside:
        put_beside(given.beside.resolve())
    options = Options(
        systems=frozenset(_names(given.systems, SYSTEMS, "system")),
        rows=_names(given.rows, ROWS, "row"),
        rounds=given.rounds or chosen.rounds,
        seconds=given.seconds or chosen.seconds,
        callers=tuple(map(int, given.callers.split(","))) if given.callers else chosen.callers,
    )
    folder = given.results or (WORK / "results" if given.quick else RESULTS)
    cases: list[Case] = []
    with Session(options, _say) as session:
        _say(session.cores.said)
        shown = " ".join(["python -m bench", *sys.argv[1:]])
        began = report.now()
        for name in options.rows:
            _say(f"{name}: {ROWS[name].about}")
            cases += ROWS[name].run(session)
            # After each row: a run that is broken off keeps those that are done.
            found = report.document(session, cases, command=shown, began=began)
            path = report.write(found, folder)
    _say(f"{report.noise(found)}\nwritten: {_relative(path)} and {_relative(path.with_suffix('.md'))}")
    return 0


def _check(given: argparse.Namespace) -> int:
    path = given.results if given.results.is_file() else report.newest(given.results)
    if path is None:
        sys.stderr.write(f"no results in {_relative(given.results)}: run `make bench`\n")
        return 1
    found = json.loads(path.read_text())
    missed = [verdict for verdict in judge(found) if not verdict.met]
    sys.stdout.write(f"{_relative(path)}: {report.noise(found)}\n")
    for verdict in missed:
        sys.stdout.write(f"missed: {verdict}\n")
    sys.stdout.write(f"{len(missed)} of {len(judge(found))} goals missed\n" if missed else "every goal is met\n")
    return 1 if missed else 0


def _profile(given: argparse.Namespace) -> int:
    if given.beside:
        put_beside(given.beside.resolve())
    options = Options(systems=frozenset([given.system]), rows=(), seconds=2.0)
    with Session(options, _say) as session:
        profile = profiling.taken(session, given.system, WORKS[given.work], given.door, given.seconds)
    sys.stdout.write(profiling.shown(profile, given.lines) + "\n")
    return 0


def _list(given: argparse.Namespace) -> int:
    for name, system in SYSTEMS.items():
        sys.stdout.write(f"system  {name:20} {system.lacking() or ', '.join(system.doors)}\n")
    for name, row in ROWS.items():
        sys.stdout.write(f"row     {name:20} {row.about}\n")
    return 0


def _names(given: str, known: Collection[str], kind: str) -> list[str]:
    names = given.split(",") if given else list(known)
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"no such {kind}: {', '.join(unknown)}; `python -m bench list` names all")
    return names


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _relative(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


if __name__ == "__main__":
    raise SystemExit(main())
