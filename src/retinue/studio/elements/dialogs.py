"""Dialogs: a question before what cannot be undone, a form, and what is shown only once."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

from nicegui import ui

from ..visitor import Visitor
from .controls import heading, once, plain, primary


@contextmanager
def dialog(title: str, *, wide: bool = False) -> Generator[ui.dialog]:
    """A dialog that is open from the end of the block on, and gone when it closes; the focus goes back by itself.

    Args:
        title: its heading, which screen readers say.
        wide: whether it holds text or code rather than some fields.
    """
    # It outlives what it was opened from, which may be shown anew meanwhile.
    with ui.context.client.content, ui.dialog() as made, ui.element("div").classes("dialog card") as box:
        box.classes("wide" if wide else "")
        made.props["aria-label"] = title
        heading(title, 2)
        yield made
    # Of a button that was clicked, Quasar gives the focus back to a part that assistive technology does not know.
    made.on("hide", js_handler="() => document.activeElement?.closest('.q-btn')?.focus()")
    made.on("hide", made.delete)
    made.open()


def closing(visitor: Visitor, made: ui.dialog) -> ui.element:
    """The end of a dialog that only shows something; returns its line of buttons, for others beside "Close"."""
    with ui.element("div").classes("ends") as line:
        plain(visitor.text("frame.close"), made.close)
    return line


def form(
    visitor: Visitor,
    title: str,
    button: str,
    fill: Callable[[], Callable[[], Awaitable[object]]],
    hint: str = "",
    *,
    dangerous: bool = False,
    wide: bool = False,
) -> None:
    """A dialog that asks for something.

    Args:
        visitor: who is asked.
        title: what it is about.
        button: what the button says that does it.
        fill: makes the fields, in the current slot, and answers with what to do with them. Where that answers False
            or fails, the dialog stays open; a function that it answers is called, and awaited, once it is closed.
        hint: a sentence on top.
        dangerous: whether it cannot be undone.
        wide: whether it asks for long texts.
    """
    # Enter in a field is the button's click; a page is never sent anywhere.
    with dialog(title, wide=wide) as made, ui.element("form").on("submit.prevent", js_handler="() => {}"):
        if hint:
            ui.label(hint).classes("quiet")
        do = fill()

        async def done() -> object:
            with outliving(made):
                with working(button_made):
                    kept = await do()
                if kept is not False:
                    made.close()
                if callable(kept) and inspect.isawaitable(after := kept()):
                    await after
            return kept

        with ui.element("div").classes("ends"):
            plain(visitor.text("frame.cancel"), made.close)
            button_made = primary(button, once(done)).props("type=submit")
            if dangerous:
                button_made.classes("dangerous", remove="primary")


def question(
    visitor: Visitor,
    title: str,
    hint: str,
    button: str,
    do: Callable[[], Awaitable[object]],
    typed: str = "",
) -> None:
    """Ask before something that cannot be undone.

    Args:
        visitor: who is asked.
        title: the question.
        hint: what will come of it.
        button: what the button says that does it.
        do: does it.
        typed: what has to be typed before; "": nothing.
    """
    with dialog(title) as made:
        ui.label(hint)

        async def done() -> None:
            with outliving(made):
                with working(sure):
                    await do()
                made.close()

        field = None
        if typed:
            field = ui.input(visitor.text("manage.type_to_confirm", text=typed)).props(
                "outlined dense autocomplete=off"
            )
        with ui.element("div").classes("ends"):
            plain(visitor.text("frame.cancel"), made.close).props("" if typed else "autofocus")
            sure = ui.button(button, on_click=once(done), color=None).props("unelevated").classes("dangerous")
            if field:
                sure.set_enabled(False)
                field.on_value_change(lambda event: sure.set_enabled((event.value or "").strip() == typed))


def shown_once(visitor: Visitor, title: str, hint: str, label: str, value: str) -> None:
    """Show a secret, with a button that copies it."""
    with dialog(title) as made:
        made.props("persistent")
        ui.label(hint)
        with ui.element("div").classes("secret"):
            field = ui.input(label, value=value).props("outlined dense readonly").classes("mono")
            copying(visitor, plain(visitor.text("frame.copy"), icon="content_copy"), value)
        field.props["spellcheck"] = "false"
        with ui.element("div").classes("ends"):
            primary(visitor.text("manage.i_have_it"), made.close)


def copying(visitor: Visitor, button: ui.button, value: str) -> None:
    """Let a button copy a text in the browser, and say so. Where pages have no clipboard (plain HTTP), select it."""
    copied = json.dumps(visitor.text("frame.copied"))
    button.on(
        "click",
        js_handler=f"""async (event) => {{
          const value = {json.dumps(value)};
          if (navigator.clipboard) await navigator.clipboard.writeText(value);
          else {{
            const field = event.target.closest('.secret').querySelector('input');
            field.select();
            document.execCommand('copy');
          }}
          Quasar.Notify.create({{ message: {copied}, timeout: 1500 }});
        }}""",
    )


@contextmanager
def outliving(made: ui.dialog) -> Generator[None]:
    """What is done in the block can use the page, though a person may close the dialog meanwhile."""
    with made.client.content:
        yield


@contextmanager
def working(button: ui.button) -> Generator[None]:
    """While the block lasts the button turns, and cannot be pressed again."""
    button.props("loading")
    try:
        yield
    finally:
        if not button.is_deleted:
            button.props(remove="loading")
