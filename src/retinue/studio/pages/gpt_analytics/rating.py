"""The page on which somebody rates an answer of a GPT."""

# pyright: reportDeprecated=false
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fastapi import Request
from nicegui import ui
from openai.types.beta.threads import Message

from ...elements.answer import Answer
from ...elements.controls import heading, plain, primary
from ...visitor import Visitor

#: Most characters of a comment, as the API has it; of a question and of an answer that are shown again.
_COMMENT, _LONGEST = 2000, 4000


class _Rating:
    """The form."""

    def __init__(self, visitor: Visitor, gpt: Mapping[str, Any], message: Message, now: Mapping[str, Any]) -> None:
        """Built in the current slot. `now`: what the person has said before; empty if nothing."""
        self._visitor, self._message, text = visitor, message, visitor.text
        self._path, self._now = f"/gpts/{gpt['id']}/feedback", now
        with ui.element("section").classes("rating card"):
            choices = {"up": text("gpt_rating.up"), "down": text("gpt_rating.down")}
            self._rating = ui.radio(choices, value=now.get("rating")).props("inline")
            self._rating.props["aria-label"] = text("gpt_rating.rating")
            self._comment = ui.textarea(text("gpt_rating.comment"), value=now.get("comment", ""))
            self._comment.props(f"outlined autogrow maxlength={_COMMENT}")
            self._share = ui.checkbox(text("gpt_rating.share"), value=now.get("share_conversation", False))
            ui.label(text("gpt_rating.privacy")).classes("quiet small")
            with ui.element("div").classes("ends"):
                self._back = plain(text("gpt_rating.take_back"), self._take_back)
                self._send = primary("", self._put)
            self._state = ui.label().props("role=status")
        self._label()

    def _label(self) -> None:
        self._send.set_text(self._visitor.text("gpt_rating.send_again" if self._now else "gpt_rating.send"))
        self._back.set_visibility(bool(self._now))

    async def _put(self) -> None:
        if not self._rating.value:
            self._state.set_text(self._visitor.text("gpt_rating.choose"))
            return
        body = {
            "thread_id": self._message.thread_id,
            "message_id": self._message.id,
            "rating": self._rating.value,
            "comment": self._comment.value or "",
            "share_conversation": bool(self._share.value),
        }
        self._now = await self._visitor.post(self._path, body)
        self._state.set_text(self._visitor.text("gpt_rating.sent"))
        self._label()

    async def _take_back(self) -> None:
        await self._visitor.delete(f"{self._path}/{self._now['id']}")
        self._now = {}
        self._rating.set_value(None)
        self._comment.set_value("")
        self._share.set_value(False)
        self._state.set_text(self._visitor.text("gpt_rating.taken_back"))
        self._label()


async def build(visitor: Visitor, request: Request) -> None:
    """The page, for whoever was answered: `gpt` names the GPT or an assistant of it."""
    ui.add_head_html('<link rel="stylesheet" href="/static/gpt-analytics.css">')
    thread, answer = (_identifier(request, name) for name in ("thread", "message"))
    text, threads = visitor.text, visitor.client.beta.threads
    gpt = await visitor.get(f"/gpts/{quote(request.path_params['gpt'], safe='')}")
    message = await threads.messages.retrieve(answer, thread_id=thread)
    before = await threads.messages.list(thread, after=message.id, limit=10)
    said = (await visitor.get(f"/gpts/{gpt['id']}/feedback", scope="mine", thread_id=thread, limit=100))["data"]
    heading(text("gpt_rating.of", name=gpt["name"]))
    question = next((one for one in before.data if one.role == "user"), None)
    with ui.element("section").classes("rated"):
        if question is not None:
            ui.label(text("gpt_rating.question")).classes("part")
            ui.label(_words(question)).classes("words")
        ui.label(text("gpt_rating.answer")).classes("part")
        Answer(visitor, text=_words(message)).classes("words-rich")
    _Rating(visitor, gpt, message, next((one for one in said if one["message_id"] == message.id), {}))
    ui.link(text("gpt_rating.back"), f"/chat/{thread}")


def _identifier(request: Request, name: str) -> str:
    """An id that the address gives; where it can be none, one that nothing has."""
    given = request.query_params.get(name, "")
    return given if re.fullmatch(r"\w+", given, re.ASCII) else "-"


def _words(message: Message) -> str:
    """The text of a message, cut where it is long."""
    words = "\n".join(part.text.value for part in message.content if part.type == "text")
    return words if len(words) <= _LONGEST else words[:_LONGEST] + "…"
