"""`antiphon record` against a real server on loopback: what is asked, kept, paid, and what is left as it was."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from antiphon.adapter.providers import Provider
from antiphon.adapter.rows import BUILT_IN
from antiphon.adapter.wires import chat_wire, embeddings_wire
from antiphon.cli import spending
from antiphon.cli.asking import Turn, chat_spec, embed_request
from antiphon.cli.record import STANDARD, scenario_set
from antiphon.cli.spending import Ledger, cost_of, price, prices_of, worst_of
from antiphon.core.errors import Reason, ServiceError
from antiphon.harness.library import Library
from antiphon.harness.scenarios import ScenarioError, Step
from antiphon.v1 import chat_pb2, content_pb2, models_pb2, usage_pb2
from tests.harness.streaming_server import Reply, StreamingServer

Invoke = Callable[..., Result]
JSON = {"content-type": "application/json"}
CHAT = "/v1/chat/completions"

SET = """
version: 1
scenarios:
  chat: {about: Whole., steps: [{chat: {messages: [{user: hi}], max_output_tokens: 10}}]}
  stream: {about: Streamed., steps: [{stream: {messages: [{user: hi}], max_output_tokens: 10}}]}
  again:
    about: Two turns.
    steps:
      - chat: {messages: [{user: one}], max_output_tokens: 10}
      - then: {user: two}
  lost: {exact_model: none, expect: MODEL_NOT_FOUND, steps: [{chat: {messages: [{user: hi}]}}]}
  vectors: {feature: embeddings, model: embeddings, steps: [{embed: {inputs: [{text: a}]}}]}
  list: {feature: models, steps: [{models: {}}]}
"""


def answer(text: str = "ho", **more: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "small-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        **more,
    }


def whole(body: Any, status: str = "200 OK", **headers: str) -> Reply:
    return Reply(steps=[json.dumps(body).encode()], headers={**JSON, **headers}, status=status)


def streamed() -> Reply:
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "small-1"}
    deltas = [{"role": "assistant", "content": "h"}, {"content": "o"}]
    events = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    events += [{**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]
    events += [{**head, "choices": [], "usage": answer()["usage"]}]
    steps: list[bytes | float] = []
    for event in events:
        steps += [f"data: {json.dumps(event)}\n\n".encode(), 0.01]
    return Reply(steps=[*steps, b"data: [DONE]\n\n"], headers={"content-type": "text/event-stream"})


NOT_FOUND = whole({"error": {"message": "no such model", "code": "model_not_found"}}, "404 Not Found")
BUSY = whole({"error": {"message": "slow down"}}, "429 Too Many Requests", **{"retry-after": "0"})


@pytest.fixture
async def server() -> AsyncIterator[StreamingServer]:
    async with StreamingServer() as running:
        yield running


@pytest.fixture
def record(
    server: StreamingServer, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Run `antiphon record` with the set above against the server, as provider `mine`."""
    (tmp_path / "set.yaml").write_text(SET)
    rows = {"mine": {"base_url": f"{server.url}/v1", "key": "MINE_KEY", "default_model": "small", "embeddings": True}}
    monkeypatch.setenv("ANTIPHON_PROVIDERS", json.dumps(rows))
    monkeypatch.setenv("MINE_KEY", "mine-0123456789-secret-key")

    async def run(*options: str, only: str = "chat") -> tuple[int, Any, str]:
        arguments = ["record", str(tmp_path / "set.yaml"), "--provider", "mine", "--json", *options]
        arguments += ["--cassettes", str(tmp_path / "kept")]
        for name in only.split():
            arguments += ["--only", name]
        result = await asyncio.to_thread(invoke, *arguments)
        return result.exit_code, json.loads(result.stdout), result.stderr

    return run


def kept(tmp_path: Path) -> list[str]:
    return [item.label for item in Library(tmp_path / "kept").read().items]


