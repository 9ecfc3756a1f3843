"""The pytest plugin: a test asks for `antiphon`, and its LLM calls are answered from a cassette of its own.

    def test_greets(antiphon):
        client = openai.OpenAI()            # base URL and key come from the environment, which the fixture sets
        ...

It stands beside the harness, not in it, because every run of pytest imports it: nothing but pytest is imported here
until a test asks for the fixture, and a run in which none does is left alone.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from antiphon.pytest_plugin.replaying import Antiphon as Antiphon

MARK = "cassette"
MODES = ("replay", "record", "record-on-miss", "live")

_MARK_HELP = (
    "cassette(name=None, *, mode=None, pace=None, chunking=None, fault=None, repeat=None, allow_hosts=()): "
    "answer the test's LLM calls from this cassette, in this way; see the `antiphon` fixture."
)


def __getattr__(name: str) -> Any:
    if name == "Antiphon":
        from antiphon.pytest_plugin.replaying import Antiphon

        return Antiphon
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, all named after us."""
    group = parser.getgroup("antiphon", "recorded LLM traffic")
    group.addoption(
        "--antiphon-mode",
        choices=MODES,
        help="where answers come from: replay (the default) never calls a provider, record-on-miss records what the "
        "cassettes lack, record records anew, live records nothing",
    )
    group.addoption(
        "--antiphon-strict",
        action="store_true",
        default=None,
        help="fail a test that asks for what has no recording, or leaves recordings of its cassette unused",
    )
    parser.addini("antiphon_mode", "the same as --antiphon-mode", default="replay")
    parser.addini("antiphon_strict", "the same as --antiphon-strict", type="bool", default=False)
    parser.addini(
        "antiphon_cassettes",
        "folder of cassettes below the root directory (default: tests/cassettes, or cassettes where there is no tests)",
        default="",
    )
    parser.addini("antiphon_pace", "factor on recorded delays: 1 as recorded, none (default)", default="none")
    parser.addini("antiphon_upstreams", "providers of your own, a line each: NAME=URL", type="linelist", default=[])
    parser.addini(
        "antiphon_environment",
        "whether the fixture points SDKs at itself through OPENAI_BASE_URL and its like",
        type="bool",
        default=True,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", _MARK_HELP)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give the fixture to marked tests that don't ask for it: the mark alone is enough."""
    names = getattr(item, "fixturenames", None)
    if names is not None and "antiphon" not in names and item.get_closest_marker(MARK) is not None:
        names.insert(0, "antiphon")


@pytest.fixture
def antiphon(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Antiphon]:
    """The providers' endpoints on a free port, answering from this test's own cassette in a session of its own."""
    from antiphon.pytest_plugin.replaying import replaying

    with replaying(request, monkeypatch) as running:
        yield running


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the thread that serves, where one was started."""
    from antiphon.pytest_plugin.state import LOOP

    loop = config.stash.get(LOOP, None)
    if loop is not None:
        loop.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell which recordings were missing and which were not used, where there are any."""
    from antiphon.pytest_plugin.state import REPORTS

    if reports := config.stash.get(REPORTS, None):
        from antiphon.pytest_plugin.summary import write

        write(terminalreporter, reports)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object | None) -> None:
    """Take over what a worker of pytest-xdist has to tell."""
    from antiphon.pytest_plugin.state import REPORTS, Told

    told = getattr(node, "workeroutput", {}).get("antiphon", [])
    node.config.stash.setdefault(REPORTS, []).extend(Told(**each) for each in told)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, Any, Any]:
    """As a worker of pytest-xdist, hand over what there is to tell."""
    from antiphon.pytest_plugin.state import REPORTS, plain

    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["antiphon"] = [plain(told) for told in session.config.stash.get(REPORTS, [])]
    return (yield)
