"""A newcomer's project in a folder of its own, and pytest as they run it: in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from antiphon.harness import SseEvent, authored_json, authored_sse, write_cassette

CHAT = "https://api.openai.com/v1/chat/completions"
SECONDS = 90
PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What pytest said."""

    status: int
    output: str

    def of(self, test: str) -> str:
        """The outcome of one test, where `-rA` was asked for."""
        return next(
            (line.split(" ")[0] for line in self.output.splitlines() if line.split(" - ")[0].endswith(test)), ""
        )

    def outcome(self) -> dict[str, int]:
        """The counts of its closing line, such as {"passed": 2}."""
        closing = [line for line in self.output.splitlines() if re.fullmatch(r"=+ .* in [\d.:() s]+=+", line)]
        last = closing[-1].partition(" in ")[0] if closing else ""
        return {name.replace("errors", "error"): int(count) for count, name in re.findall(r"(\d+) ([a-z]+)", last)}


@dataclass(frozen=True, kw_only=True)
class Project:
    """The folder. Its cassettes are in `tests/cassettes`."""

    folder: Path

    @property
    def cassettes(self) -> Path:
        return self.folder / "tests" / "cassettes"

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")

    def author(self, name: str, *exchanges: tuple[str, str]) -> None:
        """Write a cassette of questions to OpenAI and their answers; authored, as it says."""
        interactions = [
            authored_json(url=CHAT, request=question(asked), response=completion(said)) for asked, said in exchanges
        ]
        write_cassette(self.cassettes, name, interactions)

    def author_stream(self, name: str, asked: str, *words: str) -> None:
        events = [SseEvent(data=piece(word), delay_ms=1.0) for word in words]
        request = {**question(asked), "stream": True}
        write_cassette(
            self.cassettes, name, [authored_sse(url=CHAT, request=request, events=[*events, SseEvent(data="[DONE]")])]
        )

    def run(self, *options: str, environment: Mapping[str, str] | None = None, warnings: str = "error") -> Ran:
        """Run pytest with `warnings` as its filter. Only the plugin under test is loaded, by its entry point."""
        own = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))}
        own.pop("PYTEST_ADDOPTS", None)
        own["PYTHONPATH"] = os.pathsep.join(filter(None, [str(self._metadata()), os.environ.get("PYTHONPATH", "")]))
        plugin = ("-p", "antiphon", "-p", "no:cacheprovider")
        ran = subprocess.run(
            [sys.executable, "-P", "-m", "pytest", *plugin, "-W", warnings, *options],
            cwd=self.folder,
            env=own | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200"} | dict(environment or {}),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Ran(status=ran.returncode, output=ran.stdout + ran.stderr)

    def _metadata(self) -> Path:
        """A folder with what an installation would leave: the checkout may not be installed."""
        folder = self.folder / ".installed"
        info = folder / "antiphon_checkout-0.0.dist-info"
        if not info.is_dir():
            info.mkdir(parents=True)
            groups = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["entry-points"]
            lines = [line for group, points in groups.items() for line in (f"[{group}]", *_assigned(points))]
            (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
            (info / "METADATA").write_text("Metadata-Version: 2.1\nName: antiphon-checkout\nVersion: 0.0\n")
        return folder


def _assigned(points: Mapping[str, str]) -> list[str]:
    return [f"{name} = {target}" for name, target in points.items()]


def new_project(folder: Path) -> Project:
    """A project whose code under test asks OpenAI, without its SDK: that alone takes seconds to import."""
    made = Project(folder=folder)
    made.write("pytest.ini", "[pytest]\n")
    made.write(
        "tests/asking.py",
        """
        import json
        import os
        import urllib.request

        def ask(text):
            asked = {"model": "tiny-1", "messages": [{"role": "user", "content": text}]}
            request = urllib.request.Request(
                os.environ["OPENAI_BASE_URL"] + "/chat/completions",
                data=json.dumps(asked).encode(),
                headers={"authorization": "Bearer " + os.environ["OPENAI_API_KEY"]},
            )
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)["choices"][0]["message"]["content"]
        """,
    )
    return made


def question(text: str) -> dict[str, object]:
    return {"model": "tiny-1", "messages": [{"role": "user", "content": text}]}


def completion(text: str) -> dict[str, object]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "c-1", "object": "chat.completion", "created": 1, "model": "tiny-1", "choices": [choice]}


def piece(text: str) -> dict[str, object]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "tiny-1", "choices": [choice]}
