"""Where a tool call begins in text that arrives in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.inference.prompted.detect import Detector

NAMES = ("getWeather", "getNickname")

CALLS = {
    "tag": ("", '<tool_call>\n{"name": "getWeather", "arguments": {}}', "getWeather"),
    "old tag": ("", '<tools>{"name": "getWeather"', "getWeather"),
    "fence": ("", '```json\n{\n  "name": "getWeather",\n  "arguments": {}}\n```', "getWeather"),
    "plain fence": ("", '```\n[{"name": "getNickname"', "getNickname"),
    "tag in a fence": ("", '```xml\n<tool_call>\n{"name": "getNickname"', "getNickname"),
    "fence in a tag": ("", '<tool_call>\n```json\n{"name": "getNickname"', "getNickname"),
    "array": ("", '[\n {"name": "getWeather"', "getWeather"),
    "bare": ("", '{"name": "getWeather"', "getWeather"),
    "single quotes": ("", "{'name': 'getWeather'", "getWeather"),
    "openai": ("", '{"type": "function", "function": {"name": "getWeather"', "getWeather"),
    "other key": ("", '{"function": "getWeather"', "getWeather"),
    "unknown function": ("", '{"name": "greet", "arguments": {', "greet"),
    "unknown function in a tag": ("", '<tool_call>{"name": "greet"', "greet"),
    "tag without a name": ("", '<tool_call>[{"args": 1', None),
    "after prose": ("Let me look that up.", '\n\n<tool_call>\n{"name": "getWeather"', "getWeather"),
    "in the line": ("Sure:", ' <tool_call>{"name": "getWeather"', "getWeather"),
    "fence after prose": ("好的，我来查一下。", '\n```json\n{"name": "getWeather"', "getWeather"),
    "after a code block": ("```python\nx = 1\n```", '\n```json\n{"name": "getWeather"', "getWeather"),
}

TEXTS = {
    "words": "Hello! How can I help you?\n\nBye. ",
    "json answer": '{"city": "Paris", "name": "getWeather"}',
    "a person": '{"name": "Ann", "age": 5}',
    "a name alone": '{"name": "Ann"}',
    "json fence": 'Here:\n```json\n{"name": "Ann"}\n```\nDone.',
    "list": "[1, 2, 3]",
    "link": "[A link](http://example.com) and <b>bold</b>",
    "python": '```python\nx = [\n{"name": "getWeather"}\n]\n```\n',
    "tag in prose": "Write `<tool_call>` and </tool_call>, or <tool_call> alone.",
    "comparison": "a < b, a <t",
    "mid-line object": 'It returns {"name": "getWeather"} then.',
    "cut off": '{"name": "getWea',
    "blanks": " \n\n ",
    "empty": "",
    "ticks": "``\n`````\n```js\nlet x = {}\n```",
}


def run(pieces: list[str]) -> tuple[str, str | None, str | None]:
    detector = Detector(NAMES)
    free = "".join(detector.feed(piece) for piece in pieces)
    return free + detector.rest(), detector.call, detector.name


@pytest.mark.parametrize("case", CALLS)
def test_calls_are_noticed(case: str) -> None:
    prose, call, name = CALLS[case]
    assert run([prose + call + "…"]) == (prose, call.lstrip() + "…", name)


@pytest.mark.parametrize("case", TEXTS)
def test_text_is_let_through_whole(case: str) -> None:
    assert run([TEXTS[case]]) == (TEXTS[case], None, None)


SAMPLES = [prose + call for prose, call, _ in CALLS.values()] + list(TEXTS.values())


@given(st.one_of(st.sampled_from(SAMPLES), st.text("{[<`\n \"',:namegtWhrujsofcl_->", max_size=40)), st.data())
def test_the_cutting_does_not_matter(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert run(pieces) == run([text])


@given(
    st.lists(st.sampled_from(["<tool_call>", "```", "json", "{", "[", '"name"', ":", '"getWeather"', "\n", " ", "x"]))
)
def test_one_character_at_a_time(parts: list[str]) -> None:
    text = "".join(parts)
    assert run(list(text)) == run([text])


def test_ordinary_text_is_not_held_back() -> None:
    detector = Detector(NAMES)
    pieces = ["Hello", ",", " world", "!", " 2", " <", " 3"]
    assert [detector.feed(piece) for piece in pieces] == ["Hello", ",", " world", "!", " 2", "", " < 3"]


def test_a_long_text_at_once_and_long_blanks() -> None:
    for text in ("word " * 40_000, " " * 100_000 + "x", "`" * 50_000):
        assert run([text])[0] == text
