"""Buttons and headings as all pages have them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape
from typing import Any

from nicegui import ui

from ..frame import attribute


def heading(text: str, level: int = 1) -> ui.html:
    """A heading; each page has one of level 1."""
    return ui.html(escape(text), tag=f"h{level}", sanitize=False)


def primary(text: str, on_click: Callable[..., Any] | None = None, icon: str | None = None) -> ui.button:
    """The button for what a page is about: one on a page, as a rule."""
    return ui.button(text, on_click=on_click, icon=icon, color=None).props("unelevated").classes("primary")


def plain(text: str, on_click: Callable[..., Any] | None = None, icon: str | None = None) -> ui.button:
    """A button for everything else."""
    return ui.button(text, on_click=on_click, icon=icon, color=None).props("outline").classes("plain")


def once(do: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """What a button does that makes something, once: a second click may come before the page has changed.

    Where it fails or answers False, it can be done again.
    """
    done = False

    async def guarded() -> None:
        nonlocal done
        if done:
            return
        done, kept = True, False
        try:
            kept = await do() is not False
        finally:
            done = kept

    return guarded


#: What an input method is still composing is left alone; Shift+Enter is not Enter.
_ON_ENTER = """(event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  emit(event.target.value);
}"""


def on_enter(field: ui.element, do: Callable[..., Any]) -> None:
    """Do something, which may take an event with what stands there, where Enter is pressed in a field."""
    field.on("keydown", do, js_handler=_ON_ENTER)


def focus(element: ui.element) -> None:
    """Put the keyboard's focus on a button."""
    element.client.run_javascript(f"getHtmlElement({element.id})?.focus()")


def symbol(icon: str, label: str, on_click: Callable[..., Any] | None = None) -> ui.button:
    """A button that shows a symbol only; `label` is what it is called, by pointer and by screen reader."""
    button = ui.button(icon=icon, on_click=on_click, color=None).props(
        f'flat round dense aria-label="{attribute(label)}"'
    )
    return button.tooltip(label)
