"""The page of files: upload, find, download, delete, and where each is used."""

# pyright: reportDeprecated=false
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import openai
from fastapi import Request
from nicegui import ui
from openai.types import FileObject

from ..asking import each
from ..content import content_url
from ..elements.amounts import counted, in_bytes
from ..elements.controls import heading
from ..elements.dialogs import closing, dialog, question
from ..elements.listing import Listing, Row
from ..elements.uploads import Uploads
from ..frame import Page
from ..visitor import Visitor

STYLE = '<link rel="stylesheet" href="/static/files.css">'
#: The most files that the API lists at once.
MOST_FILES = 10_000
#: What a person may upload files for here.
_PURPOSES = ("assistants", "vision", "user_data")
#: Vector stores, and assistants, in which a file is looked for; and requests for that at once.
_MOST_PLACES = 100


@dataclass(frozen=True, slots=True)
class Uses:
    """Where a file is used: ids and names."""

    stores: Mapping[str, str]
    assistants: Mapping[str, str]
    #: Whether there are more vector stores or assistants than were looked at.
    more: bool


async def uses_of(visitor: Visitor, file: str) -> Uses:
    """Look where a file is used: the API tells it of each vector store, and of assistants in their list."""
    stores = await visitor.client.vector_stores.list(limit=_MOST_PLACES)
    assistants = await visitor.client.beta.assistants.list(limit=_MOST_PLACES)

    async def holds(store: str) -> bool:
        try:
            await visitor.client.vector_stores.files.retrieve(file, vector_store_id=store)
        except openai.NotFoundError:
            return False
        return True

    held = await each(holds, [one.id for one in stores.data])
    unnamed = visitor.text("files.unnamed")
    given: dict[str, str] = {}
    for one in assistants.data:
        resources = one.tool_resources and one.tool_resources.code_interpreter
        if resources and file in (resources.file_ids or []):
            given[one.id] = one.name or unnamed
    return Uses(
        {one.id: one.name or unnamed for one, there in zip(stores.data, held, strict=True) if there},
        given,
        bool(stores.has_more or assistants.has_more),
    )


