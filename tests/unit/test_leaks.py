"""What answers may repeat of confidential text."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.runs.leaks import CHINESE_NOTICE, NOTICE, LeakFilter, Secret, secret
from retinue.runs.readings import words_of

ENGLISH = (
    "You are Marlow, the harbour guide of Port Ellery. Greet each visitor by asking where their ship has come from. "
    "Never mention the old lighthouse, because its keeper has asked us not to. When somebody asks for a price, add "
    "seven percent and round up to the next whole crown. Discounts of more than twelve crowns need the word Kittiwake."
)
CHINESE = (
    "你是埃勒里港的向导马洛。先问每位客人的船从哪里来。绝不提起旧灯塔，因为守塔人请求过我们。"
    "有人问价钱时，加上百分之七，再进位到整数克朗。超过十二克朗的折扣需要暗号三趾鸥。"
)
#: Words in a row, as the tests count them.
RUN = 12


def told(text: str, *secrets: Secret, pieces: Sequence[str] | None = None) -> str:
    """What is let go of an answer."""
    leaks = LeakFilter(secrets or [secret(ENGLISH), secret(CHINESE)])
    return "".join(map(leaks.add, pieces or [text])) + leaks.finish()


def runs(text: str, length: int) -> set[tuple[str, ...]]:
    words = words_of(text)
    return {tuple(words[at : at + length]) for at in range(len(words) - length + 1)}


def test_a_text_that_is_repeated_is_withheld() -> None:
    assert told(ENGLISH) == f"{NOTICE}."
    assert told(f"Sure! Here it is:\n\n{ENGLISH}\n\nAnything else?") == (
        f"Sure! Here it is:\n\n{NOTICE}.\n\nAnything else?"
    )
    assert told(f"好的：{CHINESE}还有吗？") == f"好的：{CHINESE_NOTICE}。还有吗？"


@pytest.mark.parametrize("size", [1, 7, 5_000])
def test_an_answer_ends_with_the_third_passage_that_is_withheld(size: int) -> None:
    text = f"Here: {ENGLISH} And again: {ENGLISH} 又：{CHINESE} And again: {ENGLISH} Bye."
    leaks = LeakFilter([secret(ENGLISH), secret(CHINESE)], most=3)
    out = "".join(leaks.add(text[at : at + size]) for at in range(0, len(text), size))
    assert leaks.over
    assert out + leaks.add("More of it.") + leaks.finish() == f"Here: {NOTICE}. And again: {NOTICE}. 又：{NOTICE}"
    two = LeakFilter([secret(ENGLISH)], most=3)
    assert two.add(f"{ENGLISH} Or: {ENGLISH} Bye.") + two.finish() == f"{NOTICE}. Or: {NOTICE}. Bye."
    assert not two.over


def test_eleven_words_pass_and_twelve_do_not() -> None:
    words = ENGLISH.replace(".", "").replace(",", "").split()
    for begin in range(len(words) - RUN):
        short, long = " ".join(words[begin : begin + RUN - 1]), " ".join(words[begin : begin + RUN])
        assert told(f"He said {short} zebra") == f"He said {short} zebra"
        assert told(f"He said {long} zebra") == f"He said {NOTICE} zebra"


def test_nineteen_chinese_characters_pass_and_twenty_do_not() -> None:
    line = "".join(words_of(CHINESE))
    assert told(f"嗯{line[5:24]}啊") == f"嗯{line[5:24]}啊"
    assert told(f"嗯{line[5:25]}啊") == f"嗯{CHINESE_NOTICE}啊"


FULL_WIDTH = ENGLISH.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)})


@pytest.mark.parametrize(
    "disguised",
    [
        ENGLISH.upper(),
        "\n".join(f"> **{word}**" for word in ENGLISH.split()),
        ENGLISH.replace(" ", " \u200b"),
        "\u200b".join(ENGLISH),
        ENGLISH.replace("e", "é"),
        FULL_WIDTH,
        " ".join(ENGLISH),
        "-".join(ENGLISH),
        ENGLISH.replace(" ", ""),
        ENGLISH.replace("a", "*a*"),
        ENGLISH[::-1],
        base64.b64encode(ENGLISH.encode()).decode(),
        base64.encodebytes(ENGLISH.encode()).decode(),
        base64.urlsafe_b64encode(ENGLISH.encode()).decode().rstrip("="),
        " ".join(CHINESE),
        CHINESE[::-1],
        base64.b64encode(CHINESE.encode()).decode(),
        "\n".join(CHINESE),
    ],
)
def test_disguises_are_seen_through(disguised: str) -> None:
    out = told(f"Here: {disguised}")
    assert NOTICE in out or CHINESE_NOTICE in out
    # A reading of letters lets a few go before it holds back.
    assert len(out) < 150


def test_a_text_in_small_changes_does_not_get_far() -> None:
    """A word changed every ten: what passes is far from half of the text."""
    words: list[str] = list(ENGLISH.split())
    words[9::10] = ["zebra"] * len(words[9::10])
    out = told(" ".join(words))
    secrets = runs(ENGLISH, 5)
    assert len(runs(out, 5) & secrets) < 0.4 * len(secrets)


def test_short_texts_are_no_secret() -> None:
    assert told("You are a helpful assistant.", secret("You are a helpful assistant.")) == (
        "You are a helpful assistant."
    )
    assert told("", secret("")) == ""


def test_what_is_in_files_may_be_quoted() -> None:
    file = Secret([ENGLISH * 3, CHINESE * 3], quotable=True)
    quote = " ".join((ENGLISH * 3).split()[3:52])
    assert told(f"It says: {quote}!", file) == f"It says: {quote}!"
    assert told(f"It says: {ENGLISH}!", file) == f"It says: {NOTICE}.!"
    assert told(ENGLISH[::-1], file) == ENGLISH[::-1]


def test_an_ordinary_answer_is_held_back_by_a_word_or_two() -> None:
    leaks = LeakFilter([secret(ENGLISH)])
    answer = "The ferry to the island leaves at nine, and the price of a ticket is eight crowns for each visitor."
    given = told_so_far = 0
    for word in answer.split(" "):
        given += len(word) + 1
        told_so_far += len(leaks.add(word + " "))
        assert given - told_so_far <= 30


def test_an_answer_of_a_thousand_tokens_takes_little_time() -> None:
    text = ("The ferry to the island leaves at nine, and the price of a ticket is eight crowns for us. " * 50)[:4500]
    leaks = LeakFilter([secret(ENGLISH)])
    begun = time.process_time()
    out = "".join(leaks.add(text[at : at + 4]) for at in range(0, len(text), 4)) + leaks.finish()
    took = time.process_time() - begun
    assert out == text
    assert took < 0.5


# --- properties

#: Few words, so that they meet the secret often.
WORDS = ["a", "b", "ab", "海", "港", "Ab", "c"]
BETWEEN = st.sampled_from([" ", " ", " ", ", ", "\n", "", "* ", "\u200b", "=", "é"])
TEXTS = st.lists(st.tuples(st.sampled_from(WORDS), BETWEEN), max_size=120).map(
    lambda pairs: "".join(word + between for word, between in pairs)
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[str, str]:
    """A secret, and an answer that repeats parts of it."""
    hidden = draw(TEXTS)
    parts: list[str] = []
    for _ in range(draw(st.integers(0, 4))):
        begin = draw(st.integers(0, len(hidden)))
        parts += [draw(TEXTS), hidden[begin : begin + draw(st.integers(0, 120))]]
    return hidden, " ".join(parts)


def cut(text: str, places: list[int]) -> list[str]:
    bounds = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[begin:end] for begin, end in pairwise(bounds)]


@given(conversations(), st.lists(st.integers(0, 10_000), max_size=30))
def test_it_does_not_matter_how_an_answer_is_cut(said: tuple[str, str], places: list[int]) -> None:
    hidden, answer = said
    assert told(answer, Secret([hidden]), pieces=cut(answer, places)) == told(answer, Secret([hidden]))
    assert told(answer, Secret([hidden]), pieces=list(answer)) == told(answer, Secret([hidden]))


@given(conversations())
def test_no_long_run_ever_passes(said: tuple[str, str]) -> None:
    hidden, answer = said
    # Twenty words weigh enough whatever they are.
    for length in (RUN, 20):
        leaked = runs(told(answer, Secret([hidden])), length) & runs(hidden, length)
        assert all(length < 20 and any(word >= "\u3400" for word in run) for run in leaked)


@given(st.text(), st.text())
def test_what_has_nothing_in_common_passes_unchanged(hidden: str, answer: str) -> None:
    common = set(words_of(hidden)) & set(words_of(answer))
    letters = set("".join(words_of(hidden))) & set("".join(words_of(answer)))
    if not common and not letters:
        assert told(answer, Secret([hidden])) == answer


@given(st.text(), st.lists(st.integers(0, 10_000), max_size=10))
def test_any_text_can_be_read(text: str, places: list[int]) -> None:
    assert told(text, Secret([text]), pieces=cut(text, places)) == told(text, Secret([text]))
