"""`antiphon chat` against a real server."""

from __future__ import annotations

import json
import signal
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from antiphon.core.auth import hash_of
from antiphon.core.errors import FieldViolation, Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2
from tests.cli.backend import Choices, serving, text_completion

Invoke = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]


def test_the_answer_alone_goes_to_standard_output(invoke: Invoke) -> None:
    with serving(Choices()) as server:
        for way in ("--stream", "--no-stream"):
            result = invoke("chat", "test/small", "What", "is", "it?", way, "--server", server)
            assert (result.exit_code, result.stdout) == (0, "A sung response.\n")
            assert "They ask what it is." in result.stderr
            assert "UNSUPPORTED_PARAMETER" in result.stderr
            assert "test/small-1 | 7 in, 5 out tokens | stop" in result.stderr
            assert ("first token" in result.stderr) is (way == "--stream")


def test_the_question_reaches_the_server_as_it_was_asked(invoke: Invoke) -> None:
    choices = Choices()
    with serving(choices) as server:
        arguments = ("--system", "Be brief.", "--max-output-tokens", "9", "--temperature", "0", "--session", "s1")
        result = invoke("chat", "test/small", "a", "b", *arguments, "--replay", "--server", server)
    assert result.exit_code == 0
    (spec,), (call,) = choices.specs, choices.calls
    assert [message.role for message in spec.messages] == [content_pb2.ROLE_SYSTEM, content_pb2.ROLE_USER]
    assert spec.messages[1].parts[0].text.text == "a b"
    assert (spec.max_output_tokens, spec.sampling.HasField("temperature")) == (9, True)
    assert dict(call.metadata) == {"x-antiphon-mode": "replay", "x-antiphon-session": "s1"}
    assert "replayed from a recording" in result.stderr


def test_a_dash_reads_standard_input_byte_for_byte(invoke: Invoke) -> None:
    choices = Choices()
    with serving(choices) as server:
        result = invoke("chat", "test/small", "-", "--server", server, stdin="zwei\nZeilen ü\n")
    assert result.exit_code == 0
    assert choices.specs[0].messages[0].parts[0].text.text == "zwei\nZeilen ü\n"


def test_input_that_is_no_text_is_refused_before_any_call(invoke: Invoke) -> None:
    assert invoke("chat", "test/small", "-", stdin=b"\xff\xfe").exit_code == 2
    assert invoke("chat", "test/small", "-", stdin=" \n").exit_code == 2


def test_an_image_travels_with_its_real_type_whatever_its_name(invoke: Invoke, tmp_path: Path) -> None:
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13))
    choices = Choices()
    with serving(choices) as server:
        given = ("--image", str(picture), "--image", "https://example.com/a.gif")
        assert invoke("chat", "test/small", "What?", *given, "--server", server).exit_code == 0
    first, second, text = choices.specs[0].messages[0].parts
    assert (first.media.media_type, first.media.data) == ("image/png", picture.read_bytes())
    assert second.media.url == "https://example.com/a.gif"
    assert text.text.text == "What?"


def test_a_file_that_is_no_image_is_refused(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("hello")
    for name in ("note", "missing"):
        result = invoke("chat", "test/small", "What?", "--image", str(tmp_path / name))
        assert result.exit_code == 2
        assert "--image" in result.stderr


def test_json_is_the_message_of_the_contract(invoke: Invoke) -> None:
    with serving(Choices()) as server:
        whole = invoke("chat", "test/small", "x", "--json", "--no-stream", "--server", server)
        stream = invoke("chat", "test/small", "x", "--json", "--stream", "--server", server)
    assert json.loads(whole.stdout)["outputs"][0]["finish_reason"] == "FINISH_REASON_STOP"
    assert (whole.stderr, stream.stderr) == ("", "")
    events = [json.loads(line) for line in stream.stdout.splitlines()]
    assert [int(event.get("sequence", 0)) for event in events] == list(range(len(events)))
    assert "started" in events[0]
    assert "completed" in events[-1]


def test_tool_calls_are_shown(invoke: Invoke) -> None:
    completion = text_completion()
    part = completion.outputs[0].messages[0].parts.add()
    part.tool_call.MergeFrom(content_pb2.ToolCall(call_id="c", name="get_weather", arguments_json='{"city":"Paris"}'))
    with serving(Choices(completion=completion)) as server:
        for way in ("--stream", "--no-stream"):
            result = invoke("chat", "test/small", "x", way, "--server", server)
            assert 'tool call get_weather({"city":"Paris"})' in result.stderr
            assert result.stdout == "A sung response.\n"


def test_nothing_that_a_model_writes_outside_the_text_can_steer_the_terminal(invoke: Invoke) -> None:
    completion = text_completion()
    completion.outputs[0].messages[0].parts[0].reasoning.text = "\x1b]0;owned\x07think"
    completion.warnings[0].message = "\x1b[2Jgone"
    with serving(Choices(completion=completion)) as server:
        result = invoke("chat", "test/small", "x", "--server", server)
    assert "\x1b" not in result.stderr
    assert "\x07" not in result.stderr


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.INVALID_REQUEST, 2),
        (Reason.MODEL_NOT_FOUND, 3),
        (Reason.CREDENTIALS_MISSING, 4),
        (Reason.PERMISSION_DENIED, 4),
        (Reason.RATE_LIMIT_EXCEEDED, 5),
        (Reason.OVERLOADED, 6),
        (Reason.DEADLINE_EXCEEDED, 7),
        (Reason.MALFORMED_RESPONSE, 1),
    ],
)
def test_an_error_has_its_own_exit_status_and_says_what_to_do(invoke: Invoke, reason: Reason, status: int) -> None:
    violations = (FieldViolation(field="spec.model", description="is odd"),)
    error = ServiceError(reason, "it went wrong", {"provider": "test"}, retry_after=2.5, violations=violations)
    with serving(Choices(error=error)) as server:
        shown = invoke("chat", "test/small", "x", "--server", server)
        told = invoke("chat", "test/small", "x", "--json", "--server", server)
    assert (shown.exit_code, told.exit_code) == (status, status)
    assert shown.stdout == ""
    for said in (reason.value, "it went wrong", "spec.model", "is odd", "2.5 s", "what to do"):
        assert said in shown.stderr
    body = json.loads(told.stdout)["error"]
    assert (body["reason"], body["code"]) == (reason.value, error.code.name)
    assert body["field_violations"] == [{"field": "spec.model", "description": "is odd"}]
    assert body["retry_after_seconds"] == 2.5
    assert told.stderr == ""


