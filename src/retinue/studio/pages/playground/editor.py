"""The dialog in which definitions are written as JSON, or made from a Python signature."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from nicegui import ui

from ...elements.controls import plain, primary
from ...visitor import Visitor
from .dialogs import dialog
from .schemas import LONGEST, Check, written
from .signature import LONGEST as LONGEST_SIGNATURE
from .signature import NotASignatureError, function_of

_SIGNATURE = '''def get_weather(city: str, days: int = 3) -> str:
    """The weather in a city.

    Args:
        city: the city, such as Oslo
        days: how many days
    """'''


class Editor:
    """A definition in the making."""

    def __init__(
        self,
        visitor: Visitor,
        title: str,
        *,
        value: Mapping[str, Any] | None,
        check: Check,
        examples: Mapping[str, Mapping[str, Any]],
        from_python: bool,
    ) -> None:
        """A dialog that `edited` opens.

        Args:
            visitor: who writes.
            title: of the dialog.
            value: what there is so far; None begins with the first example.
            check: tells what is wrong.
            examples: by the keys of their names.
            from_python: whether a Python signature can be pasted.
        """
        self._visitor, self._check = visitor, check
        text = visitor.text
        begin = written(value if value is not None else next(iter(examples.values())))
        with dialog(title) as self._dialog:
            if from_python:
                self._python()
            with ui.row().classes("examples"):
                ui.label(text("playground.examples")).classes("quiet")
                for key, example in examples.items():
                    button = plain(text(key), partial(self._write, example)).props("dense")
                    button.classes("example")
            self._field = ui.textarea(text("playground.definition"), value=begin, on_change=self._changed)
            self._field.props(
                f"outlined input-class='mono definition' debounce=200 maxlength={LONGEST} spellcheck=false"
            )
            self._field.classes("wide")
            self._said = ui.label().props("role=status aria-live=polite").classes("verdict")
            with ui.row():
                self._save = primary(text("frame.save"), self._submit)
                plain(text("playground.tidy"), self._tidy)
                plain(text("frame.cancel"), lambda: self._dialog.submit(None))
        self._changed()

    async def edited(self) -> dict[str, Any] | None:
        """Open it, and answer with what was saved; None if nothing was."""
        return await self._dialog

    def _python(self) -> None:
        text = self._visitor.text
        with ui.expansion(text("playground.from_python")).classes("wide from-python"):
            ui.label(text("playground.from_python_hint")).classes("quiet")
            source = ui.textarea(text("playground.signature"), value=_SIGNATURE).classes("wide")
            source.props(f"outlined rows=7 input-class=mono maxlength={LONGEST_SIGNATURE} spellcheck=false")
            wrong = ui.label().classes("wrong").props("role=alert")

            def make() -> None:
                try:
                    self._write(function_of(source.value or ""))
                    wrong.set_text("")
                except NotASignatureError as error:
                    wrong.set_text(text(error.key, **error.values))

            plain(text("playground.make_schema"), make)

    def _write(self, value: Mapping[str, Any]) -> None:
        self._field.set_value(written(value))

    def _changed(self) -> None:
        value, wrong = self._check(self._field.value or "")
        self._said.set_text(wrong or self._visitor.text("playground.valid"))
        self._said.classes(add="wrong" if wrong else "good", remove="good" if wrong else "wrong")
        self._save.set_enabled(value is not None)

    def _tidy(self) -> None:
        try:
            self._write(json.loads(self._field.value or ""))
        except (ValueError, RecursionError):
            self._changed()

    def _submit(self) -> None:
        value, _ = self._check(self._field.value or "")
        if value is not None:
            self._dialog.submit(value)
