"""What happened in one run: facts, steps, what the model was sent, events, objects, and the same as a program."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, cast

import openai
from nicegui import background_tasks, ui
from nicegui.events import ValueChangeEventArguments
from openai.types.beta import AssistantStreamEvent
from openai.types.beta.threads import Run

from ...elements.amounts import duration, money
from ...elements.code import Code
from ...elements.facts import Facts
from ...elements.objects import Objects
from ...frame import message_of
from ...visitor import Visitor
from . import source
from .found import (
    TONES,
    Found,
    Json,
    earlier,
    ended_at,
    find,
    is_whole,
    pages,
    run_api,
    seconds,
    tokens,
)
from .steps import show_steps

#: Seconds between two looks at a run that is under way.
_LOOK = 1.5
#: Events that are shown, and how many travel to the browser together.
_MOST_EVENTS, _TOGETHER = 2000, 50
_TABS = ("steps", "prompts", "events", "objects", "program")


class RunPanel:
    """A run, followed while it is under way. To be built in the current slot, then loaded."""

    def __init__(self, visitor: Visitor, thread: str, run: str, base_url: str) -> None:
        """Describe the panel.

        Args:
            visitor: who looks.
            thread: the id of the run's thread.
            run: the id of the run.
            base_url: where programs reach the API, ending in ``/v1``.
        """
        self._visitor, self._thread, self._run, self._base_url = visitor, thread, run, base_url
        self._found: Found | None = None
        self._tab = _TABS[0]
        #: Counts what is put under the tabs: what comes too late is for nobody.
        self._filling = 0
        self._timer: ui.timer | None = None
        with ui.element("div").classes("run") as self.element:
            self._inside = ui.element("div")

    @property
    def found(self) -> Found | None:
        """The run as it was when it was last looked at."""
        return self._found

    async def load(self, found: Found | None = None) -> None:
        """Look at the run and show it; goes on by itself until the run has ended.

        Args:
            found: the run, where somebody has looked just now.

        Raises:
            openai.APIError: it cannot be had.
        """
        try:
            found = found or await find(self._visitor, self._thread, self._run)
        except openai.APIError:
            self._rest()
            raise
        if self.element.is_deleted:
            return
        if found != self._found:
            self._found = found
            self._show(found)
        if not found.under_way and found.run["status"] != "requires_action":
            self._rest()
        elif self._timer is None:
            with self.element:
                self._timer = ui.timer(_LOOK, self.load, immediate=False)

    def _rest(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _show(self, found: Found) -> None:
        self._inside.clear()
        with self._inside:
            Facts(self._facts(found), self._visitor.language)
            _show_errors(self._visitor, found.run)
            self._show_tabs()

    def _facts(self, found: Found) -> list[dict[str, Any]]:
        text, run = self._visitor.text, found.run
        end = ended_at(run)
        name = (found.assistant or {}).get("name") or run["assistant_id"]
        facts: list[dict[str, Any]] = [
            {"label": text("runs.status"), "value": text(f"runs.{run['status']}"), "kind": TONES.get(run["status"])},
            {"label": text("runs.model"), "value": run["model"]},
            {"label": text("runs.assistant"), "value": name},
            {"label": text("runs.created"), "value": run["created_at"], "kind": "time"},
            {
                "label": text("runs.waited"),
                "value": duration(self._visitor, seconds(run["created_at"], run.get("started_at"))),
            },
            {"label": text("runs.took"), "value": duration(self._visitor, seconds(run.get("started_at"), end))},
            {"label": text("runs.tokens"), "value": tokens(self._visitor, run.get("usage"))},
            {"label": text("runs.cost"), "value": money(run.get("cost"))},
            {"label": text("runs.run"), "value": run["id"], "kind": "mono"},
            {"label": text("runs.thread"), "value": run["thread_id"], "kind": "mono"},
        ]
        return [fact for fact in facts if fact["value"] != ""]

    def _show_tabs(self) -> None:
        with ui.tabs().props("dense no-caps align=left").classes("run-tabs") as tabs:
            made = {name: ui.tab(name, self._visitor.text(f"runs.tab_{name}")) for name in _TABS}
        tabs.set_value(made[self._tab])
        tabs.on_value_change(self._chosen)
        self._content = ui.element("div").classes("run-content").props("role=tabpanel tabindex=0")
        self._fill()

    def _chosen(self, event: ValueChangeEventArguments[Any]) -> None:
        self._tab = str(event.value)
        self._fill()

    def _fill(self) -> None:
        """Show what belongs under the current tab."""
        content, found = self._content, self._found
        self._filling += 1
        filling = self._filling
        content.clear()
        content.props["aria-label"] = self._visitor.text(f"runs.tab_{self._tab}")
        if found is None:
            return
        with content:
            if self._tab == "steps":
                show_steps(self._visitor, found)
                return
            ui.label(self._visitor.text("runs.loading")).classes("quiet").props("role=status")
        fill: dict[str, Callable[[Found, int], Awaitable[None]]] = {
            "prompts": self._fill_prompts,
            "events": self._fill_events,
            "objects": self._fill_objects,
            "program": self._fill_program,
        }

        async def filled() -> None:
            with content:
                try:
                    await fill[self._tab](found, filling)
                except openai.APIStatusError as error:
                    if self._begin(filling):
                        told = self._visitor.text("errors.refused", message=message_of(error))
                        ui.label(told).classes("wrong").props("role=alert")
                except openai.APIError:
                    if self._begin(filling):
                        ui.label(self._visitor.text("errors.no_answer")).classes("wrong").props("role=alert")

        background_tasks.create(filled(), name="run panel")

    def _begin(self, filling: int) -> bool:
        """Take away the word that what belongs under a tab is on its way; False if that is not wanted any more."""
        if filling != self._filling or self._content.is_deleted:
            return False
        self._content.clear()
        return True

    async def _fill_prompts(self, found: Found, filling: int) -> None:
        text = self._visitor.text
        prompts = [one async for one in pages(self._visitor, f"{self._path}/prompts", order="asc")]
        if not self._begin(filling):
            return
        if not prompts:
            ui.label(text("runs.no_prompts")).classes("quiet")
            return
        ui.label(text("runs.prompts_hint")).classes("quiet")
        for number, prompt in enumerate(prompts, 1):
            _show_prompt(self._visitor, number, len(prompts), prompt)

    async def _fill_events(self, found: Found, filling: int) -> None:
        shown, waiting, count = None, list[dict[str, Any]](), 0
        async for event in self._events():
            if filling != self._filling or self._content.is_deleted:
                return
            if shown is None:
                self._begin(filling)
                ui.label(self._visitor.text("runs.events_hint")).classes("quiet")
                shown = Objects(self._visitor)
            count += 1
            waiting.append({"title": event.event, "note": _note_of(event), "value": event.to_dict()["data"]})
            if len(waiting) >= _TOGETHER:
                shown.add(waiting)
                waiting = []
            if count >= _MOST_EVENTS:
                ui.label(self._visitor.text("runs.more_events", count=_MOST_EVENTS)).classes("quiet")
                break
        if shown:
            shown.add(waiting)

    async def _events(self) -> AsyncGenerator[AssistantStreamEvent]:
        events = await self._visitor.client.get(
            f"{self._path}/stream",
            cast_to=Run,
            options={"params": {"include": ["step_details.tool_calls[*].file_search.results[*].content"]}},
            stream=True,
            stream_cls=openai.AsyncStream[AssistantStreamEvent],
        )
        async with events:
            async for event in events:
                yield event

    async def _fill_objects(self, found: Found, filling: int) -> None:
        thread = await self._visitor.get(f"/threads/{found.run['thread_id']}")
        if not self._begin(filling):
            return
        things = [("runs.run", found.run), ("runs.assistant", found.assistant), ("runs.thread", thread)]
        things += [("runs.step", step) for step in found.steps]
        things += [("runs.message", one) for one in (found.asked, *found.messages.values())]
        Objects(
            self._visitor,
            [{"title": self._visitor.text(key), "note": one["id"], "value": one} for key, one in things if one],
        )

    async def _fill_program(self, found: Found, filling: int) -> None:
        messages = await earlier(self._visitor, found, source.MOST_MESSAGES)
        if not self._begin(filling):
            return
        text = self._visitor.text
        ui.label(text("runs.program_hint")).classes("quiet")
        request = source.request_of(found.run, whole=is_whole(self._visitor, found.run))
        asked = [source.message_of(one) for one in messages if one["content"]]
        outputs = source.outputs_of(found.steps)
        for language, name in source.LANGUAGES.items():
            with ui.element("div").classes("program"):
                ui.label(name).classes("part")
                Code(self._visitor, source.program(language, self._base_url, request, asked, outputs), language)

    @property
    def _path(self) -> str:
        return run_api(self._thread, self._run)


def _note_of(event: AssistantStreamEvent) -> str:
    return str(getattr(event.data, "id", "") or "")


def _show_errors(visitor: Visitor, run: Json) -> None:
    """Why a run did not complete, in full."""
    if error := run.get("last_error"):
        with ui.element("div").classes("run-error").props("role=alert"):
            ui.label(visitor.text("runs.error", code=error["code"])).classes("part")
            ui.label(error["message"]).classes("said")
    if incomplete := run.get("incomplete_details"):
        ui.label(visitor.text(f"turn.{incomplete['reason']}")).classes("wrong said").props("role=alert")
    if run.get("required_action"):
        ui.label(visitor.text("runs.waits")).classes("said").props("role=status")


def _show_prompt(visitor: Visitor, number: int, count: int, prompt: Json) -> None:
    """One request to the model: its messages as text, its functions, and all of it as JSON."""
    text = visitor.text
    with ui.element("div").classes("prompt"):
        ui.label(text("runs.request", number=number, count=count)).classes("part")
        body = cast(Json, prompt["body"])
        if not body:
            ui.label(text("runs.withheld")).classes("quiet")
            return
        if not prompt["exact"]:
            ui.label(text("runs.not_exact")).classes("wrong")
        if prompt["prompted"]:
            ui.label(text("runs.prompted")).classes("quiet")
        messages: list[Json] = body["messages"]
        things: list[dict[str, Any]] = [
            {"title": message["role"], "note": _begin_of(message), "language": "", "text": _content_of(message)}
            for message in messages
        ]
        things[-1]["open"] = True
        if functions := body.get("tools"):
            names = ", ".join(one["function"]["name"] for one in functions)
            things.append({"title": text("runs.functions"), "note": names[:120], "value": functions})
        things.append({"title": text("runs.whole_request"), "note": "JSON", "value": body})
        Objects(visitor, things)


def _content_of(message: Json) -> str:
    """What a message of a request says, as the model reads it."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    said = [
        part["text"] if part.get("type") == "text" else f"[{part.get('type')}: {part['image_url']['url']}]"
        for part in cast(list[Json], parts)
    ]
    calls = [
        f"→ {call['function']['name']}({call['function']['arguments']})" for call in message.get("tool_calls") or ()
    ]
    return "\n".join(filter(None, [*said, *calls]))


def _begin_of(message: Json) -> str:
    begin = " ".join(_content_of(message).split())
    return begin if len(begin) <= 100 else begin[:100] + "…"
