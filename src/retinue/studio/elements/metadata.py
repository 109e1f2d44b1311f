"""Metadata as people write it: rows of keys and values, checked against the API's limits before they are saved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from nicegui import ui

from ..visitor import Visitor
from .controls import plain, symbol

#: The API's limits: pairs, characters of a key, and of a value.
MOST, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512
#: Milliseconds without a key before rows are looked at.
_PAUSE = 700


class Metadata:
    """Rows that can be added and removed; what is whole and right is saved at once. In `static/elements.css`."""

    def __init__(
        self,
        visitor: Visitor,
        value: Mapping[str, str],
        on_change: Callable[[dict[str, str]], Awaitable[object]],
        *,
        may_change: bool,
    ) -> None:
        """Built in the current slot.

        Args:
            visitor: who writes.
            value: the pairs that there are.
            on_change: gets all pairs, when they have changed and nothing is wrong with them.
            may_change: whether the visitor may.
        """
        self._visitor, self._on_change, self._may_change = visitor, on_change, may_change
        self._saved = dict(value)
        self._rows: list[tuple[ui.input, ui.input]] = []
        text = visitor.text
        with ui.element("div").classes("metadata"):
            self._list = ui.element("div").classes("metadata-rows").props("role=list")
            self._list.props["aria-label"] = text("metadata.title")
            self._none = ui.label(text("metadata.none")).classes("quiet small")
            self._wrong = ui.label().classes("wrong small").props("role=alert")
            if may_change:
                self._add = plain(text("metadata.add"), lambda: self._row("", "", focus=True), icon="add")
                self._add.props("dense")
        for key, one in value.items():
            self._row(key, one)
        self._show()

    def _row(self, key: str, value: str, *, focus: bool = False) -> None:
        text = self._visitor.text
        with self._list, ui.element("div").classes("metadata-row").props("role=listitem") as row:
            pair = (
                ui.input(text("metadata.key"), value=key, on_change=self._changed),
                ui.input(text("metadata.value"), value=value, on_change=self._changed),
            )
            for field, longest in zip(pair, (LONGEST_KEY, LONGEST_VALUE), strict=True):
                field.props(f"outlined dense debounce={_PAUSE} maxlength={longest} autocomplete=off")
                field.set_enabled(self._may_change)
            if self._may_change:
                symbol("close", text("metadata.remove"), lambda: self._remove(row, pair))
        self._rows.append(pair)
        if focus:
            pair[0].props("autofocus")
        self._show()

    async def _remove(self, row: ui.element, pair: tuple[ui.input, ui.input]) -> None:
        self._rows.remove(pair)
        with self._list:
            row.delete()
        self._show()
        await self._changed()

    def _show(self) -> None:
        self._none.set_visibility(not self._rows)
        if self._may_change:
            self._add.set_enabled(len(self._rows) < MOST)

    async def _changed(self) -> None:
        pairs = [((key.value or "").strip(), value.value or "") for key, value in self._rows]
        wrong = wrong_with(self._visitor, pairs)
        self._wrong.set_text(wrong)
        found = {key: value for key, value in pairs if key}
        if not wrong and found != self._saved:
            await self._on_change(found)
            self._saved = found


def wrong_with(visitor: Visitor, pairs: list[tuple[str, str]]) -> str:
    """What is wrong with pairs of keys and values; "" if nothing. A row that is empty counts for nothing."""
    keys = [key for key, value in pairs if key or value]
    if "" in keys:
        return visitor.text("metadata.no_key")
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        return visitor.text("metadata.twice", name=twice)
    if len(keys) > MOST:
        return visitor.text("metadata.too_many", most=MOST)
    if any(len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE for key, value in pairs):
        return visitor.text("metadata.too_long", of_key=LONGEST_KEY, of_value=LONGEST_VALUE)
    return ""
