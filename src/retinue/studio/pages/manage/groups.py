"""Groups of people, as a section of the page of people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from ...elements.controls import heading, plain
from ...elements.dialogs import closing, dialog, form, question
from ...elements.rows import Rows
from ...visitor import Visitor
from .common import MOST, ORGANIZATION, Json, every, filled, say_if_cut, written

_GROUPS = f"{ORGANIZATION}/groups"


class Groups:
    """The groups, with buttons for all that can be done with them."""

    def __init__(self, visitor: Visitor) -> None:
        """Built in the current slot, without groups yet."""
        self._visitor, text = visitor, visitor.text
        self._groups = visitor.client.admin.organization.groups
        with ui.element("div").classes("top"):
            heading(text("groups.title"), 2)
            plain(text("groups.make"), self._make)
        ui.label(text("groups.hint")).classes("lead")
        self._section = ui.element("section")

    async def show(self) -> None:
        """Show what is there now."""
        text = self._visitor.text
        found: list[Json] = (await self._visitor.get(_GROUPS, limit=MOST))["data"]
        self._section.clear()
        with self._section:
            if not found:
                ui.label(text("groups.none")).classes("empty card")
                return
            table = Rows(text("groups.title"), [text("manage.name"), text("people.id"), text("groups.count"), ""])
            for group in found:
                with table.row() as row:
                    row.text(group["name"], "name")
                    row.text(group["id"], "mono small")
                    row.text(str(group["users"]))
                    with row.cell():
                        self._button("groups.people", "people_of", group, self._people_of(group))
                        self._button("groups.rename", "rename_of", group, self._renaming(group))
                        self._button("frame.delete", "delete_of", group, self._deleting(group))
            say_if_cut(self._visitor, found)

    def _button(self, said: str, called: str, group: Json, do: Callable[[], object]) -> None:
        button = plain(self._visitor.text(said), do)
        button.props["aria-label"] = self._visitor.text(f"groups.{called}", name=group["name"])

    # --- the groups

    def _make(self) -> None:
        text = self._visitor.text
        form(self._visitor, text("groups.make_title"), text("groups.make_button"), self._naming("", self._add))

    def _renaming(self, group: Json) -> Callable[[], None]:
        text = self._visitor.text

        async def rename(name: str) -> None:
            await self._groups.update(group["id"], name=name)

        title = text("groups.rename_of", name=group["name"])
        fill = self._naming(group["name"], rename)
        return lambda: form(self._visitor, title, text("groups.rename_button"), fill)

    async def _add(self, name: str) -> None:
        await self._groups.create(name=name)

    def _naming(self, now: str, do: Callable[[str], Awaitable[None]]) -> Callable[[], Callable[[], Awaitable[object]]]:
        """The field of a form that asks for a name, and what is done with that."""

        def fill() -> Callable[[], Awaitable[object]]:
            field = ui.input(self._visitor.text("groups.name"), value=now)
            field.props("outlined dense autofocus autocomplete=off maxlength=255")

            async def done() -> object:
                if not filled(self._visitor, field):
                    return False
                await do(written(field))
                await self.show()
                return True

            return done

        return fill

    def _deleting(self, group: Json) -> Callable[[], None]:
        text = self._visitor.text

        async def delete() -> None:
            await self._groups.delete(group["id"])
            await self.show()

        title, hint = text("groups.delete_question", name=group["name"]), text("groups.delete_hint")
        return lambda: question(self._visitor, title, hint, text("frame.delete"), delete)

    # --- their people

    def _people_of(self, group: Json) -> Callable[[], Awaitable[None]]:
        async def opened() -> None:
            people = await every(self._visitor, f"{ORGANIZATION}/users")
            text = self._visitor.text
            with dialog(text("groups.people_of", name=group["name"])) as made:
                inside = ui.element("div").classes("group-people")
                closing(self._visitor, made)
            await self._show_people(inside, group["id"], people)

        return opened

    async def _show_people(self, inside: ui.element, group: str, people: list[Json]) -> None:
        """The people of a group, and a field that adds one."""
        text = self._visitor.text
        found: list[Json] = (await self._visitor.get(f"{_GROUPS}/{group}/users", limit=MOST))["data"]

        async def again() -> None:
            await self._show_people(inside, group, people)
            await self.show()

        def taking(person: Json) -> Callable[[], Awaitable[None]]:
            async def take() -> None:
                await self._groups.users.delete(person["id"], group_id=group)
                await again()

            return take

        inside.clear()
        with inside:
            if not found:
                ui.label(text("groups.empty")).classes("quiet")
            with ui.element("ul"):
                for person in found:
                    with ui.element("li"):
                        with ui.element("div"):
                            ui.label(person["name"]).classes("name")
                            ui.label(person["email"]).classes("quiet small")
                        button = plain(text("groups.take_out"), taking(person))
                        button.props["aria-label"] = text("groups.take_out_of", name=person["name"])
            there = {person["id"] for person in found}
            others = {one["id"]: f"{one['name']} ({one['email']})" for one in people if one["id"] not in there}
            if not others:
                ui.label(text("groups.everybody")).classes("quiet")
                return
            with ui.element("div").classes("secret"):
                choice = ui.select(others, label=text("groups.add"), with_input=True).props("outlined dense")

                async def add() -> None:
                    if not choice.value:
                        ui.notify(text("groups.choose"))
                        return
                    await self._groups.users.create(group, user_id=str(choice.value))
                    await again()

                plain(text("groups.add_button"), add)
