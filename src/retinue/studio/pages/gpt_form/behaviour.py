"""What a GPT is told, and by which model it answers."""

from __future__ import annotations

import openai
from nicegui import events, ui

from ...elements.controls import heading
from ...visitor import Visitor
from ..playground.run_options import efforts
from .common import Around, hint, saver
from .draft import GptDraft
from .profile import PAUSE

_LONGEST = 256_000
#: Where the model's own tokenizer is not known.
_ENCODING = "o200k_base"
_CAPABILITIES = ("web_browsing", "code_interpreter", "image_generation")


class Instructions:
    """The field, and how many tokens it has."""

    def __init__(self, visitor: Visitor, draft: GptDraft) -> None:
        """Built in the current slot; `load` counts."""
        self._visitor, self._draft = visitor, draft
        text = visitor.text
        heading(text("gpt_form.instructions"), 2)
        hint(text("gpt_form.instructions_hint"))
        field = ui.textarea(value=draft.state["instructions"])
        field.props(f"outlined autogrow debounce={PAUSE} maxlength={_LONGEST} input-class='gpt-instructions'")
        field.props["aria-label"] = text("gpt_form.instructions")
        field.classes("wide")
        save = saver(field, lambda value: draft.set(instructions=value or ""))

        async def changed(event: events.ValueChangeEventArguments[str | None]) -> None:
            await save(event)
            await self.load()

        field.on_value_change(changed)
        self._said = ui.label().classes("quiet small").props("role=status")

    async def load(self) -> None:
        """Count the tokens. Raises `openai.APIError`."""
        written, model = self._draft.state["instructions"], self._draft.state["model"]
        if not written:
            self._said.set_text("")
            return
        asked = {"input": written, "return": "counts"}
        try:
            counted = await self._visitor.post("/tokenize", {**asked, "model": model})
        except openai.APIStatusError:
            counted = await self._visitor.post("/tokenize", {**asked, "encoding": _ENCODING})
            counted["estimate"] = True
        said = "gpt_form.about_tokens" if counted["estimate"] else "gpt_form.tokens"
        if not self._said.is_deleted:
            self._said.set_text(self._visitor.text(said, count=f"{counted['total_tokens']:,}"))


def model_fields(visitor: Visitor, draft: GptDraft, known: Around) -> None:
    """The fields for the model, in the current slot."""
    text, state = visitor.text, draft.state
    heading(text("gpt_form.model"), 2)
    with ui.element("div").classes("pair"):
        options = {**({} if state["model"] in known.models else {state["model"]: state["model"]}), **known.models}
        model = ui.select(options, value=state["model"], label=text("gpt_form.model"), with_input=len(options) > 8)
        model.props("outlined dense").classes("wide")
        model.on_value_change(saver(model, lambda value: draft.set(model=value or None)))
        offered = {"": text("gpt_form.effort_own"), **efforts(visitor)}
        effort = ui.select(offered, value=state["reasoning_effort"] or "", label=text("gpt_form.reasoning_effort"))
        effort.props("outlined dense").classes("wide")
        effort.on_value_change(saver(effort, lambda value: draft.set(reasoning_effort=value or None)))
    _temperature(visitor, draft)


def _temperature(visitor: Visitor, draft: GptDraft) -> None:
    """A number from 0 to 2; 1 leaves it to the model."""
    text, value = visitor.text, draft.state["temperature"]
    with ui.element("div").classes("slide"):
        ui.label(text("gpt_form.temperature")).props("aria-hidden=true")
        said = ui.label().classes("mono")
        slider = ui.slider(min=0, max=2, step=0.01, value=1 if value is None else value)
        slider.props["aria-label"] = text("gpt_form.temperature")

    def shown() -> None:
        chosen = slider.value or 0
        said.set_text(text("playground.own", value=f"{chosen:.2f}") if chosen == 1 else f"{chosen:.2f}")

    async def released(event: events.GenericEventArguments) -> None:
        await draft.set(temperature=None if event.args == 1 else event.args)

    slider.on_value_change(shown)
    slider.on("change", released)
    shown()


def capability_switches(visitor: Visitor, draft: GptDraft) -> None:
    """What it can do beside talking, in the current slot."""
    text = visitor.text
    heading(text("gpt_form.capabilities"), 2)
    for one in _CAPABILITIES:
        _switch(visitor, draft, one)


def _switch(visitor: Visitor, draft: GptDraft, capability: str) -> None:
    text = visitor.text

    async def turn(event: events.ValueChangeEventArguments[bool | None]) -> None:
        others = [one for one in draft.state["capabilities"] if one != capability]
        await draft.set(capabilities=[*others, capability] if event.value else others)

    with ui.element("div").classes("switch"):
        with ui.element("div").classes("grow"):
            ui.label(text(f"playground.{capability}"))
            hint(text(f"playground.{capability}_hint"))
        switch = ui.switch(value=capability in draft.state["capabilities"], on_change=turn)
        switch.props["aria-label"] = text(f"playground.{capability}")
