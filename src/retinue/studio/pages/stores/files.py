"""The files of a vector store: their state, what went wrong, and adding and removing them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import openai
from nicegui import ui
from openai.types import FileObject, VectorStore
from openai.types.vector_stores import VectorStoreFile

from ...elements import attributes
from ...elements.amounts import in_bytes
from ...elements.controls import plain
from ...elements.dialogs import closing, dialog, form, question
from ...elements.listing import Listing, Row
from ...elements.uploads import Uploads
from ...visitor import Visitor
from ..files import MOST_FILES
from .failures import told
from .overview import PAGE

#: Files of a store that are shown, files that are offered for adding, and files whose progress is asked for at once.
_MOST, _MOST_OFFERED, _MOST_WATCHED = 500, 500, 8
#: Characters of a file's text that are shown.
_MOST_TEXT = 200_000
#: Seconds between two looks at files that are in progress.
_EVERY = 1.5


class StoreFiles:
    """Built in the current slot."""

    def __init__(self, visitor: Visitor, store: VectorStore, on_store: Callable[[VectorStore], None]) -> None:
        """`on_store` is told the store when it has changed."""
        self._visitor, self._store, self._on_store = visitor, store.id, on_store
        self._files: dict[str, VectorStoreFile] = {}
        self._names: dict[str, FileObject] = {}
        self._stages: dict[str, str] = {}
        self._looking = False
        #: How often the list was asked for anew: what was asked for before that is not shown any more.
        self._asked = 0
        text = visitor.text
        changes = visitor.may_write and store.status != "expired"
        if changes:
            self._make_additions()
        actions = [{"name": "text", "label": text("stores.text"), "icon": "article"}]
        if changes:
            actions += [
                {"name": "again", "label": text("stores.again"), "icon": "refresh"},
                {"name": "attributes", "label": text("stores.edit_attributes"), "icon": "sell"},
                {"name": "remove", "label": text("stores.remove"), "icon": "remove_circle_outline"},
            ]
        self._table = Listing(
            visitor,
            caption=text("stores.files"),
            columns=[
                {"name": "name", "label": text("files.name"), "sorts": True},
                {"name": "status", "label": text("stores.status"), "sorts": True},
                {"name": "size", "label": text("stores.file_size"), "kind": "number", "sorts": True},
                {"name": "added", "label": text("stores.added"), "kind": "time", "sorts": True},
            ],
            empty=text("stores.no_files" if changes else "stores.no_files_viewer"),
            actions=actions,
            on_action=self._do,
        )
        self._note = ui.label().classes("quiet")
        self._timer = ui.timer(_EVERY, self._look, active=False)

    def _make_additions(self) -> None:
        text = self._visitor.text
        with ui.element("div").classes("tools"):
            Uploads(self._visitor, on_file=self._uploaded).classes("wide")
            plain(text("stores.add"), self._offer, icon="playlist_add")
        with ui.expansion(text("stores.how")).classes("wide"), ui.element("div").classes("options"):
            choices = {"auto": text("stores.auto"), "static": text("stores.static")}
            self._chunking = ui.select(choices, value="auto", label=text("stores.chunking")).props("outlined dense")
            self._size = ui.number(text("stores.chunk_size"), value=800, min=100, max=4096, precision=0)
            self._overlap = ui.number(text("stores.overlap"), value=400, min=0, max=2048, precision=0)
            for one in (self._size, self._overlap):
                one.props("outlined dense").bind_visibility_from(self._chunking, "value", value="static")
            self._attributes = ui.textarea(text("stores.attributes")).props("outlined dense autogrow maxlength=10000")
            self._attributes.props["hint"] = text("stores.attributes_hint")

    async def load(self) -> None:
        """Ask for the files and their names."""
        self._asked += 1
        asked = self._asked
        found: dict[str, VectorStoreFile] = {}
        more = False
        async for file in self._visitor.client.vector_stores.files.list(self._store, limit=PAGE):
            if more := len(found) == _MOST:
                break
            found[file.id] = file
        if found.keys() - self._names.keys():
            page = await self._visitor.client.files.list(limit=MOST_FILES)
            self._names = {one.id: one for one in page.data}
        if asked != self._asked:
            return
        self._files = found
        self._note.set_text(self._visitor.text("stores.newest", most=_MOST) if more else "")
        await self._ask_stages()
        self._show()

    def _show(self) -> None:
        self._table.show([self._row(one) for one in self._files.values()])
        if any(one.status == "in_progress" for one in self._files.values()):
            self._timer.activate()
        else:
            self._timer.deactivate()

    def _row(self, file: VectorStoreFile) -> Row:
        text, error = self._visitor.text, file.last_error
        status: dict[str, Any] = {"text": text(f"stores.{file.status}")}
        status["look"] = {"completed": "good", "failed": "wrong"}.get(file.status, "")
        if error:
            status["notes"] = told(self._visitor, error.code, error.message)
        elif file.id in self._stages:
            status["notes"] = [{"text": self._stages[file.id], "look": ""}]
        name = self._name(file.id)
        notes = [{"text": line, "look": "mono"} for line in attributes.written(file.attributes).splitlines()]
        if file.chunking_strategy and file.chunking_strategy.type == "static":
            sizes = file.chunking_strategy.static
            cut = text("stores.cut", size=sizes.max_chunk_size_tokens, overlap=sizes.chunk_overlap_tokens)
            notes += [{"text": cut, "look": ""}] if sizes.max_chunk_size_tokens != 800 else []
        cells: dict[str, Any] = {
            "name": {"text": name, "notes": notes},
            "status": status,
            "size": {"text": in_bytes(file.usage_bytes), "sort": file.usage_bytes},
            "added": {"time": file.created_at},
        }
        able = ["attributes", "remove"]
        able += ["text"] if file.status == "completed" else []
        able += ["again"] if file.status in ("failed", "cancelled") else []
        return {"id": file.id, "name": name, "cells": cells, "actions": able}

    def _name(self, file: str) -> str:
        known = self._names.get(file)
        return known.filename if known else self._visitor.text("stores.file_gone", id=file)

    # --- progress

    async def _look(self) -> None:
        """See how far files have come, and what has become of them."""
        if self._looking:
            return
        self._looking = True
        try:
            asked = self._asked
            waiting = [one.id for one in self._files.values() if one.status == "in_progress"][:_MOST_WATCHED]
            found = await asyncio.gather(*map(self._retrieved, waiting))
            if asked != self._asked:
                return
            for identifier, file in zip(waiting, found, strict=True):
                if file is None:
                    self._files.pop(identifier, None)
                elif identifier in self._files:
                    self._files[identifier] = file
            await self._ask_stages()
            await self._tell_store()
            self._show()
        except openai.APIError:
            # Once is enough to be told.
            self._timer.deactivate()
            raise
        finally:
            self._looking = False

    async def _retrieved(self, file: str) -> VectorStoreFile | None:
        try:
            return await self._visitor.client.vector_stores.files.retrieve(file, vector_store_id=self._store)
        except openai.NotFoundError:
            return None

    async def _ask_stages(self) -> None:
        waiting = [one.id for one in self._files.values() if one.status == "in_progress"][:_MOST_WATCHED]
        said = await asyncio.gather(*map(self._stage, waiting))
        self._stages = {file: stage for file, stage in zip(waiting, said, strict=True) if stage}

    async def _stage(self, file: str) -> str:
        try:
            told = await self._visitor.get(f"/vector_stores/{self._store}/files/{file}/progress")
        except openai.NotFoundError:
            return ""
        if told["stage"] not in ("waiting", "reading", "embedding"):
            return ""
        key = f"stores.stage_{told['stage']}"
        return self._visitor.text(key, done=told["chunks_embedded"], all=told["chunks"])

    async def _tell_store(self) -> None:
        self._on_store(await self._visitor.client.vector_stores.retrieve(self._store))

    # --- adding

    async def _uploaded(self, file: Mapping[str, Any]) -> None:
        made = FileObject.model_construct(**file)
        self._names[made.id] = made
        await self._add([made.id])

    async def _offer(self) -> None:
        text = self._visitor.text
        page = await self._visitor.client.files.list(limit=MOST_FILES)
        self._names = {one.id: one for one in page.data}
        free = {one.id: one.filename for one in page.data if one.id not in self._files}
        offered = dict(list(free.items())[:_MOST_OFFERED])
        if not offered:
            ui.notify(text("stores.nothing_to_add"))
            return

        def fill() -> Callable[[], Awaitable[object]]:
            chosen = ui.select(offered, value=[], multiple=True, with_input=True, label=text("stores.choose"))
            chosen.props("outlined use-chips")
            if len(free) > _MOST_OFFERED:
                ui.label(text("stores.choose_hint", most=_MOST_OFFERED)).classes("quiet")

            async def add() -> None:
                if chosen.value:
                    await self._add(list(chosen.value))

            return add

        form(self._visitor, text("stores.add_title"), text("stores.add_do"), fill)

    async def _add(self, files: list[str]) -> None:
        try:
            settings = self._settings()
        except attributes.BadLine as error:
            ui.notify(self._visitor.text("stores.bad_attribute", line=str(error)[:100]), type="negative")
            return
        batch: list[Any] = [{"file_id": one, **settings} for one in files]
        await self._visitor.client.vector_stores.file_batches.create(self._store, files=batch)
        await self._changed()

    def _settings(self) -> dict[str, Any]:
        """How files that are added are cut, and their attributes."""
        given: dict[str, Any] = {}
        if self._chunking.value == "static":
            sizes = {
                "max_chunk_size_tokens": int(self._size.value or 0),
                "chunk_overlap_tokens": int(self._overlap.value or 0),
            }
            given["chunking_strategy"] = {"type": "static", "static": sizes}
        if found := attributes.read(self._attributes.value or ""):
            given["attributes"] = found
        return given

    async def _changed(self) -> None:
        await self.load()
        await self._tell_store()

    # --- what can be done with a file

    async def _do(self, action: str, identifier: str) -> None:
        file = self._files.get(identifier)
        if file is None:
            return
        await {"text": self._text, "again": self._again, "attributes": self._edit, "remove": self._remove}[action](file)

    async def _text(self, file: VectorStoreFile) -> None:
        text = self._visitor.text
        content = await self._visitor.get(f"/vector_stores/{self._store}/files/{file.id}/content")
        whole = "".join(part["text"] for part in content["data"])
        with dialog(self._name(file.id), wide=True) as box:
            hint = text("stores.text_cut", most=_MOST_TEXT) if len(whole) > _MOST_TEXT else text("stores.text_hint")
            ui.label(hint).classes("quiet")
            ui.label(whole[:_MOST_TEXT]).classes("passage").props("tabindex=0")
            closing(self._visitor, box)

    async def _again(self, file: VectorStoreFile) -> None:
        given: dict[str, Any] = {"attributes": attributes.sent(file.attributes)} if file.attributes else {}
        if file.chunking_strategy:
            given["chunking_strategy"] = file.chunking_strategy.model_dump()
        await self._visitor.client.vector_stores.files.create(self._store, file_id=file.id, **given)
        await self._changed()

    async def _edit(self, file: VectorStoreFile) -> None:
        text = self._visitor.text

        def fill() -> Callable[[], Awaitable[object]]:
            ui.label(self._name(file.id))
            field = ui.textarea(text("stores.attributes"), value=attributes.written(file.attributes))
            field.props("outlined autogrow maxlength=10000").props["hint"] = text("stores.attributes_hint")

            async def save() -> bool:
                try:
                    wanted: Any = attributes.read(field.value or "")
                except attributes.BadLine as error:
                    ui.notify(text("stores.bad_attribute", line=str(error)[:100]), type="negative")
                    return False
                changed = await self._visitor.client.vector_stores.files.update(
                    file.id, vector_store_id=self._store, attributes=wanted
                )
                self._files[file.id] = changed
                self._show()
                return True

            return save

        form(self._visitor, text("stores.edit_attributes"), text("frame.save"), fill)

    async def _remove(self, file: VectorStoreFile) -> None:
        text = self._visitor.text

        async def remove() -> None:
            await self._visitor.client.vector_stores.files.delete(file.id, vector_store_id=self._store)
            await self._changed()

        title = text("stores.remove_title", name=self._name(file.id))
        question(self._visitor, title, text("stores.remove_hint"), text("stores.remove"), remove)
