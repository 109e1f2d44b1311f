"""The models that the walker's requests go to, each on a server of its kind."""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import get_args

from retinue.model_settings import ModelSettings
from retinue.wire.moderations import Category
from tests.image_upstream import images_upstream
from tests.json_upstream import json_upstream
from tests.scripted import ScriptedUpstream

from .spec import Json
from .walker import model

CREATED = 1_700_000_000


@asynccontextmanager
async def model_servers() -> AsyncGenerator[dict[str, ModelSettings]]:
    """The settings of the models, by name, while their servers run."""
    async with ScriptedUpstream(model) as chat, images_upstream() as images, json_upstream() as others:
        others.answers |= {"/completions": _completion, "/embeddings": _embeddings, "/moderations": _moderation}
        urls = {"scripted": chat.base_url, "painter": images.base_url}
        urls |= dict.fromkeys(("writer", "embedder", "moderator"), others.base_url)
        yield {name: ModelSettings(base_url=url, retries=0) for name, url in urls.items()}


def _completion(body: Json) -> Json:
    prompt = body["prompt"]
    prompts = len(prompt) if isinstance(prompt, list) and not isinstance(prompt[0], int) else 1
    logprobs = {"tokens": ["a"], "token_logprobs": [-0.5], "top_logprobs": [{"a": -0.5}], "text_offset": [0]}
    choice = {"text": "a", "finish_reason": "stop", "logprobs": logprobs if body.get("logprobs") else None}
    return {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": CREATED,
        "model": body["model"],
        "choices": [{"index": index, **choice} for index in range(prompts * (body.get("n") or 1))],
        "usage": {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3},
    }


def _embeddings(body: Json) -> Json:
    given = body["input"]
    inputs = len(given) if isinstance(given, list) and not isinstance(given[0], int) else 1
    vector: list[float] = [0.5] * body.get("dimensions", 4)
    packed = b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    told = packed if body.get("encoding_format") == "base64" else vector
    data = [{"object": "embedding", "index": index, "embedding": told} for index in range(inputs)]
    return {"object": "list", "data": data, "model": body["model"], "usage": {"prompt_tokens": 2, "total_tokens": 2}}


def _moderation(body: Json) -> Json:
    given = body["input"]
    inputs = len(given) if isinstance(given, list) and isinstance(given[0], str) else 1
    categories: tuple[str, ...] = get_args(Category)
    result = {
        "flagged": False,
        "categories": dict.fromkeys(categories, False),
        "category_scores": dict.fromkeys(categories, 0.01),
        "category_applied_input_types": {name: ["text"] for name in categories},
    }
    return {"id": "modr-1", "model": body["model"], "results": [result] * inputs}
