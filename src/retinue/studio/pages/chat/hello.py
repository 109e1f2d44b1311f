"""What stands where nothing has been said yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from nicegui import ui

from ...elements.controls import heading
from ...visitor import Visitor
from .choices import Choice

OnAsk = Callable[[str, list[Any]], Awaitable[bool | None]]


def hello(visitor: Visitor, choice: Choice | None, *, on_ask: OnAsk | None) -> None:
    """Make it in the current slot.

    Args:
        visitor: who reads.
        choice: with whom they would talk; None where there is nobody.
        on_ask: gets the suggestion that was chosen, and no files; None: nothing is suggested.
    """
    text = visitor.text
    if choice and choice.is_gpt:
        with ui.element("div").classes("gpt-hello"):
            picture = ui.element("img").classes("picture")
            picture.props["src"], picture.props["alt"] = choice.picture, ""
            heading(choice.name, 2)
            if choice.description:
                ui.label(choice.description).classes("quiet")
        if on_ask:
            _suggest(visitor, choice.starters, on_ask)
        return
    heading(text("chat.hello"), 2)
    if choice is None:
        ui.label(text("chat.no_models")).props("role=alert")
    elif on_ask:
        _suggest(visitor, [text(f"chat.suggestion_{number}") for number in range(1, 5)], on_ask)


def _suggest(visitor: Visitor, suggestions: Sequence[str], on_ask: OnAsk) -> None:
    if not suggestions:
        return
    with ui.element("ul").classes("suggestions") as made:
        made.props["aria-label"] = visitor.text("chat.suggestions")
        for said in suggestions:
            with ui.element("li"):
                ui.button(said, on_click=partial(on_ask, said, []), color=None).props("flat no-caps")
