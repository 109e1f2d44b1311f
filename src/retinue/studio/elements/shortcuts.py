"""Keys that do something anywhere on a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui


class Shortcuts(ui.element, component="shortcuts.js"):
    """Listens for keys; where a dialog or a menu is open, it does not."""

    def __init__(self, keys: Mapping[str, str], on_press: Callable[[str], Any]) -> None:
        """Nothing to be seen.

        Args:
            keys: by names, such as ``ctrl+shift+o``: modifiers in this order, `ctrl` being the command key too.
            on_press: is told the name of what was pressed.
        """
        super().__init__()
        self._props["keys"] = [
            {"name": name, "key": key.split("+")[-1], "ctrl": "ctrl+" in key, "shift": "shift+" in key}
            for name, key in keys.items()
        ]
        self.on("pressed", lambda event: on_press(str(event.args)))
