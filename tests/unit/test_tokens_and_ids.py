"""Token estimates and identifiers."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.inference.tokens import estimate_tokens
from retinue.store.ids import new_id


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 1), ("abc", 2), ("abcdef", 3), ("你好", 3), ("你好abc", 4), ("é", 2), ("🌍", 2)]
)
def test_estimates(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


@given(st.text(), st.text())
def test_estimates_are_positive_and_about_additive(first: str, second: str) -> None:
    both = estimate_tokens(first + second)
    assert both >= 1
    assert abs(both - estimate_tokens(first) - estimate_tokens(second)) <= 3


@given(st.text(), st.text(min_size=1))
def test_a_longer_text_has_no_fewer_tokens(text: str, more: str) -> None:
    assert estimate_tokens(text + more) >= estimate_tokens(text) - 1


def test_text_that_is_no_unicode_counts_too() -> None:
    assert estimate_tokens("\ud800") >= 1


@pytest.mark.parametrize(("prefix", "length"), [("asst_", 24), ("sk-retinue-", 48), ("", 1)])
def test_ids_have_their_shape(prefix: str, length: int) -> None:
    assert re.fullmatch(re.escape(prefix) + f"[0-9A-Za-z]{{{length}}}", new_id(prefix, length))


def test_ids_differ_and_use_every_character() -> None:
    ids = [new_id("") for _ in range(2000)]
    assert len(set(ids)) == 2000
    counts = [sum(one.count(character) for one in ids) for character in set("".join(ids))]
    assert len(counts) == 62
    # Of 48,000 characters 750 are to be expected of most, 938 of those that stand for five bytes, give or take 30.
    assert min(counts) > 500
    assert max(counts) < 1200
