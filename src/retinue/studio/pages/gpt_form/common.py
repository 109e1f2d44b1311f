"""What the parts of these pages have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import openai
from nicegui import ui

from ...elements.turn import names_of
from ...frame import message_of
from ...visitor import Visitor

STYLES = "".join(
    f'<link rel="stylesheet" href="/static/{name}.css">' for name in ("files", "playground", "manage", "gpt-form")
)
_MOST = 100


@dataclass(slots=True)
class Around:
    """What there is in the project beside the GPT."""

    #: What models that chat are called, by their names.
    models: dict[str, str]
    #: The name of a model that makes pictures; "" if there is none.
    painter: str
    #: Those of the project.
    connections: list[Mapping[str, Any]]
    #: Names of people, and of groups of them, by their ids.
    people: dict[str, str]
    #: Names of files, by their ids.
    files: dict[str, str] = field(default_factory=dict[str, str])


async def around(visitor: Visitor) -> Around:
    """Ask for it. Raises `openai.APIError`."""
    models: dict[str, str] = {}
    painter = ""
    for one in (await visitor.get("/models"))["data"]:
        about = one["retinue"]
        if "images" in about["capabilities"]:
            painter = painter or one["id"]
        if "chat" in about["capabilities"]:
            if "default" in about["aliases"]:
                models["default"] = visitor.text("playground.default_model", name=one["id"])
            models[one["id"]] = one["id"]
    connections = (await visitor.get("/connections", limit=_MOST))["data"]
    people = {one["id"]: one["name"] for one in (await visitor.get("/gpts/people", limit=_MOST))["data"]}
    for one in (await visitor.get("/gpts/groups", limit=_MOST))["data"]:
        people[one["id"]] = visitor.text("gpt_form.group", name=one["name"])
    # Owners of the organization need no place in a project to be in it.
    me = visitor.me["user"]
    return Around(models, painter, connections, {**people, me["id"]: me["name"]})


async def name_files(visitor: Visitor, known: Around, files: set[str]) -> None:
    """Find out the names of files that are not known yet."""
    if missing := files - known.files.keys():
        known.files |= await names_of(visitor, missing)


def saver(element: Any, save: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What saves a field when its value changes; a value that is refused is told under the field.

    Args:
        element: the field.
        save: saves a value. May raise `openai.APIError`.
    """

    async def changed(event: Any) -> None:
        try:
            await save(event.value)
        except openai.BadRequestError as error:
            element.error = message_of(error)
        else:
            element.error = None

    return changed


def hint(text: str) -> ui.label:
    """A sentence under a heading."""
    return ui.label(text).classes("quiet small")
