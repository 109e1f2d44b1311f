"""One vector store: what it is, its files, and a search to try."""

from __future__ import annotations

from fastapi import Request
from nicegui import ui
from openai.types import VectorStore

from ...elements.amounts import counted
from ...elements.controls import heading, symbol
from ...visitor import Visitor
from ..files import STYLE
from .files import StoreFiles
from .overview import delete, edit, name_of
from .search import StoreSearch


class _Store:
    """The page."""

    def __init__(self, visitor: Visitor, store: VectorStore) -> None:
        self._visitor, self._store = visitor, store
        text = visitor.text
        ui.link(text("stores.back"), "/vector-stores").classes("crumb")
        with ui.element("div").classes("page-head"):
            with ui.element("div"):
                self._title = ui.element("div")
                ui.label(store.id).classes("mono quiet")
                self._state = ui.label().classes("quiet").props("role=status")
            if visitor.may_write:
                with ui.element("div"):
                    symbol("edit", text("stores.edit"), self._edit)
                    symbol("delete", text("stores.delete"), self._delete)
        expired = store.status == "expired"
        if expired:
            ui.label(text("stores.expired_hint")).classes("wrong").props("role=alert")
        with ui.tabs().props("align=left no-caps inline-label") as tabs:
            files = ui.tab("files", label=text("stores.files"), icon="folder")
            if not expired:
                ui.tab("search", label=text("stores.search_title"), icon="manage_search")
        with ui.tab_panels(tabs, value=files).classes("panels"):
            with ui.tab_panel("files"):
                self._files = StoreFiles(visitor, store, self._tell)
            if not expired:
                with ui.tab_panel("search"):
                    StoreSearch(visitor, store.id)
        self._tell(store)

    async def load(self) -> None:
        """Ask for its files."""
        await self._files.load()

    def _tell(self, store: VectorStore) -> None:
        """Say what the store is now."""
        self._store, text, counts = store, self._visitor.text, store.file_counts
        self._title.clear()
        with self._title:
            heading(name_of(self._visitor, store))
        said = [
            text(f"stores.store_{store.status}"),
            counted(self._visitor, counts.total, store.usage_bytes),
        ]
        said += [text("stores.waiting_files", count=counts.in_progress)] if counts.in_progress else []
        said += [text("stores.failed_files", count=counts.failed)] if counts.failed else []
        self._state.set_text(" · ".join(said))

    def _edit(self) -> None:
        edit(self._visitor, self._tell, self._store)

    def _delete(self) -> None:
        delete(self._visitor, self._store, lambda: ui.navigate.to("/vector-stores"))


async def build(visitor: Visitor, request: Request) -> None:
    """The page of the vector store whose id stands in the path."""
    ui.add_head_html(STYLE)
    store = await visitor.client.vector_stores.retrieve(request.path_params["store"])
    ui.page_title(f"{name_of(visitor, store)} · Retinue")
    await _Store(visitor, store).load()
