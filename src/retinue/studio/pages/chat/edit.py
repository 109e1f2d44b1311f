"""The dialog in which a person asks an earlier question anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui
from openai.types.beta.threads import Message

from ...elements.controls import heading, plain, primary
from ...visitor import Visitor


def ask_again(visitor: Visitor, message: Message, on_ask: Callable[[str], Awaitable[None]]) -> None:
    """Open the dialog.

    Args:
        visitor: who asks.
        message: the question as it was.
        on_ask: gets the new one.
    """
    text = visitor.text
    old = "\n\n".join(part.text.value for part in message.content if part.type == "text")
    with ui.dialog() as dialog, ui.card().classes("dialog wide"):
        dialog.props["aria-label"] = text("chat.edit")
        heading(text("chat.edit"), 2)
        ui.label(text("chat.edit_hint")).classes("quiet")
        field = ui.textarea(text("chat.question"), value=old).props("autofocus outlined autogrow maxlength=256000")

        async def ask() -> None:
            if new := (field.value or "").strip():
                dialog.close()
                await on_ask(new)

        with ui.element("div").classes("buttons"):
            plain(text("frame.cancel"), dialog.close)
            primary(text("chat.ask"), ask)
    dialog.on("hide", dialog.delete)
    dialog.open()
