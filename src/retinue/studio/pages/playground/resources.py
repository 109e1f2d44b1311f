"""The files that tools read: of the vector store that is searched, and of the code interpreter."""

# pyright: reportDeprecated=false
from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import openai
from nicegui import ui

from ...content import content_url
from ...elements.controls import symbol
from ...elements.turn import names_of
from ...elements.uploads import Uploads
from ...visitor import Visitor
from .draft import Draft

#: Files that are listed, and stores that can be chosen.
_MOST = 50
#: Seconds between two looks at files that are being processed.
_PERIOD = 0.7


class _Row:
    """A file: its name, what is being done with it, and a button that takes it away."""

    def __init__(self, visitor: Visitor, name: str) -> None:
        self._visitor = visitor
        with ui.element("div").classes("file").props("role=listitem") as self.element:
            with ui.element("div").classes("grow") as self._place:
                self._name: ui.element = ui.label(name)
                self._state = ui.label().classes("quiet").props("role=status")
                self._bar = ui.element("progress").props("max=1")
                self._bar.props["aria-label"] = name
            self.buttons = ui.element("div")
        self.name = name
        self.file = ""
        self._bar.set_visibility(False)

    def known(self, file: str) -> None:
        """The file has an id, and can be opened."""
        self.file = file
        self._name.delete()
        with self._place:
            self._name = ui.link(self.name, content_url(file), new_tab=True)
        self._name.move(self._place, 0)

    def say(self, state: str, *, done: float | None = None, wrong: bool = False) -> None:
        """Say what is being done, and how much of it: `done` from 0 to 1, None for what nobody knows."""
        self._state.set_text(state)
        self._state.classes(add="wrong" if wrong else "quiet", remove="quiet" if wrong else "wrong")
        self._bar.set_visibility(done is not None)
        if done is not None:
            self._bar.props(f"value={done:.3f}")


class StoreFiles:
    """The files of the assistant's vector store, with how far their processing has come."""

    def __init__(self, visitor: Visitor, draft: Draft, stores: Mapping[str, str]) -> None:
        """Built in the current slot; `load` fills it.

        Args:
            visitor: whose files.
            draft: the assistant.
            stores: names of the project's vector stores by their ids.
        """
        self._visitor, self._draft = visitor, draft
        self._making = asyncio.Lock()
        self._pending: dict[str, _Row] = {}
        text = visitor.text
        options = {"": text("playground.no_store"), **stores}
        if self.store:
            options.setdefault(self.store, self.store)
        self._choice = ui.select(options, value=self.store, label=text("playground.store"), on_change=self._chosen)
        self._choice.props("outlined dense").classes("wide").set_enabled(draft.may_change)
        self._list = ui.element("div").props("role=list").classes("files-list")
        self._list.props["aria-label"] = text("playground.search_files")
        self._rest = ui.label().classes("quiet")
        if draft.may_change:
            Uploads(visitor, pick=text("playground.add_files"), brief=True, on_file=self._add)
        self._timer = ui.timer(_PERIOD, self._look, active=False)

    @property
    def store(self) -> str:
        """The id of the assistant's vector store; "" if it has none."""
        resources = self._draft.state["tool_resources"] or {}
        return next(iter((resources.get("file_search") or {}).get("vector_store_ids") or []), "")

    async def load(self) -> None:
        """Show what is in the store. Raises `openai.APIError`."""
        store = self.store
        self._list.clear()
        self._pending.clear()
        self._rest.set_text("")
        if not store:
            return
        try:
            page = await self._visitor.client.vector_stores.files.list(store, limit=_MOST)
        except openai.NotFoundError:
            self._rest.set_text(self._visitor.text("playground.store_gone"))
            return
        names = await names_of(self._visitor, {one.id for one in page.data})
        if store != self.store or self._list.is_deleted:
            return
        for one in page.data:
            row = self._row(names.get(one.id, one.id))
            self._known(row, one.id)
            if one.status == "in_progress":
                self._watch(row)
            elif one.status != "completed":
                row.say(one.last_error.message if one.last_error else one.status, wrong=True)
        self._rest.set_text(self._visitor.text("playground.and_more") if page.has_more else "")

    def _row(self, name: str) -> _Row:
        with self._list:
            return _Row(self._visitor, name)

    def _known(self, row: _Row, file: str) -> None:
        row.known(file)
        if self._draft.may_change:
            with row.buttons:
                symbol("close", self._visitor.text("playground.remove", name=row.name), lambda: self._remove(row))

    async def _chosen(self) -> None:
        if (self._choice.value or "") == self.store:
            return
        ids = [self._choice.value] if self._choice.value else []
        await self._draft.change(lambda state: _with(state, "file_search", vector_store_ids=ids))
        await self.load()

    async def _add(self, file: Mapping[str, Any]) -> None:
        """Put a file that was uploaded into the store."""
        row = self._row(file["filename"])
        self._known(row, file["id"])
        row.say(self._visitor.text("playground.stage_waiting"), done=0)
        try:
            store = await self._store()
            await self._visitor.client.vector_stores.files.create(store, file_id=file["id"])
        except openai.APIError:
            row.element.delete()
            raise
        self._watch(row)

    async def _store(self) -> str:
        """The assistant's vector store, which is made for its first file."""
        async with self._making:
            if not self.store:
                name = self._draft.name or self._visitor.text("playground.unnamed")
                made = await self._visitor.client.vector_stores.create(name=name)
                ids = [made.id]
                await self._draft.change(lambda state: _with(state, "file_search", vector_store_ids=ids))
                options: Any = self._choice.options
                self._choice.set_options({**options, made.id: name}, value=made.id)
            return self.store

    async def _remove(self, row: _Row) -> None:
        self._pending.pop(row.file, None)
        await self._visitor.client.vector_stores.files.delete(row.file, vector_store_id=self.store)
        with self._list:
            row.element.delete()

    def _watch(self, row: _Row) -> None:
        row.say(self._visitor.text("playground.stage_waiting"), done=0)
        self._pending[row.file] = row
        self._timer.activate()

    async def _look(self) -> None:
        """See how far files have come; what is done is watched no more."""
        store, text = self.store, self._visitor.text
        for file, row in list(self._pending.items()):
            try:
                told = await self._visitor.get(f"/vector_stores/{store}/files/{file}/progress")
            except openai.APIStatusError:
                self._pending.pop(file, None)
                continue
            except openai.APIError:
                return
            stage, chunks = told["stage"], told["chunks"]
            if stage in ("waiting", "reading", "embedding"):
                share = told["chunks_embedded"] / chunks if chunks else 0
                row.say(text(f"playground.stage_{stage}", done=told["chunks_embedded"], all=chunks), done=share)
            elif self._pending.pop(file, None):
                await self._ended(row, store, stage)
        if not self._pending:
            self._timer.deactivate()

    async def _ended(self, row: _Row, store: str, stage: str) -> None:
        if stage == "done":
            row.say("")
            return
        file = await self._visitor.client.vector_stores.files.retrieve(row.file, vector_store_id=store)
        row.say(file.last_error.message if file.last_error else file.status, wrong=True)


