"""The dialog in which a person shares a chat with people outside, by link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from ...asking import each
from ...elements.controls import focus, heading, plain, primary
from ...elements.dialogs import closing, copying, dialog, working
from ...elements.moment import Moment
from ...visitor import Visitor
from .threads import LONGEST_TITLE

_DAY = 86_400
#: For how many seconds a link can be good, by the words for it; 0: until it is revoked.
_TIMES = {0: "until_revoked", _DAY: "day", 7 * _DAY: "week", 30 * _DAY: "month"}


class Sharing:
    """One dialog: makes links to a chat, tells those that there are, and revokes them."""

    def __init__(self, visitor: Visitor, thread: str, branches: Sequence[str], title: str) -> None:
        """Nothing is shown before `open`.

        Args:
            visitor: who shares.
            thread: the thread that is shown, which a link will lead to.
            branches: all threads of the chat, this one among them.
            title: what the chat is called.
        """
        self._visitor, self._thread, self._branches, self._title = visitor, thread, branches, title

    async def open(self) -> None:
        """Open the dialog. Raises `openai.APIError`."""
        text = self._visitor.text
        found = await self._load()
        with dialog(text("shared.share_title")) as made:
            ui.label(text("shared.who"))
            ui.label(text("shared.what")).classes("quiet")
            self._name = ui.input(text("shared.title"), value=self._title)
            self._name.props(f"outlined dense maxlength={LONGEST_TITLE}")
            with ui.element("div").classes("share-new"):
                times = {seconds: text(f"shared.{key}") for seconds, key in _TIMES.items()}
                self._time = ui.select(times, value=0, label=text("shared.good_for")).props("outlined dense")
                self._make = primary(text("shared.make"), self._create)
            self._list = ui.element("section").classes("share-list")
            closing(self._visitor, made)
        self._show(found)

    async def _load(self) -> list[dict[str, Any]]:
        """The links of all branches, newest first."""
        paths = [f"/threads/{one}/shares" for one in self._branches]
        pages = await each(self._visitor.get, paths)
        found: list[dict[str, Any]] = [share for page in pages for share in page["data"]]
        return sorted(found, key=lambda one: -one["created_at"])

    async def _create(self) -> None:
        body: dict[str, Any] = {"title": (self._name.value or "").strip()}
        if self._time.value:
            body["expires_in"] = self._time.value
        with working(self._make):
            await self._visitor.post(f"/threads/{self._thread}/shares", body)
            self._show(await self._load())
        ui.notify(self._visitor.text("shared.made"), type="positive", timeout=3000)

    def _show(self, found: Sequence[dict[str, Any]]) -> None:
        text = self._visitor.text
        self._list.clear()
        with self._list:
            heading(text("shared.links"), 3)
            if not found:
                ui.label(text("shared.none")).classes("quiet")
            for one in found:
                self._link(one)

    def _link(self, one: dict[str, Any]) -> None:
        text = self._visitor.text
        with ui.element("div").classes("share"):
            if one["url"]:
                with ui.element("div").classes("secret"):
                    field = ui.input(value=one["url"]).props("outlined dense readonly").classes("mono")
                    field.props["aria-label"] = f"{text('shared.link')}: {one['title']}"
                    copying(self._visitor, plain(text("frame.copy"), icon="content_copy"), one["url"])
            else:
                ui.label(text("shared.lost"))
            with ui.element("div").classes("share-facts"):
                with ui.element("span").classes("quiet"):
                    count = one["message_count"]
                    ui.label(text("shared.message") if count == 1 else text("shared.messages", count=count))
                    Moment(self._visitor, one["created_at"])
                    if one["expires_at"]:
                        ui.label(f"· {text('shared.ends')}")
                        Moment(self._visitor, one["expires_at"])
                revoke = ui.button(text("shared.revoke"), on_click=lambda: self._revoke(one), color=None)
                revoke.props("flat dense").classes("wrong")
                revoke.props["aria-label"] = f"{text('shared.revoke_this')}: {one['title']}"

    async def _revoke(self, one: dict[str, Any]) -> None:
        await self._visitor.delete(f"/threads/{one['thread_id']}/shares/{one['id']}")
        found = await self._load()
        # Before the button that was pressed is gone, and the focus with it.
        ui.notify(self._visitor.text("shared.revoked"), timeout=3000)
        self._show(found)
        focus(self._make)
