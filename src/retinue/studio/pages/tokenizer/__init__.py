"""The page that shows a text as tokens."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from nicegui import ui

from ...elements.controls import heading, plain, symbol
from ...elements.long_text import LongText
from ...elements.tokens import Tokens
from ...frame import Page
from ...visitor import Visitor
from .pieces import Reader, Token

#: Characters that the field takes.
_MOST = 1_000_000
#: Encodings of OpenAI's, and whose they are.
_ENCODINGS = {"o200k_base": "GPT-4o, GPT-4.1, GPT-5, o1, o3", "cl100k_base": "GPT-3.5, GPT-4"}
#: Bytes that are written out.
_BYTES_TOLD = 16
#: In the order of the text.
_COLOURS = 5


class _Tokenizer:
    """A text, the tokenizer, and what comes of it."""

    def __init__(self, visitor: Visitor, models: list[str]) -> None:
        self._visitor = visitor
        self._text = ""
        self._round = self._page = 0
        self._reader: Reader | None = None
        self._tokens: list[Token] = []
        text = visitor.text
        names = {f"encoding {name}": f"{name} ({whose})" for name, whose in _ENCODINGS.items()}
        names |= {f"model {name}": text("tokenizer.of_model", name=name) for name in models}
        heading(text("tokenizer.title"))
        ui.label(text("tokenizer.hint")).classes("quiet")
        with ui.element("section").classes("tokenizer"):
            self._which = ui.select(
                names, value="encoding o200k_base", label=text("tokenizer.which"), on_change=self._count
            ).props("outlined dense options-dense")
            field = LongText(
                label=text("tokenizer.text"),
                placeholder=text("tokenizer.placeholder"),
                file_label=text("tokenizer.file"),
                most=_MOST,
                kept=visitor.own("retinue.tokenizer"),
                on_text=self._write,
                on_refused=lambda why: ui.notify(text(f"tokenizer.{why}"), type="warning"),
            )
            with ui.element("div").classes("tokenizer-buttons"):
                plain(text("tokenizer.file"), icon="upload_file").on("click", js_handler=field.choose())
                plain(text("tokenizer.example"), lambda: field.write(text("tokenizer.sample")))
                plain(text("tokenizer.clear"), lambda: field.write(""))
            self._results()

    def _results(self) -> None:
        text = self._visitor.text
        with ui.element("div").classes("tokenizer-counts"):
            self._said = ui.label().classes("visually-hidden").props("role=status")
            self._numbers = {name: _number(text(f"tokenizer.{name}")) for name in ("tokens", "characters", "bytes")}
            self._busy = ui.label(text("tokenizer.counting")).classes("quiet").props("role=status")
            self._busy.set_visibility(False)
        with ui.element("div") as self._shown:
            with ui.element("div").classes("tokenizer-view"):
                views = {"text": text("tokenizer.as_text"), "ids": text("tokenizer.as_ids")}
                self._view = ui.toggle(views, value="text", on_change=self._show)
                self._view.props('no-caps unelevated padding="2px 12px" role=group')
                self._view.props("color=none text-color=none toggle-color=none toggle-text-color=none")
                self._view.props["aria-label"] = text("tokenizer.view")
                with ui.element("div").classes("tokenizer-pages") as self._pager:
                    symbol("chevron_left", text("tokenizer.back"), lambda: self._turn(-1))
                    self._where = ui.label().classes("quiet")
                    symbol("chevron_right", text("tokenizer.on"), lambda: self._turn(1))
            self._list = Tokens([], label=text("tokenizer.list"), hint=text("tokenizer.choose"))
        self._shown.set_visibility(False)
        self._tell(0)

    async def _write(self, text: str) -> None:
        self._text = text
        await self._count()

    async def _count(self, _: object = None) -> None:
        """Count the text as it is now; what an older text comes to is dropped."""
        self._round += 1
        now = self._round
        kind, name = str(self._which.value).split(" ", 1)
        reader = Reader(self._visitor, self._text, {kind: name})
        self._busy.set_visibility(True)
        try:
            await reader.count()
            tokens = await reader.page(0)
        finally:
            if now == self._round:
                self._busy.set_visibility(False)
        if now == self._round:
            self._reader, self._tokens, self._page = reader, tokens, 0
            self._tell(len(reader.ids))
            self._show()

    async def _turn(self, by: int) -> None:
        reader = self._reader
        if reader and 0 <= self._page + by < reader.pages:
            tokens = await reader.page(self._page + by)
            if reader is self._reader:
                self._page, self._tokens = self._page + by, tokens
                self._show()

    def _tell(self, tokens: int) -> None:
        counts = {"tokens": tokens, "characters": len(self._text), "bytes": len(self._text.encode())}
        for name, value in counts.items():
            self._numbers[name].set_text(f"{value:,}")
        told = {name: f"{value:,}" for name, value in counts.items()}
        self._said.set_text(self._visitor.text("tokenizer.said", **told) if self._text else "")

    def _show(self, _: object = None) -> None:
        self._shown.set_visibility(bool(self._tokens))
        if not self._tokens or self._reader is None:
            return
        self._list.show([self._token(one) for one in self._tokens])
        self._pager.set_visibility(self._reader.pages > 1)
        first, last, total = self._tokens[0].place + 1, self._tokens[-1].place + 1, len(self._reader.ids)
        self._where.set_text(
            self._visitor.text("tokenizer.where", first=f"{first:,}", last=f"{last:,}", total=f"{total:,}")
        )

    def _token(self, token: Token) -> dict[str, Any]:
        text = self._visitor.text
        data = " ".join(f"{one:02X}" for one in (token.data or b"")[:_BYTES_TOLD])
        data += "…" if len(token.data or b"") > _BYTES_TOLD else ""
        values = {"number": f"{token.place + 1:,}", "id": token.id, "bytes": data}
        shown: dict[str, Any] = {"kind": f"t{token.place % _COLOURS}", "text": token.text or ""}
        if token.text is not None:
            shown["say"] = text("tokenizer.token", text=token.text.replace("\n", "↵"), **values)
        elif token.parts > 1:
            shown["say"] = text("tokenizer.part", whole=token.whole, part=token.part + 1, parts=token.parts, **values)
            shown |= {"bytes": data, "whole": token.whole if token.part == 0 else ""}
        else:
            shown["say"] = text("tokenizer.no_character", **values)
            shown["bytes"] = data or "?"
        if self._view.value == "ids":
            shown = {"kind": shown["kind"], "say": shown["say"], "text": str(token.id), "number": True}
        return shown


def _number(label: str) -> ui.label:
    """A number with what it counts; screen readers hear the sentence instead."""
    with ui.element("div").classes("count").props("aria-hidden=true"):
        number = ui.label("0").classes("value")
        ui.label(label).classes("quiet")
    return number


async def _build(visitor: Visitor, request: Request) -> None:
    ui.add_head_html('<link rel="stylesheet" href="/static/tokenizer.css">')
    found = [(one.id, (one.model_extra or {})["retinue"]) for one in (await visitor.client.models.list()).data]
    _Tokenizer(visitor, [name for name, told in found if told["backend"] == "local" and "chat" in told["capabilities"]])


PAGES = (Page("/tokenizer", "tokenizer.title", _build, icon="data_array", group="build"),)
