"""The words that a text is found by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.knowledge.words import MOST_QUERY_WORDS, POSTING, postings, query_words, words


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("connections", "It is connected."),
        ("company's", "The companies"),
        ("company’s", "COMPANY"),
        ("ＡＰＩ ｋｅｙ", "api key"),
        ("get user id", "def get_user_id():"),
        ("XJ-4410", "error (XJ-4410)"),
        ("café", "Cafe\u0301"),
        ("résumé", "RÉSUMÉ"),
        ("清华大学", "我来到北京清华大学"),
        ("大学", "我来到北京清华大学"),
        ("萱侬律", "萱侬律是一种药"),
        ("東京大学", "東京大学のキャンパス"),
        ("キャンパス", "東京大学のキャンパス"),
        ("배우", "한국어를 배우다"),
        ("हिन्दी", "यह हिन्दी है।"),
        ("ภาษาไทย", "พูดภาษาไทยได้"),
        ("GPT-4o模型", "新的gpt-4o 模型"),
    ],
)
def test_query_has_words_of_the_text_that_it_asks_for(asked: str, written: str):
    wanted = words(asked)
    assert wanted
    assert set(wanted) <= set(words(written))


@pytest.mark.parametrize("text", ["", " \n\t", "?!…。，", "What is it?", "It's what they'll be", "是什么？"])
def test_stop_words_and_punctuation_are_no_words(text: str):
    assert words(text) == []


def test_words_come_in_order_and_again():
    assert words("Red fox, red fox; blue fox") == ["red", "fox", "red", "fox", "blue", "fox"]


def test_chinese_words_are_found_within_longer_ones():
    assert {"中华", "人民", "共和国", "中华人民共和国"} <= set(words("中华人民共和国"))


def test_characters_that_are_no_word_together_are_pairs_too():
    assert words("萱侬律") == ["萱", "侬", "萱侬", "律", "侬律"]


def test_stop_word_ends_a_row_of_characters():
    assert "萱律" not in words("萱的律")


@given(st.text())
def test_any_text_has_short_words_that_are_utf8(text: str):
    for word in words(text):
        assert 0 < len(word.encode()) <= 1024


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb 中\ud800国", "\x00", "x" * 10_000, "中" * 10_000, "́" * 100])
def test_odd_texts_are_no_trouble(text: str):
    for word in words(text):
        word.encode()
        assert len(word) <= 64


def test_query_words_are_different_and_limited():
    assert query_words("fox red fox") == ["fox", "red"]
    many = " ".join(f"word{number}" for number in range(1_000))
    assert query_words(many) == [f"word{number}" for number in range(MOST_QUERY_WORDS)]


def test_postings_say_where_words_are_and_how_long_chunks_are():
    found, total = postings(["red fox red", "blue", "the fox"], first=7)
    assert {word: np.frombuffer(entries, POSTING).tolist() for word, entries in found.items()} == {
        "red": [(7, 2, 3)],
        "fox": [(7, 1, 3), (9, 1, 1)],
        "blue": [(8, 1, 1)],
    }
    assert total == 5


def test_postings_of_a_chunk_with_too_many_words_stay_in_range():
    found, total = postings(["fox " * 70_000])
    assert np.frombuffer(found["fox"], POSTING).tolist() == [(0, 65_535, 65_535)]
    assert total == 70_000