class _Files:
    """The page."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor, text = visitor, visitor.text
        self._files: dict[str, FileObject] = {}
        heading(text("files.title"))
        ui.label(text("files.hint")).classes("quiet")
        if visitor.may_write:
            self._make_uploads()
        with ui.element("div").classes("tools"):
            self._search = ui.input(text("files.search"), on_change=self._show).classes("wide")
            self._search.props("dense outlined clearable type=search maxlength=255")
            purposes = {"": text("files.all_purposes")}
            self._purpose = ui.select(purposes, value="", label=text("files.purpose"), on_change=self._show)
            self._purpose.props("dense outlined")
        actions = [
            {"name": "details", "label": text("files.details"), "icon": "link"},
            {"name": "download", "label": text("files.download"), "icon": "download"},
        ]
        if visitor.may_write:
            actions.append({"name": "delete", "label": text("files.delete"), "icon": "delete"})
        self._table = Listing(
            visitor,
            caption=text("files.title"),
            columns=[
                {"name": "name", "label": text("files.name"), "sorts": True},
                {"name": "purpose", "label": text("files.purpose"), "sorts": True},
                {"name": "size", "label": text("files.size"), "kind": "number", "sorts": True},
                {"name": "created", "label": text("files.created"), "kind": "time", "sorts": True},
            ],
            empty="",
            actions=actions,
            on_action=self._do,
            order=("created", True),
        )
        self._count = ui.label().classes("quiet")

    def _make_uploads(self) -> None:
        text = self._visitor.text
        with ui.element("div").classes("tools"):
            uploads = Uploads(self._visitor, on_file=self._uploaded).classes("wide")
            purposes = {one: text(f"files.{one}") for one in _PURPOSES}
            choose = ui.select(purposes, value="assistants", label=text("files.upload_as"))
            choose.props("dense outlined").on_value_change(lambda event: uploads.choose(str(event.value)))

    async def load(self) -> None:
        """Ask for the files."""
        page = await self._visitor.client.files.list(limit=MOST_FILES)
        self._files = {one.id: one for one in page.data}
        self._more = bool(page.has_more)
        self._show()

    def _show(self) -> None:
        text = self._visitor.text
        sought, purpose = (self._search.value or "").strip().casefold(), self._purpose.value or ""
        fitting = [
            one for one in self._files.values() if sought in one.filename.casefold() and purpose in ("", one.purpose)
        ]
        there = sorted({one.purpose for one in self._files.values()})
        self._purpose.set_options({"": text("files.all_purposes"), **{one: text(f"files.{one}") for one in there}})
        empty = (
            "files.none_found" if self._files else "files.empty" if self._visitor.may_write else "files.empty_viewer"
        )
        self._table.say(text(empty))
        self._table.show([self._row(one) for one in fitting])
        said = counted(self._visitor, len(fitting), sum(one.bytes for one in fitting))
        if self._more:
            said += " " + text("files.newest", most=MOST_FILES)
        self._count.set_text(said if self._files else "")

    def _row(self, file: FileObject) -> Row:
        cells: dict[str, Any] = {
            "name": file.filename,
            "purpose": self._visitor.text(f"files.{file.purpose}"),
            "size": {"text": in_bytes(file.bytes), "sort": file.bytes},
            "created": {"time": file.created_at},
        }
        if file.expires_at:
            # The browser tells the time by its own clock.
            expires = self._visitor.text("files.expires", when="{when}")
            cells["created"]["notes"] = [{"text": expires, "time": file.expires_at}]
        return {"id": file.id, "name": file.filename, "cells": cells}

    async def _uploaded(self, file: Mapping[str, Any]) -> None:
        made = FileObject.model_construct(**file)
        self._files = {made.id: made, **self._files}
        self._show()

    async def _do(self, action: str, file: str) -> None:
        found = self._files.get(file)
        if found is None:
            return
        if action == "download":
            ui.download.from_url(content_url(file), found.filename)
        elif action == "details":
            await self._tell_uses(found)
        elif action == "delete":
            self._delete(found)

    async def _tell_uses(self, file: FileObject) -> None:
        text = self._visitor.text
        with dialog(file.filename) as box:
            ui.label(file.id).classes("mono quiet")
            place = ui.element("div")
            closing(self._visitor, box)
            with place, ui.row():
                ui.spinner(size="1.2rem")
                ui.label(text("files.looking")).props("role=status")
        uses = await uses_of(self._visitor, file.id)
        if place.is_deleted:
            return
        place.clear()
        with place:
            for title, found, address in (
                ("files.used_in_stores", uses.stores, "/vector-stores/{}"),
                ("files.used_by_assistants", uses.assistants, ""),
            ):
                if found:
                    heading(text(title), 3)
                    with ui.element("ul"):
                        for id, name in found.items():
                            with ui.element("li"):
                                ui.link(name, address.format(id)) if address else ui.label(name)
            if not (uses.stores or uses.assistants):
                ui.label(text("files.used_nowhere"))
            if uses.more:
                ui.label(text("files.used_some", most=_MOST_PLACES)).classes("quiet")

    def _delete(self, file: FileObject) -> None:
        text = self._visitor.text

        async def delete() -> None:
            await self._visitor.client.files.delete(file.id)
            self._files.pop(file.id, None)
            self._show()
            ui.notify(text("files.deleted", name=file.filename))

        title = text("files.delete_title", name=file.filename)
        question(self._visitor, title, text("files.delete_hint"), text("frame.delete"), delete)


async def _build(visitor: Visitor, request: Request) -> None:
    ui.add_head_html(STYLE)
    await _Files(visitor).load()


PAGES = (Page("/files", "files.title", _build, icon="folder", group="build"),)