async def test_a_scenario_is_asked_and_kept_with_its_provenance(
    record: Callable[..., Any], server: StreamingServer, tmp_path: Path
) -> None:
    server.serve(CHAT, whole(answer()), streamed(), whole(answer()))
    status, told, _ = await record(only="chat stream again")
    assert status == 0
    assert [each["state"] for each in told["results"]] == ["recorded"] * 3
    assert kept(tmp_path) == ["mine/again#0", "mine/again#1", "mine/chat#0", "mine/stream#0"]
    (item,) = Library(tmp_path / "kept").find("mine/stream")
    said = item.provenance
    assert (said.origin, said.scenario, said.model_asked, said.model_answered) == (
        "recorded",
        "stream",
        "small",
        "small-1",
    )
    assert said.recorded_at is not None
    chunks = item.interaction.answer.chunks
    assert chunks is not None
    assert len(chunks) >= 5, "as it came, not in one piece"


async def test_a_second_turn_carries_the_first_answer(record: Callable[..., Any], server: StreamingServer) -> None:
    server.serve(CHAT, whole(answer("first")), whole(answer("second")))
    await record(only="again")
    messages = json.loads(server.requests[-1][2])["messages"]
    assert [(each["role"], each["content"]) for each in messages] == [
        ("user", "one"),
        ("assistant", "first"),
        ("user", "two"),
    ]


async def test_what_was_recorded_is_replayed(
    record: Callable[..., Any], server: StreamingServer, tmp_path: Path, invoke: Invoke
) -> None:
    server.serve(CHAT, whole(answer("a true answer")))
    await record()
    await server.stop()
    from antiphon.cli import assembly
    from antiphon.core.call import Call
    from antiphon.core.settings import load

    backend = assembly.adapter(load(mode="replay", cassettes=tmp_path / "kept"), {})
    try:
        spec = chat_spec(scenario_set(str(tmp_path / "set.yaml")).scenarios[0].steps[0], "mine/small", None)
        completion = await backend.chat(spec, Call())
    finally:
        await backend.close()
    assert completion.replayed
    assert completion.outputs[0].messages[0].parts[0].text.text == "a true answer"


async def test_the_key_is_sent_and_never_kept(
    record: Callable[..., Any], server: StreamingServer, tmp_path: Path
) -> None:
    server.serve(CHAT, whole(answer()))
    await record()
    assert server.requests[0][1]["authorization"] == "Bearer mine-0123456789-secret-key"
    assert "mine-0123456789" not in (tmp_path / "kept/mine/chat.yaml").read_text()


async def test_an_answer_that_echoes_the_key_is_not_kept(
    record: Callable[..., Any], server: StreamingServer, tmp_path: Path
) -> None:
    server.serve(CHAT, whole(answer("your key is mine-0123456789-secret-key")))
    status, told, _ = await record()
    assert status == 1
    assert told["results"][0]["message"].startswith("SECRET_IN_RECORDING")
    assert "mine-0123456789" not in json.dumps(told)
    assert kept(tmp_path) == []


async def test_a_failure_leaves_what_was_there(
    record: Callable[..., Any], server: StreamingServer, tmp_path: Path
) -> None:
    server.serve(CHAT, whole(answer("good")))
    await record()
    before = (tmp_path / "kept/mine/chat.yaml").read_bytes()
    server.serve(CHAT, whole({"error": {"message": "broken"}}, "500 Internal Server Error"))
    status, told, _ = await record("--retries", "0")
    assert (status, told["results"][0]["state"], told["results"][0]["cassette"]) == (1, "failed", "")
    assert (tmp_path / "kept/mine/chat.yaml").read_bytes() == before


async def test_a_failure_is_kept_where_that_is_asked_for(
    record: Callable[..., Any], server: StreamingServer, tmp_path: Path
) -> None:
    server.serve(CHAT, whole({"error": {"message": "broken"}}, "500 Internal Server Error"))
    status, _, _ = await record("--retries", "0", "--keep-failed")
    assert status == 1
    assert Library(tmp_path / "kept").find("mine/chat")[0].interaction.answer.status == 500


async def test_a_busy_provider_is_asked_again_and_only_the_answer_kept(
    record: Callable[..., Any], server: StreamingServer, tmp_path: Path
) -> None:
    server.serve(CHAT, BUSY, BUSY, whole(answer()))
    status, told, _ = await record()
    assert status == 0
    assert len(server.requests) == 3
    assert told["calls"] == 3
    assert [item.interaction.answer.status for item in Library(tmp_path / "kept").read().items] == [200]


