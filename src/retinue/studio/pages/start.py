"""How to begin: a first chat, and how programs use this server."""

# pyright: reportDeprecated=false
from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

import openai
from fastapi import Request
from nicegui import ui

from ..elements.code import Code
from ..elements.controls import heading, once, plain
from ..frame import Page
from ..visitor import Visitor

_SHELL = """pip install openai
export OPENAI_BASE_URL={base}
export OPENAI_API_KEY=sk-retinue-...   # {key}"""
_PYTHON = """from openai import OpenAI

client = OpenAI()
assistant = client.beta.assistants.create(model="default", instructions="{tutor}")
thread = client.beta.threads.create(messages=[{{"role": "user", "content": "{question}"}}])
run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
print(client.beta.threads.messages.list(thread.id).data[0].content[0].text.value)"""


#: Assistants that are offered, by the beginnings of their words, with their icons.
_OFFERED = {"tutor": "school", "writer": "edit_note", "coder": "code", "translator": "translate"}
#: Marks an assistant that was made here, among its metadata.
_KEY = "first_chat"
#: Assistants that are looked through for one that was made before.
_MOST = 500


async def _build(visitor: Visitor, request: Request) -> None:
    ui.add_head_html('<link rel="stylesheet" href="/static/start.css">')
    heading(visitor.text("start.title"))
    ui.label(visitor.text("start.hint")).classes("quiet")
    await _first_chat(visitor)
    with ui.element("section").classes("card"):
        heading(visitor.text("start.connect"), 2)
        ui.label(visitor.text("start.connect_hint"))
        base = str(request.base_url).rstrip("/") + "/v1"
        Code(visitor, _SHELL.format(base=base, key=visitor.text("start.your_key")), "bash")
        said = {key: visitor.text(f"start.{key}") for key in ("tutor", "question")}
        Code(visitor, _PYTHON.format(**said), "python")


async def _first_chat(visitor: Visitor) -> None:
    text = visitor.text
    with ui.element("section").classes("card"):
        heading(text("start.chat"), 2)
        if not visitor.may_write:
            ui.label(text("start.viewer"))
            return
        try:
            model: Any = await visitor.get("/models/default")
        except openai.NotFoundError:
            ui.label(text("start.no_model")).props("role=alert")
            return
        ui.label(text("start.chat_hint", model=model["retinue"]["serves"]))
        with ui.element("ul").classes("offered"):
            for key, icon in _OFFERED.items():
                with (
                    ui.element("li"),
                    ui.button(on_click=once(partial(_begin, visitor, key)), color=None).props("flat no-caps"),
                ):
                    ui.icon(icon).props("aria-hidden=true")
                    with ui.element("span"):
                        ui.label(text(f"start.{key}_name")).classes("name")
                        ui.label(text(f"start.{key}_does")).classes("quiet")
        plain(text("start.chat_button"), lambda: ui.navigate.to("/"))


async def _begin(visitor: Visitor, key: str) -> None:
    """Find or make one of the offered assistants, and open a chat with it."""
    ui.notify(visitor.text("start.making"))
    mark = f"{key}-{visitor.language}"
    found, seen = "", 0
    async for one in visitor.client.beta.assistants.list(limit=100):
        seen += 1
        if (one.metadata or {}).get(_KEY) == mark:
            found = one.id
        if found or seen >= _MOST:
            break
    if not found:
        made = await visitor.client.beta.assistants.create(
            model="default",
            name=visitor.text(f"start.{key}_name"),
            description=visitor.text(f"start.{key}_does"),
            instructions=visitor.text(f"start.{key}_instructions"),
            metadata={_KEY: mark},
        )
        found = made.id
    ui.navigate.to(f"/?{urlencode({'assistant': found, 'ask': visitor.text(f'start.{key}_ask')})}")


PAGES = (Page("/start", "start.title", _build, icon="rocket_launch", group="use"),)
