"""How to begin: a first chat, and how programs use this server."""

from __future__ import annotations

from fastapi import Request
from nicegui import ui

from ..elements.code import Code
from ..elements.controls import heading, primary
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


async def _build(visitor: Visitor, request: Request) -> None:
    heading(visitor.text("start.title"))
    ui.label(visitor.text("start.hint")).classes("quiet")
    with ui.element("section").classes("card"):
        heading(visitor.text("start.chat"), 2)
        ui.label(visitor.text("start.chat_hint"))
        primary(visitor.text("start.chat_button"), lambda: ui.navigate.to("/"))
    with ui.element("section").classes("card"):
        heading(visitor.text("start.connect"), 2)
        ui.label(visitor.text("start.connect_hint"))
        base = str(request.base_url).rstrip("/") + "/v1"
        Code(visitor, _SHELL.format(base=base, key=visitor.text("start.your_key")), "bash")
        said = {key: visitor.text(f"start.{key}") for key in ("tutor", "question")}
        Code(visitor, _PYTHON.format(**said), "python")


PAGES = (Page("/start", "start.title", _build, icon="rocket_launch", group="use"),)