async def test_an_error_that_is_expected_is_what_is_recorded(
    record: Callable[..., Any], server: StreamingServer, tmp_path: Path
) -> None:
    server.serve(CHAT, NOT_FOUND)
    status, told, _ = await record(only="lost")
    assert (status, told["results"][0]["state"]) == (0, "recorded")
    assert json.loads(server.requests[0][2])["model"] == "none"
    server.serve(CHAT, whole(answer()))
    status, told, _ = await record(only="lost")
    assert (status, told["results"][0]["state"]) == (1, "failed")
    assert "had to fail with MODEL_NOT_FOUND" in told["results"][0]["message"]
    assert Library(tmp_path / "kept").find("mine/lost")[0].interaction.answer.status == 404


async def test_recording_again_replaces_the_scenario_and_nothing_else(
    record: Callable[..., Any], server: StreamingServer, tmp_path: Path
) -> None:
    server.serve(CHAT, whole(answer("old")))
    await record(only="chat again")
    (tmp_path / "set.yaml").write_text(
        SET.replace("{user: hi}], max_output_tokens: 10}}]}\n  stream", "{user: new}]}}]}\n  stream")
    )
    server.serve(CHAT, whole(answer("new")))
    await record(only="chat")
    (item,) = Library(tmp_path / "kept").find("mine/chat")
    assert b'"new"' in item.interaction.request.body
    assert kept(tmp_path) == ["mine/again#0", "mine/again#1", "mine/chat#0"]


async def test_vectors_need_a_model_that_is_named(
    record: Callable[..., Any], server: StreamingServer, tmp_path: Path
) -> None:
    server.serve(
        "/v1/embeddings",
        whole(
            {
                "object": "list",
                "data": [{"object": "embedding", "index": 0, "embedding": [1.0]}],
                "model": "vec-1",
                "usage": {"prompt_tokens": 1, "total_tokens": 1},
            }
        ),
    )
    status, told, _ = await record(only="vectors")
    assert (status, told["calls"]) == (1, 0)
    assert "--model embeddings=mine/MODEL" in told["results"][0]["message"]
    status, told, _ = await record("--model", "embeddings=mine/vec", only="vectors")
    assert status == 0
    assert json.loads(server.requests[0][2])["model"] == "vec"


async def test_the_list_of_models_is_a_scenario_too(
    record: Callable[..., Any], server: StreamingServer, tmp_path: Path
) -> None:
    server.serve(
        "/v1/models",
        whole({"object": "list", "data": [{"id": "small", "object": "model", "created": 1, "owned_by": "me"}]}),
    )
    status, told, _ = await record(only="list")
    assert (status, told["results"][0]["state"]) == (0, "recorded")
    assert kept(tmp_path) == ["mine/list#0"]


async def test_the_cost_is_tokens_times_a_price_that_was_stated(
    record: Callable[..., Any], server: StreamingServer
) -> None:
    server.serve(CHAT, whole(answer()))
    _, told, _ = await record("--price", "mine/small=10/100")
    assert (told["cost_usd"], told["calls_of_unknown_cost"]) == ("0.002", 0)  # 100 * 10e-6 + 10 * 100e-6


async def test_an_unknown_cost_is_counted_and_never_nothing(
    record: Callable[..., Any], server: StreamingServer
) -> None:
    server.serve(CHAT, whole(answer()))
    _, told, _ = await record(only="chat again")
    assert (told["calls"], told["calls_of_unknown_cost"]) == (3, 3)
    assert [each["cost_usd"] for each in told["results"]] == [None, None]


async def test_the_limit_stops_before_the_next_call(
    record: Callable[..., Any], server: StreamingServer, tmp_path: Path
) -> None:
    server.serve(CHAT, whole(answer()))
    server.serve("/v1/models", whole({"object": "list", "data": []}))
    status, told, _ = await record("--price", "mine/small=10/100", "--limit", "0.003", only="chat again")
    assert status == 5
    assert [path for path, _, _ in server.requests] == ["/v1/models", CHAT]
    assert [each["state"] for each in told["results"]] == ["recorded", "stopped"]
    assert kept(tmp_path) == ["mine/chat#0"]


