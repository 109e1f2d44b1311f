"""Tool calls from a backend that only writes text: which passes are made, and what comes out."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.errors import ContextOverflow, InvalidRequest, ModelError
from retinue.inference.chat import ChatEvent, ChatRequest, Finished, TextDelta, ToolCallDelta, Usage
from retinue.inference.prompted import PromptedTools


def tool(name: str, *required: str) -> dict[str, Any]:
    properties = {key: {"type": "string"} for key in ("city", "unit")}
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TOOLS = [tool("weather", "city"), tool("nickname", "city"), tool("now")]
HI = [{"role": "user", "content": "Hi"}]


def block(name: str, **arguments: str) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


class Model:
    """Answers each pass with the next text (or pieces of it, or an error); remembers what it was asked."""

    def __init__(self, *answers: str | list[str] | Exception, reason: Any = "stop") -> None:
        self.answers = list(answers)
        self.reason = reason
        self.requests: list[ChatRequest] = []
        self.open = 0

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        assert not self.open, "two passes at once"
        self.requests.append(request)
        answer = self.answers.pop(0)
        self.open += 1
        try:
            if isinstance(answer, Exception):
                raise answer
            for piece in re.findall(r"\s*\S+|\s+", answer) if isinstance(answer, str) else answer:
                yield TextDelta(piece)
            yield Finished(self.reason, Usage(100, len(self.requests)))
        finally:
            self.open -= 1

    @property
    def grammars(self) -> list[str | None]:
        """The kind of grammar of each pass."""
        texts = [request.extra.get("grammar") for request in self.requests]
        return [text and ("calls" if "call:" in text else "words") for text in texts]

    @property
    def told(self) -> str:
        """The end of the last prompt."""
        return str(self.requests[-1].messages[-1]["content"])


async def ask(
    model: Model, messages: list[dict[str, Any]] = HI, *, grammar: bool = True, tools: Any = TOOLS, **fields: Any
) -> tuple[str, list[tuple[str, dict[str, Any]]], Finished]:
    """The text, the calls and the end of an answer, which must be well formed."""
    text, names, arguments, ends = "", {}, {}, []
    async for event in PromptedTools(model, grammar).stream(ChatRequest(messages, tools, **fields)):
        assert not ends
        if isinstance(event, TextDelta):
            assert event.text
            text += event.text
        elif isinstance(event, Finished):
            ends.append(event)
        else:
            if event.index not in names:
                assert re.fullmatch("call_[0-9A-Za-z]{24}", event.id or "")
                names[event.index] = event.name
            arguments[event.index] = arguments.get(event.index, "") + event.arguments
    assert not model.open
    assert not model.answers
    assert list(names) == list(range(len(names)))
    return text, [(str(names[i]), json.loads(arguments[i])) for i in names], ends[0]


def history(*calls: tuple[str, str, str]) -> list[dict[str, Any]]:
    """A question, its calls (name, arguments, result), and their results."""
    asked = [
        {"id": f"c{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for i, (name, arguments, _) in enumerate(calls)
    ]
    results = [{"role": "tool", "tool_call_id": f"c{i}", "content": call[2]} for i, call in enumerate(calls)]
    return [*HI, {"role": "assistant", "content": None, "tool_calls": asked}, *results]


PARIS = ("weather", {"city": "Paris"})
DONE = history(("weather", '{"city":"Paris"}', "sunny"))


async def test_without_tools_nothing_is_touched() -> None:
    model = Model('{"name": "weather", "arguments": {}}')
    request = ChatRequest(HI, response_format={"type": "json_object"}, extra={"seed": 1})
    events = [event async for event in PromptedTools(model, True).stream(request)]
    assert model.requests == [request]
    assert model.requests[0] is request
    assert isinstance(events[-1], Finished)


@pytest.mark.parametrize("tools", [TOOLS, []])
async def test_no_calling_but_a_history_of_calls(tools: Any) -> None:
    model = Model("It is sunny.")
    text, calls, _ = await ask(model, DONE, tools=tools, tool_choice="none" if tools else "auto")
    assert (text, calls) == ("It is sunny.", [])
    assert [message["role"] for message in model.requests[0].messages] == ["user", "assistant", "user"]
    assert not model.requests[0].tools


async def test_results_without_functions_are_answered_in_the_words_of_the_question() -> None:
    """Small models otherwise refuse, or answer in the language of what they are told last."""
    for question, end in (("奥斯陆呢？", "奥斯陆呢？"), ("long " * 1000, "in words from those results.")):
        model = Model("7°")
        await ask(model, [{"role": "user", "content": question}, *DONE[1:]], tools=[])
        assert model.told.startswith("<tool_response>")
        assert model.told.endswith(end)
    model = Model("Hi")
    await ask(model, [*DONE, *HI], tools=[])
    assert model.told == "Hi"


@pytest.mark.parametrize("grammar", [True, False])
async def test_words_flow_through_in_one_pass(grammar: bool) -> None:
    model = Model("Hello! How are you? \n")
    assert await ask(model, grammar=grammar) == ("Hello! How are you? \n", [], Finished("stop", Usage(100, 1)))
    assert not model.requests[0].tools
    assert model.grammars == [None]


@pytest.mark.parametrize("begun", ['```json\n{\n "name": "weather",', "<tool_call>\n{", '[{"name": "weather"'])
async def test_a_call_is_written_again_in_a_grammar(begun: str) -> None:
    model = Model([begun, "weather", *["never read"] * 9], block("weather", city="Paris"))
    if begun == "<tool_call>\n{":
        model.answers[0] = [begun, '"name": "weather"', "never read"]
    assert await ask(model) == ("", [PARIS], Finished("tool_calls", Usage(100, 2)))
    assert model.grammars == [None, "calls"]
    assert model.requests[1].temperature == 0
    assert model.requests[1].max_tokens == 4096


async def test_text_before_a_call_is_kept() -> None:
    model = Model('Let me see.\n\n```json\n{"name": "weather"', block("weather", city="Paris"))
    text, calls, _ = await ask(model, temperature=0.3, max_tokens=99)
    assert (text, calls) == ("Let me see.", [PARIS])
    assert (model.requests[1].temperature, model.requests[1].max_tokens) == (0.3, 99)


async def test_several_calls_each_once() -> None:
    answer = "\n".join(
        [block("weather", city="Paris"), block("nickname", city="Paris"), block("weather", city="Paris")]
    )
    model = Model('{"name": "weather"', answer + "\n" + answer)
    _, calls, end = await ask(model)
    assert calls == [PARIS, ("nickname", {"city": "Paris"})]
    assert end.reason == "tool_calls"
    assert end.usage.prompt_tokens > 0


@pytest.mark.parametrize("grammar", [True, False])
async def test_one_call_where_only_one_is_allowed(grammar: bool) -> None:
    both = block("weather", city="Paris") + "\n" + block("now")
    model = Model(both, both) if grammar else Model(both)
    _, calls, _ = await ask(model, grammar=grammar, parallel_tool_calls=False)
    assert calls == [PARIS]
    assert "{0,15}" not in str(model.requests[-1].extra)


async def test_required_goes_straight_to_the_grammar() -> None:
    model = Model(block("now"))
    assert (await ask(model, tool_choice="required"))[1] == [("now", {})]
    assert model.grammars == ["calls"]
    assert "answer_in_words" not in str(model.requests[0].messages)


async def test_a_named_function_alone_is_in_the_grammar() -> None:
    model = Model(block("weather", city="Paris"))
    assert (await ask(model, tool_choice={"type": "function", "function": {"name": "weather"}}))[1] == [PARIS]
    assert "nickname" not in model.requests[0].extra["grammar"]
    with pytest.raises(InvalidRequest):
        await ask(Model(), tool_choice={"type": "function", "function": {"name": "other"}})


@pytest.mark.parametrize(
    "begun", ['{"name": "answer_in_words", "arguments": {}}', '{"name": "greet", "arguments": {}}']
)
@pytest.mark.parametrize("grammar", [True, False])
async def test_a_greeting_is_answered_in_words(begun: str, grammar: bool) -> None:
    model = Model(begun, "Hello! How can I help?")
    assert await ask(model, grammar=grammar) == ("Hello! How can I help?", [], Finished("stop", Usage(100, 2)))
    assert model.grammars == [None, "words" if grammar else None]
    assert "Answer in words" in model.told


async def test_results_are_answered_in_words_or_with_a_further_call() -> None:
    model = Model("It is sunny.")
    assert (await ask(model, DONE))[0] == "It is sunny."
    assert 'weather("Paris"): sunny' in model.told
    model = Model('{"name": "nickname"', block("nickname", city="Paris"))
    assert (await ask(model, DONE))[1] == [("nickname", {"city": "Paris"})]


@pytest.mark.parametrize("grammar", [True, False])
async def test_an_answered_call_is_not_made_again(grammar: bool) -> None:
    again = block("weather", city="Paris")
    model = Model(again, again, "It is sunny.") if grammar else Model(again, "It is sunny.")
    text, calls, end = await ask(model, DONE, grammar=grammar)
    assert (text, calls, end.reason) == ("It is sunny.", [], "stop")
    assert model.told.endswith("Answer this from them, in the same language: Hi")
    both = again + "\n" + block("now")
    model = Model(both, both) if grammar else Model(both)
    assert (await ask(model, DONE, grammar=grammar))[1] == [("now", {})]


async def test_a_forced_call_may_be_made_again() -> None:
    assert (await ask(Model(block("weather", city="Paris")), DONE, tool_choice="required"))[1] == [PARIS]


async def test_a_refused_grammar_is_followed_by_looser_ones() -> None:
    # llama.cpp answers without a grammar where it cannot compile it; other servers refuse.
    model = Model(
        '{"name": "weather"', "The weather is", ModelError("bad grammar"), "Sure!\n" + block("weather", city="Paris")
    )
    assert (await ask(model))[1] == [PARIS]
    assert model.grammars == [None, "calls", "calls", None]
    strict, loose = (model.requests[n].extra["grammar"] for n in (1, 2))
    assert '"required": ["city"]' in strict
    assert '"required": ["city"]' not in loose


@pytest.mark.parametrize("error", [ContextOverflow("too long"), ModelError("away", retriable=True)])
async def test_other_errors_are_not_taken_for_a_refused_grammar(error: ModelError) -> None:
    with pytest.raises(ModelError) as raised:
        await ask(Model(error), tool_choice="required")
    assert raised.value is error


async def test_without_a_grammar_what_was_written_is_repaired() -> None:
    model = Model("Sure:\n```json\n{'name': 'weather', 'parameters': '{\"city\": \"Paris\"}',}\n```\nDone.")
    assert await ask(model, grammar=False) == ("Sure:", [PARIS], Finished("tool_calls", Usage(100, 1)))


async def test_without_a_grammar_an_error_is_told() -> None:
    model = Model('{"name": "weather", "arguments": {}}', block("weather", city="Paris"))
    assert (await ask(model, grammar=False))[1] == [PARIS]
    assert "'city' is a required property" in model.told
    assert model.requests[1].messages[-2]["role"] == "assistant"


async def test_after_three_tries_a_forced_call_fails_and_another_becomes_words() -> None:
    with pytest.raises(ModelError, match="in 3 tries"):
        await ask(Model("No.", "I will not.", "Never."), grammar=False, tool_choice="required")
    bad = '{"name": "weather", "arguments": {}}'
    model = Model(bad, bad, bad, "I cannot tell.")
    assert (await ask(model, grammar=False))[:2] == ("I cannot tell.", [])


@pytest.mark.parametrize("grammar", [True, False])
async def test_a_token_limit_ends_the_answer(grammar: bool) -> None:
    cut = '<tool_call>\n{"name": "weather", "arguments": {"city": "Pa'
    model = Model(cut, cut, reason="length") if grammar else Model(cut, reason="length")
    _, calls, end = await ask(model, grammar=grammar, max_tokens=9)
    assert (calls, end.reason) == ([], "length")


@pytest.mark.parametrize("grammar", [True, False])
async def test_a_format_holds_for_words_and_leaves_room_for_calls(grammar: bool) -> None:
    wanted = {"type": "json_object"}
    model = Model(["Sure", "never read"], '{"name": "Ann"}')
    assert (await ask(model, grammar=grammar, response_format=wanted))[0] == '{"name": "Ann"}'
    assert [request.response_format for request in model.requests] == [None, wanted]
    model = Model(*[block("weather", city="Paris")] * (2 if grammar else 1))
    assert (await ask(model, grammar=grammar, response_format=wanted))[1] == [PARIS]
    assert model.requests[-1].response_format is None
    model = Model('{"name": "answer_in_words", "arguments": {}}', '{"hello": 1}')
    assert (await ask(model, grammar=grammar, response_format=wanted))[0] == '{"hello": 1}'
    assert model.requests[-1].response_format == wanted
    assert "grammar" not in model.requests[-1].extra


async def test_closing_early_closes_the_backend() -> None:
    for answers, fields in (
        (["one two three"], {}),
        (['{"name": "greet", "arguments": {}}', "Hello there you"], {}),
        (["one two three"], {"tool_choice": "none"}),
    ):
        model = Model(*answers)
        stream = PromptedTools(model, True).stream(ChatRequest(HI, TOOLS, **fields))
        assert isinstance(await anext(stream), TextDelta)
        assert model.open == 1
        await stream.aclose()
        assert model.open == 0


async def test_nothing_is_asked_before_the_first_event() -> None:
    model = Model("x")
    stream = PromptedTools(model, True).stream(ChatRequest(HI, TOOLS))
    await stream.aclose()
    assert not model.requests


async def test_an_event_of_a_call_carries_id_and_name_first() -> None:
    model = Model(block("now"), block("now"))
    events = [event async for event in PromptedTools(model, True).stream(ChatRequest(HI, TOOLS))]
    first, second, _ = events
    assert isinstance(first, ToolCallDelta)
    assert (first.name, first.arguments) == ("now", "")
    assert second == ToolCallDelta(0, arguments="{}")


SAMPLES = [
    'Sure.\n\n```json\n{"name": "weather", "arguments": {"city": "北京"}}\n```\nDone.',
    block("weather", city="}{") + "\n" + block("now"),
    'I think [1] < [2] and {"name": "x"}.\n{"name": "Ann"}\n',
    "```python\nprint({'name': 'weather'})\n```\n",
]


@given(st.sampled_from(SAMPLES), st.data())
async def test_the_cutting_does_not_matter(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text) - 1))))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert await ask(Model(pieces), grammar=False) == await ask(Model([text]), grammar=False)


async def test_a_stop_text_ends_no_call() -> None:
    model = Model(block("weather", city="Paris"))
    _, calls, _ = await ask(model, tool_choice="required", extra={"stop": ["}"], "seed": 1})
    assert calls == [PARIS]
    assert model.requests[-1].extra.keys() == {"grammar", "seed"}
