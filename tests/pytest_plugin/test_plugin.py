"""The plugin as a newcomer meets it: a project, a cassette, and `pytest`."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from antiphon.pytest_plugin.naming import cassette_of
from tests.pytest_plugin.project import Project, Ran, completion, new_project

GREETS = """
    from asking import ask

    def test_greets(antiphon):
        assert ask("Hello.") == "Good day."
    """


class Provider(BaseHTTPRequestHandler):
    """A provider that answers each call with the number of calls so far."""

    calls = 0

    def do_POST(self) -> None:
        type(self).calls += 1
        body = json.dumps(completion(f"answer {type(self).calls}")).encode()
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        pass


@pytest.fixture
def provider() -> Iterator[str]:
    Provider.calls = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One strict run of all that is to pass: each process of pytest takes seconds to start."""
    project = new_project(tmp_path_factory.mktemp("project"))
    project.author("test_a/test_greets", ("Hello.", "Good day."))
    project.author("test_a/test_retries", ("Hello.", "Good day."))
    project.author("shared/twice", ("Hello.", "one"), ("Hello.", "two"))
    project.author_stream("test_a/test_streams", "Sing.", "la ", "la ", "la")
    project.write(
        "tests/test_a.py",
        """
        import socket

        import openai
        import pytest
        from asking import ask

        def test_greets(antiphon):
            with openai.OpenAI() as client:
                answer = client.chat.completions.create(
                    model="tiny-1", messages=[{"role": "user", "content": "Hello."}]
                )
            assert answer.choices[0].message.content == "Good day."

        @pytest.mark.cassette("shared/twice")
        @pytest.mark.parametrize("time", ["first", "second"])
        def test_marked(time):
            assert [ask("Hello."), ask("Hello.")] == ["one", "two"]

        @pytest.mark.cassette("shared/twice")
        class TestClass:
            def test_marked(self):
                assert [ask("Hello."), ask("Hello.")] == ["one", "two"]

        async def test_streams(antiphon):
            async with openai.AsyncOpenAI(base_url=antiphon.base_url("openai"), api_key="any") as client:
                stream = await client.chat.completions.create(
                    model="tiny-1", messages=[{"role": "user", "content": "Sing."}], stream=True
                )
                assert [chunk.choices[0].delta.content async for chunk in stream] == ["la ", "la ", "la"]

        def test_retries(antiphon):
            antiphon.faults.set(antiphon.session, "429;times=1;retry-after=0")
            with openai.OpenAI(max_retries=2) as client:
                answer = client.chat.completions.create(
                    model="tiny-1", messages=[{"role": "user", "content": "Hello."}]
                )
            assert answer.choices[0].message.content == "Good day."
            assert len(antiphon.requests) == 2

        def test_strays(antiphon):
            with pytest.raises(RuntimeError, match="base_url") as blocked:
                socket.create_connection(("192.0.2.1", 443), timeout=1)
            assert "192.0.2.1" in str(blocked.value)
            with pytest.raises(RuntimeError, match="api.openai.com"):
                socket.getaddrinfo("api.openai.com", 443)

        @pytest.mark.cassette(allow_hosts=["192.0.2.1"])
        def test_may():
            with socket.socket() as sock, pytest.raises(OSError):
                sock.settimeout(0.001)
                sock.connect(("192.0.2.1", 443))

        def test_without():
            assert "connect" not in vars(socket.socket)
        """,
    )
    return project.run(
        *("-rA", "--strict-markers", "--antiphon-strict", "-p", "pytest_asyncio.plugin"),
        *("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"),
    )


@pytest.mark.parametrize(
    "test",
    [
        pytest.param("test_greets", id="an SDK is answered from the cassette named after the test"),
        pytest.param("test_marked[first]", id="the mark alone is enough"),
        pytest.param("test_marked[second]", id="each test hears a shared cassette from its beginning"),
        pytest.param("TestClass::test_marked", id="a class may be marked"),
        pytest.param("test_streams", id="asynchronous tests stream"),
        pytest.param("test_retries", id="faults and captured requests are at hand"),
        pytest.param("test_strays", id="another machine is out of reach, and the error says what to do"),
        pytest.param("test_may", id="a host may be allowed"),
        pytest.param("test_without", id="without the fixture sockets are as they were"),
    ],
)
def test_in_a_newcomers_project(ran: Ran, test: str) -> None:
    assert ran.of(f"::{test}") == "PASSED", ran.output


def test_nothing_is_told_where_there_is_nothing_to_tell(ran: Ran) -> None:
    assert ran.outcome() == {"passed": 9}, ran.output
    assert "- antiphon -" not in ran.output


def test_missing_and_unused_recordings_are_told_and_fail_a_strict_run(project: Project) -> None:
    project.author("test_a/test_greets", ("Good evening.", "Good day."))
    project.author("test_a/test_more", ("Hello.", "Good day."), ("Bye.", "So long."))
    project.write("tests/test_a.py", GREETS + GREETS.replace("test_greets", "test_more"))
    told = project.run()
    assert told.outcome() == {"failed": 1, "passed": 1}, told.output
    assert "tests/test_a.py::test_greets: missing: POST api.openai.com/v1/chat/completions" in told.output
    assert "messages[0].content" in told.output
    assert "tests/test_a.py::test_more: unused: test_a/test_more.yaml #1" in told.output
    assert "recordings: 1 missing, 2 unused" in told.output
    assert "--antiphon-mode=record-on-miss" in told.output
    strict = project.run("--antiphon-strict")
    assert strict.outcome() == {"failed": 1, "passed": 1, "error": 2}, strict.output
    assert strict.status == 1


