"""The page of settings: what is in force, what it means, and how it is changed."""

from __future__ import annotations

from nicegui import ui

from ...elements.code import Code
from ...elements.controls import heading
from ...elements.settings_list import SettingsList
from ...visitor import Visitor
from ...words.meanings import GROUPS, MEANINGS
from .common import ORGANIZATION, Json, page

_EXAMPLE = 'requests_per_minute = 600\nlog_level = "debug"'


async def _build(visitor: Visitor) -> None:
    text = visitor.text
    found = await visitor.get(f"{ORGANIZATION}/settings")
    heading(text("settings.title"))
    ui.label(text("settings.hint")).classes("lead")
    with ui.element("section").classes("card"):
        heading(text("settings.how"), 2)
        ui.label(text("settings.how_file", file=found["file"]))
        Code(visitor, _EXAMPLE, "toml")
        ui.label(text("settings.how_environment"))
    SettingsList(visitor, [_told(visitor, one) for one in found["data"]])


def _told(visitor: Visitor, setting: Json) -> Json:
    """A setting with what it means in the visitor's language, as far as that is known; else in English."""
    if visitor.language != "zh":
        return setting
    meaning = MEANINGS.get(setting["id"], setting["description"])
    return {**setting, "description": meaning, "group": GROUPS.get(setting["group"], setting["group"])}


PAGES = (page("/settings", "settings.title", "tune", _build),)
