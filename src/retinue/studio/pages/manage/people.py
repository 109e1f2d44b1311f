"""The page of people: who they are, what they may do where, invites, and erasing what they left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import openai
from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from ...asking import each
from ...elements.controls import heading, plain, primary
from ...elements.dialogs import closing, dialog, form, question, shown_once
from ...elements.rows import Row, Rows
from ...visitor import Visitor
from .common import ORGANIZATION, PROJECTS, Json, every, filled, page, projects_of, say_if_cut, written
from .erasing import Erasing
from .groups import Groups

_ROLES = ("owner", "reader")
_PROJECT_ROLES = ("owner", "member", "viewer")


class _People:
    """People and invites."""

    def __init__(self, visitor: Visitor, projects: dict[str, str]) -> None:
        self._visitor, self._projects, text = visitor, projects, visitor.text
        with ui.element("div").classes("top"):
            heading(text("people.title"))
            primary(text("people.invite"), self._invite)
        ui.label(text("people.hint")).classes("lead")
        self._people = ui.element("section")
        heading(text("people.invites"), 2)
        self._invites = ui.element("section")
        self._groups = Groups(visitor)
        self._erasing = Erasing(visitor, projects)

    async def show(self) -> None:
        """Show what is there now."""
        people, invites, *_ = await asyncio.gather(
            every(self._visitor, f"{ORGANIZATION}/users"),
            every(self._visitor, f"{ORGANIZATION}/invites"),
            self._groups.show(),
            self._erasing.show(),
        )
        self._show_people(people)
        self._show_invites([one for one in invites if one["status"] != "accepted"])

    def _show_people(self, people: list[Json]) -> None:
        text = self._visitor.text
        self._people.clear()
        with self._people:
            table = Rows(
                text("people.title"),
                [text("manage.name"), text("manage.email"), text("people.id"), text("people.role"), ""],
            )
            for person in people:
                with table.row() as row:
                    own = person["id"] == self._visitor.me["user"]["id"]
                    row.text(person["name"] + (f" ({text('people.you')})" if own else ""), "name")
                    row.text(person["email"])
                    row.text(person["id"], "mono small")
                    # Whoever looks stays an owner, so that there is one.
                    if own:
                        row.text(text(f"manage.{person['role']}"))
                    else:
                        self._role(row, person)
                    with row.cell():
                        button = plain(text("people.projects"), self._projects_of(person))
                        button.props["aria-label"] = text("people.projects_of", name=person["name"])
                        if not own:
                            button = plain(text("manage.remove"), self._removing(person))
                            button.props["aria-label"] = text("manage.remove_of", name=person["name"])
            say_if_cut(self._visitor, people)

    def _role(self, row: Row, person: Json) -> None:
        text = self._visitor.text
        with row.cell():
            roles = {role: text(f"manage.{role}") for role in _ROLES}
            select = ui.select(roles, value=person["role"], on_change=self._giving(person)).props("outlined dense")
            select.props["aria-label"] = text("people.role_of", name=person["name"])

    def _giving(self, person: Json) -> Callable[[ValueChangeEventArguments[str]], Awaitable[None]]:
        role = person["role"]

        async def give(event: ValueChangeEventArguments[str]) -> None:
            nonlocal role
            if event.value == role:
                return
            try:
                await self._visitor.client.admin.organization.users.update(person["id"], role=event.value)
            except openai.APIError:
                cast(Any, event.sender).set_value(role)
                raise
            role = event.value
            ui.notify(self._visitor.text("manage.saved"))

        return give

    def _removing(self, person: Json) -> Callable[[], None]:
        text = self._visitor.text

        async def remove() -> None:
            await self._visitor.client.admin.organization.users.delete(person["id"])
            await self.show()

        title = text("people.remove_question", name=person["name"])
        hint, button = text("people.remove_hint"), text("manage.remove")
        return lambda: question(self._visitor, title, hint, button, remove, typed=person["email"])

    # --- roles in projects

    def _projects_of(self, person: Json) -> Callable[[], Awaitable[None]]:
        async def opened() -> None:
            roles = await self._roles(person["id"])
            text = self._visitor.text
            with dialog(text("people.projects_of", name=person["name"])) as made:
                ui.label(text("people.projects_hint")).classes("quiet")
                options = {"": text("people.not_in"), **{role: text(f"manage.{role}") for role in _PROJECT_ROLES}}
                for project, name in self._projects.items():
                    ui.select(
                        options,
                        value=roles[project],
                        label=name,
                        on_change=self._letting(person["id"], project, roles),
                    ).props("outlined dense")
                closing(self._visitor, made)

        return opened

    async def _roles(self, person: str) -> dict[str, str]:
        """The person's role in each project, "" where there is none."""

        async def role(project: str) -> str:
            try:
                return (await self._visitor.get(f"{PROJECTS}/{project}/users/{person}"))["role"]
            except openai.NotFoundError:
                return ""

        return dict(zip(self._projects, await each(role, self._projects), strict=True))

    def _letting(
        self, person: str, project: str, roles: dict[str, str]
    ) -> Callable[[ValueChangeEventArguments[str]], Awaitable[None]]:
        users = self._visitor.client.admin.organization.projects.users

        async def let(event: ValueChangeEventArguments[str]) -> None:
            wanted = event.value
            if wanted == roles[project]:
                return
            try:
                if not wanted:
                    await users.delete(person, project_id=project)
                elif roles[project]:
                    await users.update(person, project_id=project, role=wanted)
                else:
                    await users.create(project, user_id=person, role=wanted)
            except openai.APIError:
                cast(Any, event.sender).set_value(roles[project])
                raise
            roles[project] = wanted
            ui.notify(self._visitor.text("manage.saved"))

        return let

    # --- invites

    def _show_invites(self, invites: list[Json]) -> None:
        text = self._visitor.text
        self._invites.clear()
        with self._invites:
            if not invites:
                ui.label(text("people.no_invites")).classes("empty card")
                return
            columns = [text("manage.email"), text("people.role"), text("manage.status"), text("people.expires"), ""]
            table = Rows(text("people.invites"), columns)
            for invite in invites:
                with table.row() as row:
                    row.text(invite["email"], "name")
                    row.text(text(f"manage.{invite['role']}"))
                    row.text(text(f"people.{invite['status']}"))
                    row.moment(self._visitor, invite["expires_at"])
                    with row.cell():
                        button = plain(text("people.withdraw"), self._withdrawing(invite))
                        button.props["aria-label"] = text("people.withdraw_of", email=invite["email"])
            say_if_cut(self._visitor, invites)

    def _withdrawing(self, invite: Json) -> Callable[[], Awaitable[None]]:
        async def withdraw() -> None:
            await self._visitor.client.admin.organization.invites.delete(invite["id"])
            await self.show()

        return withdraw

    def _invite(self) -> None:
        visitor, text = self._visitor, self._visitor.text

        def fill() -> Callable[[], Awaitable[object]]:
            email = ui.input(text("manage.email")).props("outlined dense autofocus type=email autocomplete=off")
            roles = {role: text(f"manage.{role}") for role in _ROLES}
            role = ui.select(roles, value="reader", label=text("people.role")).props("outlined dense")
            with ui.element("div").classes("pair"):
                projects = {"": text("manage.none"), **self._projects}
                first = visitor.project if visitor.project in projects else ""
                project = ui.select(projects, value=first, label=text("people.invite_project"))
                there = {one: text(f"manage.{one}") for one in ("member", "owner")}
                project_role = ui.select(there, value="member", label=text("people.invite_role"))
                for field in (project, project_role):
                    field.props("outlined dense")

            async def invite() -> object:
                if not filled(visitor, email):
                    return False
                into = [{"id": project.value, "role": project_role.value}] if project.value else []
                body: Any = {"email": written(email), "role": role.value, "projects": into}
                made = await visitor.post(f"{ORGANIZATION}/invites", body)
                await self.show()
                return lambda: self._invited(made)

            return invite

        form(visitor, text("people.invite_title"), text("people.invite"), fill, text("people.invite_hint"))

    def _invited(self, invite: Json) -> None:
        text = self._visitor.text
        with self._invites:
            hint = text("people.link_hint", email=invite["email"])
            shown_once(self._visitor, text("people.link_title"), hint, text("people.link"), invite["accept_url"])


async def _build(visitor: Visitor) -> None:
    await _People(visitor, await projects_of(visitor)).show()


PAGES = (page("/people", "people.title", "group", _build),)
