"""The assistant's settings, at the right: what is changed is saved at once, and can be undone."""

# pyright: reportDeprecated=false
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import events, ui

from ...elements.controls import heading, plain, symbol
from ...elements.metadata import Metadata
from ...visitor import Visitor
from .draft import Draft, Saving
from .editor import Editor
from .generate import generate_instructions
from .schemas import FORMATS, check_format
from .tools import Tools
from .versions import show_versions
from .writing import FORMAT

#: Milliseconds without a key before a text is saved.
_PAUSE = 700
_SAID: Mapping[Saving, str] = {
    "saving": "playground.saving",
    "saved": "playground.saved",
    "wrong": "playground.not_saved",
}


class Settings:
    """A form for an assistant."""

    def __init__(
        self,
        visitor: Visitor,
        draft: Draft,
        *,
        models: Mapping[str, str],
        stores: Mapping[str, str],
        connections: list[Mapping[str, Any]],
    ) -> None:
        """Built in the current slot; `load` fills what takes longer.

        Args:
            visitor: who sets it.
            draft: the assistant.
            models: what models that chat are called, by their names.
            stores: the same for vector stores.
            connections: those of the project.
        """
        self._visitor, self._draft = visitor, draft
        self._models, self._stores, self._connections = models, stores, connections
        text = visitor.text
        with ui.element("div").classes("saving"):
            self._status = ui.label().classes("quiet grow").props("role=status aria-live=polite")
            self._undo = symbol("undo", text("playground.undo"), lambda: self._step(-1))
            self._redo = symbol("redo", text("playground.redo"), lambda: self._step(1))
            symbol("history", text("playground.history"), self._history)
        self._fields = ui.element("div").classes("fields")
        self._build()
        draft.listeners.append(self._saving)
        self._saving("saved")
        if not draft.may_change:
            self._status.set_text(
                text("playground.hidden" if draft.hidden and visitor.may_write else "playground.looks_only")
            )
        else:
            self._status.set_text("")

    async def load(self) -> None:
        """Show the files of tools. Raises `openai.APIError`."""
        await self._tools.load()

    async def refresh(self) -> None:
        """Show the assistant anew, as it is saved now."""
        self._fields.clear()
        self._build()
        await self.load()

    async def _go(self, at: int) -> None:
        await self._draft.go(at)
        await self.refresh()

    async def _step(self, by: int) -> None:
        await self._draft.step(by)
        await self.refresh()

    async def _history(self) -> None:
        """Show it, with what is being saved."""
        await self._draft.settled()
        show_versions(self._visitor, self._draft, self._go)

    def _saving(self, how: Saving) -> None:
        history = self._draft.history
        self._status.set_text(self._visitor.text(_SAID[how]))
        self._status.classes(add="wrong" if how == "wrong" else "quiet", remove="quiet" if how == "wrong" else "wrong")
        self._undo.set_enabled(self._draft.may_change and history.at > 0)
        self._redo.set_enabled(self._draft.may_change and history.at < len(history.versions) - 1)

    def _build(self) -> None:
        text, state = self._visitor.text, self._draft.state
        with self._fields:
            self._text("name", ui.input(text("playground.name"), value=state["name"] or ""), 256)
            about = ui.textarea(text("playground.description"), value=state["description"] or "")
            about.props["hint"] = text("playground.description_hint")
            self._text("description", about.props("autogrow rows=1"), 512)
            self._instructions()
            self._model()
            self._tools = Tools(self._visitor, self._draft, self._stores, self._connections)
            heading(text("playground.answers"), 2)
            self._format()
            self._slide("temperature", 2)
            self._slide("top_p", 1)
            heading(text("playground.protected"), 2)
            self._protected()
            heading(text("metadata.title"), 2)
            change = self._draft.set
            Metadata(
                self._visitor,
                state["metadata"] or {},
                lambda pairs: change(metadata=pairs),
                may_change=self._draft.may_change,
            )

    def _instructions(self) -> None:
        text = self._visitor.text
        field = ui.textarea(text("playground.instructions"), value=self._draft.state["instructions"] or "")
        field.props("autogrow input-class=instructions")
        self._text("instructions", field, 256_000)
        if self._draft.may_change:

            def generate() -> None:
                generate_instructions(self._visitor, self._draft.state["model"], field.value or "", field.set_value)

            plain(text("generate.instructions"), generate, icon="edit_note").props("dense").classes("generate")

    def _protected(self) -> None:
        """Whether others are told what it is made of."""
        text = self._visitor.text
        with ui.element("div").classes("switch"):
            ui.label(text("playground.protected_hint")).classes("quiet small grow")
            switch = ui.switch(value=self._draft.state["protected"])
            switch.props["aria-label"] = text("playground.protected")
            # Who is not told what protected assistants are made of would shut themselves out.
            switch.set_enabled(self._draft.may_change and self._visitor.sees_protected)
            switch.on_value_change(lambda event: self._draft.set(protected=bool(event.value)))
        if self._visitor.may_write and not self._visitor.sees_protected:
            ui.label(text("playground.protected_who")).classes("quiet small")

    def _text(self, field: str, element: ui.input | ui.textarea, longest: int) -> None:
        async def changed(event: events.ValueChangeEventArguments[Any]) -> None:
            await self._draft.set(**{field: event.value or None})

        element.props(f"outlined dense debounce={_PAUSE} maxlength={longest}").classes("wide")
        element.on_value_change(changed)
        element.set_enabled(self._draft.may_change)

    def _model(self) -> None:
        model = self._draft.state["model"]
        options = {model: model, **self._models} if model not in self._models else dict(self._models)
        select = ui.select(
            options,
            value=model,
            label=self._visitor.text("playground.model"),
            with_input=len(options) > 8,
            on_change=lambda event: self._draft.set(model=event.value) if event.value else None,
        )
        select.props("outlined dense").classes("wide").set_enabled(self._draft.may_change)

    def _format(self) -> None:
        text = self._visitor.text
        now = self._draft.state["response_format"]
        kind = now["type"] if isinstance(now, dict) else "text"  # pyright: ignore[reportUnknownVariableType]
        with ui.row().classes("format"):
            kinds = {one: text(f"playground.format_{one}") for one in ("text", "json_object", "json_schema")}
            select = ui.select(kinds, value=kind, label=text("playground.format"))
            select.props("outlined dense").classes("grow").set_enabled(self._draft.may_change)
            edit = symbol("edit", text("playground.edit_format"), lambda: self._edit_format(select))
            edit.set_visibility(kind == "json_schema" and self._draft.may_change)

        async def changed(event: events.ValueChangeEventArguments[Any]) -> None:
            edit.set_visibility(event.value == "json_schema")
            if event.value == "json_schema":
                await self._edit_format(select)
            else:
                await self._draft.set(response_format="auto" if event.value == "text" else {"type": event.value})

        select.on_value_change(changed)

    async def _edit_format(self, select: ui.select) -> None:
        """Write the schema of answers; without one, the choice goes back to what holds."""
        now: Any = self._draft.state["response_format"]
        kind = now["type"] if isinstance(now, dict) else "text"
        editor = Editor(
            self._visitor,
            self._visitor.text("playground.edit_format"),
            value=now["json_schema"] if kind == "json_schema" else None,
            check=check_format(self._visitor),
            examples=FORMATS,
            kind=FORMAT,
            model=self._draft.state["model"],
        )
        if (edited := await editor.edited()) is not None:
            await self._draft.set(response_format={"type": "json_schema", "json_schema": edited})
        elif kind != "json_schema":
            select.set_value(kind)

    def _slide(self, field: str, most: float) -> None:
        """A number from 0 to `most`; 1 leaves it to the model."""
        text = self._visitor.text
        value = self._draft.state[field]
        with ui.element("div").classes("slide"):
            ui.label(text(f"playground.{field}")).props("aria-hidden=true")
            said = ui.label().classes("mono")
            slider = ui.slider(min=0, max=most, step=0.01, value=1 if value is None else value)
            slider.props["aria-label"] = text(f"playground.{field}")
            slider.set_enabled(self._draft.may_change)

        def shown() -> None:
            chosen = slider.value or 0
            said.set_text(text("playground.own", value=f"{chosen:.2f}") if chosen == 1 else f"{chosen:.2f}")

        async def released(event: events.GenericEventArguments) -> None:
            await self._draft.set(**{field: event.args})

        slider.on_value_change(shown)
        slider.on("change", released)
        shown()


def choose_assistant(
    visitor: Visitor, names: Mapping[str, str], draft: Draft, on_choose: Callable[[str], Any]
) -> ui.select:
    """The assistants of the project, of which one is shown."""
    select = ui.select(
        {draft.id: draft.name or draft.id, **names},
        value=draft.id,
        label=visitor.text("playground.assistant"),
        with_input=len(names) > 8,
        on_change=lambda event: on_choose(event.value) if event.value and event.value != draft.id else None,
    )
    select.props("outlined dense").classes("grow")
    return select
