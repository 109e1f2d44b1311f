"""What an assistant needs that makes GPTs in conversation."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from retinue.gpts.builder import definition
from retinue.wire.gpts import Capability, Category

from ..harness import Api, Json

MADE: Json = {
    "name": "Game Time",
    "description": "Explains rules.",
    "category": "games",
    "instructions": "You are Game Time. " + "You explain the rules of card games step by step. " * 3,
    "conversation_starters": ["How do I play Whist?", "Who begins?", "What is a trump?"],
}


async def builder(api: Api, language: str = "en") -> Json:
    return await api.call("GET", f"/gpts/builder?language={language}", extension=True)


def functions(found: Json) -> dict[str, Any]:
    return {one["function"]["name"]: one["function"]["parameters"] for one in found["tools"]}


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_an_assistant_can_be_made_of_it(api: Api, language: str) -> None:
    found = await builder(api, language)
    assert (found["object"], found["language"], found["image_model"]) == ("gpt.builder", language, None)
    made = await api.post(
        "/assistants",
        {"model": "default", "name": found["name"], "instructions": found["instructions"], "tools": found["tools"]},
    )
    others = ["add_action", "use_actions", "forget_files"]
    assert [tool["function"]["name"] for tool in made["tools"]] == [found["first"], found["then"], *others]
    assert "{draft}" in found["draft_note"]
    assert "{operations}" in found["action_note"]
    assert (found["led"], "{changed}" in found["done_note"], "{manner}" in found["instructions"]) == (
        False,
        True,
        False,
    )
    assert found["questions"][-1]["unless"] is None
    assert all(set(one["question"]) & {"?", "？"} for one in found["questions"])


@pytest.mark.model_settings(tools="prompted")
async def test_a_model_that_is_led_is_told_what_to_ask(api: Api) -> None:
    found = await builder(api)
    assert found["led"]
    assert all(mark in found["done_note"] for mark in ("{changed}", "{question}"))


async def test_what_its_functions_take_the_api_takes(api: Api) -> None:
    known = functions(await builder(api))
    Draft202012Validator.check_schema(known["create_gpt"])
    Draft202012Validator(known["create_gpt"]).validate(MADE)
    gpt = await api.call("POST", "/gpts", MADE, extension=True)
    changes = {"capabilities": ["code_interpreter"], "name": "Trick"}
    Draft202012Validator(known["update_gpt"]).validate(changes)
    changed = await api.call("POST", f"/gpts/{gpt['id']}", changes, extension=True)
    assert (changed["draft"]["name"], changed["draft"]["instructions"]) == ("Trick", MADE["instructions"])
    # They are what the API has, not a copy that grows old.
    fields = known["update_gpt"]["properties"]
    assert fields["category"]["enum"] == list(get_args(Category))
    assert fields["capabilities"]["items"]["enum"] == list(get_args(Capability))
    assert known["update_gpt"]["required"] == []
    # Capabilities are for those who ask for them.
    assert known["create_gpt"]["properties"].keys() - set(known["create_gpt"]["required"]) == {"capabilities"}


def test_pictures_are_drawn_only_where_a_model_draws() -> None:
    assert "draw_picture" not in {tool.function.name for tool in definition("en").tools}
    drawing = definition("zh", "painter")
    assert drawing.image_model == "painter"
    assert drawing.tools[-1].function.name == "draw_picture"


async def test_words_of_paths_are_no_slugs(api: Api) -> None:
    for slug in ("builder", "templates", "import"):
        assert (await api.refused("POST", "/gpts", {"name": "A", "slug": slug}))["param"] == "slug"
    gpt = await api.call("POST", "/gpts", {"name": "Builder"}, extension=True)
    assert gpt["slug"].startswith("builder-")
    assert (await api.refused("POST", f"/gpts/{gpt['id']}", {"slug": "store"}))["param"] == "slug"


async def test_other_languages_are_refused(api: Api) -> None:
    assert (await api.refused("GET", "/gpts/builder?language=fr"))["param"] == "language"
