"""What people think of a GPT: how many stars, in which words, and one's own."""

from __future__ import annotations

import asyncio

from nicegui import ui

from ...elements.controls import focus, heading, plain, symbol
from ...elements.dialogs import question, working
from ...elements.moment import Moment
from ...visitor import Visitor
from .common import Json, administers, api_path, author, counted

_PAGE = 20
_STARS = 5


class Reviews:
    """The section."""

    def __init__(self, visitor: Visitor, gpt: Json) -> None:
        self._visitor, self._gpt = visitor, gpt
        self._may_review = visitor.may_write and gpt["owner"] != visitor.me["user"]["id"]
        self._path = api_path(gpt, "/reviews")
        with ui.element("section"):
            heading(visitor.text("gpt_store.ratings"), 2)
            self._all = ui.element("div").classes("gpt-reviews")

    async def load(self) -> None:
        """Show all anew."""
        gpt, page, mine = await asyncio.gather(
            self._visitor.get(api_path(self._gpt)),
            self._visitor.get(self._path, limit=_PAGE),
            self._visitor.get(self._path, mine="true"),
        )
        self._all.clear()
        with self._all:
            self._distribution(gpt["statistics"])
            if self._may_review:
                self._form(mine["data"][0] if mine["data"] else None)
            self._list = ui.element("ul").classes("gpt-review-list")
            self._end = ui.element("div")
        self._show(page)

    def _distribution(self, statistics: Json) -> None:
        text, count = self._visitor.text, statistics["reviews"]
        if not count:
            said = "gpt_store.first_review" if self._may_review else "gpt_store.no_reviews_yet"
            ui.label(text(said)).classes("quiet")
            return
        mean = f"{statistics['rating']:.1f}"
        with ui.element("div").classes("gpt-distribution"):
            with ui.element("div").classes("mean"):
                ui.label(mean).classes("number").props("aria-hidden=true")
                ui.label(text("gpt_store.stars", rating=mean)).classes("visually-hidden")
                ui.label(counted(self._visitor, "reviews", count)).classes("quiet")
            with ui.element("ul"):
                for stars in range(_STARS, 0, -1):
                    given = statistics["ratings"][stars - 1]
                    with ui.element("li"):
                        ui.label(f"{stars} ★").props("aria-hidden=true")
                        with ui.element("span").classes("gpt-bar").props("aria-hidden=true"):
                            ui.element("i").style(f"width: {100 * given / count:.1f}%")
                        ui.label(str(given)).props("aria-hidden=true").classes("quiet")
                        said = text("gpt_store.share_of_stars", stars=stars, count=given)
                        ui.label(said).classes("visually-hidden")

    def _form(self, mine: Json | None) -> None:
        text = self._visitor.text
        with ui.element("form").classes("gpt-review-form").on("submit.prevent", js_handler="() => {}") as group:
            group.props["aria-label"] = text("gpt_store.your_review")
            heading(text("gpt_store.your_review"), 3)
            stars = ui.rating(mine["rating"] if mine else None, max=_STARS, size="1.7rem", color=None)
            stars.props["icon-aria-label"] = [text(f"gpt_store.star_{one}") for one in range(1, _STARS + 1)]
            stars.props["aria-label"] = text("gpt_store.rating")
            words = ui.textarea(text("gpt_store.review_text"), value=mine["text"] if mine else "")
            words.props("outlined dense autogrow maxlength=2000")
            with ui.element("div").classes("gpt-buttons"):
                button = plain(text("gpt_store.change_review" if mine else "gpt_store.send_review"))
                ui.label(text("gpt_store.review_hint")).classes("quiet")

        async def send() -> None:
            if not stars.value:
                ui.notify(text("gpt_store.choose_stars"), type="negative")
                return
            with working(button):
                await self._visitor.post(self._path, {"rating": int(stars.value), "text": words.value or ""})
                ui.notify(text("gpt_store.review_kept"))
            await self.load()
            focus(self._send)

        button.on_click(send)
        self._send = button

    def _show(self, page: Json) -> None:
        with self._list:
            for review in page["data"]:
                self._one(review)
        self._end.clear()
        if page["has_more"]:
            with self._end:
                button = plain(self._visitor.text("gpt_store.more"))

                async def more() -> None:
                    with working(button):
                        found = await self._visitor.get(self._path, limit=_PAGE, after=page["last_id"])
                    self._show(found)

                button.on_click(more)

    def _one(self, review: Json) -> None:
        text, name = self._visitor.text, author(self._visitor, review)
        with ui.element("li"):
            with ui.element("div").classes("facts"):
                ui.label(name).classes("name")
                filled = "★" * review["rating"] + "☆" * (_STARS - review["rating"])
                ui.label(filled).classes("gpt-rating").props("aria-hidden=true")
                ui.label(text("gpt_store.stars", rating=review["rating"])).classes("visually-hidden")
                Moment(self._visitor, review["updated_at"])
                if review["version"]:
                    ui.label(text("gpt_store.of_version", number=review["version"]))
                if review["mine"] or administers(self._visitor):
                    label = text(
                        "gpt_store.delete_review" if review["mine"] else "gpt_store.delete_review_of", name=name
                    )
                    symbol("delete", label, lambda: self._delete(review))
            if review["text"]:
                ui.label(review["text"]).classes("said")

    def _delete(self, review: Json) -> None:
        text = self._visitor.text

        async def delete() -> None:
            await self._visitor.delete(f"{self._path}/{review['id']}")
            ui.notify(text("gpt_store.review_deleted"))
            await self.load()

        title, hint = text("gpt_store.delete_review_title"), text("gpt_store.delete_review_hint")
        question(self._visitor, title, hint, text("frame.delete"), delete)
