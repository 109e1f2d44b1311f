"""GPTs that are ready to be installed."""

from __future__ import annotations

from fastapi import Request
from nicegui import ui

from ...elements.controls import heading, once, plain
from ...elements.dialogs import working
from ...visitor import Visitor
from .common import Json, edit_address, head

_LANGUAGES = {"en": "English", "zh": "中文"}


class _Templates:
    """The page."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        head(visitor, "gpt_store.templates", "gpt_store.templates_hint", "/gpts/templates")
        self._language = ui.select(
            _LANGUAGES, value=visitor.language, label=visitor.text("gpt_store.template_language"), on_change=self.show
        )
        self._language.props("dense outlined").classes("gpt-language")
        self._list = ui.element("ul").classes("gpt-templates")
        self._list.props["aria-label"] = visitor.text("gpt_store.templates")

    async def show(self) -> None:
        """Show those in the chosen language."""
        language = self._language.value
        found = await self._visitor.get("/gpts/templates", language=language)
        if language != self._language.value:
            return
        self._list.clear()
        with self._list:
            for template in found["data"]:
                self._one(template)

    def _one(self, template: Json) -> None:
        text = self._visitor.text
        with ui.element("li").classes("card").props(f"lang={template['language']}"):
            heading(template["name"], 2)
            ui.label(template["description"])
            with ui.element("span").classes("facts"):
                ui.label(text(f"gpt_categories.{template['category']}"))
                for one in template["capabilities"]:
                    ui.label(text(f"gpt_store.{one}"))
                if template["knowledge"]:
                    ui.label(text("gpt_store.knows", names=", ".join(template["knowledge"])))
            with ui.element("details"):
                with ui.element("summary"):
                    ui.label(text("gpt_store.instructions_of"))
                ui.label(template["instructions"]).classes("gpt-instructions")
            if self._visitor.may_write:
                button = plain(text("gpt_store.install"), icon="add")
                button.props["aria-label"] = text("gpt_store.install_of", name=template["name"])
                button.on_click(once(lambda: self._install(template, button)))

    async def _install(self, template: Json, button: ui.button) -> None:
        text = self._visitor.text
        with working(button):
            body = {"language": template["language"]}
            made = await self._visitor.post(f"/gpts/templates/{template['id']}/install", body)
        ui.notify(text("gpt_store.installed", name=template["name"]))
        ui.navigate.to(edit_address(made))


async def build(visitor: Visitor, request: Request) -> None:
    """Make the page."""
    await _Templates(visitor).show()
