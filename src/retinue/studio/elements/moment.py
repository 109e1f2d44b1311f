"""A moment, in the words and the time zone of whoever looks."""

from __future__ import annotations

from nicegui import ui

from ..visitor import Visitor


class Moment(ui.element, component="moment.js"):
    """Date and time, or the time of day."""

    def __init__(self, visitor: Visitor, at: int, *, clock: bool = False) -> None:
        """Build it.

        Args:
            visitor: who looks.
            at: Unix seconds.
            clock: whether it is the time of day, with seconds.
        """
        super().__init__()
        self._props.update({"at": at, "language": "zh-CN" if visitor.language == "zh" else "en", "clock": clock})
