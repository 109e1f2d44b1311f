"""What a run waits for: the outputs of functions, and what a person allows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from nicegui import ui
from openai.types.beta.threads import RequiredActionFunctionToolCall

from ...elements.code import Code, pretty
from ...elements.controls import heading, primary
from ...visitor import Visitor


class Answers:
    """A form with a part for each call."""

    def __init__(
        self,
        visitor: Visitor,
        calls: Sequence[RequiredActionFunctionToolCall],
        consents: Mapping[str, Mapping[str, Any]],
        on_answered: Callable[[dict[str, str]], Awaitable[None]],
    ) -> None:
        """Built in the current slot.

        Args:
            visitor: who answers.
            calls: all calls that the run waits for.
            consents: of those that a person has to allow, what the API says, by their ids.
            on_answered: gets what was answered, by the ids of the calls.
        """
        self._visitor, self._on_answered = visitor, on_answered
        self._fields: dict[str, Callable[[], str | None]] = {}
        with ui.element("section").classes("answers card") as self.element:
            self.element.props["aria-label"] = visitor.text("playground.waiting")
            heading(visitor.text("playground.waiting"), 2)
            for call in calls:
                consent = consents.get(call.id)
                with ui.element("div").classes("call"):
                    self._fields[call.id] = self._consent(consent) if consent else self._output(call)
            self._wrong = ui.label().classes("wrong").props("role=alert")
            self._button = primary(visitor.text("playground.submit"), self._submit)

    def _output(self, call: RequiredActionFunctionToolCall) -> Callable[[], str | None]:
        ui.label(self._visitor.text("playground.called", name=call.function.name))
        Code(self._visitor, pretty(call.function.arguments), "json")
        field = ui.textarea(self._visitor.text("playground.output", name=call.function.name))
        field.props("outlined autogrow dense input-class=mono maxlength=1000000").classes("wide")
        return lambda: field.value or ""

    def _consent(self, consent: Mapping[str, Any]) -> Callable[[], str | None]:
        text = self._visitor.text
        ui.label(text("playground.asks", name=consent["name"]))
        ui.label(consent["reason"]).classes("reason")
        Code(self._visitor, pretty(consent["arguments"]), "json")
        address = consent.get("authorize_url") or ""
        if address.startswith(("https://", "http://")):
            ui.link(text("playground.sign_in_first"), address, new_tab=True).props('rel="noopener noreferrer"')
        options = {"approve": text("playground.approve"), "always": text("playground.always")}
        if address:
            del options["always"]
        choice = ui.radio({**options, "deny": text("playground.deny")}).props("inline")
        choice.props["aria-label"] = text("playground.asks", name=consent["name"])
        reason = ui.input(text("playground.deny_reason")).props("outlined dense maxlength=1000").classes("wide")
        reason.bind_visibility_from(choice, "value", value="deny")

        def said() -> str | None:
            why = (reason.value or "").strip()
            return f"deny: {why}" if choice.value == "deny" and why else choice.value

        return said

    async def _submit(self) -> None:
        said = {call: field() for call, field in self._fields.items()}
        if any(one is None for one in said.values()):
            self._wrong.set_text(self._visitor.text("playground.decide"))
            return
        self._button.disable()
        try:
            await self._on_answered({call: one or "" for call, one in said.items()})
        finally:
            if not self._button.is_deleted:
                self._button.enable()