def test_a_stream_that_breaks_shows_what_came_and_then_the_error(invoke: Invoke) -> None:
    error = ServiceError(Reason.OUTCOME_UNKNOWN, "the line broke")
    with serving(Choices(error=error, error_after=7)) as server:
        shown = invoke("chat", "test/small", "x", "--stream", "--server", server)
        told = invoke("chat", "test/small", "x", "--stream", "--json", "--server", server)
    assert shown.exit_code == 6
    assert shown.stderr.index("They ask") < shown.stderr.index("OUTCOME_UNKNOWN")
    assert "after 2 tokens" in shown.stderr
    last = json.loads(told.stdout.splitlines()[-1])
    assert last["error"]["partial"]["output_emitted"] is True


def test_an_unreachable_server_is_said_to_be_one_with_a_way_out(invoke: Invoke) -> None:
    result = invoke("chat", "test/small", "x", "--server", "127.0.0.1:1")
    assert result.exit_code == 6
    assert "antiphon up" in result.stderr


def test_the_deadline_ends_a_silent_call(invoke: Invoke) -> None:
    with serving(Choices(silence=20)) as server:
        assert invoke("chat", "test/small", "x", "--timeout", "0.3", "--server", server).exit_code == 7


def test_the_caller_key_comes_from_the_environment(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Choices(), keys={hash_of("ak-good"): "ann"}) as server:
        monkeypatch.setenv("ANTIPHON_SERVER", server)
        assert invoke("chat", "test/small", "x").exit_code == 4
        monkeypatch.setenv("ANTIPHON_KEY", "ak-good\n")
        assert invoke("chat", "test/small", "x").exit_code == 0
        monkeypatch.setenv("ANTIPHON_KEY", "schlüssel")
        assert invoke("chat", "test/small", "x").exit_code == 4


def test_contradicting_options_are_refused(invoke: Invoke) -> None:
    assert invoke("chat", "test/small", "x", "--replay", "--mode", "live").exit_code == 2
    assert invoke("chat", "test/small", "x", "--session", "schön").exit_code == 2


def test_ctrl_c_cancels_the_call_and_ends_with_130(start: Start) -> None:
    choices = Choices(silence=30)
    with serving(choices) as server:
        process = start("chat", "test/small", "x", "--stream", "--server", server)
        while not choices.calls:
            assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=10)
        assert choices.abandoned.wait(5), "the server was not told"
    assert (process.returncode, stdout) == (130, "")
    assert "Traceback" not in stderr


def test_a_reader_that_leaves_ends_the_command_quietly(start: Start) -> None:
    completion = text_completion("word " * 60_000)
    assert completion.outputs[0].finish_reason == chat_pb2.FINISH_REASON_STOP
    with serving(Choices(completion=completion)) as server:
        process = start("chat", "test/small", "x", "--no-stream", "--server", server)
        assert process.stdout is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr is not None
        stderr = process.stderr.read()
        process.stderr.close()
        assert process.wait(10) == 141
    assert "Traceback" not in stderr
    assert "Exception ignored" not in stderr
