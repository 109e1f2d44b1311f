"""The playground for chat completions: messages, parameters, and up to four models that answer side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import openai
from fastapi import Request
from nicegui import background_tasks, ui

from ...elements.code import Code
from ...elements.controls import focus, heading, plain, primary, symbol
from ...elements.dialogs import closing, dialog
from ...frame import Page
from ...visitor import Visitor
from .choice import Choice
from .code import HIGHLIGHTED, LANGUAGES, code
from .kept import remember, remembered
from .messages import Messages
from .pane import Pane
from .parameters import Parameters
from .prices import Price, prices
from .request import Unclear, body, cut_short

#: Models side by side.
_MOST_MODELS = 4
#: Seconds of rest before tokens are counted, and before the tab remembers.
_REST = 0.5
#: Ctrl or Command with Enter sends, wherever the cursor is.
_ON_KEY = """(event) => {
  if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  emit();
}"""
#: What is counted by where a model's own tokenizer is not known.
_ENCODING = "o200k_base"


class _Playground:
    """The page."""

    def __init__(
        self, visitor: Visitor, models: dict[str, int | None], usual: str, base_url: str, costs: Mapping[str, Price]
    ) -> None:
        """What the page shows.

        Args:
            visitor: who asks.
            models: how many tokens each takes, by name.
            usual: the model to begin with.
            base_url: of the API, for code.
            costs: prices that are known, by names of models.
        """
        self._visitor, self._models, self._usual, self._base_url = visitor, models, usual, base_url
        self._prices = costs
        self._panes: list[Pane] = []
        #: What is being asked, by the panes that show it.
        self._tasks: dict[Pane, asyncio.Task[None]] = {}
        self._restoring = True
        text = visitor.text
        with ui.element("div").classes("split completions") as split:
            split.on("keydown", self._send, js_handler=_ON_KEY)
            with ui.element("div").classes("middle"):
                self._head()
                with ui.element("div").classes("scroll").props("tabindex=-1"):
                    self._messages = Messages(visitor, self._changed)
                    self._grid = ui.element("div").classes("panes")
                self._foot()
            with ui.element("aside").classes("side end") as self._side:
                self._side.props["aria-label"] = text("completions.parameters")
                done = symbol("close", text("frame.close"), lambda: self._open_side(False)).classes("side-close")
                self._side_close = done
                self._parameters = Parameters(visitor, self._changed)
        self._later = _Later(_REST, self._rest)
        self._begin()
        self._client = ui.context.client
        ui.timer(0, self._restore, once=True)
        self._client.on_delete(self._stop)

    def _head(self) -> None:
        text = self._visitor.text
        with ui.element("div").classes("head"):
            heading(text("completions.title"))
            ui.space()
            self._add = plain(text("completions.compare"), self._compare, icon="add")
            self._add.props("dense")
            self._code = plain(text("completions.code"), self._show_code, icon="code").props("dense")
            plain(text("completions.fresh"), self._clear).props("dense")
            self._tune = plain(text("completions.parameters"), lambda: self._open_side(True), icon="tune")
            self._tune.props("dense").classes("side-open")

    def _foot(self) -> None:
        text = self._visitor.text
        with ui.element("div").classes("foot"):
            self._said = ui.label().classes("quiet")
            ui.space()
            if self._visitor.may_write:
                ui.label("Ctrl+Enter").classes("quiet keys").props("aria-hidden=true")
            else:
                self._said.set_text(text("frame.no_rights"))
            self._run = primary(text("completions.run"), self._send, icon="play_arrow")
            self._run.set_enabled(self._visitor.may_write)
            self._stop_button = primary(text("conversation.stop"), self._stop, icon="stop")
            self._stop_button.set_visibility(False)

    def _open_side(self, opened: bool) -> None:
        """Show the parameters on top of all, where there is no room beside."""
        if opened:
            self._side.classes(add="open")
            focus(self._side_close)
        else:
            self._side.classes(remove="open")
            focus(self._tune)

    def _begin(self) -> None:
        self._messages.show([{"role": "system", "content": ""}, {"role": "user", "content": ""}])
        for pane in [*self._panes]:
            self._remove_pane(pane)
        self._add_pane(self._usual)

    def _clear(self) -> None:
        """Begin anew; parameters and models stay."""
        self._stop()
        self._messages.show([{"role": "system", "content": ""}, {"role": "user", "content": ""}], 0)
        for pane in self._panes:
            pane.clear()
        self._changed()

    # Models side by side

    def _compare(self) -> None:
        """Add a model, one that is not there yet if there are others."""
        there = [pane.model for pane in self._panes]
        self._add_pane(next((one for one in self._models if one not in there), self._usual))

    def _add_pane(self, model: str) -> None:
        if len(self._panes) >= _MOST_MODELS:
            return
        with self._grid:
            pane = Pane(
                self._visitor,
                list(self._models),
                model,
                prices=self._prices,
                on_change=self._changed,
                on_remove=self._remove_pane,
                on_use=self._use,
            )
        self._panes.append(pane)
        self._arranged()

    def _remove_pane(self, pane: Pane) -> None:
        self._panes.remove(pane)
        if task := self._tasks.get(pane):
            task.cancel()
        pane.element.delete()
        self._arranged()

    def _arranged(self) -> None:
        for pane in self._panes:
            pane.removable(len(self._panes) > 1)
        self._add.set_enabled(len(self._panes) < _MOST_MODELS)
        self._changed()

    def _use(self, choice: Choice) -> None:
        """Add an answer to the conversation; all answers to what was asked before go."""
        self._messages.extend(choice.messages())
        for pane in self._panes:
            pane.clear()

    # Asking

    def _body(self, model: str) -> dict[str, Any]:
        return body(model, self._messages.items, self._parameters.values)

    async def _send(self) -> None:
        if any(not task.done() for task in self._tasks.values()) or not self._visitor.may_write:
            return
        try:
            bodies = [self._body(pane.model) for pane in self._panes]
        except Unclear as error:
            ui.notify(self._visitor.text(error.key, **error.values), type="warning")
            return
        self._busy(True)
        self._tasks = {
            pane: background_tasks.create(self._ask(pane, one)) for pane, one in zip(self._panes, bodies, strict=True)
        }
        await asyncio.wait(self._tasks.values())
        if not self._grid.is_deleted:
            self._busy(False)

    async def _ask(self, pane: Pane, request: dict[str, Any]) -> None:
        with self._grid:
            await pane.ask(request)

    def _busy(self, busy: bool) -> None:
        self._run.set_visibility(not busy)
        self._stop_button.set_visibility(busy)
        focus(self._stop_button if busy else self._run)

    def _stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    async def _show_code(self) -> None:
        """The request as a program."""
        text = self._visitor.text
        try:
            self._body(self._panes[0].model)
        except Unclear as error:
            ui.notify(text(error.key, **error.values), type="warning")
            return
        names = list(dict.fromkeys(pane.model for pane in self._panes))
        with dialog(text("completions.code"), wide=True) as made:
            with ui.element("div").classes("code-choice"):
                language = ui.select(LANGUAGES, value="python", label=text("completions.language")).props("dense")
                model = ui.select(names, value=names[0], label=text("completions.model")).props("dense")
                model.set_visibility(len(names) > 1)
            box = ui.element("div").classes("code-box")

            def show() -> None:
                box.clear()
                with box:
                    whole = self._body(model.value)
                    shown = code(language.value, short := cut_short(whole), self._base_url)
                    if short != whole:
                        ui.label(text("completions.cut_short")).classes("quiet")
                    Code(self._visitor, shown, HIGHLIGHTED[language.value])

            show()
            language.on_value_change(show)
            model.on_value_change(show)
            closing(self._visitor, made)

    # What changes: tokens are counted, and the tab remembers

    def _changed(self) -> None:
        if not self._restoring:
            self._later()

    async def _rest(self) -> None:
        if self._grid.is_deleted:
            return
        with self._grid:
            remember(
                self._visitor,
                {
                    "models": [pane.model for pane in self._panes],
                    "messages": self._messages.items,
                    "parameters": self._parameters.values,
                    "answers": [pane.kept() for pane in self._panes],
                },
            )
            await asyncio.gather(*(self._count(model) for model in {pane.model for pane in self._panes}))

    async def _count(self, model: str) -> None:
        """Say how many tokens a model's prompt has; where that cannot be told, nothing is said."""
        told = await self._tokens(model)
        for pane in self._panes:
            if pane.model == model:
                pane.count(told)

    async def _tokens(self, model: str) -> str:
        # What is no text cannot be counted: see `/v1/tokenize`.
        if any(one["role"] == "user" and one.get("files") for one in self._messages.items):
            return ""
        try:
            request = self._body(model)
        except Unclear:
            return ""
        try:
            try:
                told = await self._visitor.post("/tokenize", request)
            except openai.BadRequestError as error:
                if error.code != "unknown_tokenizer":
                    raise
                told = {**await self._visitor.post("/tokenize", {**request, "encoding": _ENCODING}), "estimate": True}
        except openai.APIError:
            return ""
        most = self._models.get(model)
        about = "≈ " if told["estimate"] else ""
        key = "completions.prompt_of" if most else "completions.prompt"
        return self._visitor.text(key, count=f"{about}{told['total_tokens']:,}", most=f"{most or 0:,}")

    async def _restore(self) -> None:
        """Show what the tab remembers."""
        # What changes before that is read must not take its place.
        try:
            if (state := await remembered(self._visitor)) is not None:
                self._show(state)
        finally:
            self._restoring = False
        if state is not None or any(one.get("content") for one in self._messages.items):
            self._changed()

    def _show(self, state: Mapping[str, Any]) -> None:
        for pane in [*self._panes]:
            self._remove_pane(pane)
        for model in state["models"]:
            self._add_pane(model)
        self._messages.show(state["messages"])
        self._parameters.show(state["parameters"])
        for pane, kept in zip(self._panes, state["answers"], strict=False):
            pane.restore(kept)


class _Later:
    """Calls something once there has been rest for a while."""

    def __init__(self, seconds: float, what: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._seconds, self._what = seconds, what
        self._handle: asyncio.TimerHandle | None = None

    def __call__(self) -> None:
        if self._handle:
            self._handle.cancel()
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(self._seconds, self._now)

    def _now(self) -> None:
        background_tasks.create(self._what())


async def _build(visitor: Visitor, request: Request) -> None:
    ui.add_head_html('<link rel="stylesheet" href="/static/completions.css">')
    found = [(one.id, (one.model_extra or {})["retinue"]) for one in (await visitor.client.models.list()).data]
    models = {name: told["context_length"] for name, told in found if "chat" in told["capabilities"]}
    try:
        usual = ((await visitor.client.models.retrieve("default")).model_extra or {})["retinue"]["serves"]
    except openai.NotFoundError:
        usual = next(iter(models), "default")
    _Playground(visitor, models, usual, f"{str(request.base_url).rstrip('/')}/v1", await prices(visitor))


PAGES = (Page("/playground/chat", "completions.title", _build, icon="forum", group="build", fills=True),)
