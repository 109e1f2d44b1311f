"""Whatever a model answers, whole or streamed: what is stored is what was answered."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Literal

import openai
import pytest
from aiohttp import web

from retinue.model_settings import ModelSettings
from retinue.settings import Settings

from ..harness import KEY, Json, Server, function

#: How the model's server answers: as it was asked, or whole although a stream was asked for.
Way = Literal["whole", "streamed", "whole when streamed"]

#: Letters of many kinds, and what JSON, events and PostgreSQL might stumble over.
LETTERS = 'aZ 9\n\r\t"\\/{}:,\u007f\u0085\u2028é中文ไทยض😀\ufffd\U0010ffff'
USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


class Drawn:
    """Answers at random, the same in every run."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def choices(self) -> list[Json]:
        """The choices of an answer."""
        return [self._choice(index) for index in range(self._random.randint(1, 3))]

    def _choice(self, index: int) -> Json:
        message: Json = {"role": "assistant", "content": self._text(), "refusal": self._or_none(self._text())}
        reason = self._random.choice(["stop", "length", "content_filter"])
        if self._random.random() < 0.5:
            message["tool_calls"] = [
                {"id": f"call_{index}_{place}", "type": "function", "function": self._call()}
                for place in range(self._random.randint(1, 3))
            ]
            message["content"], reason = self._or_none(message["content"]), "tool_calls"
        tokens = [{**self._token(), "top_logprobs": [self._token()]} for _ in range(self._random.randint(0, 3))]
        logprobs = self._or_none({"content": tokens, "refusal": None})
        return {"index": index, "message": message, "finish_reason": reason, "logprobs": logprobs}

    def _text(self) -> str:
        return "".join(self._random.choices(LETTERS, k=self._random.randint(0, 12)))

    def _or_none(self, value: Any) -> Any:
        return self._random.choice([None, value])

    def _call(self) -> Json:
        return {"name": self._random.choice(["look", "find_it"]), "arguments": self._text()}

    def _token(self) -> Json:
        logprob = self._random.choice([0.0, -9999.0, -1e-12, -self._random.random()])
        return {"token": self._text(), "logprob": logprob, "bytes": self._or_none([0, 255])}


def pieces(text: str) -> list[str]:
    """A text cut into stretches of three characters."""
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def deltas(choice: Json) -> Iterator[tuple[Json, Json | None]]:
    """A choice in pieces, each with the probabilities that come with it."""
    message, logprobs = choice["message"], choice["logprobs"]
    calls = [
        {"index": index, **call, "function": {**call["function"], "arguments": ""}}
        for index, call in enumerate(message.get("tool_calls", ()))
    ]
    if message["content"] is None:
        # As servers say that there will be no text.
        yield {"role": "assistant", "content": None, "tool_calls": [calls.pop(0)]}, None
    else:
        yield {"role": "assistant", "content": ""}, None
    for token in logprobs["content"] if logprobs else ():
        yield {}, {"content": [token], "refusal": None}
    if logprobs and not logprobs["content"]:
        yield {}, logprobs
    for name in ("content", "refusal"):
        for piece in pieces(message[name] or "") or ([""] if message[name] is not None else []):
            yield {name: piece}, None
    for call in calls:
        yield {"tool_calls": [call]}, None
    for index, call in enumerate(message.get("tool_calls", ())):
        for piece in pieces(call["function"]["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, None


class Model:
    """A model's server that answers exactly `choices`."""

    def __init__(self) -> None:
        self.choices: list[Json] = []
        self.streams = True
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        head = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "exact-2026-01-01"}
        if not ((await request.json()).get("stream") and self.streams):
            return web.json_response({**head, "object": "chat.completion", "choices": self.choices, "usage": USAGE})
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        chunks: list[Json] = []
        # Side by side, as a server sends them.
        under_way = {choice["index"]: deltas(choice) for choice in self.choices}
        while under_way:
            for index, rest in list(under_way.items()):
                delta, logprobs = next(rest, ({}, None))
                reason = None
                if not delta and logprobs is None:
                    reason = self.choices[index]["finish_reason"]
                    del under_way[index]
                choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
                chunks.append({"choices": [choice]})
        for chunk in [*chunks, {"choices": [], "usage": USAGE}]:
            data = json.dumps({**head, "object": "chat.completion.chunk", **chunk})
            await response.write(f"data: {data}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response

    async def stored(self, client: openai.AsyncOpenAI, way: Way, made: list[Json]) -> tuple[Json, Json]:
        """What was answered to a request, as far as it was whole, and what is stored of it."""
        self.choices, self.streams = made, way != "whole when streamed"
        asked: Any = {
            "model": "exact",
            "messages": [{"role": "user", "content": "?"}],
            "n": len(made),
            "tools": [function("look")],
            "logprobs": True,
            "top_logprobs": 2,
            "store": True,
        }
        completions = client.chat.completions
        if way == "whole":
            answered = json.loads((await completions.with_raw_response.create(**asked)).text)
        else:
            answered = {"id": [chunk.id async for chunk in await completions.create(**asked, stream=True)][-1]}
        return answered, json.loads((await completions.with_raw_response.retrieve(answered["id"])).text)


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    """The model's server, running."""
    model = Model()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", model.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1).start()
    host, port = runner.addresses[0][:2]
    model.url = f"http://{host}:{port}/v1"
    yield model
    await runner.cleanup()


@pytest.fixture
def settings(model: Model, tmp_path: Path) -> Settings:
    """The model `exact`."""
    exact = ModelSettings(base_url=model.url, retries=0)
    return Settings(data=tmp_path, models={"exact": exact}, default_model="exact")


@pytest.mark.parametrize("way", ["whole", "streamed", "whole when streamed"])
async def test_what_is_stored_is_what_the_model_said(model: Model, server: Server, way: Way) -> None:
    drawn = Drawn(seed=7)
    async with openai.AsyncOpenAI(base_url=server.url + "/v1", api_key=KEY, max_retries=0) as client:
        for _ in range(60):
            made = drawn.choices()
            answered, kept = await model.stored(client, way, made)
            if way == "whole":
                assert {**answered, "metadata": {}} == kept
            assert kept["choices"] == made
            assert (kept["model"], kept["usage"], kept["object"]) == ("exact-2026-01-01", USAGE, "chat.completion")
