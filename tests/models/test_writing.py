"""What the Playground has the default model write: what the page does, without the page."""

from __future__ import annotations

import json
import re

import openai
import pytest

from retinue.studio.pages.playground.schemas import check_format, check_function
from retinue.studio.pages.playground.writing import FORMAT, FUNCTION, INSTRUCTIONS, written
from retinue.studio.visitor import Visitor

# Answers of some hundred tokens each, on two cores.
pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]


def visitor(client: openai.AsyncOpenAI) -> Visitor:
    return Visitor(client, "en", {"user": {"id": "user-test"}})


async def test_a_function_from_a_sentence_can_be_saved(client: openai.AsyncOpenAI) -> None:
    who = visitor(client)
    found = await written(who, "default", FUNCTION, "looks up the weather of a city for some days", "")
    value, wrong = check_function(who, set())(json.dumps(found))
    assert value == found, wrong
    assert found["parameters"]["properties"]


async def test_a_format_from_a_sentence_can_be_saved(client: openai.AsyncOpenAI) -> None:
    who = visitor(client)
    found = await written(who, "default", FORMAT, "name, date and total of an invoice", "")
    value, wrong = check_format(who)(json.dumps(found))
    assert value == found, wrong


async def test_instructions_are_in_the_language_of_the_wish(client: openai.AsyncOpenAI) -> None:
    found = await written(visitor(client), "default", INSTRUCTIONS, "回答新同事关于休假规定的问题，语气友好", "")
    assert re.search(r"[\u4e00-\u9fff]", found["instructions"])
