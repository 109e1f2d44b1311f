"""The list of vector stores."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from nicegui import ui
from openai.types import VectorStore

from ...elements.asking import answers, confirmed, dialog
from ...elements.controls import heading, primary
from ...elements.listing import Listing, Row, in_bytes
from ...visitor import Visitor
from ..files import STYLE

#: Vector stores that are shown, by pages of the API.
MOST_STORES, PAGE = 500, 100
#: Days after which a store that is not used may expire.
_DAYS = (1, 7, 30, 90, 365)


def name_of(visitor: Visitor, store: VectorStore) -> str:
    """What a store is called."""
    return store.name or visitor.text("stores.unnamed")


async def edit(visitor: Visitor, store: VectorStore | None = None) -> VectorStore | None:
    """Ask for name and expiry, and make a vector store, or change one; None if it was not wanted."""
    text = visitor.text
    days = store.expires_after.days if store and store.expires_after else 0
    offered: set[int] = {*_DAYS, days} - {0}
    choices = {0: text("stores.never"), **{one: _in_days(visitor, one) for one in sorted(offered)}}
    with dialog(text("stores.edit_title" if store else "stores.new")) as box:
        name = ui.input(text("stores.name"), value=store.name if store else "")
        name.props("outlined dense maxlength=256 autofocus").on("keydown.enter", lambda: box.submit(True))
        expiry = ui.select(choices, value=days, label=text("stores.expiry")).props("outlined dense")
        answers(visitor, box, text("frame.save"))
    if not await box:
        return None
    chosen = int(expiry.value or 0)
    expires: Any = {"anchor": "last_active_at", "days": chosen} if chosen else None
    if store is None:
        given = {"expires_after": expires} if expires else {}
        return await visitor.client.vector_stores.create(name=name.value or "", **given)
    # A store that has expired stays so: its expiry cannot be changed.
    changed = {} if store.status == "expired" or chosen == days else {"expires_after": expires}
    return await visitor.client.vector_stores.update(store.id, name=name.value or "", **changed)


async def delete(visitor: Visitor, store: VectorStore) -> bool:
    """Ask whether to delete a store, and do it; says whether it is gone."""
    name = name_of(visitor, store)
    question = visitor.text("stores.delete_title", name=name)
    if not await confirmed(visitor, question, [visitor.text("stores.delete_hint")]):
        return False
    await visitor.client.vector_stores.delete(store.id)
    ui.notify(visitor.text("stores.deleted", name=name))
    return True


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

    async def _new(self) -> None:
        if made := await edit(self._visitor):
            ui.navigate.to(f"/vector-stores/{made.id}")

    async def _do(self, action: str, identifier: str) -> None:
        store = self._stores.get(identifier)
        if store is None:
            return
        if action == "delete":
            if await delete(self._visitor, store):
                self._stores.pop(identifier, None)
        elif changed := await edit(self._visitor, store):
            self._stores[identifier] = changed
        self._show()


async def build(visitor: Visitor, request: Request) -> None:
    """The page of all vector stores."""
    ui.add_head_html(STYLE)
    await _Stores(visitor).load()
