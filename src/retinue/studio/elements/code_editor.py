"""A field for code: coloured, with lines that are numbered and brackets that match, in light and dark."""

from __future__ import annotations

import json
from collections.abc import Callable

from nicegui import ui

#: What the browser does once the editor is there: it gets its name, follows light and dark, and leaves Tab to the page,
#: since a field that keeps it is a trap for whoever uses the keyboard.
_PREPARE = """
const editor = getElement(ID);
editor?.editorPromise.then(() => {
  const box = editor.$el, field = box.querySelector('.cm-content');
  for (const [name, value] of Object.entries(ATTRIBUTES)) field.setAttribute(name, value);
  box.addEventListener('keydown', (event) => event.key === 'Tab' && event.stopPropagation(), true);
  const dress = () => editor.setTheme(document.body.classList.contains('body--dark') ? 'vscodeDark' : 'vscodeLight');
  dress();
  const watch = new MutationObserver(() => (box.isConnected ? dress() : watch.disconnect()));
  watch.observe(document.body, { attributes: true, attributeFilter: ['class'] });
});
"""


class CodeEditor(ui.codemirror):
    """An editor, from NiceGUI's; its style is in `static/elements.css`."""

    def __init__(
        self, *, label: str, value: str, language: str, longest: int, on_change: Callable[[], object] | None = None
    ) -> None:
        """Built in the current slot.

        Args:
            label: what screen readers call it; it is not shown.
            value: what stands in it at first.
            language: as CodeMirror names it, such as `JSON`.
            longest: characters that `text` tells.
            on_change: is called after each change.
        """
        super().__init__(value, language=language, theme="vscodeLight", indent="  ", line_wrapping=True)  # pyright: ignore[reportArgumentType]
        self._longest = longest
        self.classes("code-editor")
        # What can be edited can have the focus; tools that look after that want to be told.
        attributes = {"aria-label": label, "spellcheck": "false", "tabindex": "0"}
        prepare = _PREPARE.replace("ID", str(self.id), 1).replace("ATTRIBUTES", json.dumps(attributes), 1)
        ui.run_javascript(prepare)
        if on_change:
            self.on_value_change(lambda: on_change())

    @property
    def text(self) -> str:
        """What stands in it; of more than `longest` characters one more than that."""
        return (self.value or "")[: self._longest + 1]

    def mark_line(self, line: int | None) -> None:
        """Mark a line, the first is 1, as the one with the mistake; None takes the mark away."""
        count = self.text.count("\n") + 1
        wanted = [{"kind": "line", "line": min(line, count), "class": "cm-wrong"}] if line else []
        if self.decorations != wanted:
            self.decorations = wanted
