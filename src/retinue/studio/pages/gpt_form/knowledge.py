"""The files that a GPT knows, with how far their reading has come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import openai
from nicegui import ui

from ...asking import each
from ...content import content_url
from ...elements.controls import heading, symbol
from ...elements.uploads import Uploads
from ...visitor import Visitor
from .common import Around, hint, name_files
from .draft import GptDraft

#: Seconds between two looks at files that are being read.
_PERIOD = 1.0
_MOST = 100
#: What is said of a file, by the stage of its progress.
_STAGES = ("waiting", "reading", "embedding")


class Knowledge:
    """The list, and a place to drop more."""

    def __init__(self, visitor: Visitor, draft: GptDraft, known: Around) -> None:
        """Built in the current slot; `load` fills it."""
        self._visitor, self._draft, self._known = visitor, draft, known
        text = visitor.text
        self._watched: dict[str, tuple[ui.label, ui.element]] = {}
        heading(text("gpt_form.knowledge"), 2)
        hint(text("gpt_form.knowledge_hint"))
        self._list = ui.element("div").props("role=list").classes("files-list")
        self._list.props["aria-label"] = text("gpt_form.knowledge")
        self._uploads = Uploads(visitor, on_file=self._uploaded)
        self._full = hint(text("gpt_form.knowledge_full", most=_MOST))
        self._timer = ui.timer(_PERIOD, self._look, active=False)

    async def load(self) -> None:
        """Show the files. Raises `openai.APIError`."""
        files = self._draft.state["knowledge"]
        await name_files(self._visitor, self._known, set(files))
        if self._list.is_deleted:
            return
        self._list.clear()
        self._watched.clear()
        for file in files:
            self._row(file)
        full = len(files) >= _MOST
        self._uploads.set_visibility(not full)
        self._full.set_visibility(full)
        if files:
            self._timer.activate()

    def _row(self, file: str) -> None:
        name = self._known.files.get(file, file)
        with self._list, ui.element("div").classes("file").props("role=listitem"):
            with ui.element("div").classes("grow"):
                ui.link(name, content_url(file), new_tab=True)
                said = ui.label().classes("quiet").props("role=status")
                bar = ui.element("progress").props("max=1")
                bar.props["aria-label"] = name
                bar.set_visibility(False)
            symbol("close", self._visitor.text("playground.remove", name=name), lambda: self._remove(file))
        self._watched[file] = (said, bar)

    async def _uploaded(self, file: Mapping[str, Any]) -> None:
        self._known.files[file["id"]] = file["filename"]
        await self._draft.change(lambda state: {"knowledge": [*state["knowledge"], file["id"]]})
        await self.load()

    async def _remove(self, file: str) -> None:
        await self._draft.change(lambda state: {"knowledge": [one for one in state["knowledge"] if one != file]})
        with self._list:
            await self.load()

    async def _look(self) -> None:
        """See how far files have come; what is done is looked at no more."""
        await each(self._look_at, [*self._watched])
        if not self._watched:
            self._timer.deactivate()

    async def _look_at(self, file: str) -> None:
        store, shown = self._draft.gpt["draft"]["vector_store_id"], self._watched.get(file)
        try:
            told = await self._visitor.get(f"/vector_stores/{store}/files/{file}/progress")
        except openai.APIStatusError:
            self._watched.pop(file, None)
            return
        except openai.APIError:
            return
        if shown is None or self._watched.get(file) != shown or shown[0].is_deleted:
            # Shown anew meanwhile.
            return
        self._tell(told, *shown)
        if told["stage"] not in _STAGES:
            self._watched.pop(file, None)
            await self._ended(store, file, told["stage"], shown[0])

    def _tell(self, told: Mapping[str, Any], said: ui.label, bar: ui.element) -> None:
        stage, done, chunks = told["stage"], told["chunks_embedded"], told["chunks"]
        bar.set_visibility(stage in _STAGES)
        if stage in _STAGES:
            bar.props(f"value={done / chunks if chunks else 0:.3f}")
            said.set_text(self._visitor.text(f"playground.stage_{stage}", done=done, all=chunks))

    async def _ended(self, store: str, file: str, stage: str, said: ui.label) -> None:
        if stage == "done":
            said.set_text("")
            return
        found = await self._visitor.client.vector_stores.files.retrieve(file, vector_store_id=store)
        said.set_text(found.last_error.message if found.last_error else found.status)
        said.classes(add="wrong", remove="quiet")
