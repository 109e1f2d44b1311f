"""Dialogs: a question before what cannot be undone, and small forms."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from nicegui import ui

from ..visitor import Visitor
from .controls import heading, plain, primary


@contextmanager
def dialog(title: str) -> Generator[ui.dialog]:
    """A dialog with a title, open on leaving; what is made inside stands in it, and is gone when it is closed."""
    with ui.dialog() as box:
        box.props["aria-label"] = title
        with ui.card().classes("dialog"):
            heading(title, 2)
            yield box
    box.on("hide", box.delete)
    box.open()


def answers(visitor: Visitor, box: ui.dialog, do: str, *, harms: bool = False) -> ui.button:
    """The buttons of a dialog: one does it (the dialog's answer is True), one does not. Returns the first."""
    with ui.element("div").classes("dialog-buttons"):
        plain(visitor.text("frame.cancel"), lambda: box.submit(False))
        button = primary(do, lambda: box.submit(True))
    if harms:
        button.classes("harms")
    return button


async def confirmed(visitor: Visitor, title: str, lines: Sequence[str], do: str = "") -> bool:
    """Ask whether something is to be deleted, or what `do` says."""
    with dialog(title) as box:
        for line in lines:
            ui.label(line)
        answers(visitor, box, do or visitor.text("frame.delete"), harms=True)
    return bool(await box)
