"""What the pages of the store have in common: addresses, cards, stars, and the way between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from nicegui import ui

from ...elements.controls import heading, primary
from ...gpt_pictures import picture_url
from ...visitor import Visitor

Json = Mapping[str, Any]

STYLE = (
    '<link rel="stylesheet" href="/static/files.css">'
    '<link rel="stylesheet" href="/static/manage.css">'
    '<link rel="stylesheet" href="/static/gpt-store.css">'
)


def administers(visitor: Visitor) -> bool:
    """Whether a person administers the GPTs of the project."""
    return visitor.role == "owner"


def name_in_addresses(gpt: Json) -> str:
    """A GPT's slug; where its slug finds it for editors only, its id."""
    return gpt["id"] if gpt["visibility"] == "link" else gpt["slug"]


def address(gpt: Json) -> str:
    """The page of a GPT."""
    return f"/gpts/{quote(name_in_addresses(gpt), safe='')}"


def chat_address(gpt: Json, ask: str = "") -> str:
    """The chat with a GPT, perhaps with something that is asked at once."""
    query = {"gpt": name_in_addresses(gpt), **({"ask": ask} if ask else {})}
    return f"/?{urlencode(query)}"


def edit_address(gpt: Json) -> str:
    """Where a GPT is changed."""
    return f"/gpts/edit/{quote(gpt['id'], safe='')}"


def api_path(gpt: Json, rest: str = "") -> str:
    """A route of the API on a GPT."""
    return f"/gpts/{quote(gpt['id'], safe='')}{rest}"


def head(visitor: Visitor, title: str, hint: str, current: str) -> None:
    """What stands on top of the pages: title, the way to the others, and to a new GPT."""
    text = visitor.text
    ui.add_head_html(STYLE)
    with ui.element("div").classes("page-head"):
        with ui.element("div"):
            heading(text(title))
            ui.label(text(hint)).classes("quiet")
        if visitor.may_write and current != "/gpts/reports":
            primary(text("gpt_store.new"), lambda: ui.navigate.to("/gpts/new"), icon="add")
    places = {"/gpts": "gpt_store.store", "/gpts/mine": "gpt_store.mine", "/gpts/templates": "gpt_store.templates"}
    if administers(visitor):
        places["/gpts/reports"] = "gpt_store.reports"
    with ui.element("nav").classes("gpt-places") as nav:
        nav.props["aria-label"] = text("gpt_store.places")
        for path, label in places.items():
            link = ui.link(text(label), path)
            if path == current:
                link.props["aria-current"] = "page"


def picture(gpt: Json, size: int) -> None:
    """A GPT's picture, which says nothing that its name does not."""
    image = ui.element("img").classes("gpt-picture")
    image.props.update({"src": picture_url(gpt), "alt": "", "width": size, "height": size, "loading": "lazy"})


def counted(visitor: Visitor, what: str, count: int) -> str:
    """How many conversations, users or reviews, in words."""
    return visitor.text(f"gpt_store.{what}_one" if count == 1 else f"gpt_store.{what}", count=f"{count:,}")


def author(visitor: Visitor, thing: Json) -> str:
    """The name of who made something."""
    return thing["author"] or visitor.text("gpt_store.nobody")


def rating(visitor: Visitor, gpt: Json) -> None:
    """The mean of a GPT's reviews."""
    statistics = gpt["statistics"]
    if statistics["rating"] is None:
        return
    mean = f"{statistics['rating']:.1f}"
    with ui.element("span").classes("gpt-rating"):
        ui.label(f"★ {mean}").props("aria-hidden=true")
        ui.label(visitor.text("gpt_store.stars", rating=mean)).classes("visually-hidden")
        ui.label(f"({statistics['reviews']:,})").props("aria-hidden=true").classes("quiet")
        ui.label(counted(visitor, "reviews", statistics["reviews"])).classes("visually-hidden")


def cards(visitor: Visitor, gpts: Iterable[Json], label: str) -> None:
    """GPTs to choose from; `label` is what a screen reader calls the list."""
    with ui.element("ul").classes("gpt-cards") as there:
        there.props["aria-label"] = label
        for gpt in gpts:
            with ui.element("li"):
                _card(visitor, gpt)


def _card(visitor: Visitor, gpt: Json) -> None:
    with ui.link(target=address(gpt)).classes("gpt-card"):
        picture(gpt, 52)
        with ui.element("span").classes("gpt-words"):
            ui.label(gpt["name"]).classes("name")
            ui.label(gpt["description"]).classes("does")
            with ui.element("span").classes("facts"):
                ui.label(visitor.text("gpt_store.by", name=author(visitor, gpt)))
                rating(visitor, gpt)
                if count := gpt["statistics"]["conversations"]:
                    ui.label(counted(visitor, "conversations", count))
                if gpt["featured"]:
                    ui.label(visitor.text("gpt_store.featured")).classes("mark")


def standing(visitor: Visitor, gpt: Json) -> list[tuple[str, str]]:
    """What editors are told of a GPT, in a word or two each, with its look."""
    text, said = visitor.text, list[tuple[str, str]]()
    if gpt["version"] is None:
        said.append((text("gpt_store.draft"), ""))
    else:
        shown = "in_store" if gpt["visibility"] == "store" else gpt["visibility"]
        said.append((text(f"gpt_store.{shown}"), "good" if shown == "in_store" else ""))
        if gpt["unpublished_changes"]:
            said.append((text("gpt_store.changed"), ""))
    moderation = gpt["moderation"]
    if moderation["hidden"]:
        said = [(text("gpt_store.hidden"), "wrong")]
    elif moderation["waits"] and gpt["version"] is not None:
        said = [(text("gpt_store.waits"), "wrong")]
    return said
