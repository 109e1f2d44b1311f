"""The log of requests: a list with filters, which goes on by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import openai
from nicegui import ui

from ...elements.amounts import milliseconds
from ...visitor import Visitor
from ..runs.found import Json
from .lists import LogList

#: Where the API has them: of the project, and of all, for owners of the organization.
PROJECT, ORGANIZATION = "/request_logs", "/organization/request_logs"
#: Seconds between two looks for what is new.
_LOOK = 3.0
_HOUR = 3600
#: Seconds of the times that can be chosen, and what is said of them.
_TIMES = {_HOUR: "hour", 24 * _HOUR: "day", 7 * 24 * _HOUR: "week"}
_STATUSES = ("2xx", "4xx", "429", "5xx")
_METHODS = ("GET", "POST", "DELETE")
#: From choices to what the API is asked for.
_FROM: Mapping[str, bool | None] = {"programs": False, "pages": True, "both": None}
#: Keys whose names are asked for.
_MOST_KEYS = 100


class Requests(LogList):
    """The requests of the project; owners of the organization see all, if they like."""

    path, caption, empty = PROJECT, "logs.requests", "logs.no_requests"

    def __init__(self, visitor: Visitor) -> None:
        """`visitor`: who looks."""
        super().__init__(visitor)
        self._keys: dict[str, str] = {}
        self._seconds = 0
        self._filters = {"by_page": "false"}

    async def build(self) -> None:
        """Show it in the current slot, with what to choose from."""
        visitor, text = self._visitor, self._visitor.text
        models, self._keys = await asyncio.gather(visitor.get("/models"), names_of_keys(visitor))
        names = sorted(one["id"] for one in models["data"])
        with ui.element("div").classes("filters many"):
            if visitor.administers:
                whose = {one: text(f"logs.whose_{one}") for one in ("project", "all", "refused")}
                self._select(text("logs.whose"), whose, "project", self._choose_whose)
            self._choose("status", text("runs.status"), {one: text(f"logs.status_{one}") for one in _STATUSES})
            self._choose("method", text("logs.method"), {one: one for one in _METHODS})
            self._choose("model", text("runs.model"), {one: one for one in names})
            if self._keys:
                self._choose("api_key_id", text("logs.key"), self._keys)
            origins = {one: text(f"logs.from_{one}") for one in _FROM}
            self._select(text("logs.from"), origins, "programs", self._choose_origin)
            times = {0: text("logs.any"), **{one: text(f"logs.last_{name}") for one, name in _TIMES.items()}}
            self._select(text("logs.time"), times, 0, self._choose_time)
        self._live = ui.switch(text("logs.live"), value=True).classes("live")
        await super().build()
        ui.timer(_LOOK, self._look, immediate=False)

    def columns(self) -> Sequence[dict[str, str]]:
        """See `LogTable`."""
        text = self._visitor.text
        return [
            {"key": "time", "label": text("logs.time"), "kind": "time"},
            {"key": "status", "label": text("runs.status"), "kind": "short"},
            {"key": "request", "label": text("logs.request"), "kind": "mono"},
            {"key": "model", "label": text("runs.model")},
            {"key": "by", "label": text("logs.by"), "kind": "short"},
            {"key": "first", "label": text("logs.first_byte"), "kind": "number"},
            {"key": "took", "label": text("runs.took"), "kind": "number"},
        ]

    def row(self, value: Json) -> dict[str, Any]:
        """See `LogTable`."""
        text = self._visitor.text
        broken = value["error"] and value["status"] < 400
        return {
            "href": request_page(value["id"], everybodys=self.path == ORGANIZATION),
            "time": value["created_at"],
            "status": text("logs.broken_off", status=value["status"]) if broken else str(value["status"]),
            "request": f"{value['method']} {value['path']}",
            "model": value["model"] or "",
            "by": who(self._visitor, value, self._keys),
            "first": milliseconds(self._visitor, value["first_byte_ms"]),
            "took": milliseconds(self._visitor, value["duration_ms"]),
            "tones": {"status": "wrong" if value["error"] or value["status"] >= 400 else ""},
        }

    def _select(self, label: str, options: Mapping[Any, str], value: Any, chosen: Callable[[Any], None]) -> None:
        async def change(new: Any) -> None:
            chosen(new)
            await self._show()

        select = ui.select(dict(options), value=value, label=label, on_change=lambda event: change(event.value))
        select.props("outlined dense options-dense")

    def _choose(self, field: str, label: str, options: Mapping[str, str]) -> None:
        def chosen(value: str) -> None:
            self._filters[field] = value or None

        self._select(label, {"": self._visitor.text("logs.any"), **options}, "", chosen)

    def _choose_whose(self, value: str) -> None:
        self.path = PROJECT if value == "project" else ORGANIZATION
        self._filters["refused"] = "true" if value == "refused" else None

    def _choose_origin(self, value: str) -> None:
        by_page = _FROM[value]
        self._filters["by_page"] = None if by_page is None else str(by_page).lower()

    def _choose_time(self, value: int) -> None:
        self._seconds = int(value or 0)

    async def _show(self) -> None:
        self._filters["start_time"] = int(time.time()) - self._seconds if self._seconds else None
        chosen = any(value for name, value in self._filters.items() if name != "by_page")
        self.empty = "logs.no_requests_found" if chosen else "logs.no_requests"
        await super()._show()

    async def _look(self) -> None:
        """Show what is new."""
        if not self._live.value:
            return
        asked = self._asked
        try:
            if not self._newest:
                page = await self._visitor.get(self.path, limit=1, **self._filters)
                if page["data"] and asked == self._asked:
                    await self._show()
                return
            page = await self._visitor.get(self.path, limit=50, order="desc", before=self._newest, **self._filters)
        except openai.APIError:
            # Once is enough to be told.
            self._live.set_value(False)
            raise
        # What was chosen meanwhile is shown already.
        if page["data"] and asked == self._asked:
            self._newest = page["first_id"]
            self._table.begin([self.row(one) for one in page["data"]])


async def names_of_keys(visitor: Visitor) -> dict[str, str]:
    """Names of the project's keys by their ids, for those who may know them: owners of the organization."""
    if not visitor.administers:
        return {}
    found = await visitor.get(f"/organization/projects/{visitor.project}/api_keys", limit=_MOST_KEYS)
    return {one["id"]: one["name"] or one["id"] for one in found["data"]}


def request_page(request: str, *, everybodys: bool = False) -> str:
    """Where the page of a request is; with `everybodys`, of one that may be of another project or of none."""
    return f"/logs/requests/{quote(request, safe='')}" + ("?all=1" if everybodys else "")


def who(visitor: Visitor, request: Json, keys: Mapping[str, str]) -> str:
    """Who sent a request: the name of a key, or its id; a person; or nobody who is known."""
    if key := request["api_key_id"]:
        return keys.get(key, key)
    if person := request["user_id"]:
        return visitor.me["user"]["name"] if person == visitor.me["user"]["id"] else person
    return visitor.text("logs.nobody")
