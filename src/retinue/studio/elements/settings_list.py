"""All settings by groups, searched in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from ..visitor import Visitor

_LABELS = (
    *("search", "changed", "nothing", "unset", "secret_set", "default_is", "file", "environment", "argument", "count"),
)


class SettingsList(ui.element, component="settings_list.js"):
    """A field for a search, and the settings that it finds."""

    def __init__(self, visitor: Visitor, settings: Sequence[Any]) -> None:
        """`settings`: as the API tells them."""
        super().__init__()
        labels = {name: visitor.text(f"settings.{name}") for name in _LABELS}
        self._props.update({"settings": list(settings), "labels": labels})
