"""Code with its language, highlighted, and a button that copies it."""

from __future__ import annotations

import json

from nicegui import ui

from ..visitor import Visitor


class Code(ui.element, component="code.js"):
    """A block of code."""

    def __init__(self, visitor: Visitor, code: str, language: str) -> None:
        """`language`: as Markdown names languages."""
        super().__init__()
        labels = {"copy": visitor.text("frame.copy"), "copied": visitor.text("frame.copied")}
        self._props.update({"code": code, "language": language, "labels": labels})


def pretty(text: str) -> str:
    """JSON as people read it; the text as it is where it is no JSON."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