async def test_a_limit_that_cannot_be_kept_stops_too(record: Callable[..., Any], server: StreamingServer) -> None:
    server.serve(CHAT, whole(answer()))
    server.serve("/v1/models", whole({"object": "list", "data": []}))
    status, told, _ = await record("--limit", "1", only="chat again")
    chats = [path for path, _, _ in server.requests if path == CHAT]
    assert (status, len(chats)) == (5, 1)
    assert "--allow-unknown-cost" in told["results"][1]["message"]
    status, _, _ = await record("--limit", "1", "--allow-unknown-cost", only="chat again")
    assert status == 0


async def test_a_price_that_the_provider_lists_is_used_and_the_list_not_recorded(
    record: Callable[..., Any], server: StreamingServer, tmp_path: Path
) -> None:
    listed = {"id": "small", "object": "model", "pricing": {"prompt": "0.00001", "completion": "0.0001"}}
    server.serve("/v1/models", whole({"object": "list", "data": [listed]}))
    server.serve(CHAT, whole(answer()))
    _, told, _ = await record("--limit", "1")
    assert told["cost_usd"] == "0.002"
    assert kept(tmp_path) == ["mine/chat#0"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--limit", "much"], "--limit"),
        (["--limit", "-1"], "--limit"),
        (["--price", "small=1/2"], "--price"),
        (["--price", "mine/small=1"], "--price"),
        (["--price", "mine/small=NaN/1"], "--price"),
        (["--model", "small"], "--model"),
        (["--only", "nothing"], "no scenario 'nothing'"),
        (["--provider", "nobody"], "'nobody' is not known"),
    ],
)
async def test_a_wrong_option_is_named_before_any_call(
    record: Callable[..., Any], server: StreamingServer, options: list[str], said: str
) -> None:
    status, told, _ = await record(*options)
    assert status == 2
    assert said in told["error"]["message"]
    assert server.requests == []


