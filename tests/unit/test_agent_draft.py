"""Names, roles and goals of agents, drafted by their model."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest

from retinue.accounts.keys import Caller
from retinue.agents.draft import drafted
from retinue.inference.chat import ChatEvent, ChatRequest, TextDelta
from retinue.inference.models import ServedModel
from retinue.model_settings import ModelSettings
from retinue.wire.agents import AgentCreate


class Says:
    """A model that drafts too much."""

    def __init__(self) -> None:
        self.asked: list[ChatRequest] = []

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        self.asked.append(request)
        said = {"name": "Flower-GPT", "role": "an AI that writes", "goals": ["A compelling plot.", "Vivid words."]}
        yield TextDelta(orjson.dumps(said).decode())


class Books:
    async def call(self, *_: object) -> AbstractContextManager[Any]:
        return nullcontext(SimpleNamespace())


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("local", [True, False])
async def test_goals_on_a_model_that_runs_here_are_parts_of_the_task(language: Any, *, local: bool) -> None:
    settings = ModelSettings(backend="local", weights="w") if local else ModelSettings(base_url="http://127.0.0.1/v1")
    model = Says()
    served = ServedModel("m", settings, cast(Any, None), cast(Any, model), False)
    body = AgentCreate(task="write a short story about flowers, then read it")
    made = await drafted(body, language, served, cast(Any, Books()), Caller("proj_1"))
    assert (made.name, made.role) == ("Flower-GPT", "an AI that writes")
    assert made.goals == (
        ["write a short story about flowers", "read it"] if local else ["A compelling plot.", "Vivid words."]
    )
    (asked,) = model.asked
    assert ("goals" in cast(Any, asked.response_format)["json_schema"]["schema"]["properties"]) is not local