def test_what_is_missing_is_recorded_once_and_then_replayed(project: Project, provider: str) -> None:
    project.write("pytest.ini", f"[pytest]\nantiphon_upstreams = openai={provider}\n")
    project.write("tests/test_a.py", GREETS.replace("Good day.", "answer 1"))
    key = "sk-live-0123456789abcdefghijkl"
    first = project.run("--antiphon-mode=record-on-miss", environment={"OPENAI_API_KEY": key})
    assert first.outcome() == {"passed": 1}, first.output
    assert "1 recorded" in first.output
    text = (project.cassettes / "test_a" / "test_greets.yaml").read_text()
    assert key not in text
    again = project.run("--antiphon-strict")
    assert again.outcome() == {"passed": 1}, again.output
    assert Provider.calls == 1


def test_tests_in_several_processes_share_nothing_and_all_are_told_of(project: Project, provider: str) -> None:
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    project.write("pytest.ini", f"[pytest]\nantiphon_upstreams = openai={provider}\n")
    project.write(
        "tests/test_a.py",
        """
        import pytest
        from asking import ask

        @pytest.mark.parametrize("number", range(4))
        def test_greets(antiphon, number):
            assert ask(f"Hello {number}.").startswith("answer ")
        """,
    )
    recorded = project.run(
        "-p", "xdist.plugin", "-n", "2", "--antiphon-mode=record", environment={"OPENAI_API_KEY": "any-key"}
    )
    assert recorded.outcome() == {"passed": 4}, recorded.output
    assert "4 recorded" in recorded.output
    assert len(list(project.cassettes.rglob("*.yaml"))) == 4
    project.write("tests/test_b.py", GREETS)
    replayed = project.run("-p", "xdist.plugin", "-n", "2")
    assert replayed.outcome() == {"failed": 1, "passed": 4}, replayed.output
    assert "tests/test_b.py::test_greets: missing:" in replayed.output
    assert Provider.calls == 4


def test_grpc_answers_from_the_same_cassette_where_the_services_are_installed(project: Project) -> None:
    project.author("test_a/test_chats", ("Hello.", "Good day."))
    project.write(
        "tests/test_a.py",
        """
        import grpc
        from antiphon.v1 import chat_pb2, chat_pb2_grpc, content_pb2

        def test_chats(antiphon):
            spec = chat_pb2.ChatSpec(model="openai/tiny-1")
            spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = "Hello."
            with grpc.insecure_channel(antiphon.grpc_address) as channel:
                answer = chat_pb2_grpc.ChatServiceStub(channel).Chat(chat_pb2.ChatRequest(spec=spec), timeout=30)
            assert answer.completion.outputs[0].messages[0].parts[0].text.text == "Good day."
        """,
    )
    ran = project.run("--antiphon-strict")
    assert ran.outcome() == {"passed": 1}, ran.output


def test_a_run_without_the_fixture_imports_nothing_of_the_harness(project: Project) -> None:
    project.write(
        "tests/test_a.py",
        """
        import sys

        def test_plain():
            loaded = {name for name in sys.modules if name.startswith(("antiphon.harness", "httpx", "vcr", "uvicorn"))}
            assert not loaded
        """,
    )
    ran = project.run("--antiphon-strict")
    assert ran.outcome() == {"passed": 1}, ran.output
    assert "antiphon" not in ran.output.split("collected")[1]


def test_a_mark_that_cannot_be_followed_says_why(project: Project) -> None:
    wrong = {'mode="often"': "often", "speed=2": "speed", '"../../up"': "refused", 'chunking="sideways"': "sideways"}
    for number, mark in enumerate(wrong):
        project.write(
            f"tests/test_{number}.py",
            f"""
            import pytest
            from asking import ask

            @pytest.mark.cassette({mark})
            def test_greets(antiphon):
                ask("Hello.")
            """,
        )
    ran = project.run()
    assert sum(ran.outcome().values()) == len(wrong), ran.output
    assert "passed" not in ran.outcome(), ran.output
    assert [says for says in wrong.values() if says not in ran.output] == []


def test_cassette_names_differ_where_tests_do_and_fit_any_folder() -> None:
    nodes = [
        "tests/api/test_chat.py::test_a",
        "tests/api/test_chat.py::TestX::test_a",
        "tests/api/test_chat.py::test_a[ä]",
        "tests/api/test_chat.py::test_a[ö]",
        "tests/api/test_chat.py::test_a[../../x]",
        "tests/a/b/c/d/e/test_chat.py::test_a",
        "test_chat.py::test_a",
        f"tests/test_chat.py::test_a[{'x' * 300}]",
    ]
    names = [cassette_of(node) for node in nodes]
    assert names[:2] == ["api/test_chat/test_a", "api/test_chat/TestX.test_a"]
    assert len(set(names)) == len(nodes)
    assert all(name.count("/") <= 3 and ".." not in name and name.isascii() for name in names)


def test_the_guard_leaves_sockets_as_they_were() -> None:
    from antiphon.pytest_plugin.network import Guard, loopback_only

    before = dict(vars(socket.socket))
    look_up = socket.getaddrinfo
    with loopback_only(Guard((), "")):
        assert socket.getaddrinfo is not look_up
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
            pass
    assert dict(vars(socket.socket)) == before
    assert socket.getaddrinfo is look_up
