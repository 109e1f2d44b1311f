"""The older completions: what goes to the model's server, what comes back, and what is refused."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import aiohttp
import openai
import pytest

from ..harness import KEY, Api, Json, Refused, Server, eventually
from ..scripted import Reply, ScriptedUpstream

COMPLETIONS = "/completions"
CHUNK = "CreateCompletionStreamResponse"

#: The request of an article about openai-python 0.27.10.
ONE_PLUS_ONE: Json = {
    "prompt": "1+1",
    "model": "text-davinci-003",
    "max_tokens": 1965,
    "temperature": 1.0,
    "top_p": 1.0,
    "n": 3,
    "stream": True,
    "stop": ["\n20", "20.", "20."],
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "suffix": None,
    "logprobs": 5,
    "echo": True,
    "logit_bias": {"50256": -100},
}


def asking(**parameters: Any) -> Json:
    return {"model": "scripted", "prompt": "Once upon", **parameters}


def texts(chunks: list[Json]) -> dict[int, str]:
    """What the choices of a stream say."""
    found: dict[int, str] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            found[choice["index"]] = found.get(choice["index"], "") + choice["text"]
    return found


def probabilities(*values: float) -> Json:
    return {
        "tokens": ["x"] * len(values),
        "token_logprobs": list(values),
        "top_logprobs": [{"x": value} for value in values],
        "text_offset": list(range(len(values))),
    }


async def test_a_whole_answer(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text=" a time"))
    answer = await api.request("POST", COMPLETIONS, asking(max_tokens=5))
    assert answer.headers["openai-model"] == "scripted"
    assert answer.headers["x-ratelimit-limit-requests"]
    body = answer.body
    assert body["id"].startswith("cmpl-")
    assert body["id"] != "cmpl-scripted"
    assert (body["object"], body["model"]) == ("text_completion", "scripted")
    assert body["choices"] == [{"index": 0, "text": " a time", "logprobs": None, "finish_reason": "stop"}]
    assert body["usage"] == {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    assert upstream.requests == [{"model": "scripted", "prompt": "Once upon", "max_tokens": 5}]


async def test_a_stream(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text=" a time"))
    chunks = await api.chunks(COMPLETIONS, asking(), CHUNK)
    assert texts(chunks) == {0: " a time"}
    assert [c["choices"][0]["finish_reason"] for c in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    assert not any("usage" in chunk for chunk in chunks)


async def test_the_usage_of_a_stream(api: Api) -> None:
    chunks = await api.chunks(COMPLETIONS, asking(stream_options={"include_usage": True}), CHUNK)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)


async def test_the_request_of_an_older_client(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="1+1 = 2", logprobs=probabilities(-0.5)))
    chunks = await api.chunks(COMPLETIONS, ONE_PLUS_ONE | {"model": "gpt-3.5-turbo-instruct"}, CHUNK)
    assert texts(chunks) == dict.fromkeys(range(3), "1+1 = 2")
    told = {c["index"]: c["logprobs"] for chunk in chunks for c in chunk["choices"] if c["finish_reason"]}
    assert told == dict.fromkeys(range(3), probabilities(-0.5))
    (sent,) = upstream.requests
    expected = {name: value for name, value in ONE_PLUS_ONE.items() if value is not None}
    assert sent == expected | {"model": "scripted", "stream_options": {"include_usage": True}}


@pytest.mark.parametrize("prompt", ["", ["One", "two"], [1, 2, 3], [[1, 2], [3]]])
async def test_prompts_reach_the_server_as_they_are(api: Api, upstream: ScriptedUpstream, prompt: Any) -> None:
    upstream.script(Reply(text="done"))
    choices = 2 if isinstance(prompt, list) and not isinstance(prompt[0], int) else 1
    answer = await api.post(COMPLETIONS, asking(prompt=prompt))
    assert [(choice["index"], choice["text"]) for choice in answer["choices"]] == [(i, "done") for i in range(choices)]
    assert upstream.requests[0]["prompt"] == prompt


async def test_no_prompt_is_a_new_document(api: Api, upstream: ScriptedUpstream) -> None:
    await api.post(COMPLETIONS, asking(prompt=None))
    assert upstream.requests[0]["prompt"] == "<|endoftext|>"


@pytest.mark.model_settings(unsupported=["n"])
async def test_several_calls_where_the_server_ignores_n(api: Api, upstream: ScriptedUpstream) -> None:
    def reply(body: Json) -> Reply:
        return Reply(text=f"seed {body['seed']}", usage=(7, body["seed"]))

    upstream.default = reply
    answer = await api.post(COMPLETIONS, asking(prompt=["One", "two"], n=2, seed=10))
    # Prompt by prompt: each call brings a choice of every prompt.
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    assert [choice["text"] for choice in answer["choices"]] == ["seed 10", "seed 11", "seed 10", "seed 11"]
    # Prompts count once.
    assert answer["usage"]["prompt_tokens"] == 7
    assert answer["usage"]["completion_tokens"] == 21
    assert [request["prompt"] for request in upstream.requests] == [["One", "two"]] * 2
    assert not any("n" in request for request in upstream.requests)
    chunks = await api.chunks(COMPLETIONS, asking(prompt=["One", "two"], n=2, seed=10), CHUNK)
    assert texts(chunks) == {0: "seed 10", 1: "seed 11", 2: "seed 10", 3: "seed 11"}


@pytest.mark.model_settings(unsupported=["n"])
async def test_each_choice_of_a_stream_ends_on_its_own(api: Api, upstream: ScriptedUpstream) -> None:
    go_on = asyncio.Event()

    def reply(body: Json) -> Reply:
        return Reply(text="quick") if body["seed"] == 2 else Reply(chunks=["slow ", go_on, "but sure"])

    upstream.default = reply
    seen = b""
    async with api.open_stream(COMPLETIONS, asking(n=2, seed=1)) as response, asyncio.timeout(20):
        while b'"finish_reason":"stop"' not in seen or b"slow " not in seen:
            seen += await response.content.readany()
        assert b"quick" in seen
        assert b"but sure" not in seen
        go_on.set()
        rest = await response.content.read()
    assert rest.count(b'"finish_reason":"stop"') == 1
    assert rest.endswith(b"data: [DONE]\n\n")


@pytest.mark.model_settings(unsupported=["n"])
async def test_the_best_of_several(api: Api, upstream: ScriptedUpstream) -> None:
    # By the mean: that of the longest is better than its sum.
    replies = {
        1: Reply(text="poor", logprobs=probabilities(-3.0)),
        2: Reply(text="best and long", logprobs=probabilities(*[-0.5] * 8)),
        3: Reply(text="good", logprobs=probabilities(-1.0)),
        4: Reply(text="unknown"),
    }

    def reply(body: Json) -> Reply:
        return replies[body["seed"]]

    upstream.default = reply
    answer = await api.post(COMPLETIONS, asking(n=2, best_of=4, seed=1))
    assert [(choice["index"], choice["text"]) for choice in answer["choices"]] == [(0, "best and long"), (1, "good")]
    assert [choice["logprobs"] for choice in answer["choices"]] == [None, None]
    # All that was written counts.
    assert answer["usage"] == {
        "prompt_tokens": 7,
        "completion_tokens": 20,
        "total_tokens": 27,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    assert all(request["logprobs"] == 0 and "best_of" not in request for request in upstream.requests)
    answer = await api.post(COMPLETIONS, asking(best_of=3, seed=1, logprobs=1))
    assert [choice["logprobs"] for choice in answer["choices"]] == [probabilities(*[-0.5] * 8)]


async def test_best_of_reaches_a_server_that_knows_it(api: Api, upstream: ScriptedUpstream) -> None:
    await api.post(COMPLETIONS, asking(n=2, best_of=4))
    (sent,) = upstream.requests
    assert (sent["n"], sent["best_of"]) == (2, 4)


async def test_probabilities_as_in_chat_become_lists(api: Api, upstream: ScriptedUpstream) -> None:
    top = [{"token": "!", "logprob": -0.1}, {"token": "?", "logprob": -2.0}]
    content = [{"token": " a", "logprob": -0.5, "top_logprobs": top}, {"token": "!", "logprob": -0.1}]
    upstream.script(Reply(text=" a!", logprobs={"content": content}))
    answer = await api.post(COMPLETIONS, asking(logprobs=1))
    assert answer["choices"][0]["logprobs"] == {
        "tokens": [" a", "!"],
        "token_logprobs": [-0.5, -0.1],
        "top_logprobs": [{"!": -0.1, " a": -0.5}, {"!": -0.1}],
        "text_offset": [len("Once upon"), len("Once upon a")],
    }


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt[0]"),
        ({"prompt": [[1], "two"]}, "prompt[1]"),
        ({"prompt": ["one", 2]}, "prompt[1]"),
        ({"prompt": [1, "two"]}, "prompt[1]"),
        ({"prompt": [-1]}, "prompt[0]"),
        ({"prompt": [2**31]}, "prompt[0]"),
        ({"prompt": ["x"] * 2049}, "prompt"),
        ({"prompt": ["x"] * 17, "n": 128}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"best_of": 0}, "best_of"),
        ({"best_of": 21}, "best_of"),
        ({"best_of": 2, "n": 3}, "best_of"),
        ({"best_of": 2, "stream": True}, "best_of"),
        ({"logprobs": 6}, "logprobs"),
        ({"logprobs": True}, "logprobs"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"temperature": 2.1}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"presence_penalty": -2.1}, "presence_penalty"),
        ({"frequency_penalty": 2.1}, "frequency_penalty"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"logit_bias": {"1": 101}}, "logit_bias"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"messages": []}, "messages"),
        ({"top_k": 3}, "top_k"),
        ({"model": "nothing"}, "model"),
    ],
)
async def test_what_is_refused(api: Api, upstream: ScriptedUpstream, parameters: Json, param: str) -> None:
    status = 404 if "model" in parameters else 400
    assert (await api.refused("POST", COMPLETIONS, asking(**parameters), status=status))["param"] == param
    assert upstream.requests == []


async def test_missing_parameters(api: Api) -> None:
    assert (await api.refused("POST", COMPLETIONS, {"prompt": "x"}))["param"] == "model"
    assert (await api.refused("POST", COMPLETIONS, {"model": "scripted"}))["param"] == "prompt"


@pytest.mark.model_settings(unsupported=["suffix"], pass_on=["top_k"])
async def test_what_the_server_is_known_to_take(api: Api, upstream: ScriptedUpstream) -> None:
    refused = await api.refused("POST", COMPLETIONS, asking(suffix="."))
    assert (refused["param"], refused["code"]) == ("suffix", "unsupported_parameter")
    await api.post(COMPLETIONS, asking(top_k=3))
    assert upstream.requests[0]["top_k"] == 3


@pytest.mark.model_settings(backend="diffusion", weights="/nowhere")
@pytest.mark.parametrize(
    ("path", "asked"),
    [(COMPLETIONS, {"prompt": "x"}), ("/chat/completions", {"messages": [{"role": "user", "content": "x"}]})],
)
async def test_models_that_do_not_write(api: Api, path: str, asked: Json) -> None:
    refused = await api.refused("POST", path, {"model": "scripted", **asked})
    assert (refused["param"], refused["code"]) == ("model", "unsupported_value")


async def test_errors_of_the_server_are_passed_on(api: Api, upstream: ScriptedUpstream) -> None:
    told = {"message": "This is a chat model", "type": "invalid_request_error", "param": "model", "code": None}
    upstream.script(Reply(status=404, error=told), Reply(status=404, error=told))
    error = await api.refused("POST", COMPLETIONS, asking(), status=404)
    assert "This is a chat model" in error["message"]
    assert error["param"] == "model"
    with pytest.raises(Refused) as refused:
        await api.chunks(COMPLETIONS, asking(), CHUNK)
    assert refused.value.answer.status == 404
    overflow = {"message": "too long", "code": "context_length_exceeded"}
    upstream.script(Reply(status=400, error=overflow))
    error = await api.refused("POST", COMPLETIONS, asking())
    assert (error["param"], error["code"]) == ("prompt", "context_length_exceeded")


@pytest.mark.parametrize("whole", [{"object": "list"}, {"choices": [{"message": {}}]}, {"choices": [7]}])
async def test_nonsense(api: Api, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch, whole: Json) -> None:
    monkeypatch.setattr("tests.scripted._TextAnswer.whole", lambda self: whole)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    assert "not a completion" in (await api.refused("POST", COMPLETIONS, asking(), status=502))["message"]


async def test_a_server_that_gives_fewer_choices(
    api: Api, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = {"choices": [{"index": 0, "text": "x", "logprobs": None, "finish_reason": "stop"}]}
    monkeypatch.setattr("tests.scripted._TextAnswer.whole", lambda self: dict(one))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    error = await api.refused("POST", COMPLETIONS, asking(n=2), status=502)
    assert "1 of 2" in error["message"]


async def test_a_stream_that_breaks_ends_with_an_error(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="one two three", break_after=2))
    chunks = await api.chunks(COMPLETIONS, asking(), CHUNK)
    assert texts(chunks[:-1]) == {0: "one two"}
    assert chunks[-1]["error"]["type"] == "server_error"


@pytest.mark.model_settings(unsupported=["n"], max_concurrency=2)
async def test_hanging_up_ends_all_calls(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.default = Reply(text="go on", hang=True)
    async with api.open_stream(COMPLETIONS, asking(n=2)) as response, asyncio.timeout(20):
        await response.content.readany()
        await upstream.wait_for_requests(2)
    await upstream.wait_for_disconnects(2)
    # Their slots are free again.
    upstream.default = Reply(text="here")
    assert (await api.post(COMPLETIONS, asking()))["choices"][0]["text"] == "here"


async def test_what_is_used_is_recorded(api: Api, server: Server) -> None:
    await api.post(COMPLETIONS, asking())
    records = server.app.state.store.usage
    (total,) = await eventually(lambda: records.totals("proj_default", datetime(1970, 1, 1, tzinfo=UTC)))
    assert (total.endpoint, total.model) == ("completions", "scripted")
    assert (total.used.requests, total.used.prompt_tokens, total.used.completion_tokens) == (1, 7, 5)


async def test_the_official_client(server: Server, upstream: ScriptedUpstream) -> None:
    upstream.default = Reply(text=" a time", logprobs=probabilities(-0.5))
    address: Any = {"base_url": f"{server.url}/v1", "api_key": KEY}
    async with openai.AsyncOpenAI(**address, _strict_response_validation=True) as client:
        answer = await client.completions.create(model="scripted", prompt="Once upon", logprobs=1)
    assert answer.choices[0].text == " a time"
    assert answer.choices[0].logprobs
    assert answer.choices[0].logprobs.token_logprobs == [-0.5]
    assert answer.usage
    assert answer.usage.total_tokens == 12
    # In pieces `finish_reason` is null until the last, which its types do not allow for.
    async with openai.AsyncOpenAI(**address) as client:
        stream = await client.completions.create(model="scripted", prompt="Once upon", stream=True)
        assert "".join([chunk.choices[0].text async for chunk in stream]) == " a time"


async def test_raw_lines(server: Server, upstream: ScriptedUpstream) -> None:
    upstream.default = Reply(text="2")
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/v1/completions", json={**ONE_PLUS_ONE, "model": "default"}, headers=headers) as got,
    ):
        lines = [line async for line in got.content]
    assert lines[-2:] == [b"data: [DONE]\n", b"\n"]
    assert all(line == b"\n" or line.startswith(b"data: {") for line in lines[:-2])
