"""What a run waits for: calls that a person has to allow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from nicegui import ui
from openai.types.beta.threads import Run

from ...elements.code import Code, pretty
from ...elements.controls import heading, plain, primary
from ...visitor import Visitor

#: Characters of a call that are shown, at most.
_LONGEST = 20_000


class Asked:
    """Asks a person whether the calls that a run waits for may be made."""

    def __init__(
        self,
        visitor: Visitor,
        *,
        on_answer: Callable[[list[dict[str, str]]], Awaitable[None]],
        on_end: Callable[[], Awaitable[None]],
    ) -> None:
        """Hidden until `ask`.

        Args:
            visitor: who is asked.
            on_answer: gets the outputs for the run.
            on_end: is called when the run is to be ended instead.
        """
        self._visitor, self._on_answer, self._on_end = visitor, on_answer, on_end
        self._box = ui.element("section").classes("asked card").props("role=group")
        self._box.props["aria-label"] = visitor.text("chat.allow_title")
        self.hide()

    def hide(self) -> None:
        """Ask no more."""
        self._box.clear()
        self._box.set_visibility(False)

    async def ask(self, run: Run) -> None:
        """Show what the run waits for. Raises `openai.APIError`."""
        if run.required_action is None:
            return
        text = self._visitor.text
        own = {tool.function.name for tool in run.tools if tool.type == "function"}
        calls = run.required_action.submit_tool_outputs.tool_calls
        functions = [call.function.name for call in calls if call.function.name in own]
        path = f"/threads/{run.thread_id}/runs/{run.id}/consents"
        waiting = [] if functions else (await self._visitor.get(path))["data"]
        consents = {one["tool_call_id"]: one for one in waiting}
        self._box.clear()
        self._box.set_visibility(True)
        with self._box:
            if functions:
                ui.label(text("chat.own_function", name=", ".join(functions)))
                primary(text("chat.end_run"), self._end)
                return
            heading(text("chat.allow_title"), 2)
            chosen = [self._call(call, consents.get(call.id, {}), several=len(calls) > 1) for call in calls]
            with ui.element("div").classes("buttons"):
                plain(text("chat.deny"), self._answering([(call.id, lambda: False) for call in calls], "deny"))
                # To sign in is not to be remembered as consent.
                if not any(one.get("authorize_url") for one in consents.values()):
                    plain(text("chat.always"), self._answering(chosen, "always"))
                primary(text("chat.allow"), self._answering(chosen, "approve"))

    def _call(self, call: Any, consent: Mapping[str, Any], *, several: bool) -> tuple[str, Callable[[], bool]]:
        """Show a call; answers with its id, and whether it is to be made."""
        text = self._visitor.text
        with ui.element("div").classes("asked-call"):
            if reason := consent.get("reason"):
                ui.label(reason)
            ui.label(call.function.name).classes("mono quiet")
            Code(self._visitor, pretty(call.function.arguments)[:_LONGEST], "json")
            address = consent.get("authorize_url") or ""
            if address.startswith(("https://", "http://")):
                with ui.element("p"):
                    ui.link(text("chat.sign_in_first"), address, new_tab=True).props('rel="noopener noreferrer"')
                    ui.label(text("chat.sign_in_then")).classes("quiet")
            if not several:
                return call.id, lambda: True
            box = ui.checkbox(text("chat.allow_this", name=call.function.name), value=True)
            return call.id, lambda: bool(box.value)

    def _answering(
        self, chosen: Sequence[tuple[str, Callable[[], bool]]], output: str
    ) -> Callable[[], Awaitable[None]]:
        async def answer() -> None:
            said = [{"tool_call_id": call, "output": output if allowed() else "deny"} for call, allowed in chosen]
            self.hide()
            await self._on_answer(said)

        return answer

    async def _end(self) -> None:
        self.hide()
        await self._on_end()
