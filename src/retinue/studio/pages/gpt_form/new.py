"""Where making a GPT begins: by talking, by form, from a template or from a file."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import Request
from nicegui import ui

from ...elements.controls import heading, on_enter, once, plain, primary
from ...elements.dialogs import dialog, working
from ...visitor import Visitor
from .common import STYLES, hint
from .files import importer


async def build(visitor: Visitor, _: Request) -> None:
    """Make the page."""
    ui.add_head_html(STYLES)
    text = visitor.text
    heading(text("gpt_form.new"))
    if not visitor.may_write:
        ui.label(text("gpt_builder.viewer")).classes("empty")
        return
    with ui.element("div").classes("gpt-ways"):
        with _way(visitor, "talking"):
            primary(text("gpt_form.begin_talking"), lambda: ui.navigate.to("/gpts/create"))
        with _way(visitor, "form"):
            _by_form(visitor)
        with _way(visitor, "template"):
            plain(text("gpt_form.begin_template"), lambda: ui.navigate.to("/gpts/templates"))
        with _way(visitor, "file"):
            _by_file(visitor)


def _way(visitor: Visitor, name: str) -> ui.element:
    with ui.element("section").classes("card gpt-way") as way:
        heading(visitor.text(f"gpt_form.by_{name}"), 2)
        ui.label(visitor.text(f"gpt_form.by_{name}_hint")).classes("quiet grow")
    return way


def _by_form(visitor: Visitor) -> None:
    text = visitor.text
    name = ui.input(text("gpt_form.name")).props("outlined dense maxlength=80 autocomplete=off").classes("wide")

    async def begin() -> object:
        written = (name.value or "").strip()
        name.error = None if written else text("gpt_form.name_needed")
        if not written:
            return False
        with working(button):
            made = await visitor.post("/gpts", {"name": written})
        return ui.navigate.to(_address(made["id"]))

    begin_once = once(begin)
    on_enter(name, begin_once)
    button = plain(text("gpt_form.begin_form"), begin_once)


def _by_file(visitor: Visitor) -> None:
    text = visitor.text
    said = ui.label().props("role=status").classes("quiet")

    def told(news: dict[str, Any]) -> None:
        said.set_text(text("gpt_form.importing") if news["state"] == "sending" else news.get("message", ""))
        failed = news["state"] == "failed"
        said.classes(add="wrong" if failed else "quiet", remove="quiet" if failed else "wrong")
        button.set_enabled(news["state"] != "sending")
        if news["state"] == "done":
            _arrived(visitor, str(news["gpt"]), news["notes"])

    _, choose = importer(visitor, told)
    button = plain(text("gpt_form.choose_file"), icon="upload_file")
    button.on("click", js_handler=choose)


def _arrived(visitor: Visitor, gpt: str, notes: list[dict[str, str]]) -> None:
    """Go to what was imported, once the person has read what is not as it was."""
    text, address = visitor.text, _address(gpt)
    if not notes:
        ui.navigate.to(address)
        return
    with dialog(text("gpt_form.imported")) as made:
        made.props("persistent")
        with ui.element("ul").classes("gpt-notes"):
            for one in notes:
                with ui.element("li"):
                    ui.label(text(f"gpt_form.note_{one['kind']}", name=one["name"]))
                    if visitor.language == "en" and one["kind"] == "connection":
                        hint(one["message"])
        with ui.element("div").classes("ends"):
            primary(text("gpt_form.go_on"), lambda: ui.navigate.to(address))


def _address(gpt: str) -> str:
    return f"/gpts/edit/{quote(gpt, safe='')}"
