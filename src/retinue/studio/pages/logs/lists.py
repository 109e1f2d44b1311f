"""The lists of the logs, page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from nicegui import ui

from ...asking import assistant_names
from ...elements.amounts import duration, money
from ...elements.controls import plain
from ...elements.dialogs import working
from ...elements.log_table import LogTable
from ...visitor import Visitor
from ..runs.found import TONES, Json, ended_at, run_page, seconds

#: Rows that are asked for at once.
_ROWS = 50
#: Characters of an answer that a row shows.
_BEGIN = 80
_STATUSES = (
    *("queued", "in_progress", "requires_action", "cancelling"),
    *("completed", "incomplete", "failed", "cancelled", "expired"),
)


class LogList:
    """A list that grows."""

    #: Where the API has it; keys of what is said of it.
    path, caption, empty = "", "", ""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        #: How often it was asked for anew: what was asked for before that is not shown any more.
        self._asked = 0
        self._after: str | None = None
        #: The first of the list, when it was last asked for.
        self._newest = ""
        self._filters: dict[str, str | int | None] = {}

    async def build(self) -> None:
        """Show it in the current slot."""
        self._place = ui.element("div")
        await self._show()

    def columns(self) -> Sequence[dict[str, str]]:
        """See `LogTable`."""
        raise NotImplementedError

    def row(self, value: Json) -> dict[str, Any]:
        """See `LogTable`."""
        raise NotImplementedError

    async def _show(self) -> None:
        """Show the beginning of the list, as it is chosen."""
        self._asked += 1
        asked = self._asked
        page = await self._page()
        if asked != self._asked or self._place.is_deleted:
            return
        self._after, self._newest = page["last_id"], page["first_id"]
        self._place.clear()
        with self._place:
            if not page["data"]:
                ui.label(self._visitor.text(self.empty)).classes("empty").props("role=status")
                return
            caption, rows = self._visitor.text(self.caption), [self.row(one) for one in page["data"]]
            self._table = LogTable(self.columns(), rows, caption=caption, language=self._visitor.language)
            self._more = plain(self._visitor.text("logs.more"), self._show_more)
            self._more.set_visibility(page["has_more"])

    async def _show_more(self) -> None:
        asked = self._asked
        with working(self._more):
            page = await self._page(self._after)
        if asked == self._asked:
            self._after = page["last_id"]
            self._table.add([self.row(one) for one in page["data"]])
            self._more.set_visibility(page["has_more"])

    async def _page(self, after: str | None = None) -> Json:
        return await self._visitor.get(self.path, limit=_ROWS, order="desc", after=after, **self._filters)


class Runs(LogList):
    """All runs, of which those of a status, an assistant or a model can be chosen."""

    path, caption, empty = "/runs", "logs.runs", "logs.no_runs"

    def __init__(self, visitor: Visitor) -> None:
        """`visitor`: who looks."""
        super().__init__(visitor)
        self._names: dict[str, str] = {}

    async def build(self) -> None:
        """Show it in the current slot, with what to choose from."""
        assistants, models = await asyncio.gather(
            self._visitor.get("/assistants", limit=100, order="desc"), self._visitor.get("/models")
        )
        if ui.context.slot.parent.is_deleted:
            return
        self._names = {one["id"]: one["name"] or one["id"] for one in assistants["data"]}
        names = sorted(one["id"] for one in models["data"] if "chat" in one["retinue"]["capabilities"])
        text = self._visitor.text
        with ui.element("div").classes("filters"):
            self._choose("status", text("runs.status"), {one: text(f"runs.{one}") for one in _STATUSES}, "statuses")
            self._choose("assistant_id", text("runs.assistant"), self._names, "assistants")
            self._choose("model", text("runs.model"), {name: name for name in names}, "models")
        await super().build()

    async def _page(self, after: str | None = None) -> Json:
        """GPTs, and what is older than the list of assistants goes back, are asked for."""
        page = await super()._page(after)
        self._names |= await assistant_names(
            self._visitor, {one["assistant_id"] for one in page["data"]} - set(self._names)
        )
        return page

    def _choose(self, field: str, label: str, options: dict[str, str], every: str) -> None:
        async def chosen(value: str) -> None:
            self._filters[field] = value or None
            self.empty = "logs.no_runs_found" if any(self._filters.values()) else "logs.no_runs"
            await self._show()

        everything = {"": self._visitor.text(f"logs.all_{every}")}
        select = ui.select(everything | options, value="", label=label, on_change=lambda event: chosen(event.value))
        select.props("outlined dense options-dense")

    def columns(self) -> Sequence[dict[str, str]]:
        """See `LogTable`."""
        text = self._visitor.text
        return [
            {"key": "time", "label": text("logs.time"), "kind": "time"},
            {"key": "status", "label": text("runs.status")},
            {"key": "assistant", "label": text("runs.assistant")},
            {"key": "model", "label": text("runs.model")},
            {"key": "took", "label": text("runs.took"), "kind": "number"},
            {"key": "tokens", "label": text("runs.tokens"), "kind": "number"},
            {"key": "cost", "label": text("runs.cost"), "kind": "number"},
        ]

    def row(self, value: Json) -> dict[str, Any]:
        """See `LogTable`."""
        usage = value.get("usage") or {}
        return {
            "href": run_page(value["thread_id"], value["id"]),
            "time": value["created_at"],
            "status": self._visitor.text(f"runs.{value['status']}"),
            "assistant": self._names.get(value["assistant_id"], value["assistant_id"]),
            "model": value["model"],
            "took": duration(self._visitor, seconds(value.get("started_at"), ended_at(value))),
            "tokens": f"{usage['total_tokens']:,}" if usage else "",
            "cost": money(value.get("cost")),
            "tones": {"status": TONES.get(value["status"], "")},
        }


class Completions(LogList):
    """The stored chat completions."""

    path, caption, empty = "/chat/completions", "logs.completions", "logs.no_completions"

    def columns(self) -> Sequence[dict[str, str]]:
        """See `LogTable`."""
        text = self._visitor.text
        return [
            {"key": "time", "label": text("logs.time"), "kind": "time"},
            {"key": "model", "label": text("runs.model")},
            {"key": "answer", "label": text("logs.answer")},
            {"key": "tokens", "label": text("runs.tokens"), "kind": "number"},
        ]

    def row(self, value: Json) -> dict[str, Any]:
        """See `LogTable`."""
        usage = value.get("usage") or {}
        answer = " ".join(answer_of(self._visitor, value).split())
        return {
            "href": f"/logs/completions/{quote(value['id'], safe='')}",
            "time": value["created"],
            "model": value["model"],
            "answer": answer if len(answer) <= _BEGIN else answer[:_BEGIN] + "…",
            "tokens": f"{usage['total_tokens']:,}" if usage else "",
        }


def answer_of(visitor: Visitor, completion: Json) -> str:
    """What a chat completion says: the first of its choices."""
    message: Json = completion["choices"][0]["message"] if completion["choices"] else {}
    calls: list[Json] = message.get("tool_calls") or []
    names = ", ".join((call.get("function") or {}).get("name", call["type"]) for call in calls)
    told = visitor.text("logs.calls_functions", names=names) if names else ""
    return "\n".join(filter(None, [message.get("content") or message.get("refusal"), told]))
