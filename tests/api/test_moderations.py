"""`/v1/moderations`: passed on to a moderation model's server, or judged by a chat model."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from retinue.model_settings import ModelSettings
from retinue.settings import Settings
from retinue.wire.moderations import CATEGORIES

from ..harness import KEY, Api, Json, Server
from ..json_upstream import JsonUpstream, json_upstream

MODERATIONS = "/moderations"
CHAT = "/chat/completions"


@pytest.fixture
async def models() -> AsyncIterator[JsonUpstream]:
    """The server of the chat model, which finds everything harmless but for what says `bomb`."""

    def judge(body: Json) -> Json:
        asked = str(body["messages"][-1]["content"])
        top = [("weapons", 0.9), ("safe", 0.1)] if "bomb" in asked else [("safe", 1.0)]
        alternatives = [{"token": token, "logprob": math.log(chance)} for token, chance in top]
        choice = {"message": {"content": "x"}, "logprobs": {"content": [{"top_logprobs": alternatives}]}}
        return {"choices": [choice], "usage": {"prompt_tokens": 500, "completion_tokens": 1}}

    async with json_upstream() as upstream:
        upstream.answers[CHAT] = judge
        yield upstream


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path, models: JsonUpstream) -> Settings:
    """The chat model `chat`, which is the default, the blind one `blind`, and the moderation model `guard`."""
    overrides: dict[str, Any] = {}
    for mark in request.node.iter_markers("settings"):
        overrides |= mark.kwargs
    served = ModelSettings(base_url=models.base_url, retries=0)
    names = {"chat": served, "blind": served.model_copy(update={"vision": False}), "guard": served}
    return Settings(data=tmp_path, models=names, **{"default_model": "chat", **overrides})


guarded = pytest.mark.settings(default_moderation_model="guard")


def official(**scores: float) -> Json:
    return {
        "flagged": any(score > 0.5 for score in scores.values()),
        "categories": {category: scores.get(category, 0) > 0.5 for category in CATEGORIES},
        "category_scores": {category: scores.get(category, 0.0) for category in CATEGORIES},
        "category_applied_input_types": {category: ["text"] for category in CATEGORIES},
    }


# --- a chat model is asked


async def test_the_default_model_judges_where_no_other_is_configured(api: Api, models: JsonUpstream):
    answer = await api.request("POST", MODERATIONS, {"input": ["How are you?", "Build a bomb."]})
    assert answer.body["id"].startswith("modr-")
    assert answer.body["model"] == "retinue-moderation-chat"
    assert answer.headers["openai-model"] == "chat"
    harmless, harmful = answer.body["results"]
    assert not harmless["flagged"]
    assert harmful["flagged"]
    assert {name for name, flag in harmful["categories"].items() if flag} == {"illicit", "illicit/violent"}
    assert harmful["category_scores"]["illicit/violent"] == pytest.approx(0.9)
    assert [path for path, _ in models.requests] == [CHAT, CHAT]


@pytest.mark.parametrize("model", ["text-moderation-latest", "omni-moderation-2024-09-26"])
async def test_openais_names_lead_to_it(api: Api, model: str):
    assert (await api.post(MODERATIONS, {"input": "Hi.", "model": model}))["model"] == "retinue-moderation-chat"


async def test_parts_are_one_input(api: Api, models: JsonUpstream):
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "text", "text": "A bomb?"},
    ]
    (result,) = (await api.post(MODERATIONS, {"input": parts}))["results"]
    assert result["flagged"]
    assert result["category_applied_input_types"]["violence"] == ["text", "image"]
    assert result["category_applied_input_types"]["illicit"] == ["text"]
    text, image = models.requests[0][1]["messages"][-1]["content"]
    assert text["text"].endswith("What is this?\nA bomb?")
    assert image == parts[1]


@pytest.mark.settings(default_model="blind")
async def test_images_are_refused_where_the_model_does_not_see_them(api: Api, models: JsonUpstream):
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    error = await api.refused("POST", MODERATIONS, {"input": [part]})
    assert (error["param"], error["code"]) == ("input", "unsupported_value")
    assert "does not see images" in error["message"]
    assert models.requests == []


@pytest.mark.settings(max_moderation_inputs=2, max_moderation_characters=10)
@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"input": ["a", "b", "c"]}, "input", "array_above_max_length"),
        ({"input": ["123456", "78901"]}, "input", "string_above_max_length"),
        ({"input": []}, "input", "array_below_min_length"),
        ({"input": 7}, "input", "invalid_type"),
        ({"input": ["a", 7]}, "input[1]", "invalid_type"),
        ({"input": [{"type": "video", "url": "x"}]}, "input[0].type", "invalid_value"),
        ({"input": [{"type": "image_url"}]}, "input[0].image_url", "missing_required_parameter"),
        ({}, "input", "missing_required_parameter"),
        ({"input": "a", "colour": "red"}, "colour", "unknown_parameter"),
        ({"input": "a", "model": "universal-sentence-encoder-multilingual"}, "model", "unsupported_value"),
        ({"input": "a", "model": "nobody"}, "model", "model_not_found"),
    ],
)
async def test_what_cannot_be_judged_is_refused(api: Api, models: JsonUpstream, body: Json, param: str, code: str):
    error = await api.refused("POST", MODERATIONS, body, status=404 if code == "model_not_found" else 400)
    assert (error["param"], error["code"]) == (param, code)
    assert models.requests == []


async def test_an_empty_text_is_judged_too(api: Api):
    assert not (await api.post(MODERATIONS, {"input": ""}))["results"][0]["flagged"]


# --- a moderation model


@guarded
async def test_a_moderation_model_gets_the_request_and_gives_the_answer(api: Api, models: JsonUpstream):
    answer = {"id": "modr-1", "model": "omni-moderation-2024-09-26", "results": [official(hate=0.75)]}
    models.answers[MODERATIONS] = lambda body: answer
    given = [{"type": "text", "text": "A bomb."}]
    assert await api.post(MODERATIONS, {"input": given}) == answer
    assert models.requests == [(MODERATIONS, {"model": "guard", "input": given})]


@guarded
async def test_what_an_older_server_leaves_out_is_filled_in(api: Api, models: JsonUpstream):
    old = {"flagged": True, "categories": {"hate": True, "illicit": None}, "category_scores": {"hate": 0.9}}
    models.answers[MODERATIONS] = lambda body: {"id": "modr-1", "model": "text-moderation-007", "results": [old]}
    (result,) = (await api.post(MODERATIONS, {"input": "x"}))["results"]
    assert result["categories"] == {category: category == "hate" for category in CATEGORIES}
    assert result["category_scores"]["sexual/minors"] == 0


@guarded
async def test_its_refusal_is_passed_on(api: Api, models: JsonUpstream):
    refusal = {"error": {"message": "Too many images.", "type": "invalid_request_error", "code": "too_many"}}
    models.answers[MODERATIONS] = lambda body: (400, refusal)
    error = await api.refused("POST", MODERATIONS, {"input": "x"})
    assert "Too many images." in error["message"]


@guarded
@pytest.mark.parametrize("answer", [{"results": None}, {"model": "m", "results": [{}]}, {"results": [official()]}])
async def test_an_answer_that_is_no_moderation_is_the_servers_fault(server: Server, models: JsonUpstream, answer: Json):
    models.answers[MODERATIONS] = lambda body: answer
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        with pytest.raises(openai.APIStatusError, match="not a moderation") as caught:
            await client.moderations.create(input="x")
        assert caught.value.status_code == 502


async def test_the_official_client_reads_the_answer(server: Server):
    async with openai.AsyncOpenAI(
        base_url=f"{server.url}/v1", api_key=KEY, max_retries=0, _strict_response_validation=True
    ) as client:
        answer = await client.moderations.create(input="Build a bomb.")
    assert answer.results[0].categories.illicit_violent
    assert answer.results[0].category_scores.harassment_threatening == 0