class CodeFiles:
    """The files that the code interpreter finds in its folder."""

    def __init__(self, visitor: Visitor, draft: Draft) -> None:
        """Built in the current slot; `load` fills it."""
        self._visitor, self._draft = visitor, draft
        self._list = ui.element("div").props("role=list").classes("files-list")
        self._list.props["aria-label"] = visitor.text("playground.code_files")
        if draft.may_change:
            Uploads(visitor, pick=visitor.text("playground.add_files"), brief=True, on_file=self._add)

    async def load(self) -> None:
        """Show the files. Raises `openai.APIError`."""
        self._list.clear()
        files = _code_files(self._draft.state)
        names = await names_of(self._visitor, set(files))
        for file in files:
            with self._list:
                self._known(_Row(self._visitor, names.get(file, file)), file)

    def _known(self, row: _Row, file: str) -> None:
        row.known(file)
        if self._draft.may_change:
            with row.buttons:
                symbol("close", self._visitor.text("playground.remove", name=row.name), lambda: self._remove(row))

    async def _add(self, file: Mapping[str, Any]) -> None:
        """Give a file that was uploaded to the code interpreter."""
        id_ = file["id"]
        await self._draft.change(lambda state: _with(state, "code_interpreter", file_ids=[*_code_files(state), id_]))
        with self._list:
            self._known(_Row(self._visitor, file["filename"]), id_)

    async def _remove(self, row: _Row) -> None:
        await self._draft.change(
            lambda state: _with(
                state, "code_interpreter", file_ids=[one for one in _code_files(state) if one != row.file]
            )
        )
        with self._list:
            row.element.delete()


def _code_files(state: Mapping[str, Any]) -> list[str]:
    return ((state["tool_resources"] or {}).get("code_interpreter") or {}).get("file_ids") or []


def _with(state: Mapping[str, Any], tool: str, **resources: Any) -> Mapping[str, Any]:
    """The fields with other resources for a tool."""
    return {"tool_resources": {**(state["tool_resources"] or {}), tool: resources}}
