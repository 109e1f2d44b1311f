"""Calls read from what models write."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.inference.prompted.lenient import NotJson, object_in, read
from retinue.inference.prompted.parse import Call, Malformed, read_calls
from retinue.inference.prompted.schema import arguments_schema

FUNCTIONS = {
    "weather": arguments_schema(
        {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}},
            "required": ["city"],
        }
    ),
    "anything": {"type": "object"},
}
PARIS = Call("weather", '{"city": "Paris"}')

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.booleans())
def test_reads_all_json(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert read(text + " tail") == (value, len(text))


@given(st.text("{}[]\"',:\\u01dTrue \n-.e"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        _, end = read(text)
    except NotJson:
        return
    assert 0 < end <= len(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'a': 'it is', \"b\": True,}", {"a": "it is", "b": True}),
        ('{"a": [1, 2', {"a": [1, 2]}),
        ('{"a": "two\nlines", "b": None}', {"a": "two\nlines", "b": None}),
        ('["\\ud83d\\ude00", "\\ud800"]', ["😀", "\ufffd"]),
    ],
)
def test_repairs(text: str, value: Any) -> None:
    assert read(text)[0] == value


@pytest.mark.parametrize("text", ["", "hello", '{"a"', '{"a" 1}', '"open', "{1: 2}", "[" * 100, "9" * 500])
def test_refuses(text: str) -> None:
    with pytest.raises(NotJson):
        read(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('Well: {"missing": "the check", "done": False', {"missing": "the check", "done": False}),
        ('["all_done"]', {}),
        ("{all done}", {}),
        ("yes", {}),
        ("", {}),
    ],
)
def test_the_object_in_an_answer(text: str, value: Any) -> None:
    assert object_in(text) == value


def test_what_a_limit_cut_off_is_not_closed() -> None:
    with pytest.raises(NotJson):
        read('{"a": [1, 2', cut=True)


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>',
        '```json\n{"name": "weather", "arguments": {"city": "Paris"}}\n```\nThis will show the weather.',
        '[{"name": "weather", "parameters": {"city": "Paris"}}]',
        '{"name": "weather", "arguments": "{\\"city\\": \\"Paris\\"}"}',
        "{'name': 'weather', 'arguments': {'city': 'Paris',},}",
        '{"type": "function", "function": {"name": "weather", "arguments": {"city": "Paris"}}}',
        '{"tool_calls": [{"function": {"name": "weather", "arguments": "{\\"city\\": \\"Paris\\"}"}}]}',
        '<tool_call>{"name": "weather", "arguments": {"city": "Paris"',
        '{"name": "weather", "arguments": {"city": "Paris"}}\n{"name": "weather", "arguments": {"city":"Paris"}}',
    ],
)
def test_one_call_written_in_many_ways(text: str) -> None:
    assert read_calls(text, FUNCTIONS) == [PARIS]


def test_several_calls_and_their_cap() -> None:
    block = '<tool_call>\n{{"name": "weather", "arguments": {{"city": "{}"}}}}\n</tool_call>'
    text = "\n".join(block.format(number) for number in range(30))
    calls = read_calls(text, FUNCTIONS)
    assert [json.loads(call.arguments)["city"] for call in calls] == [str(number) for number in range(16)]


def test_braces_quotes_and_chinese_in_arguments() -> None:
    arguments = {"code": 'f = "}{" # </tool_call> ```', "城市": ["北京", {"a": "\\"}]}
    text = "<tool_call>" + json.dumps({"name": "anything", "arguments": arguments}, ensure_ascii=False)
    [call] = read_calls(text, FUNCTIONS)
    assert json.loads(call.arguments) == arguments
    assert "北京" in call.arguments


def test_a_cut_answer_keeps_its_complete_calls() -> None:
    text = '{"name": "weather", "arguments": {"city": "Paris"}}\n{"name": "weather", "arguments": {"city": "Ber'
    assert read_calls(text, FUNCTIONS, cut=True) == [PARIS]
    with pytest.raises(Malformed):
        read_calls(text, FUNCTIONS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Hello", "no function call"),
        ('{"name": "wether", "arguments": {}}', "functions are: weather, anything"),
        ('{"name": "weather", "arguments": {}}', "city"),
        ('{"name": "weather", "arguments": {"city": "x", "unit": "k"}}', "'k'"),
        ('{"name": "weather", "arguments": {"city": "x", "color": 1}}', "color"),
        ('{"name": "weather", "arguments": [1]}', "object"),
        ('{"name": "weather", "arguments": "Paris"}', "not valid JSON"),
        ('{"name": "anything", "arguments": {"x": 1e999}}', "too large"),
        ('{"name" "weather"}', "colon"),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str) -> None:
    with pytest.raises(Malformed, match=told):
        read_calls(text, FUNCTIONS)
