"""The list of vector stores."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request
from nicegui import ui
from openai.types import VectorStore

from ...elements.amounts import in_bytes
from ...elements.controls import heading, primary
from ...elements.dialogs import form, question
from ...elements.listing import Listing, Row
from ...visitor import Visitor
from ..files import STYLE

#: Vector stores that are shown, by pages of the API.
MOST_STORES, PAGE = 500, 100
#: Days after which a store that is not used may expire.
_DAYS = (1, 7, 30, 90, 365)


def name_of(visitor: Visitor, store: VectorStore) -> str:
    """What a store is called."""
    return store.name or visitor.text("stores.unnamed")


def edit(visitor: Visitor, on_saved: Callable[[VectorStore], object], store: VectorStore | None = None) -> None:
    """Ask for name and expiry, and make a vector store, or change one; `on_saved` is told it."""
    text = visitor.text
    days = store.expires_after.days if store and store.expires_after else 0
    offered: set[int] = {*_DAYS, days} - {0}
    choices = {0: text("stores.never"), **{one: _in_days(visitor, one) for one in sorted(offered)}}

    def fill() -> Callable[[], Awaitable[object]]:
        name = ui.input(text("stores.name"), value=store.name if store else "")
        name.props("outlined dense maxlength=256 autofocus")
        expiry = ui.select(choices, value=days, label=text("stores.expiry")).props("outlined dense")

        async def save() -> None:
            on_saved(await _saved(visitor, store, name.value or "", days, int(expiry.value or 0)))

        return save

    form(visitor, text("stores.edit_title" if store else "stores.new"), text("frame.save"), fill)


async def _saved(visitor: Visitor, store: VectorStore | None, name: str, before: int, days: int) -> VectorStore:
    """Make a store, or change one, whose days were others `before`."""
    expires: Any = {"anchor": "last_active_at", "days": days} if days else None
    if store is None:
        given = {"expires_after": expires} if expires else {}
        return await visitor.client.vector_stores.create(name=name, **given)
    # A store that has expired stays so: its expiry cannot be changed.
    changed = {} if store.status == "expired" or days == before else {"expires_after": expires}
    return await visitor.client.vector_stores.update(store.id, name=name, **changed)


def delete(visitor: Visitor, store: VectorStore, on_gone: Callable[[], object]) -> None:
    """Ask whether to delete a store, and do it; `on_gone` is called when it is gone."""
    name = name_of(visitor, store)

    async def gone() -> None:
        await visitor.client.vector_stores.delete(store.id)
        ui.notify(visitor.text("stores.deleted", name=name))
        on_gone()

    title, hint = visitor.text("stores.delete_title", name=name), visitor.text("stores.delete_hint")
    question(visitor, title, hint, visitor.text("frame.delete"), gone)


def _in_days(visitor: Visitor, days: int) -> str:
    return visitor.text("stores.one_day") if days == 1 else visitor.text("stores.days", count=days)


class _Stores:
    """The page."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor, text = visitor, visitor.text
        self._stores: dict[str, VectorStore] = {}
        with ui.element("div").classes("page-head"):
            with ui.element("div"):
                heading(text("stores.title"))
                ui.label(text("stores.hint")).classes("quiet")
            if visitor.may_write:
                primary(text("stores.new"), self._new, icon="add")
        actions = [
            {"name": "edit", "label": text("stores.edit"), "icon": "edit"},
            {"name": "delete", "label": text("stores.delete"), "icon": "delete"},
        ]
        self._table = Listing(
            visitor,
            caption=text("stores.title"),
            columns=[
                {"name": "name", "label": text("stores.name"), "sorts": True},
                {"name": "status", "label": text("stores.status"), "sorts": True},
                {"name": "files", "label": text("stores.files"), "kind": "number", "sorts": True},
                {"name": "size", "label": text("stores.size"), "kind": "number", "sorts": True},
                {"name": "used", "label": text("stores.used"), "kind": "time", "sorts": True},
            ],
            empty=text("stores.empty" if visitor.may_write else "stores.empty_viewer"),
            actions=actions if visitor.may_write else (),
            on_action=self._do,
        )
        self._note = ui.label().classes("quiet")

    async def load(self) -> None:
        """Ask for the stores."""
        found: dict[str, VectorStore] = {}
        async for store in self._visitor.client.vector_stores.list(limit=PAGE):
            if len(found) == MOST_STORES:
                self._note.set_text(self._visitor.text("stores.newest", most=MOST_STORES))
                break
            found[store.id] = store
        self._stores = found
        self._show()

    def _show(self) -> None:
        self._table.show([self._row(one) for one in self._stores.values()])

    def _row(self, store: VectorStore) -> Row:
        text, counts = self._visitor.text, store.file_counts
        notes = [{"text": text("stores.failed_files", count=counts.failed), "look": "wrong"}] if counts.failed else []
        if counts.in_progress:
            notes.append({"text": text("stores.waiting_files", count=counts.in_progress), "look": ""})
        used: dict[str, Any] = {"time": store.last_active_at or 0}
        if store.expires_at and store.status != "expired":
            used["notes"] = [{"text": text("stores.expires", when="{when}"), "time": store.expires_at}]
        look = {"expired": "wrong", "completed": "good"}.get(store.status, "")
        cells: dict[str, Any] = {
            "name": {"text": name_of(self._visitor, store), "href": f"/vector-stores/{store.id}"},
            "status": {"text": text(f"stores.store_{store.status}"), "look": look},
            "files": {"text": str(counts.total), "sort": counts.total, "notes": notes},
            "size": {"text": in_bytes(store.usage_bytes), "sort": store.usage_bytes},
            "used": used,
        }
        return {"id": store.id, "name": name_of(self._visitor, store), "cells": cells}

    def _new(self) -> None:
        edit(self._visitor, lambda made: ui.navigate.to(f"/vector-stores/{made.id}"))

    def _do(self, action: str, identifier: str) -> None:
        store = self._stores.get(identifier)
        if store is None:
            return
        if action == "delete":
            delete(self._visitor, store, lambda: self._set(identifier, None))
        else:
            edit(self._visitor, lambda changed: self._set(identifier, changed), store)

    def _set(self, identifier: str, store: VectorStore | None) -> None:
        """Show another state of a store; None: it is gone."""
        self._stores.pop(identifier, None) if store is None else self._stores.update({identifier: store})
        self._show()


async def build(visitor: Visitor, request: Request) -> None:
    """The page of all vector stores."""
    ui.add_head_html(STYLE)
    await _Stores(visitor).load()
