"""Whom one can talk with: the project's assistants, and its models."""

# pyright: reportDeprecated=false
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import openai
from openai.types.beta import Assistant

from ...visitor import Visitor

#: Marks, among an assistant's metadata, one that stands for a model in chats: the model's name.
MODEL_KEY = "chat_model"
#: Assistants that are offered, at most, and how many a page of the list has.
_MOST, _PAGE = 500, 100


@dataclass(frozen=True, slots=True)
class Choice:
    """One that can be talked with."""

    #: ``assistant:ID`` or ``model:NAME``.
    key: str
    #: What people call it.
    name: str
    #: The model that answers.
    model: str
    description: str = ""
    #: Types of the assistant's tools.
    tools: tuple[str, ...] = ()


class Choices:
    """Assistants and models that a person can talk with."""

    def __init__(self, visitor: Visitor) -> None:
        """Empty until `load`."""
        self._visitor = visitor
        self._assistants: dict[str, Assistant] = {}
        self._for_models: dict[str, str] = {}
        self._models: dict[str, Mapping[str, Any]] = {}
        self.all: dict[str, Choice] = {}

    async def load(self) -> None:
        """Ask what there is. Raises `openai.APIError`."""
        listed = self._visitor.client.beta.assistants.list(limit=_PAGE, order="desc")
        async for one in listed:
            if model := (one.metadata or {}).get(MODEL_KEY):
                self._for_models.setdefault(model, one.id)
            else:
                self._assistants[one.id] = one
            if len(self._assistants) + len(self._for_models) >= _MOST:
                break
        for model in (await self._visitor.get("/models"))["data"]:
            if "chat" in (model.get("retinue") or {}).get("capabilities", ()):
                self._models[model["id"]] = model
        for choice in (*map(self._of_assistant, self._assistants.values()), *map(self._of_model, self._models)):
            self.all[choice.key] = choice

    def _of_assistant(self, one: Assistant) -> Choice:
        name = one.name or self._visitor.text("chat.unnamed", id=one.id[-6:])
        tools = tuple(tool.type for tool in one.tools)
        return Choice(f"assistant:{one.id}", name, one.model, one.description or "", tools)

    def _of_model(self, name: str) -> Choice:
        return Choice(f"model:{name}", name, name)

    async def default(self, wanted: str = "") -> str:
        """The key of the one to begin with: `wanted` if there is that one, else what the default model leads to."""
        if wanted in self.all:
            return wanted
        try:
            model: Any = await self._visitor.get("/models/default")
        except openai.NotFoundError:
            return next(iter(self.all), "")
        key = f"model:{model['retinue']['serves']}"
        return key if key in self.all else next(iter(self.all), "")

    def of(self, assistant: str) -> str:
        """The key of what an assistant with this id stands for; "" if it is gone."""
        if assistant in self._assistants:
            return f"assistant:{assistant}"
        return next((f"model:{model}" for model, id in self._for_models.items() if id == assistant), "")

    async def assistant(self, key: str) -> str:
        """The id of the assistant that answers; for a model it is made once and used again.

        Raises:
            openai.APIError: it cannot be made.
        """
        kind, _, name = key.partition(":")
        if kind == "assistant":
            return name
        if name not in self._for_models:
            made = await self._visitor.client.beta.assistants.create(
                model=name, name=name[:256], metadata={MODEL_KEY: name}
            )
            self._for_models[name] = made.id
        return self._for_models[name]

    def tools(self, key: str) -> list[dict[str, Any]]:
        """The assistant's own tools, as a request has them."""
        one = self._assistants.get(key.partition(":")[2])
        return [tool.to_dict() for tool in one.tools] if one else []  # pyright: ignore[reportReturnType]

    async def sees(self, key: str) -> bool:
        """Whether pictures can be shown to it."""
        model = self.all[key].model
        if model not in self._models:
            self._models[model] = await self._visitor.get(f"/models/{model}")
        return "vision" in self._models[model]["retinue"]["capabilities"]
