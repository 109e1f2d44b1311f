"""The page of the audit log: who did what, and when."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from nicegui import ui

from ...elements.code import Code
from ...elements.controls import heading, plain
from ...elements.dialogs import closing, dialog, working
from ...elements.rows import Rows
from ...visitor import Visitor
from ...words.audit import WORDS
from .common import ORGANIZATION, Json, page, projects_of, written

#: What may have been done, by the names of the API; each has a word, with `_` for dots.
_TYPES = (
    *("api_key.created", "api_key.updated", "api_key.deleted"),
    *("user.added", "user.updated", "user.deleted", "invite.sent", "invite.accepted", "invite.deleted"),
    *("group.created", "group.updated", "group.deleted", "group.member_added", "group.member_removed"),
    *("role.assignment.created", "role.assignment.deleted"),
    *("login.succeeded", "login.failed", "logout.succeeded", "password.updated"),
    *("project.created", "project.updated", "project.archived", "organization.updated"),
    *("service_account.created", "service_account.updated", "service_account.deleted"),
    *("rate_limit.updated", "spend_limit.updated", "spend_limit.deleted", "retention.updated", "erasure.created"),
    *("model.created", "model.updated", "model.deleted"),
    *("connection.created", "connection.updated", "connection.deleted"),
    *("webhook_endpoint.created", "webhook_endpoint.updated", "webhook_endpoint.deleted"),
    *("webhook_endpoint.secret_rotated", "import.created", "export.created"),
    *("gpt.created", "gpt.updated", "gpt.published", "gpt.deleted"),
    *("gpt.moderated", "gpt.review_deleted", "gpt.report_resolved", "gpt_link.created", "gpt_link.deleted"),
    *("thread_share.created", "thread_share.deleted"),
)
#: Entries at a time.
_AT_ONCE = 50
_COMMAND_LINE = "command_line:"


class _Log:
    """The entries that fit, newest first."""

    def __init__(self, visitor: Visitor, projects: dict[str, str]) -> None:
        self._visitor, text = visitor, visitor.text
        heading(text("audit.title"))
        ui.label(text("audit.hint")).classes("lead")
        with ui.element("form").classes("filters").props("role=search") as filters:
            types = {"": text("audit.every_type"), **{one: _what(visitor, one) for one in _TYPES}}
            self._type = ui.select(types, value="", label=text("audit.type"), with_input=False)
            of = {"": text("manage.all_projects"), **projects}
            self._project = ui.select(of, value="", label=text("manage.project"))
            self._who = ui.input(text("audit.who")).props("maxlength=320")
            self._resource = ui.input(text("audit.resource")).props("maxlength=128")
            self._from, self._until = (ui.input(text(f"audit.{one}")) for one in ("from", "until"))
            for field in (self._from, self._until):
                field.props("type=date stack-label")
            for field in (self._type, self._project, self._who, self._resource, self._from, self._until):
                field.props("outlined dense")
            plain(text("audit.apply")).props("type=submit")
        filters.on("submit.prevent", self.show)
        self._list = ui.element("section").props("aria-live=polite")
        with ui.element("div").classes("more"):
            self._older = plain(text("audit.older"), self._more)
        self._older.set_visibility(False)
        self._last = ""
        #: How often the list was asked for anew, and with what: the fields may be filled with something else by now.
        self._asked = 0
        self._query: dict[str, Any] = {}

    async def show(self) -> None:
        """Show the newest entries that fit."""
        self._asked += 1
        self._query = self._chosen()
        if (found := await self._ask("")) is None:
            return
        text = self._visitor.text
        self._list.clear()
        with self._list:
            if not found:
                ui.label(text("audit.nothing")).classes("empty card")
                return
            columns = ["audit.when", "audit.by", "audit.type", "audit.on", "manage.project"]
            self._table = Rows(text("audit.title"), [*map(text, columns), ""])
        self._add(found)

    async def _more(self) -> None:
        with working(self._older):
            if found := await self._ask(self._last):
                self._add(found)

    def _chosen(self) -> dict[str, Any]:
        """What the fields say."""
        who = written(self._who)
        return {
            "event_types[]": self._type.value or None,
            "project_ids[]": self._project.value or None,
            "actor_emails[]" if "@" in who else "actor_ids[]": who or None,
            "resource_ids[]": written(self._resource) or None,
            "effective_at[gte]": _day(self._from.value),
            "effective_at[lt]": _day(self._until.value, 1),
        }

    async def _ask(self, after: str) -> list[Json] | None:
        """A page of entries that fit; None where the list was asked for anew meanwhile."""
        asked = self._asked
        query = {**self._query, "after": after or None}
        answer = await self._visitor.get(f"{ORGANIZATION}/audit_logs", limit=_AT_ONCE, **query)
        if asked != self._asked or (after and after != self._last):
            return None
        self._last = answer["last_id"]
        self._older.set_visibility(answer["has_more"])
        return answer["data"]

    def _add(self, entries: list[Json]) -> None:
        text = self._visitor.text
        for entry in entries:
            act = entry.get("act")
            what = _what(self._visitor, act["type"] if act else entry["type"])
            on = (act or entry.get(entry["type"]) or {}).get("id", "")
            with self._table.row() as row:
                row.moment(self._visitor, entry["effective_at"])
                row.text(_who(self._visitor, entry["actor"]))
                row.text(what, "name")
                row.text(on, "mono small")
                row.text((entry.get("project") or {}).get("name", ""))
                with row.cell():
                    button = plain(text("audit.details"), self._opening(entry, what))
                    button.props["aria-label"] = text("audit.details_of", what=what, id=on)

    def _opening(self, entry: Json, what: str) -> Callable[[], None]:
        def opened() -> None:
            with dialog(what) as made:
                Code(self._visitor, json.dumps(entry, indent=2, ensure_ascii=False), "json")
                closing(self._visitor, made)

        return opened


def _what(visitor: Visitor, kind: str) -> str:
    """What was done, in words; types that have none (newer ones) as the API calls them."""
    key = kind.replace(".", "_")
    return visitor.text(f"audit.{key}") if key in WORDS else kind


def _who(visitor: Visitor, actor: Mapping[str, Any]) -> str:
    """Who did it: a person, a program, the machine's command line or the server."""
    key = actor.get("api_key") or {}
    user = key.get("user") or (actor.get("session") or {}).get("user") or {}
    name = user.get("email") or user.get("id") or ""
    if name.startswith(_COMMAND_LINE):
        return visitor.text("audit.command_line", name=name.removeprefix(_COMMAND_LINE))
    if name == "server":
        return visitor.text("audit.server")
    if account := key.get("service_account"):
        return visitor.text("audit.account", id=account["id"])
    if key:
        return visitor.text("audit.key", id=key["id"])
    return name or visitor.text("audit.nobody")


def _day(value: str | None, later: int = 0) -> int | None:
    """Unix seconds of a day's begin in UTC, so many days later."""
    try:
        day = date.fromisoformat(value or "") + timedelta(days=later)
    except (ValueError, OverflowError):
        return None
    return max(0, int(datetime.combine(day, time(), UTC).timestamp()))


async def _build(visitor: Visitor) -> None:
    await _Log(visitor, await projects_of(visitor)).show()


PAGES = (page("/audit", "audit.title", "history", _build),)
