"""The page of one GPT: what it is, how to begin, and what people think of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from fastapi import Request
from nicegui import ui

from ...elements.controls import heading, plain, primary
from ...elements.dialogs import form
from ...elements.moment import Moment
from ...visitor import Visitor
from .common import (
    STYLE,
    Json,
    administers,
    api_path,
    author,
    chat_address,
    counted,
    edit_address,
    picture,
    rating,
    standing,
)
from .deciding import Deciding
from .reviews import Reviews

_REASONS = ("harmful", "misleading", "offensive", "privacy", "copyright", "spam", "other")
_ICONS = {
    "web_browsing": "travel_explore",
    "code_interpreter": "terminal",
    "image_generation": "palette",
    "file_search": "menu_book",
    "actions": "hub",
}
_LANGUAGES = {"en": "English", "zh": "中文"}


def _notes(visitor: Visitor, gpt: Json) -> None:
    """What editors should know before anything else."""
    text, moderation = visitor.text, gpt["moderation"]
    notes: list[str] = []
    if moderation["hidden"]:
        notes.append(text("gpt_store.hidden_note"))
        if moderation["reason"]:
            notes.append(text("gpt_store.hidden_because", reason=moderation["reason"]))
    elif gpt["version"] is None:
        notes.append(text("gpt_store.draft_note"))
    elif moderation["waits"]:
        notes.append(text("gpt_store.waits_note"))
    if notes:
        with ui.element("div").classes("gpt-note").props("role=note"):
            for one in notes:
                ui.label(one)


def _profile(visitor: Visitor, gpt: Json) -> None:
    text = visitor.text
    with ui.element("header").classes("gpt-head"):
        picture(gpt, 96)
        with ui.element("div").classes("gpt-words"):
            heading(gpt["name"])
            with ui.element("span").classes("facts"):
                ui.label(text("gpt_store.by", name=author(visitor, gpt)))
                rating(visitor, gpt)
                if count := gpt["statistics"]["conversations"]:
                    ui.label(counted(visitor, "conversations", count))
                    ui.label(counted(visitor, "users", gpt["statistics"]["users"]))
                if gpt["featured"]:
                    ui.label(text("gpt_store.featured")).classes("mark")
                for said, look in standing(visitor, gpt) if gpt["may_edit"] else ():
                    ui.label(said).classes(f"mark {look}")
            ui.label(gpt["description"])
    with ui.element("div").classes("gpt-buttons"):
        if visitor.may_write and gpt["version"] is not None:
            primary(text("gpt_store.start_chat"), lambda: ui.navigate.to(chat_address(gpt)), icon="chat")
        if visitor.may_write and gpt["may_edit"]:
            said = "gpt_store.edit" if gpt["version"] is not None else "gpt_store.try_draft"
            plain(text(said), lambda: ui.navigate.to(edit_address(gpt)), icon="edit")
        if visitor.may_write and gpt["owner"] != visitor.me["user"]["id"]:
            plain(text("gpt_store.report"), lambda: _report(visitor, gpt), icon="flag")


def _starters(visitor: Visitor, gpt: Json) -> None:
    starters: list[str] = gpt["conversation_starters"]
    if not starters:
        return
    with ui.element("section"):
        heading(visitor.text("gpt_store.starters"), 2)
        with ui.element("ul").classes("gpt-starters"):
            for one in starters:
                with ui.element("li"):
                    if visitor.may_write and gpt["version"] is not None:
                        ui.link(one, chat_address(gpt, one))
                    else:
                        ui.label(one)


def _abilities(visitor: Visitor, gpt: Json) -> None:
    text = visitor.text
    with ui.element("section"):
        heading(text("gpt_store.can"), 2)
        with ui.element("ul").classes("gpt-can"):
            for one in gpt["capabilities"] or ["talks"]:
                with ui.element("li"):
                    ui.icon(_ICONS.get(one, "forum")).props("aria-hidden=true")
                    ui.label(text(f"gpt_store.{one}"))
        if gpt["privacy_policy_url"]:
            link = ui.link(text("gpt_store.privacy"), gpt["privacy_policy_url"], new_tab=True)
            link.props["rel"] = "noopener noreferrer nofollow"


def _about(visitor: Visitor, gpt: Json) -> None:
    text = visitor.text
    with ui.element("section"):
        heading(text("gpt_store.about"), 2)
        with ui.element("ul").classes("gpt-about"):
            with ui.element("li"):
                ui.link(text(f"gpt_categories.{gpt['category']}"), f"/gpts?category={gpt['category']}")
            for tag in gpt["tags"]:
                with ui.element("li"):
                    ui.link(f"#{tag}", f"/gpts?q={quote(tag)}")
            if gpt["language"]:
                name = _LANGUAGES.get(gpt["language"].partition("-")[0].lower(), gpt["language"])
                with ui.element("li"):
                    ui.label(text("gpt_store.language", name=name))
            if gpt["version"] is not None:
                with ui.element("li"):
                    ui.label(text("gpt_store.version", number=gpt["version"]))
                named = gpt["id"] if gpt["visibility"] == "link" else f"gpt:{gpt['slug']}"
                with ui.element("li"):
                    ui.label(text("gpt_store.for_programs", name=named))
            with ui.element("li"):
                ui.label(text("gpt_store.updated"))
                Moment(visitor, gpt["updated_at"])


def _report(visitor: Visitor, gpt: Json) -> None:
    text = visitor.text

    def fill() -> Callable[[], Awaitable[None]]:
        reasons = {one: text(f"gpt_store.reason_{one}") for one in _REASONS}
        reason = ui.select(reasons, value=_REASONS[0], label=text("gpt_store.reason")).props("outlined dense")
        more = ui.textarea(text("gpt_store.report_text")).props("outlined dense maxlength=2000 autogrow")

        async def send() -> None:
            await visitor.post(api_path(gpt, "/reports"), {"reason": reason.value, "text": more.value or ""})
            ui.notify(text("gpt_store.reported"))

        return send

    title = text("gpt_store.report_title", name=gpt["name"])
    form(visitor, title, text("gpt_store.send_report"), fill, text("gpt_store.report_hint"))


async def build(visitor: Visitor, request: Request) -> None:
    """Make the page."""
    ui.add_head_html(STYLE)
    gpt: Json = await visitor.get(f"/gpts/{quote(request.path_params['name'], safe='')}")
    ui.page_title(f"{gpt['name']} · Retinue")
    with ui.element("div").classes("gpt-one"):
        ui.link(f"‹ {visitor.text('gpt_store.title')}", "/gpts").classes("crumb")
        if gpt["may_edit"]:
            _notes(visitor, gpt)
        _profile(visitor, gpt)
        if administers(visitor):
            Deciding(visitor, gpt)
        _starters(visitor, gpt)
        _abilities(visitor, gpt)
        _about(visitor, gpt)
        if gpt["version"] is not None:
            await Reviews(visitor, gpt).load()
