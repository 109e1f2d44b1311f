"""Python that a model writes as a code block, or in a JSON string."""

from __future__ import annotations

import json
from typing import Any

import pytest

from retinue.inference.chat import Finished, Usage
from retinue.inference.prompted.parse import read_calls
from retinue.inference.prompted.prompt import render
from retinue.inference.prompted.python import code_in, mended, runner
from retinue.inference.prompted.schema import arguments_schema

from .test_prompted_backend import HI, TOOLS, Model, ask, block, history

PYTHON = {"type": "string", "contentMediaType": "text/x-python"}
PARAMETERS = {"type": "object", "properties": {"code": PYTHON}, "required": ["code"]}
RUN = {"type": "function", "function": {"name": "run", "description": "It has pandas.", "parameters": PARAMETERS}}
CODE = "import math\nprint(math.pi)"
OPENING = '<tool_call>\n{"name": "weather",'
FENCED = f"```python\n{CODE}\n```"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("print('a\n')", "print('a\\n')"),
        ("print(f'{1}\n\n')\nx = \"b\n\"", "print(f'{1}\\n\\n')\nx = \"b\\n\""),
        ("# it's\nprint('a\n')  # it's", "# it's\nprint('a\\n')  # it's"),
        ('x = """a\n\'b\n"""\nprint("c\n")', 'x = """a\n\'b\n"""\nprint("c\\n")'),
        ("print('a\\\n', 'b\n')", "print('a\\\n', 'b\\n')"),
        ("print('it\\'s\n')", "print('it\\'s\\n')"),
    ],
)
def test_line_breaks_in_strings_get_their_escape(written: str, read: str) -> None:
    assert mended(written) == read


@pytest.mark.parametrize(
    "code",
    [
        CODE,
        "x = 'a\\n'\ny = '''b\n'''",
        "print('a)\nprint(b)",
        "%matplotlib inline\nprint('a\n')",
        "x = (\n'a\n'",
        "print('a\n')" + "#" * 20_000,
        "('\0\n')",
        "(" * 5000 + "'a\n'",
    ],
)
def test_other_code_stays_as_it_is(code: str) -> None:
    assert mended(code) == code


@pytest.mark.parametrize("name", ["code", "text"])
def test_only_python_is_mended(name: str) -> None:
    parameters = {"type": "object", "properties": {"text": {"type": "string"}, "code": PYTHON}}
    (call,) = read_calls(block("f", **{name: "print('a\n')"}), {"f": arguments_schema(parameters)})
    assert json.loads(call.arguments) == {name: "print('a\\n')" if name == "code" else "print('a\n')"}


def test_what_runs_python_has_it_as_its_one_argument() -> None:
    def tool(parameters: Any) -> dict[str, Any]:
        return {"type": "function", "function": {"name": "f", "parameters": parameters}}

    others = [None, {}, {"properties": []}, {"properties": {"code": {"type": "string"}}}, {"properties": {"code": 1}}]
    assert runner([*TOOLS, *map(tool, others), tool({"properties": {"a": PYTHON, "b": PYTHON}})]) is None
    found = runner([*TOOLS, RUN])
    assert found
    assert (found.name, found.parameter) == ("run", "code")


def test_a_code_block_is_asked_for_instead_of_json() -> None:
    messages = [*HI, *history(("run", json.dumps({"code": CODE}), "3.14"))]
    system, _, _, call, result = render(messages, [RUN])
    assert "<tool_call>" not in system["content"]
    assert "answer_in_words" not in system["content"]
    assert system["content"].endswith("\nIt has pandas.")
    assert call["content"] == FENCED
    assert result["content"] == "<tool_response>\n3.14\n</tool_response>"
    (system, *_) = render(messages, [*TOOLS, RUN])
    assert '"weather"' in system["content"]
    assert '"run"' not in system["content"]
    (system, *_, call, _) = render(messages, [RUN], forced=True)
    assert '"run"' in system["content"]
    assert call["content"].startswith("<tool_call>")


