"""Judgements by a chat model: from the words that it might say to official categories."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from retinue.errors import ModelError
from retinue.inference.moderation.judge import Content, Judge
from retinue.inference.moderation.words import WORDS, word_of
from retinue.wire.moderations import CATEGORIES, ModerationResult

Json = dict[str, Any]


class Route:
    """Says words with given probabilities, or what a callable says for the message."""

    def __init__(self, *answers: Json) -> None:
        self.answers = list(answers)
        self.asked: list[Json] = []

    async def post(self, path: str, body: Json, caller: str = "") -> Json:
        assert (path, caller) == ("/chat/completions", "p")
        self.asked.append(body)
        return self.answers.pop(0)


def says(*tokens: tuple[str, float], text: str = "") -> Json:
    top = [{"token": token, "logprob": math.log(chance)} for token, chance in tokens]
    logprobs = {"content": [{"top_logprobs": top}]} if tokens else None
    choice = {"message": {"content": text}, "logprobs": logprobs}
    return {"choices": [choice], "usage": {"prompt_tokens": 500, "completion_tokens": 1}}


async def judged(*answers: Json, content: Content | None = None) -> tuple[ModerationResult, Judge, Route]:
    route = Route(*answers)
    judge = Judge(SimpleNamespace(name="m", route=route), "p")  # type: ignore[arg-type]
    return await judge.judge(content or Content(["A message."])), judge, route


def test_words_cover_every_category_and_are_told_apart_by_their_beginnings():
    assert {category for _, categories in WORDS.values() for category in categories} == set(CATEGORIES)
    assert all(word_of(word) == word for word in WORDS)
    assert word_of(" Thr") == "threat"
    assert word_of("insults") == "insult"
    # One letter may be the beginning of anything.
    assert [word_of(token) for token in ("s", "I", "", " ", "Sorry", "。")] == [None] * 6


async def test_harmless_content_is_not_flagged():
    result, judge, route = await judged(says(("safe", 0.6), ("thre", 0.2), ("hello", 0.2)))
    assert not result.flagged
    assert not any(result.categories.values())
    # Of the probability that falls on words, a quarter says `threat`.
    assert result.category_scores["violence"] == pytest.approx(0.25)
    assert result.category_scores["hate"] == 0
    assert judge.usage.prompt_tokens == 500
    assert route.asked[0]["messages"][-1] == {"role": "user", "content": "Message: A message."}
    assert route.asked[0]["max_tokens"] == 1


async def test_harmful_content_is_flagged_in_the_categories_of_its_word():
    result, *_ = await judged(says(("threat", 0.9), ("safe", 0.1)))
    flagged = {category for category, flag in result.categories.items() if flag}
    assert result.flagged
    assert flagged == {"harassment", "harassment/threatening", "violence"}
    assert result.category_scores["harassment/threatening"] == pytest.approx(0.9)
    assert result.category_applied_input_types["violence"] == ["text"]


async def test_content_between_categories_is_flagged_for_the_likeliest():
    result, *_ = await judged(says(("safe", 0.1), ("crime", 0.4), ("bigotry", 0.2), ("erotic", 0.3)))
    assert {category for category, flag in result.categories.items() if flag} == {"illicit"}


async def test_long_content_is_judged_in_pieces_and_by_the_worst_of_them():
    text = "".join(f"{number:05}" for number in range(1600))
    result, judge, route = await judged(
        says(("safe", 1)), says(("weapons", 0.8), ("safe", 0.2)), says(("safe", 1)), content=Content([text])
    )
    assert result.categories["illicit/violent"]
    assert result.category_scores["illicit/violent"] == pytest.approx(0.8)
    assert judge.usage.completion_tokens == 3
    pieces = [body["messages"][-1]["content"].removeprefix("Message: ") for body in route.asked]
    assert pieces[0] + "".join(piece[200:] for piece in pieces[1:]) == text


async def test_images_are_shown_and_judged_in_their_categories():
    content = Content([], ["data:image/png;base64,AAAA"])
    result, _, route = await judged(says(("gore", 1)), content=content)
    shown = route.asked[0]["messages"][-1]["content"][1]
    assert shown == {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert result.category_applied_input_types["violence/graphic"] == ["image"]
    assert result.category_applied_input_types["hate"] == []


async def test_a_server_that_tells_no_probabilities_is_taken_at_its_word():
    result, *_ = await judged(says(text="Insult."))
    assert result.category_scores["harassment"] == 1
    assert result.categories["harassment"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (says(("I", 0.9), ("As", 0.1), text="I"), "cannot judge this content"),
        (says(text=""), "cannot judge this content"),
        ({}, "not a chat completion"),
        ({"choices": []}, "not a chat completion"),
        ({"choices": [{"message": None}]}, "not a chat completion"),
        ({"choices": [{"logprobs": {"content": [{}]}}]}, "not a chat completion"),
        ({"choices": [{"logprobs": {"content": [{"top_logprobs": [{"token": 1}]}]}}]}, "not a chat completion"),
        (says(("safe", 1)) | {"usage": {"prompt_tokens": "x"}}, "not a chat completion"),
    ],
)
async def test_an_answer_without_a_word_is_an_error(answer: Json, message: str):
    with pytest.raises(ModelError, match=message):
        await judged(answer)
