"""One of the models that answer side by side."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import openai
from nicegui import ui
from openai.types import CompletionUsage

from ...elements.amounts import money
from ...elements.answer import Answer
from ...elements.controls import plain, symbol
from ...elements.tokens import Tokens
from ...frame import message_of
from ...visitor import Visitor
from .choice import SHADES, Choice, shaded
from .prices import Price

#: Tokens whose probabilities are shown.
_MOST_SHADED = 4000


class Pane:
    """A model, what it has answered, and how fast."""

    def __init__(
        self,
        visitor: Visitor,
        models: Sequence[str],
        model: str,
        *,
        prices: Mapping[str, Price],
        on_change: Callable[[], Any],
        on_remove: Callable[[Pane], Any],
        on_use: Callable[[Choice], Any],
    ) -> None:
        """Built in the current slot.

        Args:
            visitor: who asks.
            models: names that can be chosen.
            model: the one that is.
            prices: those that are known, by the names of models.
            on_change: another model was chosen, or an answer has come.
            on_remove: the pane is to go.
            on_use: an answer is to become part of the conversation.
        """
        self._visitor, self._on_change, self._on_use = visitor, on_change, on_use
        self.model, self._prices = model, prices
        self.choices: list[Choice] = []
        #: How often the pane was cleared: what was asked for before that is not shown any more.
        self._cleared = 0
        self._answers: list[Answer] = []
        #: What is said below the answers: numbers, or why there is none.
        self.numbers = self.error = ""
        text = visitor.text
        with ui.element("section").classes("pane") as self.element:
            self.element.props["aria-label"] = text("completions.answer_of", model=model)
            with ui.element("header"):
                self._select = ui.select(
                    list(dict.fromkeys([*models, model])), value=model, with_input=True, new_value_mode="add-unique"
                ).props("dense borderless options-dense")
                self._select.props["aria-label"] = text("completions.model")
                self._select.on_value_change(lambda event: self._choose(event.value))
                self._remove = symbol("close", text("completions.remove_model"), lambda: on_remove(self))
                self._remove.props("size=sm")
            self._prompt = ui.label().classes("quiet prompt")
            self._hint = ui.label(text("completions.no_answer")).classes("quiet")
            self._box = ui.element("div").classes("answers")
            self._numbers = ui.label().classes("quiet numbers").props("role=status")
            self._error = ui.label().classes("wrong").props("role=alert")
        self._show_end()

    def removable(self, removable: bool) -> None:
        """Whether the pane can go: the last one cannot."""
        self._remove.set_visibility(removable)

    def count(self, tokens: str) -> None:
        """Say how many tokens the prompt has."""
        self._prompt.set_text(tokens)

    def _choose(self, model: str | None) -> None:
        if model:
            self.model = model
            self.element.props["aria-label"] = self._visitor.text("completions.answer_of", model=model)
            self._on_change()

    def kept(self) -> dict[str, Any]:
        """What a reload should not lose, as JSON has it."""
        return {"choices": [one.kept() for one in self.choices], "numbers": self.numbers, "error": self.error}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Show what `kept` has told."""
        self.clear()
        self.numbers, self.error = kept["numbers"], kept["error"]
        for one in kept["choices"]:
            self._begin_choice(Choice.of(one))
        self._finish()

    def clear(self) -> None:
        """Show no answer."""
        self._cleared += 1
        self._box.clear()
        self.choices, self._answers, self.numbers, self.error = [], [], "", ""
        self._show_end()

    def _begin_choice(self, choice: Choice) -> Answer:
        self.choices.append(choice)
        with self._box:
            if len(self.choices) > 1:
                ui.label(self._visitor.text("completions.choice", number=len(self.choices))).classes("quiet")
            text = choice.text + choice.refusal
            answer = Answer(
                self._visitor, text=text, thoughts=choice.thoughts, calls=choice.calls_in_order(), busy=False
            )
        self._answers.append(answer)
        return answer

    async def ask(self, body: Mapping[str, Any]) -> None:
        """Send a request to this pane's model and show what it answers.

        Whatever goes wrong is said in the pane, so that others go on. Cancelling stops the model.
        """
        self.clear()
        cleared, failed = self._cleared, ""
        with self._box:
            waiting = Answer(self._visitor, busy=True)
        self._hint.set_visibility(False)
        clock = _Clock()
        usage: CompletionUsage | None = None
        served = ""
        try:
            stream = await self._visitor.client.chat.completions.create(
                model=self.model,
                messages=body["messages"],
                stream=True,
                stream_options={"include_usage": True},
                extra_body={name: value for name, value in body.items() if name not in ("model", "messages")},
            )
            async with stream:
                async for chunk in stream:
                    if cleared != self._cleared:
                        break
                    usage, served = chunk.usage or usage, chunk.model or served
                    for one in chunk.choices:
                        self._take(one, clock)
                    if clock.first is not None and not waiting.is_deleted:
                        waiting.delete()
        except asyncio.CancelledError:
            failed = self._visitor.text("completions.stopped")
        except openai.APIStatusError as error:
            failed = message_of(error)
        except openai.APIError as error:
            # In the middle of a stream, the client raises this with what the event says.
            said = self._visitor.text("errors.no_answer")
            failed = said if isinstance(error, openai.APIConnectionError) else error.message
        finally:
            if cleared == self._cleared and not self.element.is_deleted:
                self.error = failed
                if not waiting.is_deleted:
                    waiting.delete()
                self.numbers = self._measured(clock, usage, served)
                self._finish()

    def _take(self, one: Any, clock: _Clock) -> None:
        while len(self.choices) <= one.index:
            self._begin_choice(Choice())
        choice, answer = self.choices[one.index], self._answers[one.index]
        text, thoughts = choice.take(one)
        if text or thoughts or one.delta.tool_calls:
            clock.tick()
        answer.append(text=text, thoughts=thoughts)
        if one.delta.tool_calls or one.delta.function_call:
            answer.calls(choice.calls_in_order())

    def _finish(self) -> None:
        """Offer what can be done with the answers, and say how it went."""
        text = self._visitor.text
        for number, (choice, answer) in enumerate(zip(self.choices, self._answers, strict=True)):
            answer.end()
            with self._box, ui.element("div").classes("choice-end") as end:
                if choice.finish:
                    ui.label(f"finish_reason: {choice.finish}").classes("quiet mono")
                if choice.tokens:
                    shade = plain(text("completions.probabilities_of")).props("dense size=sm")
                    self._shade(choice, answer, shade)
                if choice.text or choice.refusal or choice.calls:
                    use = plain(text("completions.use"), functools.partial(self._on_use, choice), icon="add")
                    use.props("dense size=sm")
            if number + 1 < len(self.choices):
                # Behind its own answer; the next one's heading comes after.
                end.move(self._box, target_index=list(self._box).index(answer) + 1)
        self._show_end()
        self._on_change()

    def _shade(self, choice: Choice, answer: Answer, button: ui.button) -> None:
        """Let the tokens, shaded by probability, be shown in the place of the text."""
        text = self._visitor.text
        shown: list[ui.element] = []

        def toggle() -> None:
            if not shown:
                with self._box, ui.element("div") as box:
                    _legend(text("completions.legend"))
                    Tokens(
                        shaded(choice.tokens[:_MOST_SHADED], text("completions.token")),
                        label=text("completions.tokens"),
                        hint=text("completions.token_hint"),
                        columns=[text(f"completions.column_{one}") for one in ("token", "bar", "share", "log")],
                    )
                    if len(choice.tokens) > _MOST_SHADED:
                        ui.label(text("completions.first_tokens", count=_MOST_SHADED)).classes("quiet")
                box.move(self._box, target_index=list(self._box).index(answer) + 1)
                box.set_visibility(False)
                shown.append(box)
            shaded_now = not shown[0].visible
            shown[0].set_visibility(shaded_now)
            answer.set_visibility(not shaded_now)
            button.props(f"aria-pressed={'true' if shaded_now else 'false'}")
            button.set_text(text("completions.as_text" if shaded_now else "completions.probabilities_of"))

        button.on_click(toggle)

    def _show_end(self) -> None:
        self._hint.set_visibility(not (self.choices or self.numbers or self.error))
        self._numbers.set_text(self.numbers)
        self._numbers.set_visibility(bool(self.numbers))
        self._error.set_text(self.error)
        self._error.set_visibility(bool(self.error))

    def _measured(self, clock: _Clock, usage: CompletionUsage | None, served: str) -> str:
        """How fast it was and what was used; what is not known is left out."""
        text = self._visitor.text
        parts: list[str] = []
        if clock.first is not None:
            parts.append(text("completions.first_token", seconds=f"{clock.first - clock.begun:.2f}"))
        if usage:
            if clock.first is not None and clock.last - clock.first > 0.05 and usage.completion_tokens > 1:
                parts.append(
                    text("completions.speed", speed=f"{(usage.completion_tokens - 1) / (clock.last - clock.first):.1f}")
                )
            parts.append(text("completions.usage", prompt=usage.prompt_tokens, answer=usage.completion_tokens))
            if (details := usage.prompt_tokens_details) and details.cached_tokens:
                parts.append(text("completions.cached", count=details.cached_tokens))
            if (thought := usage.completion_tokens_details) and thought.reasoning_tokens:
                parts.append(text("completions.reasoned", count=thought.reasoning_tokens))
            if price := self._prices.get(self.model):
                parts.append(text("completions.cost", cost=money({"value": price.of(usage)})))
        if served and served != self.model:
            parts.append(served)
        return " · ".join(parts)


class _Clock:
    """When a request was sent, and when the first and the last piece of its answer came, in seconds."""

    def __init__(self) -> None:
        self.begun = self.last = time.monotonic()
        self.first: float | None = None

    def tick(self) -> None:
        self.last = time.monotonic()
        self.first = self.last if self.first is None else self.first


def _legend(label: str) -> None:
    with ui.element("div").classes("legend quiet"):
        ui.label(label)
        for least, kind in SHADES:
            ui.label(f"≥ {least:.0%}" if least else "< 10%").classes(f"token {kind}")
