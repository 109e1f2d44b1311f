"""What users said of a GPT's answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from ...elements.controls import heading, plain
from ...elements.moment import Moment
from ...visitor import Visitor
from ..usage.spreadsheet import as_csv

#: How much is shown at once, and how much is downloaded at most.
_PAGE, _MOST = 20, 1000
_ICONS = {"up": "thumb_up", "down": "thumb_down"}


class Feedback:
    """The list, newest first, with a button for more."""

    def __init__(self, visitor: Visitor, gpt: str) -> None:
        """Built in the current slot, without feedback yet. `gpt`: the GPT's id."""
        self._visitor, self._path, text = visitor, f"/gpts/{gpt}/feedback", visitor.text
        self._last: str | None = None
        with ui.element("div").classes("page-head level"):
            heading(text("gpt_analytics.feedback"), 2)
            self._csv = plain(text("gpt_analytics.csv"), self._download, icon="download")
            self._csv.props["aria-label"] = f"{text('gpt_analytics.feedback')}: {text('gpt_analytics.csv')}"
        self._hint = ui.label(text("gpt_analytics.feedback_hint")).classes("quiet")
        self._list = ui.element("ul").classes("said").props(f'aria-label="{text("gpt_analytics.feedback")}"')
        self._more = plain(text("gpt_analytics.more"), self.load)
        self._more.set_visibility(False)

    async def load(self) -> None:
        """Show the next ones."""
        after = self._last
        page = await self._visitor.get(self._path, limit=_PAGE, after=after)
        if after != self._last:
            # The button was pressed twice.
            return
        self._last = page["last_id"] or None
        self._more.set_visibility(page["has_more"])
        if after is None and not page["data"]:
            self._hint.set_text(self._visitor.text("gpt_analytics.no_feedback"))
            self._csv.set_visibility(False)
            self._list.set_visibility(False)
        with self._list:
            for one in page["data"]:
                self._show(one)

    def _show(self, one: Mapping[str, Any]) -> None:
        text = self._visitor.text
        with ui.element("li"):
            with ui.element("div").classes("about"):
                ui.icon(_ICONS[one["rating"]]).classes(one["rating"]).props("aria-hidden=true")
                ui.label(text(f"gpt_analytics.{one['rating']}"))
                ui.label(_version(self._visitor, one["version"]))
                Moment(self._visitor, one["created_at"])
            if one["comment"]:
                ui.label(one["comment"]).classes("words")
            if one["share_conversation"]:
                with ui.element("details"):
                    with ui.element("summary"):
                        ui.label(text("gpt_analytics.conversation"))
                    for part in ("question", "answer"):
                        ui.label(text(f"gpt_analytics.{part}")).classes("part")
                        ui.label(one[part] or "–").classes("words")

    async def _download(self) -> None:
        text, visitor = self._visitor.text, self._visitor
        names = ("when", "version", "rating", "comment", "question", "answer")
        rows: list[list[str | int | float]] = [[text(f"gpt_analytics.{name}") for name in names]]
        after = None
        while len(rows) <= _MOST:
            page = await visitor.get(self._path, limit=100, after=after)
            for one in page["data"]:
                shared = [one[part] or text("gpt_analytics.not_shared") for part in ("question", "answer")]
                version = _version(visitor, one["version"])
                rows.append(
                    [one["created_at"], version, text(f"gpt_analytics.{one['rating']}"), one["comment"], *shared]
                )
            after = page["last_id"]
            if not page["has_more"]:
                break
        ui.download.content(as_csv(rows), "feedback.csv", "text/csv")


def _version(visitor: Visitor, number: int | None) -> str:
    return visitor.text("gpt_analytics.version_of", number=number) if number else visitor.text("gpt_analytics.draft")
