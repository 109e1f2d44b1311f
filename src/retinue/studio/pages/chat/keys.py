"""What the keyboard does in the chat, and the dialog that tells it."""

from __future__ import annotations

from nicegui import ui

from ...elements.dialogs import closing, dialog
from ...visitor import Visitor

#: Keys by what they do, as `Shortcuts` takes them.
KEYS = {"help": "ctrl+/", "new": "ctrl+shift+o", "search": "ctrl+k", "write": "shift+escape", "stop": "escape"}
#: What the field for messages knows by itself.
_IN_FIELD = {"send": "enter", "line": "shift+enter"}


def show_keys(visitor: Visitor) -> None:
    """Open the dialog."""
    text = visitor.text
    with dialog(text("chat.keys")) as made:
        with ui.element("dl").classes("keys"):
            for name, keys in {**_IN_FIELD, **KEYS}.items():
                with ui.element("dt"):
                    for key in keys.split("+"):
                        with ui.element("kbd"):
                            ui.label(key.capitalize() if len(key) > 1 else key.upper())
                with ui.element("dd"):
                    ui.label(text(f"chat.key_{name}"))
        closing(visitor, made)
