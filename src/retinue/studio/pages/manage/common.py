"""What the pages of administrators have in common: who may see them, whole lists, the choice of a project."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request, Response
from nicegui import ui

from ...elements.controls import heading
from ...frame import Page
from ...visitor import Visitor

#: An object as the API answers it.
Json = Mapping[str, Any]
#: Most objects of a list that a page shows.
MOST = 1000
_PAGE = 100
ORGANIZATION = "/organization"
PROJECTS = f"{ORGANIZATION}/projects"


def page(path: str, title: str, icon: str, build: Callable[[Visitor], Awaitable[None]]) -> Page:
    """A page that only owners of the organization see.

    Args:
        path: where it is.
        title: key of its title.
        icon: of the navigation.
        build: makes its content.
    """

    async def shown(visitor: Visitor, _: Request) -> Response | None:
        ui.add_head_html('<link rel="stylesheet" href="/static/manage.css">')
        if visitor.administers:
            await build(visitor)
        else:
            ui.context.client.status_code = 403
            heading(visitor.text(title))
            ui.label(visitor.text("manage.owners_only")).classes("empty").props("role=alert")

    return Page(path, title, shown, icon=icon, group="manage", shown=lambda visitor: visitor.administers)


async def every(visitor: Visitor, path: str, **query: Any) -> list[Json]:
    """All objects of a list, up to `MOST`. Raises `openai.APIError`."""
    found: list[Json] = []
    after = None
    while len(found) < MOST:
        part = await visitor.get(path, limit=_PAGE, after=after, **query)
        found += part["data"]
        if not part["has_more"]:
            break
        after = part["last_id"]
    return found


def say_if_cut(visitor: Visitor, found: list[Any]) -> None:
    """Say so where a list has more than is shown."""
    if len(found) >= MOST:
        ui.label(visitor.text("manage.many", count=MOST)).classes("quiet")


async def projects_of(visitor: Visitor) -> dict[str, str]:
    """The names of all projects, by id."""
    return {one["id"]: one["name"] for one in await every(visitor, PROJECTS)}


def choose_project(visitor: Visitor, projects: Mapping[str, str], on_change: Callable[[str], Awaitable[None]]) -> str:
    """A field that chooses a project; returns which it begins with."""
    first = visitor.project if visitor.project in projects else next(iter(projects))
    ui.select(
        dict(projects),
        value=first,
        label=visitor.text("manage.project"),
        on_change=lambda event: on_change(event.value),
    ).props("outlined dense").classes("chosen")
    return first


def written(field: ui.input) -> str:
    """What somebody has written, without spaces around it."""
    return (field.value or "").strip()


def filled(visitor: Visitor, field: ui.input) -> str:
    """What somebody has written; if nothing, the field says that it is needed."""
    text = written(field)
    field.error = None if text else visitor.text("manage.needed")
    return text
