"""Validation errors in the API's words."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from retinue.api.validation import translate
from retinue.errors import InvalidRequest
from retinue.wire.assistants import AssistantCreate
from retinue.wire.runs import RunCreate


def refusal(model: type[BaseModel], body: Any) -> InvalidRequest:
    """What a body is told that does not validate."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    errors = [{**error, "loc": ("body", *error["loc"])} for error in caught.value.errors()]
    return translate(errors, body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Missing required parameter: 'model'."),
        ({"model": "m", "x": 1}, "Unknown parameter: 'x'."),
        ({"model": 1}, "Invalid type for 'model': expected a string, but got an integer instead."),
        ({"model": None}, "Invalid type for 'model': expected a string, but got null instead."),
        ({"model": "m", "tools": {}}, "Invalid type for 'tools': expected an array, but got an object instead."),
        (
            {"model": "m", "tools": [{"type": "browser"}]},
            "Invalid value: 'browser'. Supported values are: 'code_interpreter', 'file_search', 'function', "
            "'web_browsing', 'image_generation', 'action', 'mcp'.",
        ),
        ({"model": "m", "tools": [{}]}, "Missing required parameter: 'tools[0].type'."),
        (
            {"model": "m", "name": "x" * 257},
            "Invalid 'name': string too long. Expected a string with maximum length 256, "
            "but got a string with length 257 instead.",
        ),
        (
            {"model": "m", "temperature": 3},
            "Invalid 'temperature': value above maximum. Expected a value <= 2.0, but got 3 instead.",
        ),
    ],
)
def test_messages(body: Any, message: str) -> None:
    assert refusal(AssistantCreate, body).message == message


def test_a_value_of_several_types_names_them_all() -> None:
    body = {"assistant_id": "a", "additional_messages": [{"role": "user", "content": 7}]}
    error = refusal(RunCreate, body)
    assert error.param == "additional_messages[0].content"
    assert error.message.endswith("expected a string or an array, but got an integer instead.")


def test_the_deepest_problem_is_the_one_that_is_told() -> None:
    body = {"assistant_id": "a", "tool_choice": {"type": "function", "function": {"name": 7}}, "stream": "yes"}
    assert refusal(RunCreate, body).param == "tool_choice.function.name"


def test_a_word_among_alternatives_is_told_the_words() -> None:
    error = refusal(RunCreate, {"assistant_id": "a", "tool_choice": "any"})
    assert error.message == "Invalid value: 'any'. Supported values are: 'none', 'auto' or 'required'."


@pytest.mark.parametrize("body", [[], "text", 7, None, True])
def test_a_body_that_is_no_object_has_no_param(body: Any) -> None:
    error = refusal(AssistantCreate, body)
    assert error.param is None
    assert "an object" in error.message


def test_names_in_the_query() -> None:
    error = translate([{"type": "int_parsing", "loc": ("query", "limit"), "input": "x", "msg": ""}], None)
    assert (error.param, error.message) == (
        "limit",
        "Invalid type for 'limit': expected an integer, but got a string instead.",
    )


def test_long_values_are_not_repeated_in_full() -> None:
    body = {"assistant_id": "a", "truncation_strategy": {"type": "x" * 10_000}}
    assert len(refusal(RunCreate, body).message) < 300
