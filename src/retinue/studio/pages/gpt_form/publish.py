"""The dialog in which a GPT is published, and in which is said who uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nicegui import ui

from ...elements.controls import heading, once, plain, primary
from ...elements.dialogs import copying, dialog, working
from ...visitor import Visitor
from .common import Around, hint
from .draft import GptDraft
from .versions import differences, show_differences

_VISIBILITIES = ("private", "people", "link", "store")
_LONGEST_NOTES = 2000


class Publish:
    """The dialog."""

    def __init__(
        self, visitor: Visitor, draft: GptDraft, known: Around, on_published: Callable[[], Awaitable[None]]
    ) -> None:
        """`open` shows it.

        Args:
            visitor: who publishes.
            draft: of the GPT.
            known: what there is beside it.
            on_published: is called when it is done.
        """
        self._visitor, self._draft, self._known, self._on_published = visitor, draft, known, on_published

    async def open(self) -> None:
        """Show it. Raises `openai.APIError`."""
        text, visitor = self._visitor.text, self._visitor
        await self._draft.refresh()
        gpt, last = self._draft.gpt, {}
        if gpt["version"]:
            last = (await visitor.get(f"{self._draft.path}/versions/{gpt['version']}"))["content"]
        found = await differences(visitor, self._known, last, gpt["draft"]) if last else []
        try:
            origin = await ui.run_javascript("location.origin", timeout=10)
        except TimeoutError:
            # The page has been left.
            return
        address = f"{origin}/gpts/{self._draft.id}"
        news = gpt["unpublished_changes"]
        with dialog(text("gpt_form.publish_name", name=gpt["draft"]["name"])) as made:
            self._who(gpt, address)
            if news:
                self._notes = ui.textarea(text("gpt_form.notes")).classes("wide")
                self._notes.props(f"outlined autogrow dense rows=2 maxlength={_LONGEST_NOTES}")
                if last:
                    with ui.element("details").props("open" if len(found) < 4 else "").classes("gpt-news"):
                        with ui.element("summary"):
                            ui.label(text("gpt_form.news", number=gpt["version"], count=len(found)))
                        with ui.element("div").classes("scrolled").props("tabindex=0"):
                            show_differences(visitor, found)
            else:
                hint(text("gpt_form.nothing_new", number=gpt["version"]))
            with ui.element("div").classes("ends"):
                plain(text("frame.cancel"), made.close)

                async def done() -> None:
                    with working(button):
                        await self._do(news=news)
                    made.close()

                button = primary(text("gpt_form.publish" if news else "frame.save"), once(done))

    def _who(self, gpt: Mapping[str, Any], address: str) -> None:
        text = self._visitor.text
        heading(text("gpt_form.who"), 3)
        options = {one: text(f"gpt_form.visibility_{one}") for one in _VISIBILITIES}
        self._visibility = ui.radio(options, value=gpt["visibility"]).classes("gpt-who-uses")
        self._visibility.props["aria-label"] = text("gpt_form.who")
        me = self._visitor.me["user"]["id"]
        people = {id: name for id, name in self._known.people.items() if id != me}
        shared = gpt["shared_with"] or []
        people |= {one: one for one in shared if one not in people}
        self._people = ui.select(people, value=shared, multiple=True, label=text("gpt_form.people"), with_input=True)
        self._people.props("outlined dense use-chips").classes("wide")
        self._people.bind_visibility_from(self._visibility, "value", value="people")
        with ui.element("div").classes("secret") as link:
            field = ui.input(text("gpt_form.link"), value=address).props("outlined dense readonly")
            field.props["spellcheck"] = "false"
            copying(self._visitor, plain(text("frame.copy"), icon="content_copy"), address)
        link.bind_visibility_from(self._visibility, "value", backward=lambda value: value != "private")
        self._copies = ui.checkbox(text("gpt_form.allow_duplicate"), value=gpt["allow_duplicate"])
        hint(text("gpt_form.allow_duplicate_hint"))

    async def _do(self, *, news: bool) -> None:
        text, visibility = self._visitor.text, self._visibility.value
        shared = list(self._people.value or [])
        fields = {"shared_with": shared, "allow_duplicate": bool(self._copies.value)}
        if news:
            await self._draft.share(**fields)
            body = {"visibility": visibility, "notes": (self._notes.value or "").strip()}
            made = await self._visitor.post(f"{self._draft.path}/publish", body)
            said = text("gpt_form.published", number=made["number"])
        else:
            await self._draft.share(**fields, visibility=visibility)
            said = text("gpt_form.shared")
        await asyncio.gather(self._draft.refresh(), self._on_published())
        ui.notify(said, type="positive")
