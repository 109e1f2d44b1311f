"""Whom one can talk with: GPTs, the project's assistants, and its models."""

# pyright: reportDeprecated=false
from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

import openai
from openai.types.beta import Assistant

from ...asking import each
from ...elements.messages import GPT_ASSISTANTS
from ...gpt_pictures import picture_url
from ...visitor import Visitor

#: Marks, among an assistant's metadata, one that stands for a model in chats: the model's name.
MODEL_KEY = "chat_model"
#: Marks the assistant that makes GPTs: there is a page for that.
BUILDER_KEY = "gpt_builder"
#: GPTs that are offered, of each kind.
_GPTS = 50
#: Assistants that are offered, at most, and how many a page of the list has.
_MOST, _PAGE = 500, 100


@dataclass(frozen=True, slots=True)
class Choice:
    """One that can be talked with."""

    #: ``gpt:ID``, ``assistant:ID`` or ``model:NAME``.
    key: str
    #: What people call it.
    name: str
    #: The model that answers; "" where people are not told.
    model: str
    description: str = ""
    #: Types of the assistant's tools.
    tools: tuple[str, ...] = ()
    #: What a talk with a GPT may begin with, and where its picture is.
    starters: tuple[str, ...] = ()
    picture: str = ""

    @property
    def is_gpt(self) -> bool:
        """Whether it is a GPT, whose tools nobody but its maker chooses."""
        return self.key.startswith("gpt:")


class Choices:
    """Assistants and models that a person can talk with."""

    def __init__(self, visitor: Visitor) -> None:
        """Empty until `load`."""
        self._visitor = visitor
        self._assistants: dict[str, Assistant] = {}
        self._for_models: dict[str, str] = {}
        self._models: dict[str, Mapping[str, Any]] = {}
        #: From ids of assistants of GPTs' versions, and of those that were asked for one by one, to keys.
        self._versions: dict[str, str] = {}
        #: Whether there are assistants that are not listed.
        self._has_older = False
        self.all: dict[str, Choice] = {}

    async def load(self) -> None:
        """Ask what there is. Raises `openai.APIError`."""
        await asyncio.gather(self._load_gpts(), self._load_assistants(), self._load_models())
        for choice in (*map(self._of_assistant, self._assistants.values()), *map(self._of_model, self._models)):
            self.all[choice.key] = choice

    async def _load_assistants(self) -> None:
        async for one in self._visitor.client.beta.assistants.list(limit=_PAGE, order="desc"):
            if model := (one.metadata or {}).get(MODEL_KEY):
                self._for_models.setdefault(model, one.id)
            elif BUILDER_KEY not in (one.metadata or {}):
                self._assistants[one.id] = one
            if len(self._assistants) + len(self._for_models) >= _MOST:
                self._has_older = True
                break

    async def _load_models(self) -> None:
        for model in (await self._visitor.get("/models"))["data"]:
            if "chat" in (model.get("retinue") or {}).get("capabilities", ()):
                self._models[model["id"]] = model

    async def _load_gpts(self) -> None:
        """The visitor's own GPTs that are published, and those that most people use."""
        ask = partial(self._visitor.get, "/gpts", limit=_GPTS)
        for found in await asyncio.gather(ask(scope="mine", sort="newest"), ask(scope="store", sort="most_used")):
            for gpt in found["data"]:
                if gpt["version"]:
                    self._add_gpt(gpt)

    def _add_gpt(self, gpt: Mapping[str, Any]) -> str:
        key = f"gpt:{gpt['id']}"
        self._versions[gpt["assistant_id"]] = key
        self.all[key] = Choice(
            key,
            gpt["name"],
            "",
            gpt["description"],
            tuple(gpt["capabilities"]),
            tuple(gpt["conversation_starters"]),
            picture_url(gpt),
        )
        return key

    async def find_gpt(self, name: str) -> str:
        """The key of the GPT with this id, slug or assistant; "" where the visitor may use none."""
        if name in self._versions:
            return self._versions[name]
        try:
            gpt = await self._visitor.get(f"/gpts/{quote(name, safe='')}")
        except (openai.NotFoundError, openai.PermissionDeniedError):
            gpt = {"version": 0}
        # What there is none of is remembered, too.
        self._versions[name] = self._add_gpt(gpt) if gpt["version"] else ""
        return self._versions[name]

    async def learn(self, assistants: Iterable[str | None]) -> None:
        """Find out which GPTs these assistants are, and which are not among the newest, so that `of` knows."""
        named = {one for one in assistants if one}
        gpts = {one for one in named if one.startswith(GPT_ASSISTANTS)}
        older = named - gpts if self._has_older else ()
        await asyncio.gather(each(self.find_gpt, gpts), each(self._find_older, older))

    async def _find_older(self, assistant: str) -> None:
        """Ask for an assistant that is not among the newest. Raises `openai.APIError`."""
        if not assistant.startswith("asst_") or assistant in self._versions or self.of(assistant):
            return
        try:
            one = await self._visitor.client.beta.assistants.retrieve(quote(assistant, safe=""))
        except (openai.NotFoundError, openai.PermissionDeniedError):
            self._versions[assistant] = ""
            return
        model, choice = (one.metadata or {}).get(MODEL_KEY), self._of_assistant(one)
        self._versions[assistant] = f"model:{model}" if model else choice.key
        if not model:
            self._assistants[one.id], self.all[choice.key] = one, choice

    def _of_assistant(self, one: Assistant) -> Choice:
        name = one.name or self._visitor.text("chat.unnamed", id=one.id[-6:])
        tools = tuple(tool.type for tool in one.tools)
        return Choice(f"assistant:{one.id}", name, one.model, one.description or "", tools)

    @property
    def names(self) -> dict[str, str]:
        """What people choose by: names, by keys."""
        model = partial(self._visitor.text, "chat.model")
        return {key: model(name=one.name) if key.startswith("model:") else one.name for key, one in self.all.items()}

    def _of_model(self, name: str) -> Choice:
        return Choice(f"model:{name}", name, name)

    async def default(self, wanted: str = "") -> str:
        """The key of the one to begin with: `wanted` if there is that one, else what the default model leads to."""
        if wanted.startswith("gpt:"):
            wanted = await self.find_gpt(wanted.removeprefix("gpt:")) or wanted
        await self.learn([wanted.removeprefix("assistant:")] if wanted.startswith("assistant:") else ())
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
        if assistant in self._versions:
            return self._versions[assistant]
        if assistant in self._assistants:
            return f"assistant:{assistant}"
        return next((f"model:{model}" for model, id in self._for_models.items() if id == assistant), "")

    async def assistant(self, key: str) -> str:
        """What a run names as its assistant: for a GPT its id, for a model an assistant that is made once.

        Raises:
            openai.APIError: it cannot be made.
        """
        kind, _, name = key.partition(":")
        if kind in ("assistant", "gpt"):
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
        if not model:
            # Of a GPT people are not told. Where its model sees nothing the API says so.
            return True
        return "vision" in (await self._about(model))["capabilities"]

    async def names_chats(self, key: str) -> bool:
        """Whether its model is asked for names of chats. A local one as a rule is not: it has few hands, and whoever
        goes on talking would wait for it.
        """
        titles, model = self._visitor.chat_titles, self.all[key].model
        return titles == "all" or (titles == "remote" and (await self._about(model))["backend"] != "local")

    async def _about(self, model: str) -> Mapping[str, Any]:
        """What Retinue tells of a model. Raises `openai.APIError`."""
        if model not in self._models:
            self._models[model] = await self._visitor.get(f"/models/{quote(model, safe='')}")
        return self._models[model]["retinue"]
