"""The dialog in which definitions are written as JSON, or made from a Python signature."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from nicegui import ui

from ...elements.code_editor import CodeEditor
from ...elements.controls import plain, primary
from ...elements.dialogs import dialog
from ...visitor import Visitor
from .generate import Wish
from .schemas import LONGEST, Check, line_of, written
from .signature import LONGEST as LONGEST_SIGNATURE
from .signature import NotASignatureError, function_of
from .writing import FUNCTION, Kind

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
        kind: Kind,
        model: str,
    ) -> None:
        """A dialog that `edited` opens.

        Args:
            visitor: who writes.
            title: of the dialog.
            value: what there is so far; None begins with the first example.
            check: tells what is wrong.
            examples: by the keys of their names.
            kind: what is defined; of a function a Python signature can be pasted.
            model: which can write one.
        """
        self._visitor, self._check, self._kind = visitor, check, kind
        text = visitor.text
        begin = written(value if value is not None else next(iter(examples.values())))
        with dialog(title, wide=True) as self._dialog:
            self._words(model, written(value) if value is not None else "")
            if kind is FUNCTION:
                self._python()
            with ui.row().classes("examples"):
                ui.label(text("playground.examples")).classes("quiet")
                for key, example in examples.items():
                    button = plain(text(key), partial(self._write, example)).props("dense")
                    button.classes("example")
            self._field = CodeEditor(
                label=text("playground.definition"),
                value=begin,
                language="JSON",
                longest=LONGEST,
                on_change=self._changed,
            )
            self._said = ui.label().props("role=status aria-live=polite").classes("verdict")
            with ui.element("div").classes("ends"):
                plain(text("playground.tidy"), self._tidy)
                plain(text("frame.cancel"), lambda: self._dialog.submit(None))
                self._save = primary(text("frame.save"), self._submit)
        self._changed()

    async def edited(self) -> dict[str, Any] | None:
        """Open it, and answer with what was saved; None if nothing was."""
        return await self._dialog

    def _words(self, model: str, old: str) -> None:
        """The definition from a sentence: `model` writes it, from `old` and from what it wrote before."""
        text, name = self._visitor.text, "function" if self._kind is FUNCTION else "format"
        written_before = False

        def show(found: dict[str, Any]) -> None:
            nonlocal written_before
            written_before = True
            self._write(found)

        with ui.expansion(text("generate.from_words")).classes("wide from-python"):
            ui.label(text("generate.from_words_hint", model=model)).classes("quiet")
            wish = Wish(
                self._visitor,
                model,
                self._kind,
                words=(f"generate.of_{name}", f"generate.like_{name}"),
                now=lambda: self._field.text if old or written_before else "",
                on_written=show,
            )
        self._dialog.on("hide", wish.stop)

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
        value, wrong = self._check(self._field.text)
        self._field.mark_line(line_of(self._field.text))
        self._said.set_text(wrong or self._visitor.text("playground.valid"))
        self._said.classes(add="wrong" if wrong else "good", remove="good" if wrong else "wrong")
        self._save.set_enabled(value is not None)

    def _tidy(self) -> None:
        try:
            self._write(json.loads(self._field.text))
        except (ValueError, RecursionError):
            self._changed()

    def _submit(self) -> None:
        value, _ = self._check(self._field.text)
        if value is not None:
            self._dialog.submit(value)
