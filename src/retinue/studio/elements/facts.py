"""What is known of something: names and values, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui


class Facts(ui.element, component="facts.js"):
    """A list of names and values.

    A fact is a mapping: ``label`` and ``value``, and perhaps ``kind``: `time` (seconds since 1970, shown in the
    reader's own time), `mono` for ids, or a class such as `wrong` or `good`; and ``href``.
    """

    def __init__(self, facts: Sequence[Mapping[str, Any]], language: str) -> None:
        """`language`: of times."""
        super().__init__()
        self._props.update({"facts": list(facts), "language": language})
