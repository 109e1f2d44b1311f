"""How file search looks: how many passages, how good they have to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from ...visitor import Visitor
from .draft import Draft

#: The API's most passages.
_MOST = 50
_RANKERS = ("auto", "default_2024_08_21")


class Searching:
    """Fields that open; what is changed is saved at once."""

    def __init__(self, visitor: Visitor, draft: Draft) -> None:
        """Built in the current slot."""
        self._draft = draft
        text = visitor.text
        now = options_of(draft.state)
        ranking: Mapping[str, Any] = now.get("ranking_options") or {}
        with ui.expansion(text("playground.searching")).classes("wide searching"):
            self._most = ui.number(
                text("playground.max_results"), value=now.get("max_num_results"), min=1, max=_MOST, precision=0
            )
            self._most.props("outlined dense debounce=700").props["hint"] = text("playground.max_results_hint")
            self._ranker = ui.select(
                {one: text(f"playground.ranker_{one}") for one in _RANKERS},
                value=ranking.get("ranker") or "auto",
                label=text("playground.ranker"),
            ).props("outlined dense")
            self._least = ui.number(
                text("playground.score"), value=ranking.get("score_threshold"), min=0, max=1, step=0.05
            )
            self._least.props("outlined dense debounce=700").props["hint"] = text("playground.score_hint")
        for field in (self._most, self._ranker, self._least):
            field.set_enabled(draft.may_change)
            field.on_value_change(self._changed)

    async def _changed(self) -> None:
        most, least = self._most.value, self._least.value
        if (most is not None and not 1 <= most <= _MOST) or (least is not None and not 0 <= least <= 1):
            # The field says so, and goes back to what is allowed when it is left.
            return
        options: dict[str, Any] = {}
        if most is not None:
            options["max_num_results"] = int(most)
        if least is not None or self._ranker.value != "auto":
            options["ranking_options"] = {"ranker": self._ranker.value, "score_threshold": least or 0}

        def change(state: Mapping[str, Any]) -> Mapping[str, Any]:
            search = {"type": "file_search", **({"file_search": options} if options else {})}
            return {"tools": [search if one["type"] == "file_search" else one for one in state["tools"]]}

        await self._draft.change(change)


def options_of(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an assistant has set for file search."""
    found = next((one for one in state["tools"] if one["type"] == "file_search"), {})
    return found.get("file_search") or {}
