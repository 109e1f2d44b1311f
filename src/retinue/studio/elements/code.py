"""Code with its language, highlighted, and a button that copies it."""

from __future__ import annotations

from nicegui import ui

from ..visitor import Visitor


class Code(ui.element, component="code.js"):
    """A block of code."""

    def __init__(self, visitor: Visitor, code: str, language: str) -> None:
        """`language`: as Markdown names languages."""
        super().__init__()
        labels = {"copy": visitor.text("frame.copy"), "copied": visitor.text("frame.copied")}
        self._props.update({"code": code, "language": language, "labels": labels})
