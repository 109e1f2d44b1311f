"""Fields for whole numbers, of which only those are sent that somebody has changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from ...visitor import Visitor


class Numbers:
    """Limits side by side; an empty field is no limit."""

    def __init__(
        self,
        visitor: Visitor,
        words: Mapping[str, str],
        values: Mapping[str, Any],
        units: Mapping[str, int] | None = None,
        empty: str = "limits.unlimited",
    ) -> None:
        """Built in the current slot.

        Args:
            visitor: who fills them.
            words: keys of the words of page `limits`, by field.
            values: what is there now, by field.
            units: what a 1 in a field stands for, where that is not 1.
            empty: key of what an empty field says.
        """
        self._visitor, self._units = visitor, units or {}
        self._before: dict[str, int | None] = {}
        self._fields: dict[str, ui.number] = {}
        with ui.element("div").classes("limits"):
            for name, word in words.items():
                value = values.get(name)
                shown = value if value is None else max(1, round(value / self._units.get(name, 1)))
                field = ui.number(visitor.text(f"limits.{word}"), value=shown, min=1, format="%d")
                field.props["placeholder"] = visitor.text(empty)
                field.props("outlined dense stack-label hide-bottom-space")
                self._fields[name], self._before[name] = field, shown

    def changes(self) -> dict[str, int | None] | None:
        """What was changed, None for fields that were emptied; None instead of all if a field holds no number."""
        changed: dict[str, int | None] = {}
        good = True
        for name, field in self._fields.items():
            value = field.value
            field.error = None
            if value in (None, ""):
                if self._before[name] is not None:
                    changed[name] = None
            elif value != int(value) or value < 1:
                field.error = self._visitor.text("limits.whole", least=1)
                good = False
            elif value != self._before[name]:
                changed[name] = int(value) * self._units.get(name, 1)
        return changed if good else None
