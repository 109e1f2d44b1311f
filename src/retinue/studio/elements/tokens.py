"""Tokens, one by one, with what is known of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui


class Tokens(ui.element, component="tokens.js"):
    """A text as its tokens, of which one can be chosen by pointer, by touch and by arrow keys.

    A token is a mapping: ``text``; ``say``, what is told of it; ``kind``, a class of `tokens.css`. Optional are
    ``number`` (whether the text is a number that stands apart), ``bytes`` (shown instead of the text, where a token is
    no text by itself) with ``whole`` (the character to which it and those behind it belong), and ``others``: the
    alternatives ``{"text", "percent", "share", "log", "taken"}``.
    """

    def __init__(
        self, tokens: Sequence[Mapping[str, Any]], *, label: str, hint: str, columns: Sequence[str] = ()
    ) -> None:
        """An element.

        Args:
            tokens: in their order; a few thousand at most.
            label: what the list is called.
            hint: stands where no token is chosen.
            columns: what the four columns of alternatives are called.
        """
        super().__init__()
        ui.add_head_html('<link rel="stylesheet" href="/static/tokens.css">')
        self._props.update({"tokens": list(tokens), "label": label, "hint": hint, "columns": list(columns)})

    def show(self, tokens: Sequence[Mapping[str, Any]]) -> None:
        """Show these instead."""
        self._props["tokens"] = list(tokens)
        self.update()
