"""Dialogs as the Playground has them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from nicegui import ui

from ...elements.controls import heading, plain, primary
from ...visitor import Visitor


@contextmanager
def dialog(title: str) -> Generator[ui.dialog]:
    """A dialog to be filled; it is gone once it is closed, and the focus goes back to where it was.

    Args:
        title: its heading, which screen readers say.
    """
    with ui.dialog() as made, ui.card().classes("play-dialog"):
        made.props["aria-label"] = title
        made.on("hide", made.delete)
        heading(title, 2)
        yield made


async def confirmed(visitor: Visitor, title: str, question: str) -> bool:
    """Ask before something is deleted. `question` says what is lost."""
    with dialog(title) as made:
        ui.label(question)
        with ui.row():
            primary(visitor.text("frame.delete"), lambda: made.submit(True))
            plain(visitor.text("frame.cancel"), lambda: made.submit(False)).props("autofocus")
    return bool(await made)