async def python(model: Model, *messages: dict[str, Any], **fields: Any) -> tuple[str, list[Any], Finished]:
    text, calls, end = await ask(model, list(messages) or HI, tools=[*TOOLS, RUN], **fields)
    assert all(name == "run" for name, _ in calls)
    return text, [arguments["code"] for _, arguments in calls], end


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (FENCED, ""),
        (f"Let me see:\n\n{FENCED}\n\n", "Let me see:"),
        ("1. First:\n\n   ```py\n   import math\n   print(math.pi)\n   ```", "1. First:"),
        (f"```python \n{CODE}", ""),
        (f"```js\n{CODE}\n```\n{FENCED}", f"```js\n{CODE}\n```"),
    ],
)
@pytest.mark.parametrize("grammar", [True, False])
async def test_a_code_block_is_a_call(answer: str, text: str, grammar: bool) -> None:
    model = Model(list(answer))
    assert await python(model, grammar=grammar) == (text, [CODE], Finished("tool_calls", Usage(100, 1)))


async def test_what_follows_a_code_block_is_not_waited_for() -> None:
    model = Model([FENCED, "\n", "It prints 3", "never read"])
    text, calls, end = await python(model)
    assert (text, calls, end.reason) == ("", [CODE], "tool_calls")
    assert end.usage.completion_tokens > 0


async def test_a_code_block_that_was_cut_off_is_no_call() -> None:
    assert await python(Model(FENCED[:-4], reason="length")) == ("", [], Finished("length", Usage(100, 1)))


@pytest.mark.parametrize("answer", ["```python\n```", "```python\n \n```", FENCED])
async def test_no_code_or_the_same_again_leads_to_words(answer: str) -> None:
    model = Model(answer, "It is 3.14.")
    text, calls, _ = await python(model, *history(("run", json.dumps({"code": CODE}), "3.14")))
    assert (text, calls) == ("It is 3.14.", [])


async def test_other_functions_and_forced_calls_are_written_as_ever() -> None:
    weather = block("weather", city="Paris")
    assert (await ask(Model(weather, weather), tools=[*TOOLS, RUN]))[1] == [("weather", {"city": "Paris"})]
    model = Model(block("run", code=CODE))
    assert (await python(model, tool_choice={"type": "function", "function": {"name": "run"}}))[1] == [CODE]
    assert model.grammars == ["calls"]


async def test_without_such_a_function_a_code_block_is_text() -> None:
    assert await ask(Model(FENCED)) == (FENCED, [], Finished("stop", Usage(100, 1)))


@pytest.mark.parametrize(
    ("results", "told"),
    [
        (("Error: the code failed.",), "try again"),
        (("error: no such city", "ERROR: none"), "try again"),
        (("Error: no such city", "7°"), "The code has run"),
        (("Errors are 3",), "The code has run"),
    ],
)
async def test_errors_alone_are_to_be_corrected(results: tuple[str, ...], told: str) -> None:
    model = Model("Sorry.")
    calls = [("run", json.dumps({"code": str(number)}), result) for number, result in enumerate(results)]
    await python(model, *history(*calls))
    assert told in model.told


@pytest.mark.parametrize(
    ("name", "question", "told"),
    [
        ("run", "Hi", "if not, run more code: Hi"),
        ("run", "long " * 1000, "if not, run more code."),
        ("weather", "Hi", "call the function that provides it."),
    ],
)
async def test_what_code_printed_is_asked_for_in_words(name: str, question: str, told: str) -> None:
    model = Model("It is 3.14.")
    messages = [{"role": "user", "content": question}, *history((name, json.dumps({"code": CODE}), "3.14"))[1:]]
    await python(model, *messages)
    assert model.told.endswith(told)


async def test_errors_that_cannot_be_corrected_are_told() -> None:
    failed = history(("run", json.dumps({"code": CODE}), "Error: the code failed."))
    model = Model(FENCED, "It failed.")
    assert (await python(model, *failed))[0] == "It failed."
    assert model.told.endswith("what did not work.")
    model = Model("It failed.")
    await python(model, *failed, tool_choice="none")
    assert model.told.endswith("what did not work.")


async def test_a_long_call_that_begins_to_repeat_ends_the_answer() -> None:
    long = block("weather", city="Paris " * 60)
    model = Model(OPENING, [long, "\n", *long[:250], "never read"])
    assert (await ask(model))[1] == [("weather", {"city": "Paris " * 60})]
    other = block("weather", city="Paris " * 60 + "!")
    model = Model(OPENING, f"{block('weather', city='Rome')}\n{other}")
    assert len((await ask(model))[1]) == 2


@pytest.mark.parametrize(
    "answer",
    ["```python\nprint(1)\n```", "Here it is:\n```python\nprint(1)\n```\nIt prints.", "```\nprint(1)", " print(1)\n"],
)
def test_the_code_of_an_answer(answer: str) -> None:
    assert code_in(answer) == "print(1)"
