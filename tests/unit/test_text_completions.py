"""Completions: which calls are made for a request, probabilities in the older shape, filling in on the local model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from retinue.completions.sources import side_by_side
from retinue.completions.text.local import LocalCompletions
from retinue.completions.text.logprobs import LegacyLogprobs, mean
from retinue.completions.text.request import prepare
from retinue.errors import InvalidRequest, ModelError
from retinue.inference.models import ServedModel
from retinue.model_settings import ModelSettings
from retinue.wire.text_completions import TextCompletionCreate

Json = dict[str, Any]

_HEADER = "<|repo_name|>myproject\n<|file_sep|>filename\n"


@dataclass
class Llama:
    """llama.cpp's own addresses: a token is a character, and what fills in is told by three marks."""

    fills_in: bool = True
    #: What an empty text is tokenized to.
    beginning: list[int] = field(default_factory=list[int])
    calls: list[str] = field(default_factory=list[str])

    async def post(self, path: str, body: Json, caller: str) -> Json:
        self.calls.append(path)
        match path:
            case "/tokenize":
                return {"tokens": (self.beginning if body["add_special"] else []) + [ord(c) for c in body["content"]]}
            case "/detokenize":
                return {"content": "".join(map(chr, body["tokens"]))}
            case "/infill" if self.fills_in:
                return {"prompt": f"{_HEADER}<P>{body['input_prefix']}<S>{body['input_suffix']}<M>"}
            case _:
                raise ModelError("Infill is not supported by this model", status=501)


@dataclass
class Completing:
    """A route to a server that writes the given chunks."""

    chunks_told: list[Json]
    asked: list[Json] = field(default_factory=list[Json])

    async def chunks(self, path: str, body: Json, caller: str) -> AsyncGenerator[list[Json], None]:
        self.asked.append(body)
        for chunk in self.chunks_told:
            yield [chunk]


def served(llama: Llama, route: Completing) -> ServedModel:
    settings = ModelSettings(backend="local", weights="w")
    return ServedModel("local", settings, cast(Any, route), cast(Any, None), True, cast(Any, llama), "fp_1")


def remote(**settings: Any) -> ServedModel:
    made = ModelSettings(base_url="http://127.0.0.1/v1", **settings)
    return ServedModel("m", made, cast(Any, None), cast(Any, None), False)


def piece(text: str, reason: str | None = None, **more: Any) -> Json:
    return {"choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": reason}], **more}


def calls(model: ServedModel, **body: Any) -> list[tuple[Any, list[int], bool]]:
    """Prompt, candidates of the first two choices, and newness of each call."""
    raw = {"model": "m", **body}
    asked = prepare(TextCompletionCreate.model_validate(raw), raw, model)
    return [(call.body["prompt"], [call.candidate(0), call.candidate(1)], call.new) for call in asked.calls]


def test_calls_of_local_models_are_for_one_prompt_and_one_choice() -> None:
    model = served(Llama(), Completing([]))
    assert calls(model, prompt=[[1], [2]], n=2) == [
        ([1], [0, 1], True),
        ([1], [1, 2], False),
        ([2], [2, 3], True),
        ([2], [3, 4], False),
    ]
    assert calls(model, prompt=[1, 2]) == [([1, 2], [0, 1], True)]
    assert calls(model, prompt=None) == [("", [0, 1], True)]


def test_calls_of_servers() -> None:
    assert calls(remote(), prompt=["a", "b"], n=2) == [(["a", "b"], [0, 1], True)]
    repeated = calls(remote(unsupported=["n"]), prompt=["a", "b"], n=3)
    assert repeated == [(["a", "b"], [0, 3], True), (["a", "b"], [1, 4], False), (["a", "b"], [2, 5], False)]


def test_candidates_to_choose_from_differ_and_tell_probabilities() -> None:
    raw = {"model": "m", "prompt": "x", "n": 1, "best_of": 3, "seed": -1, "user": "me", "logit_bias": {"5": -100}}
    asked = prepare(TextCompletionCreate.model_validate(raw), raw, served(Llama(), Completing([])))
    assert [call.body["seed"] for call in asked.calls] == [2**32 - 1, 2**32, 2**32 + 1]
    shared = {"prompt": "x", "logprobs": 0, "logit_bias": [[5, -100]], "cache_prompt": False}
    assert [{k: v for k, v in call.body.items() if k != "seed"} for call in asked.calls] == [shared] * 3
    assert asked.tokens == 3 * 16


def test_echo_with_probabilities_is_refused_by_local_models() -> None:
    raw = {"model": "m", "prompt": "x", "echo": True, "logprobs": 0}
    with pytest.raises(InvalidRequest) as refused:
        prepare(TextCompletionCreate.model_validate(raw), raw, served(Llama(), Completing([])))
    assert refused.value.param == "logprobs"


