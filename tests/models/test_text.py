"""The text contract without Triton: stop strings, chunks, echo, messages, room in the context window."""

from __future__ import annotations

import pytest
from antiphon_models.errors import ContractError
from antiphon_models.stopping import StopScanner
from antiphon_models.text import Chunk, chunks, joined, parse_messages, room_for_answer, wants_echo
from hypothesis import given
from hypothesis import strategies as st

_AB = st.text(alphabet="ab", max_size=30)


@given(st.lists(_AB, max_size=8), st.lists(st.text(alphabet="ab", min_size=1, max_size=4), max_size=3))
def test_however_text_is_cut_the_answer_ends_before_the_first_stop_string(pieces: list[str], stops: list[str]) -> None:
    whole = "".join(pieces)
    ends = []
    for end in range(len(whole) + 1):  # text is seen as it grows: the stop that is complete first wins
        starts = [at for stop in stops if (at := whole[:end].find(stop)) >= 0]
        if starts:
            ends.append(min(starts))
            break
    by_character = StopScanner(stops=tuple(stops))
    sent = ""
    for character in whole:
        text, stopped = by_character.push(character)
        sent += text
        if stopped:
            break
    else:
        sent += by_character.flush()
    assert sent == (whole[: ends[0]] if ends else whole)


def test_a_stop_string_in_pieces_is_never_sent() -> None:
    scanner = StopScanner(stops=("STOP",))
    assert scanner.push("go ST") == ("go ", False)
    assert scanner.push("OP and more") == ("", True)


def test_text_that_only_looked_like_a_stop_string_is_sent_after_all() -> None:
    scanner = StopScanner(stops=("STOP",))
    assert scanner.push("ST") == ("", False)
    assert scanner.push("ART") == ("START", False)
    assert scanner.push("S") == ("", False)
    assert scanner.flush() == "S"


def test_only_the_last_chunk_has_a_finish_reason_and_tokens_are_counted_once() -> None:
    assert list(chunks(["a", "b"], max_tokens=9, stop=())) == [
        Chunk(text="a", output_tokens=1),
        Chunk(text="b", output_tokens=1),
        Chunk(text="", output_tokens=0, finish_reason="stop"),
    ]
    cut = list(chunks(["a", "b", "c"], max_tokens=2, stop=()))
    assert cut[-1] == Chunk(text="b", output_tokens=1, finish_reason="length")
    assert joined(cut) == Chunk(text="ab", output_tokens=2, finish_reason="length")
    assert joined(chunks(["a", "b", "c"], max_tokens=9, stop=("b",))).text == "a"


def test_the_prompt_is_given_back_by_the_rule_of_the_vllm_backend() -> None:
    assert wants_echo(stream=False, exclude_input=None)
    assert wants_echo(stream=False, exclude_input=False)
    assert not wants_echo(stream=False, exclude_input=True)
    assert not wants_echo(stream=True, exclude_input=None)
    with pytest.raises(ContractError, match="exclude_input_in_output must be true"):
        wants_echo(stream=True, exclude_input=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "at least one message"),
        ('[{"role": "user"}]', r"messages\[0\] must be an object with 'role' and 'content'"),
    ],
)
def test_messages_that_are_none_are_refused(text: str, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        parse_messages(text)


def test_prompt_and_answer_share_the_context_window() -> None:
    assert room_for_answer(prompt_tokens=90, max_tokens=50, context_window=100) == 10
    assert room_for_answer(prompt_tokens=10, max_tokens=50, context_window=100) == 50
    with pytest.raises(ContractError, match="the prompt has 100 tokens, and the model's context window of 100"):
        room_for_answer(prompt_tokens=100, max_tokens=1, context_window=100)
