"""What people see of a GPT before they use it: name, address, picture, words, category."""

from __future__ import annotations

import base64
from functools import partial
from typing import Any

import openai
from nicegui import events, ui

from ...elements.controls import heading, plain, symbol
from ...frame import attribute
from ...visitor import Visitor
from ..gpts.categories import categories
from ..gpts.picture import picture_of_draft
from .common import Around, saver
from .draft import GptDraft

#: Milliseconds without a key before a text is saved.
PAUSE = 700
_MOST_BYTES = 5 * 1024 * 1024
_MOST_STARTERS = 12
_LANGUAGES = ("en", "zh", "es", "fr", "de", "ja", "ko", "pt", "ru", "ar", "hi", "it")


class Profile:
    """The fields."""

    def __init__(self, visitor: Visitor, draft: GptDraft, known: Around) -> None:
        """Built in the current slot; `load` shows the picture."""
        self._visitor, self._draft, self._known = visitor, draft, known
        text, state = visitor.text, draft.state
        with ui.element("div").classes("gpt-who"):
            self._picture()
            with ui.element("div").classes("grow stack"):
                name = ui.input(text("gpt_form.name"), value=state["name"], on_change=self._rename)
                name.props(f"outlined dense debounce={PAUSE} maxlength=80").classes("wide")
                self._name = name
                self._text("description", ui.textarea(text("gpt_form.description")), 512).props("autogrow rows=2")
        with ui.element("div").classes("pair"):
            self._text("slug", ui.input(text("gpt_form.slug")), 64)
            self._select("category", categories(visitor), "gpt_form.category")
            tags = ui.input_chips(text("gpt_form.add_tags"), value=list(state["tags"]), new_value_mode="add-unique")
            tags.props("outlined dense max-values=10").classes("wide")
            tags.on_value_change(saver(tags, lambda value: draft.set(tags=value or [])))
            languages = {"": text("gpt_form.any_language")}
            languages |= {one: text(f"gpt_form.language_{one}") for one in _LANGUAGES}
            self._select("language", languages, "gpt_form.language")

    async def load(self) -> None:
        """Show the picture. Raises `openai.APIError`."""
        address = await picture_of_draft(self._visitor, self._draft.gpt)
        if not self._image.is_deleted:
            self._image.props["src"] = address
            self._image.set_visibility(True)
            self._drawn.set_visibility(self._draft.state["picture"] is not None)

    def _text(self, field: str, element: Any, longest: int) -> Any:
        element.value = self._draft.state[field] or ""
        element.props(f"outlined dense debounce={PAUSE} maxlength={longest}").classes("wide")
        element.on_value_change(saver(element, lambda value: self._draft.set(**{field: value or ""})))
        return element

    def _select(self, field: str, options: dict[str, str], label: str) -> None:
        value = self._draft.state[field] or ""
        options.setdefault(value, value)
        select = ui.select(options, value=value, label=self._visitor.text(label))
        select.props("outlined dense").classes("wide")
        select.on_value_change(saver(select, lambda chosen: self._draft.set(**{field: chosen or None})))

    async def _rename(self, event: events.ValueChangeEventArguments[Any]) -> None:
        name = (event.value or "").strip()
        self._name.error = None if name else self._visitor.text("gpt_form.name_needed")
        if name:
            await self._draft.set(name=name)
            if not self._draft.state["picture"]:
                await self.load()

    # The picture

    def _picture(self) -> None:
        text = self._visitor.text
        with ui.element("div").classes("gpt-picture"):
            self._image = ui.element("img").props(f'alt="{attribute(text("gpt_form.picture_alt"))}"')
            self._image.set_visibility(False)
            self._upload = ui.upload(
                auto_upload=True,
                max_file_size=_MOST_BYTES,
                on_upload=self._uploaded,
                on_rejected=lambda: ui.notify(text("gpt_form.picture_refused"), type="warning"),
            )
            self._upload.props('accept="image/png,image/jpeg,image/gif,image/webp"').classes("hidden")
            with ui.element("div").classes("gpt-picture-buttons"):
                choose = symbol("upload", text("gpt_form.picture_upload"))
                choose.on("click", js_handler=f"() => getElement({self._upload.id}).$refs.qRef.pickFiles()")
                if self._known.painter:
                    self._paint = symbol("brush", text("gpt_form.picture_make"), self._make)
                self._drawn = symbol("undo", text("gpt_form.picture_drawn"), partial(self._set_picture, None))
                self._drawn.set_visibility(self._draft.state["picture"] is not None)

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        event.sender.run_method("reset")
        await self._keep(event.file.name, await event.file.read(), event.file.content_type)

    async def _keep(self, name: str, content: bytes, kind: str) -> None:
        made = await self._visitor.client.files.create(file=(name, content, kind), purpose="vision")
        await self._set_picture(made.id)

    async def _make(self) -> None:
        text, state = self._visitor.text, self._draft.state
        self._paint.props("loading")
        try:
            prompt = text("gpt_form.picture_prompt", name=state["name"], description=state["description"])
            made = await self._visitor.client.images.generate(
                model=self._known.painter, prompt=prompt, response_format="b64_json"
            )
            data = (made.data or [])[0].b64_json or ""
            await self._keep("picture.png", base64.b64decode(data), "image/png")
        finally:
            if not self._paint.is_deleted:
                self._paint.props(remove="loading")

    async def _set_picture(self, file: str | None) -> None:
        try:
            await self._draft.set(picture=file)
        except openai.BadRequestError:
            # The file is no picture, whatever it is called.
            ui.notify(self._visitor.text("gpt_form.picture_refused"), type="warning")
            return
        await self.load()


class Starters:
    """The conversation starters, a row each."""

    def __init__(self, visitor: Visitor, draft: GptDraft) -> None:
        """Built in the current slot."""
        self._visitor, self._draft = visitor, draft
        heading(visitor.text("gpt_form.conversation_starters"), 2)
        self._rows = ui.element("div").classes("stack")
        self._fields: list[ui.input] = []
        for one in draft.state["conversation_starters"]:
            self._row(one)
        self._add = plain(visitor.text("gpt_form.add_starter"), self._begin, icon="add").classes("own-width")
        self._add.set_visibility(len(self._fields) < _MOST_STARTERS)

    def _row(self, value: str) -> ui.input:
        text = self._visitor.text
        with self._rows, ui.element("div").classes("gpt-row") as row:
            label = text("gpt_form.starter", number=len(self._fields) + 1)
            element = ui.input(value=value).props(f'outlined dense debounce={PAUSE} maxlength=500 aria-label="{label}"')
            element.classes("grow").on_value_change(self._save)

            async def remove() -> None:
                self._fields.remove(element)
                with self._rows:
                    row.delete()
                await self._save()

            symbol("close", text("gpt_form.remove_starter"), remove)
        self._fields.append(element)
        return element

    def _begin(self) -> None:
        element = self._row("")
        element.run_method("focus")
        self._add.set_visibility(len(self._fields) < _MOST_STARTERS)

    async def _save(self) -> None:
        self._add.set_visibility(len(self._fields) < _MOST_STARTERS)
        said = [(one.value or "").strip() for one in self._fields]
        await self._draft.set(conversation_starters=[one for one in said if one])
