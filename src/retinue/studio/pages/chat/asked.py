"""What a run waits for: calls that a person has to allow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui
from openai.types.beta.threads import Run

from ...elements.code import Code
from ...elements.controls import heading, plain, primary
from ...visitor import Visitor


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

    def ask(self, run: Run) -> None:
        """Show what the run waits for."""
        if run.required_action is None:
            return
        text = self._visitor.text
        own = {tool.function.name for tool in run.tools if tool.type == "function"}
        calls = run.required_action.submit_tool_outputs.tool_calls
        self._box.clear()
        self._box.set_visibility(True)
        with self._box:
            functions = [call.function.name for call in calls if call.function.name in own]
            if functions:
                ui.label(text("chat.own_function", name=", ".join(functions)))
                primary(text("chat.end_run"), self._end)
                return
            heading(text("chat.allow_title"), 2)
            for call in calls:
                Code(self._visitor, f"{call.function.name}\n{call.function.arguments}"[:20_000], "json")
            with ui.element("div").classes("buttons"):
                for key, output in (("deny", "deny"), ("always", "always")):
                    plain(text(f"chat.{key}"), self._answering(run, output))
                primary(text("chat.allow"), self._answering(run, "approve"))

    def _answering(self, run: Run, output: str) -> Callable[[], Awaitable[None]]:
        async def answer() -> None:
            self.hide()
            calls: list[Any] = run.required_action.submit_tool_outputs.tool_calls if run.required_action else []
            await self._on_answer([{"tool_call_id": call.id, "output": output} for call in calls])

        return answer

    async def _end(self) -> None:
        self.hide()
        await self._on_end()
