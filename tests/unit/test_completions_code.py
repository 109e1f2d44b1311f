"""Chat requests of the playground: what is made of its fields, and the programs that send them."""

from __future__ import annotations

import inspect
import json
import shlex
from typing import Any

import pytest
from openai.resources.chat.completions import Completions

from retinue.studio.pages.completions.choice import Choice, shaded
from retinue.studio.pages.completions.code import code
from retinue.studio.pages.completions.request import PARAMETERS, Unclear, body, functions, unescaped
from retinue.studio.words import WORDS

ASKED = [{"role": "system", "content": ""}, {"role": "user", "content": 'What\'s "up"?\n你好'}]


def test_the_panel_has_every_parameter_of_the_official_client() -> None:
    of_client = set(inspect.signature(Completions.create).parameters)
    of_page = {"self", "model", "messages", "stream", "stream_options"}
    of_transport = {"extra_headers", "extra_query", "extra_body", "timeout"}
    assert of_client - of_page - of_transport <= {one.name for one in PARAMETERS}
    assert {f"completions.hint_{one.name}" for one in PARAMETERS} <= WORDS.keys()
    assert {f"completions.{one.group}" for one in PARAMETERS} <= WORDS.keys()


def test_only_what_is_set_is_sent() -> None:
    assert body("m", ASKED, {"temperature": None, "user": ""}) == {"model": "m", "messages": [ASKED[1]]}


def test_values_become_what_the_api_takes() -> None:
    set_ = {
        "temperature": 0,
        "seed": 7.0,
        "logprobs": "true",
        "store": "false",
        "stop": "\\n\n终\\\\n",
        "response_format": "json_schema",
        "json_schema": '{"name": "x"}',
        "tool_choice": "function: f",
        "prediction": "as before",
        "logit_bias": '{"5": -100}',
        "more": '{"top_k": 4}',
    }
    sent = body("m", ASKED, set_)
    assert {name: value for name, value in sent.items() if name not in ("model", "messages")} == {
        "temperature": 0,
        "seed": 7,
        "logprobs": True,
        "store": False,
        "stop": ["\n", "终\\n"],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x"}},
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "prediction": {"type": "content", "content": "as before"},
        "logit_bias": {"5": -100},
        "top_k": 4,
    }
    assert isinstance(sent["seed"], int)


def test_calls_and_their_outputs_are_messages() -> None:
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    messages: list[dict[str, Any]] = [
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "content": "", "tool_call_id": "c"},
        {"role": "user", "content": "", "tool_calls": calls},
    ]
    assert body("m", messages, {})["messages"] == [
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "content": "", "tool_call_id": "c"},
    ]


@pytest.mark.parametrize(
    ("messages", "parameters", "key"),
    [
        (ASKED[:1], {}, "completions.nothing"),
        (ASKED, {"tools": "[{"}, "completions.no_json"),
        (ASKED, {"metadata": "[" * 100_000}, "completions.no_json"),
        (ASKED, {"more": "[]"}, "completions.no_object"),
    ],
)
def test_what_cannot_be_read_is_told(messages: list[dict[str, Any]], parameters: dict[str, str], key: str) -> None:
    with pytest.raises(Unclear) as caught:
        body("m", messages, parameters)
    assert caught.value.key == key
    assert WORDS[key][1].format(**caught.value.values)


def test_lines_can_hold_what_lines_cannot() -> None:
    assert unescaped("a\\n\\t\\\\n\\x\\") == "a\n\t\\n\\x\\"


def test_names_of_functions_are_found_where_there_are_some() -> None:
    assert functions('[{"function": {"name": "f"}}]') == ["f"]
    assert functions('{"a": 1}') == functions("[") == functions(None) == functions('[{"type": "custom"}]') == []


def test_the_python_text_makes_exactly_this_request(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = body("m", ASKED, {"stop": "\\n", "more": '{"top_k": 4}', "store": "true", "logit_bias": '{"5": 1}'})
    made: dict[str, Any] = {}

    class Client:
        def __init__(self, base_url: str) -> None:
            made["base_url"] = base_url
            self.chat = self.completions = self

        def create(self, **arguments: Any) -> list[Any]:
            made.update(arguments)
            return []

    monkeypatch.setattr("openai.OpenAI", Client)
    exec(code("python", sent, "http://x/v1"), {})
    assert made.pop("base_url") == "http://x/v1"
    assert made.pop("extra_body") == {"top_k": 4}
    assert made == {
        **{k: v for k, v in sent.items() if k != "top_k"},
        "stream": True,
        "stream_options": made["stream_options"],
    }


def test_the_other_texts_hold_exactly_this_request() -> None:
    sent = {**body("m", ASKED, {"temperature": 0.5}), "stream": True, "stream_options": {"include_usage": True}}
    curl = shlex.split(code("curl", body("m", ASKED, {"temperature": 0.5}), "http://x/v1"))
    assert "http://x/v1/chat/completions" in curl
    assert json.loads(curl[curl.index("-d") + 1]) == sent
    node = code("node", body("m", ASKED, {"temperature": 0.5}), "http://x/v1")
    assert json.loads(node[node.index("create(") + 7 : node.index(");\nfor await")]) == sent


def test_probabilities_of_tokens_have_shades_and_the_one_that_was_taken_among_the_alternatives() -> None:
    other = {"token": "b", "bytes": [98], "logprob": -0.1}
    token = {"token": "a\n", "bytes": [97, 10], "logprob": -3.0, "top_logprobs": [other]}
    (shown,) = shaded([token], "{text} {share}")
    assert (shown["kind"], shown["say"]) == ("p0", "a↵ 5.0 %")
    assert [(one["text"], one["taken"]) for one in shown["others"]] == [("b", False), ("a\n", True)]


def test_a_choice_is_kept_and_comes_back() -> None:
    choice = Choice()
    choice.text, choice.calls[0] = "t", {"id": "c", "name": "f", "arguments": "{}"}
    again = Choice.of(json.loads(json.dumps(choice.kept())))
    assert again.kept() == choice.kept()
    assert [one["role"] for one in again.messages()] == ["assistant", "tool"]
