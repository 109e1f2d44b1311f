"""The dialog in which a person asks an earlier question anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui
from openai.types.beta.threads import Message

from ...elements.dialogs import form
from ...visitor import Visitor


def ask_again(visitor: Visitor, message: Message, on_ask: Callable[[str], Awaitable[Callable[[], object]]]) -> None:
    """Open the dialog.

    Args:
        visitor: who asks.
        message: the question as it was.
        on_ask: gets the new one, and answers with what has it answered.
    """
    text = visitor.text
    old = "\n\n".join(part.text.value for part in message.content if part.type == "text")

    def fill() -> Callable[[], Awaitable[object]]:
        field = ui.textarea(text("chat.question"), value=old).props("autofocus outlined autogrow maxlength=256000")

        async def ask() -> object:
            new = (field.value or "").strip()
            # A question that is refused stays in the dialog. The answer may take minutes: nobody waits for it there.
            return await on_ask(new) if new else False

        return ask

    form(visitor, text("chat.edit"), text("chat.ask"), fill, text("chat.edit_hint"), wide=True)
