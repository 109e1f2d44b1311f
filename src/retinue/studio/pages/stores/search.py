"""A search to try in a vector store: what it finds, and why."""

from __future__ import annotations

import time
from typing import Any

from nicegui import ui

from ...elements.attributes import scalar
from ...elements.controls import heading, on_enter, plain, primary, symbol
from ...elements.passages import Passages
from ...visitor import Visitor

#: Comparisons of the API; of these, those that take several values.
_HOW = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin")
_SEVERAL = ("in", "nin")
#: Conditions that can be put together here.
_MOST_CONDITIONS = 8
#: What meaning and words count for.
_WEIGHTS = {"more": (1, 1), "meaning": (1, 0), "words": (0, 1)}


class _Condition:
    """One line: an attribute, a comparison, a value."""

    def __init__(self, visitor: Visitor) -> None:
        text = visitor.text
        with ui.element("div").classes("tools") as self.element:
            self._key = ui.input(text("stores.filter_key")).props("outlined dense maxlength=64")
            choices = {one: text(f"stores.{one}") for one in _HOW}
            self._how = ui.select(choices, value="eq", label=text("stores.filter_how")).props("outlined dense")
            self._value = ui.input(text("stores.filter_value")).props("outlined dense maxlength=10000").classes("wide")
            symbol("close", text("stores.filter_remove"), self.element.delete)

    def filter(self) -> dict[str, Any] | None:
        """As the API has it; None if it is gone or has no attribute."""
        key = (self._key.value or "").strip()
        if self.element.is_deleted or not key:
            return None
        said = (self._value.value or "").strip()
        several = [scalar(one.strip()) for one in said.replace("，", ",").split(",")]
        value = several if self._how.value in _SEVERAL else scalar(said)
        return {"type": self._how.value, "key": key, "value": value}


class StoreSearch:
    """Built in the current slot."""

    def __init__(self, visitor: Visitor, store: str) -> None:
        self._visitor, self._store = visitor, store
        self._conditions: list[_Condition] = []
        text = visitor.text
        ui.label(text("stores.search_hint")).classes("quiet")
        with ui.element("div").classes("tools"):
            self._query = ui.input(text("stores.query")).classes("wide").props("outlined dense maxlength=4096")
            on_enter(self._query, self._search)
            self._button = primary(text("stores.search"), self._search, icon="search")
        with ui.expansion(text("stores.options")).classes("wide"):
            self._make_options()
        self._said = ui.label().classes("quiet").props("role=status")
        self._results = ui.element("div")

    def _make_options(self) -> None:
        text = self._visitor.text
        with ui.element("div").classes("options"):
            self._most = ui.number(text("stores.most"), value=10, min=1, max=50, precision=0).props("outlined dense")
            self._threshold = ui.number(text("stores.threshold"), value=0, min=0, max=1, step=0.05)
            self._threshold.props("outlined dense")
            balances = {one: text(f"stores.balance_{one}") for one in ("auto", *_WEIGHTS)}
            self._balance = ui.select(balances, value="auto", label=text("stores.balance")).props("outlined dense")
            rankers = {one: text(f"stores.ranker_{one}") for one in ("auto", "none")}
            self._ranker = ui.select(rankers, value="auto", label=text("stores.ranker")).props("outlined dense")
            self._rewrite = ui.switch(text("stores.rewrite"))
        heading(text("stores.filters"), 3)
        with ui.element("div").classes("conditions"):
            self._lines = ui.element("div").classes("conditions")
            with ui.element("div").classes("tools"):
                plain(text("stores.filter_add"), self._add_condition, icon="add")
                joins = {"and": text("stores.filter_all"), "or": text("stores.filter_any")}
                self._join = ui.select(joins, value="and", label=text("stores.filter_join")).props("outlined dense")

    def _add_condition(self) -> None:
        self._conditions = [one for one in self._conditions if not one.element.is_deleted]
        if len(self._conditions) < _MOST_CONDITIONS:
            with self._lines:
                self._conditions.append(_Condition(self._visitor))

    def _body(self, query: str) -> dict[str, Any]:
        ranking: dict[str, Any] = {"ranker": self._ranker.value, "score_threshold": float(self._threshold.value or 0)}
        if weights := _WEIGHTS.get(str(self._balance.value)):
            ranking["hybrid_search"] = {"embedding_weight": weights[0], "text_weight": weights[1]}
        body: dict[str, Any] = {
            "query": query,
            "max_num_results": int(self._most.value or 10),
            "rewrite_query": bool(self._rewrite.value),
            "ranking_options": ranking,
            "explain": True,
        }
        filters = [found for one in self._conditions if (found := one.filter())]
        if filters:
            body["filters"] = filters[0] if len(filters) == 1 else {"type": self._join.value, "filters": filters}
        return body

    async def _search(self) -> None:
        query, text = (self._query.value or "").strip(), self._visitor.text
        if not query or not self._button.enabled:
            return
        self._button.disable()
        self._button.props("loading")
        try:
            began = time.monotonic()
            page = await self._visitor.post(f"/vector_stores/{self._store}/search", self._body(query))
            taken = time.monotonic() - began
        finally:
            self._button.enable()
            self._button.props(remove="loading")
        said = text("stores.searched", count=len(page["data"]), seconds=f"{taken:.2f}")
        if page["search_query"] != [query]:
            said += " " + text("stores.searched_for", queries=" · ".join(page["search_query"]))
        self._said.set_text(said)
        self._results.clear()
        with self._results:
            if page["data"]:
                Passages(self._visitor, page["data"])
            else:
                ui.label(text(await self._nothing())).classes("empty")

    async def _nothing(self) -> str:
        """Words for a search that has found nothing."""
        store = await self._visitor.client.vector_stores.retrieve(self._store)
        return "stores.nothing_found" if store.file_counts.completed else "stores.nothing_ready"
