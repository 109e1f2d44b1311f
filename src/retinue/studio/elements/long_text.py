"""A field for long texts, which a person writes or takes from a file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.events import GenericEventArguments


class LongText(ui.element, component="long_text.js"):
    """A field whose text stays in the browser while it is written, and is told when it rests.

    A tab of the browser remembers the text until it is closed.
    """

    def __init__(
        self,
        *,
        label: str,
        placeholder: str,
        file_label: str,
        most: int,
        kept: str,
        on_text: Callable[[str], Awaitable[None]],
        on_refused: Callable[[str], None],
    ) -> None:
        """An element.

        Args:
            label: what the field is called.
            placeholder: stands in the empty field.
            file_label: what the chooser of files is called.
            most: characters (UTF-16 units) that it takes.
            kept: the name under which the tab remembers the text.
            on_text: is told the text.
            on_refused: is told why a file was refused: `large` or `no_text`.
        """
        super().__init__()
        self._props.update(
            {"label": label, "placeholder": placeholder, "chooserLabel": file_label, "most": most, "kept": kept}
        )
        self._on_text = on_text
        self._parts: list[str] = []
        self._round = 0
        self.on("part", self._part)
        self.on("refused", lambda event: on_refused(str(event.args)))

    async def _part(self, event: GenericEventArguments) -> None:
        """Parts come in their order; a newer text begins anew."""
        got = event.args
        if got["round"] != self._round:
            self._round, self._parts = got["round"], []
        self._parts.append(str(got["text"]))
        if got["last"]:
            await self._on_text("".join(self._parts))

    def write(self, text: str) -> None:
        """Put a text into the field, as if it had been written."""
        self.run_method("write", text)

    def choose(self) -> str:
        """The program with which a button lets a person choose a file: browsers want the person's own click for it."""
        return f"() => getElement({self.id}).choose()"