async def test_a_missing_key_ends_with_its_own_status(
    record: Callable[..., Any], server: StreamingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MINE_KEY")
    status, told, _ = await record()
    assert (status, told["error"]["reason"]) == (4, "CREDENTIALS_MISSING")
    assert "MINE_KEY" in told["error"]["message"]


async def test_ctrl_c_keeps_the_scenarios_that_were_whole_and_no_half_one(
    record: Callable[..., Any],
    server: StreamingServer,
    tmp_path: Path,
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    server.serve(CHAT, whole(answer()), whole(answer("first turn")), Reply(steps=[b" "], headers=JSON, end="hang"))
    arguments = ["record", str(tmp_path / "set.yaml"), "--provider", "mine", "--cassettes", str(tmp_path / "kept")]
    process = start(*arguments, "--only", "chat", "--only", "again")

    async def third() -> None:
        while len(server.requests) < 3:
            await asyncio.sleep(0.02)

    await asyncio.wait_for(third(), 30)
    process.send_signal(signal.SIGINT)
    _, stderr = await asyncio.to_thread(process.communicate, timeout=20)
    assert process.returncode == 130, stderr
    assert kept(tmp_path) == ["mine/chat#0"]
    assert "Traceback" not in stderr


@pytest.mark.parametrize("row", BUILT_IN, ids=lambda row: row.name)
def test_every_provider_can_be_asked_the_standard_set_or_says_what_it_has_no_words_for(row: Provider) -> None:
    wire, embeddings = chat_wire(row), embeddings_wire(row)
    said: list[Reason | None] = []
    for scenario in scenario_set(STANDARD).scenarios:
        step = scenario.steps[0]
        try:
            if step.kind in ("chat", "stream"):
                wire.encode_request(chat_spec(step, "m", None), stream=step.kind == "stream")
            elif step.kind == "embed" and embeddings is not None and row.name != "bedrock":  # goes by the model's name
                embeddings.encode_request(embed_request(step, "m"))
        except ServiceError as error:
            said.append(error.reason)
        else:
            said.append(None)
    assert set(said) <= {None, Reason.UNSUPPORTED_PARAMETER, Reason.UNSUPPORTED_OPERATION}
    assert said.count(None) >= 12


def test_a_dry_run_lists_and_calls_nobody(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("record", "--provider", "openai", "--dry-run", "--cassettes", str(tmp_path / "none"))
    assert result.exit_code == 0
    assert "json-schema" in result.stdout
    assert not (tmp_path / "none").exists()


def test_every_scenario_of_the_standard_set_is_one_of_the_contract() -> None:
    whole_set = scenario_set(STANDARD)
    asked = chat_pb2.Completion()
    output = asked.outputs.add()
    call = output.messages.add(role=content_pb2.ROLE_ASSISTANT).parts.add().tool_call
    call.call_id, call.name, call.arguments_json = "c1", "get_weather", "{}"
    for scenario in whole_set.scenarios:
        assert scenario.about, scenario.name
        turn: Turn | None = None
        for step in scenario.steps:
            if step.kind == "embed":
                assert embed_request(step, "p/m").inputs
            elif step.kind != "models":
                spec = chat_spec(step, "p/m", turn)
                assert spec.messages, scenario.name
                assert spec.HasField("max_output_tokens"), f"{scenario.name}: unbounded, so of any cost"
                turn = Turn(spec=spec, completion=asked)
    names = {scenario.name for scenario in whole_set.scenarios}
    assert {"chat", "stream", "tools", "vision", "json-schema", "embeddings", "reasoning", "models"} <= names
    assert any(scenario.expect for scenario in whole_set.scenarios)


def test_a_step_that_is_no_request_is_named() -> None:
    with pytest.raises(ScenarioError, match="no ChatSpec"):
        chat_spec(Step(kind="chat", ask={"mesages": []}), "p/m", None)
    with pytest.raises(ScenarioError, match="called no tool"):
        turn = Turn(spec=chat_pb2.ChatSpec(), completion=chat_pb2.Completion())
        chat_spec(Step(kind="chat", then={"tool_results": {"a": "b"}}), "p/m", turn)


def test_json_texts_may_be_written_as_yaml() -> None:
    ask = {"tools": [{"function": {"name": "f", "parameters_schema_json": {"type": "object"}}}]}
    spec = chat_spec(Step(kind="chat", ask=ask), "p/m", None)
    assert spec.tools[0].function.parameters_schema_json == '{"type": "object"}'


def test_a_cost_is_the_providers_own_word_before_any_price() -> None:
    usage = usage_pb2.Usage(input_tokens=1_000_000, output_tokens=0)
    assert cost_of(usage, None) is None
    assert cost_of(usage, price("0.15", "0.60")) == Decimal("0.15")
    usage.costs.add(meter="total", usd="0.07")
    assert cost_of(usage, price("0.15", "0.60")) == Decimal("0.07")
    assert cost_of(usage_pb2.Usage(), price("1", "1")) is None, "no tokens told are not no tokens"


def test_cached_tokens_cost_what_they_cost() -> None:
    model = models_pb2.Model()
    for meter, nanos in (("input", 1_000_000_000), ("output", 2_000_000_000), ("cache_read", 100_000_000)):
        model.prices.add(meter=meter, usd_nanos_per_million=nanos)
    prices = prices_of(model)
    usage = usage_pb2.Usage(input_tokens=1_000_000, output_tokens=1_000_000, cache_read_tokens=500_000)
    assert cost_of(usage, prices) == Decimal("2.55")
    usage.cache_write_tokens = 1
    assert cost_of(usage, prices) is None, "what writing costs is not known"
    assert prices_of(models_pb2.Model()) is None


def test_the_worst_case_counts_a_token_a_byte() -> None:
    assert worst_of(price("1", "10"), 1_000_000, 100_000) == Decimal(2)
    assert worst_of(price("1", "10"), 1_000_000, None) is None
    assert worst_of(None, 1, 1) is None


def test_a_ledger_tells_what_it_does_not_know() -> None:
    ledger = Ledger()
    ledger.book(Decimal("0.50"))
    ledger.book(None)
    assert ledger.said() == "$0.5, and 1 of 2 calls of unknown cost"
    assert ledger.refusal() == "", "without a limit nothing is refused"
    assert spending.dollars(Decimal("10")) == "10"