def test_probabilities_in_lists() -> None:
    llama = {
        "content": [
            # Completed by the bytes of tokens before it; told among the likely ones by its own byte.
            {
                "id": 9,
                "token": "🦙",
                "bytes": [240, 159, 166, 153],
                "logprob": -0.5,
                "top_logprobs": [
                    {"id": 9, "token": "�", "bytes": [153], "logprob": -0.5},
                    {"id": 8, "token": "�", "bytes": [152], "logprob": -2.0},
                ],
            },
            {"id": 1, "token": "b", "bytes": [98], "logprob": -3.0, "top_logprobs": []},
            {"id": 0, "token": "", "bytes": [], "logprob": -0.1, "top_logprobs": []},
        ]
    }
    lists = LegacyLogprobs(2, 10)
    assert lists.read(llama) == {
        "tokens": ["🦙", "b"],
        "token_logprobs": [-0.5, -3.0],
        "top_logprobs": [{"🦙": -0.5, "bytes:\\x98": -2.0}, {"b": -3.0}],
        "text_offset": [10, 11],
    }
    assert lists.read({"content": [{"token": "c", "logprob": -1.0}]})["text_offset"] == [12]


def test_the_mean_of_probabilities() -> None:
    assert mean({"token_logprobs": [None, -1.0, -2.0]}) == -1.5
    assert mean({"token_logprobs": []}) == mean(None) == float("-inf")


async def told(local: LocalCompletions, body: Json, llama: Llama, *chunks: Json) -> tuple[str, str, Json]:
    """The text, the reason for its end, and what llama.cpp was asked."""
    route = Completing(list(chunks))
    choices = [
        choice
        async for batch in local.chunks(body, served(llama, route), "proj")
        for chunk in batch
        for choice in chunk["choices"]
    ]
    return "".join(choice["text"] for choice in choices), choices[-1]["finish_reason"], route.asked[0]


async def test_filling_in() -> None:
    local, llama = LocalCompletions(), Llama()
    for prompt in ("ab", [97, 98]):
        text, _, asked = await told(local, {"prompt": prompt, "suffix": "yz"}, llama, piece("c", "stop"))
        assert text == "c"
        # Without the names of a repository and a file that there are not.
        assert "".join(map(chr, asked["prompt"])) == "<P>ab<S>yz<M>"
        assert "suffix" not in asked
    # How such prompts look is asked once.
    assert llama.calls.count("/infill") == 1


async def test_models_that_cannot_fill_in() -> None:
    with pytest.raises(InvalidRequest) as refused:
        await told(LocalCompletions(), {"prompt": "ab", "suffix": "yz"}, Llama(fills_in=False), piece("c", "stop"))
    assert (refused.value.param, refused.value.code) == ("suffix", "unsupported_parameter")


@pytest.mark.parametrize("prompt", ["ab", [97, 98]])
async def test_echo_comes_first(prompt: Any) -> None:
    chunks = [piece(""), piece("c"), piece("", "length")]
    text, reason, asked = await told(LocalCompletions(), {"prompt": prompt, "echo": True}, Llama(), *chunks)
    assert (text, reason) == ("abc", "length")
    assert (asked["prompt"], asked["max_tokens"], "echo" in asked) == (prompt, 16, False)


async def test_an_echo_alone() -> None:
    last = piece("", "stop", usage={"prompt_tokens": 2, "completion_tokens": 1})
    body = {"prompt": "ab", "echo": True, "max_tokens": 0}
    text, reason, _ = await told(LocalCompletions(), body, Llama(), piece("c"), last)
    assert (text, reason) == ("ab", "length")
    assert last["usage"]["completion_tokens"] == 0


async def test_the_beginning_of_a_document() -> None:
    for llama, prompt in ((Llama(), "<|endoftext|>"), (Llama(beginning=[1]), "")):
        _, _, asked = await told(LocalCompletions(), {"prompt": ""}, llama, piece("c", "stop"))
        assert asked["prompt"] == prompt


async def endless(number: int, closed: list[int]) -> AsyncGenerator[list[Json], None]:
    """An answer that goes on until it is closed."""
    try:
        while True:
            await asyncio.sleep(0)
            yield [{"n": number}]
    finally:
        closed.append(number)


async def test_answers_side_by_side_end_with_the_first_failure() -> None:
    closed: list[int] = []

    async def failing() -> AsyncGenerator[list[Json], None]:
        yield [{}]
        raise ModelError("broken")

    answers = side_by_side([lambda: endless(0, closed), failing, lambda: endless(2, closed)])
    with pytest.raises(ModelError, match="broken"):
        _ = [answer async for answer in answers]
    assert sorted(closed) == [0, 2]


async def test_answers_that_wait_for_room_end_when_nobody_reads() -> None:
    closed: list[int] = []
    answers = side_by_side([lambda number=number: endless(number, closed) for number in range(40)])
    await anext(answers)
    for _ in range(100):
        await asyncio.sleep(0)
    await answers.aclose()
    # At most 32 were under way.
    assert sorted(closed) == list(range(32))
