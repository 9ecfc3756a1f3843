"""The laws find what is wrong, name what they leave out, and run from the command line over any folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from antiphon.v1 import chat_pb2
from antiphon.wire.base import HttpReply
from tests.laws.chat import cuts
from tests.laws.openai import OpenAIChatLaws
from tests.laws.recordings import Recorded
from tests.laws.verdict import first_difference, message_difference, untyped

ROOT = Path(__file__).resolve().parents[2]
READER = """
import csv, json
from dataclasses import dataclass
from pathlib import Path
HERE = Path(__file__).parent
@dataclass
class Exchange:
    method: str
    url: str
    request_headers: dict
    request_body: bytes
    status: int
    response_headers: dict
    response_body: bytes
def index():
    with open(HERE / "INDEX.tsv", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\\t"))
def exchanges(file):
    for item in json.loads((HERE / file).read_text()):
        request, answer = item["request"].encode(), item["answer"].encode()
        yield Exchange(item["method"], item["url"], {}, request, item["status"], {}, answer)
"""
REQUEST = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
ANSWER = {"id": "x", "object": "chat.completion", "model": "m", "choices": []}


def exchange(url: str, answer: Any = ANSWER, *, request: Any = REQUEST, status: int = 200) -> dict[str, Any]:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return {"method": "POST", "url": url, "request": json.dumps(request), "status": status, "answer": text}


def run(folder: Path, *exchanges: dict[str, Any]) -> tuple[int, Any]:
    (folder / "reader.py").write_text(READER)
    (folder / "INDEX.tsv").write_text("file\tprovider\na.json\tnobody\n")
    (folder / "a.json").write_text(json.dumps(exchanges))
    command = [sys.executable, "-m", "tests.laws", str(folder), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def test_a_folder_that_keeps_the_laws_ends_well(tmp_path: Path) -> None:
    chat = "https://unknown.test/v9/chat/completions"
    status, report = run(tmp_path, exchange(chat), exchange("https://unknown.test/v1/rerank"))
    assert status == 0
    assert report["ok"] is True
    (wire,) = [row for row in report["wires"] if row["wire"] == "openai_chat"]
    assert (wire["exchanges"], wire["in_scope"], wire["typed_share"]) == (1, 1, 1.0)
    assert wire["laws"]["L1"] == wire["laws"]["L2"] == {"passed": 1, "applicable": 1}
    assert report["out_of_scope"] == [{"file": "a.json", "exchange": 1, "why": "rerank: another issue"}]


def test_a_failure_is_named_and_ends_badly(tmp_path: Path) -> None:
    status, report = run(tmp_path, exchange("https://x.test/v1/chat/completions", "<html>no</html>"))
    assert status == 1
    assert report["ok"] is False
    (failure,) = report["failures"]
    assert (failure["file"], failure["exchange"], failure["law"]) == ("a.json", 0, "L2")
    assert "not JSON" in failure["difference"]


def test_a_refused_request_is_out_of_scope_by_name(tmp_path: Path) -> None:
    bad = {"model": "m", "messages": "hi"}
    error = {"error": {"message": "messages must be a list"}}
    url = "https://x.test/v1/chat/completions"
    status, report = run(tmp_path, exchange(url, error, request=bad, status=400))
    assert status == 0
    assert report["out_of_scope"][0]["why"].startswith("refused: messages")


def test_too_many_untyped_values_end_badly(tmp_path: Path) -> None:
    odd = {**ANSWER, **{f"field{i}": i for i in range(20)}}
    status, report = run(tmp_path, exchange("https://x.test/v1/chat/completions", odd))
    assert status == 1
    assert report["failures"] == []
    assert report["ok"] is False


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.laws", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "reader.py" in done.stderr


class Forgetful(OpenAIChatLaws):
    """Laws over a codec that loses something."""

    def __init__(self) -> None:
        super().__init__()
        honest = self.wire

        class Wire(type(honest)):  # type: ignore[misc]
            def encode_response(self, completion: chat_pb2.Completion, /) -> HttpReply:
                body = json.loads(super().encode_response(completion).body)
                body.pop("odd", None)
                for choice in body["choices"]:
                    choice.get("message", {}).pop("content", None)
                return HttpReply(status=200, body=json.dumps(body).encode())

        self.wire = Wire()


def recorded(body: bytes) -> Recorded:
    return Recorded(file="", number=0, provider="", method="POST", url="", request_body=b"", status=200, body=body)


@pytest.mark.parametrize("streamed", [True, False])
def test_a_codec_that_forgets_is_found_out(streamed: bool) -> None:
    choice = {"index": 0, "finish_reason": "stop"}
    if streamed:
        chunk = {"id": "x", "choices": [{**choice, "delta": {"content": "hi"}}], "odd": {"a": 1}}
        body = b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n"
    else:
        message = {"role": "assistant", "content": "hi"}
        body = json.dumps({**ANSWER, "choices": [{**choice, "message": message}], "odd": 1}).encode()
    honest, forgetful = OpenAIChatLaws().examine(recorded(body)), Forgetful().examine(recorded(body))
    assert [difference for _, difference in honest.checks] == [None] * len(honest.checks)
    assert any(difference for _, difference in forgetful.checks)


def test_differences_say_where() -> None:
    assert first_difference({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}) == "$.a[1].b: 2 became 3"
    assert first_difference({"a": 1}, {}) == "$.a lost: 1"
    assert first_difference({}, {"a": 1}) == "$.a added: 1"
    assert first_difference([1], [1, 2]) == "$: 1 items became 2"
    assert first_difference({"a": 1.0, "b": 2}, {"b": 2, "a": 1}) is None


def test_spelling_is_no_difference_and_counts_nothing_by_itself() -> None:
    one, other = chat_pb2.Completion(id="x"), chat_pb2.Completion(id="x")
    one.form.spellings.append("s")
    one.usage.raw.data = b"{}"
    other.usage.SetInParent()
    assert message_difference(one, other) is None
    assert untyped(one, "w") == 0
    one.id = "y"
    assert message_difference(one, other) is not None


def test_every_position_is_cut() -> None:
    body = bytes(range(100)) * 30
    positions = set()
    for name, chunks in cuts(body):
        assert b"".join(chunks) == body or "lines end" in name
        if name.startswith("cut every"):
            place = 0
            for piece in chunks[:-1]:
                place += len(piece)
                positions.add(place)
    assert positions >= set(range(1, len(body)))
