"""The page of keys: of projects, and of those who administer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from ...elements.controls import heading, plain, primary
from ...elements.dialogs import form, question, shown_once
from ...elements.rows import Row, Rows
from ...visitor import Visitor
from .common import ORGANIZATION, PROJECTS, Json, choose_project, every, filled, page, projects_of, say_if_cut, written

#: What keys may be made for, one by one: what paths begin with.
_RESOURCES = (
    *("assistants", "chat", "completions", "connections", "embeddings", "export", "files", "images"),
    *("models", "moderations", "request_logs", "rerank", "threads", "tokenize", "uploads", "vector_stores"),
    "webhook_endpoints",
)
_DAYS = (0, 7, 30, 90, 365)
_LEVELS = {"admin": "everything", "write": "write", "read": "read"}


class _Keys:
    """The keys of a project, and the admin keys."""

    def __init__(self, visitor: Visitor, projects: dict[str, str]) -> None:
        self._visitor, text = visitor, visitor.text
        with ui.element("div").classes("top"):
            heading(text("keys.title"))
            self._project = choose_project(visitor, projects, self._choose)
            primary(text("keys.make"), self._make)
        ui.label(text("keys.hint")).classes("lead")
        self._keys = ui.element("section")
        self._accounts = ui.element("section")
        with ui.element("div").classes("top"):
            heading(text("keys.admin"), 2)
            plain(text("keys.make_admin"), self._make_admin)
        ui.label(text("keys.admin_hint")).classes("lead")
        self._admins = ui.element("section")
        self._known: list[Json] = []

    @property
    def _path(self) -> str:
        return f"{PROJECTS}/{self._project}"

    async def show(self) -> None:
        """Show what is there now."""
        visitor, project = self._visitor, self._project
        keys, known, admins = await asyncio.gather(
            every(visitor, f"{self._path}/api_keys"),
            every(visitor, f"{self._path}/service_accounts"),
            every(visitor, f"{ORGANIZATION}/admin_api_keys"),
        )
        if project != self._project:
            return
        self._known = known
        self._show_keys(self._keys, keys, "keys.of_project", "keys.none", of_project=True)
        self._show_keys(self._admins, admins, "keys.admin", "keys.admin_none", of_project=False)
        self._show_accounts()

    async def _choose(self, project: str) -> None:
        self._project = project
        await self.show()

    def _show_keys(self, place: ui.element, keys: list[Json], label: str, none: str, *, of_project: bool) -> None:
        text = self._visitor.text
        place.clear()
        with place:
            if not keys:
                ui.label(text(none)).classes("empty card")
                return
            own = [text("keys.account"), text("keys.may")] if of_project else []
            dates = [text("manage.made"), text("keys.used"), text("keys.expires")]
            table = Rows(text(label), [text("manage.name"), text("keys.key"), *own, *dates, ""])
            for key in keys:
                with table.row() as row:
                    row.text(key["name"], "name")
                    row.text(key["redacted_value"], "mono")
                    if of_project:
                        account = (key["owner"] or {}).get("service_account")
                        row.text(account["name"] if account else text("keys.no_account"))
                        self._scopes(row, key["scopes"])
                    row.moment(self._visitor, key["created_at"])
                    row.moment(self._visitor, key["last_used_at"], text("manage.never"))
                    row.moment(self._visitor, key["expires_at"], text("manage.never"))
                    with row.cell():
                        button = plain(text("keys.revoke"), self._revoking(key, of_project=of_project))
                        button.props["aria-label"] = text("keys.revoke_of", name=key["name"])
            say_if_cut(self._visitor, keys)

    def _scopes(self, row: Row, scopes: list[str]) -> None:
        if len(scopes) == 1 and scopes[0] in _LEVELS:
            row.text(self._visitor.text(f"keys.{_LEVELS[scopes[0]]}"))
            return
        with row.cell(), ui.element("div"):
            for scope in scopes:
                ui.label(scope).classes("pill mono")

    def _show_accounts(self) -> None:
        text = self._visitor.text
        self._accounts.clear()
        if not self._known:
            return
        with self._accounts:
            heading(text("keys.accounts"), 2)
            table = Rows(text("keys.accounts"), [text("manage.name"), "ID", text("manage.made"), ""])
            for account in self._known:
                with table.row() as row:
                    row.text(account["name"], "name")
                    row.text(account["id"], "mono small")
                    row.moment(self._visitor, account["created_at"])
                    with row.cell():
                        button = plain(text("keys.delete_account"), self._deleting(account))
                        button.props["aria-label"] = text("keys.delete_account_of", name=account["name"])

    def _revoking(self, key: Json, *, of_project: bool) -> Callable[[], None]:
        text, admin = self._visitor.text, self._visitor.client.admin.organization
        project = self._project

        async def revoke() -> None:
            if of_project:
                await admin.projects.api_keys.delete(key["id"], project_id=project)
            else:
                await admin.admin_api_keys.delete(key["id"])
            await self.show()

        title = text("keys.revoke_question", name=key["name"])
        return lambda: question(self._visitor, title, text("keys.revoke_hint"), text("keys.revoke"), revoke)

    def _deleting(self, account: Json) -> Callable[[], None]:
        text, project = self._visitor.text, self._project

        async def delete() -> None:
            await self._visitor.client.admin.organization.projects.service_accounts.delete(
                account["id"], project_id=project
            )
            await self.show()

        title = text("keys.delete_account_question", name=account["name"])
        button = text("keys.delete_account")
        return lambda: question(self._visitor, title, text("keys.delete_account_hint"), button, delete)

    # --- new ones

    def _make(self) -> None:
        visitor, text = self._visitor, self._visitor.text

        def fill() -> Callable[[], Awaitable[object]]:
            name = _field(text("manage.name"))
            accounts = {"": text("keys.new_account"), **{one["id"]: one["name"] for one in self._known}}
            account = _choice(text("keys.account"), accounts, "")
            levels = {level: text(f"keys.{word}") for level, word in _LEVELS.items()} | {"": text("keys.some")}
            level = _choice(text("keys.may"), levels, "admin")
            some = [_several(text("keys.may_read")), _several(text("keys.may_write"))]
            for field in some:
                field.bind_visibility_from(level, "value", value="")
            days = _expiry(visitor)

            async def make() -> object:
                if not filled(visitor, name):
                    return False
                scopes = [level.value] if level.value else _chosen(some)
                some[0].error = None if scopes else text("keys.choose_some")
                if not scopes:
                    return False
                return await self._made(written(name), account.value, scopes, days.value)

            return make

        form(visitor, text("keys.make"), text("keys.make"), fill)

    async def _made(self, name: str, account: str, scopes: list[str], days: int) -> Callable[[], None]:
        accounts = f"{self._path}/service_accounts"
        if not account:
            new = await self._visitor.post(accounts, {"name": name, "create_service_account_only": True})
            account = new["id"]
        body = {"name": name, "scopes": scopes, **_seconds(days)}
        key = await self._visitor.post(f"{accounts}/{account}/api_keys", body)
        await self.show()
        return lambda: self._tell(key["value"])

    def _make_admin(self) -> None:
        visitor, text = self._visitor, self._visitor.text

        def fill() -> Callable[[], Awaitable[object]]:
            name, days = _field(text("manage.name")), _expiry(visitor)

            async def make() -> object:
                if not filled(visitor, name):
                    return False
                body = {"name": written(name), **_seconds(days.value)}
                key = await visitor.post(f"{ORGANIZATION}/admin_api_keys", body)
                await self.show()
                return lambda: self._tell(key["value"])

            return make

        form(visitor, text("keys.make_admin"), text("keys.make_admin"), fill, text("keys.admin_hint"))

    def _tell(self, value: str) -> None:
        text = self._visitor.text
        with self._keys:
            shown_once(self._visitor, text("keys.made_title"), text("keys.made_hint"), text("keys.key"), value)


def _field(label: str) -> ui.input:
    return ui.input(label).props("outlined dense autofocus maxlength=256 autocomplete=off")


def _choice(label: str, options: dict[Any, str], value: Any) -> ui.select:
    return ui.select(options, value=value, label=label).props("outlined dense")


def _several(label: str) -> ui.select:
    return ui.select(list(_RESOURCES), value=[], label=label, multiple=True).props("outlined dense use-chips")


def _expiry(visitor: Visitor) -> ui.select:
    return _choice(visitor.text("keys.expires"), {days: visitor.text(f"keys.days_{days}") for days in _DAYS}, 0)


def _seconds(days: int) -> dict[str, int]:
    return {"expires_in_seconds": days * 86_400} if days else {}


def _chosen(fields: list[ui.select]) -> list[str]:
    return [
        f"{name}:{level}" for field, level in zip(fields, ("read", "write"), strict=True) for name in field.value or []
    ]


async def _build(visitor: Visitor) -> None:
    await _Keys(visitor, await projects_of(visitor)).show()


PAGES = (page("/keys", "keys.title", "key", _build),)
