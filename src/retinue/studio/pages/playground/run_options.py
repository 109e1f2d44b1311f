"""What the next runs are to do otherwise: options that belong to runs, not to the assistant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nicegui import ui

from ...elements.controls import symbol
from ...elements.dialogs import form
from ...visitor import Visitor
from .draft import Draft

#: The API's least number of tokens, and its longest instructions.
_LEAST_TOKENS, _LONGEST = 256, 256_000
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
#: Numbers of options, with the least that the API takes.
_NUMBERS = {"max_prompt_tokens": _LEAST_TOKENS, "max_completion_tokens": _LEAST_TOKENS, "last_messages": 1}


class RunOptions:
    """A button with a form; what is set holds for all runs until it is taken back or the page is left."""

    def __init__(self, visitor: Visitor, draft: Draft) -> None:
        """The button, built in the current slot."""
        self._visitor, self._draft = visitor, draft
        #: What is set, by the names of the fields.
        self._values: dict[str, Any] = {}
        self._button = symbol("tune", visitor.text("run_options.title"), self._edit)
        self._button.props("round flat", remove="dense")
        with self._button:
            self._badge = ui.badge(color=None).props("floating").classes("run-options-set")
        self._show()

    def fields(self) -> dict[str, Any]:
        """As `runs.create` takes them; what is not set is left out."""
        found = dict(self._values)
        if last := found.pop("last_messages", None):
            found["truncation_strategy"] = {"type": "last_messages", "last_messages": last}
        if "tool_choice" in found:
            found["tool_choice"] = _choice(found["tool_choice"])
        if "parallel_tool_calls" in found:
            found["parallel_tool_calls"] = found["parallel_tool_calls"] == "on"
        return found

    def _show(self) -> None:
        text, count = self._visitor.text, len(self._values)
        self._badge.set_text(str(count))
        self._badge.set_visibility(count > 0)
        self._button.props["aria-label"] = (
            text("run_options.title_set", count=count) if count else text("run_options.title")
        )
        self._button.update()

    def _edit(self) -> None:
        text = self._visitor.text
        form(self._visitor, text("run_options.title"), text("run_options.apply"), self._fill, text("run_options.hint"))

    def _fill(self) -> Callable[[], Awaitable[object]]:
        """The fields; answers with what takes them over."""
        text, now = self._visitor.text, self._values
        fields: dict[str, Any] = {}
        more = ui.textarea(text("run_options.additional_instructions"), value=now.get("additional_instructions", ""))
        fields["additional_instructions"] = more.props(f"outlined dense autogrow maxlength={_LONGEST}")
        with ui.element("div").classes("pair"):
            for name, options in self._choices().items():
                options = {"": text("run_options.unset"), **options}
                if now.get(name, "") not in options:
                    options[now[name]] = now[name]
                select = ui.select(options, value=now.get(name, ""), label=text(f"run_options.{name}"))
                fields[name] = select.props("outlined dense")
            for name, least in _NUMBERS.items():
                # Without `min`: what is too small is told, not silently raised when the field is left.
                number = ui.number(text(f"run_options.{name}"), value=now.get(name), precision=0)
                number.props("outlined dense").props["hint"] = text(f"run_options.{name}_hint", least=least)
                fields[name] = number
        wrong = ui.label().classes("wrong").props("role=alert")

        async def apply() -> bool:
            values = {name: field.value for name, field in fields.items() if field.value not in (None, "")}
            short = next((name for name, least in _NUMBERS.items() if values.get(name, least) < least), None)
            if short:
                least = _NUMBERS[short]
                wrong.set_text(text("run_options.too_small", name=text(f"run_options.{short}"), least=least))
                return False
            self._values = {name: int(one) if name in _NUMBERS else one for name, one in values.items()}
            self._show()
            return True

        return apply

    def _choices(self) -> Mapping[str, dict[str, str]]:
        """The fields of which one value is chosen, with their values' names."""
        text = self._visitor.text
        tools = {one: text(f"run_options.{one}") for one in ("auto", "none", "required")}
        for one in self._draft.state["tools"]:
            if one["type"] == "function":
                tools[f"function: {one['function']['name']}"] = one["function"]["name"]
            elif one["type"] not in ("action", "mcp"):
                tools[one["type"]] = text(f"playground.{one['type']}")
        return {
            "tool_choice": tools,
            "parallel_tool_calls": {one: text(f"run_options.{one}") for one in ("on", "off")},
            "reasoning_effort": efforts(self._visitor),
        }


def efforts(visitor: Visitor) -> dict[str, str]:
    """Names of how much a model may think before it answers, by the API's words for it."""
    return {one: visitor.text(f"run_options.effort_{one}") for one in _EFFORTS}


def _choice(chosen: str) -> str | dict[str, Any]:
    """A `tool_choice` as the API takes it."""
    if chosen in ("auto", "none", "required"):
        return chosen
    if chosen.startswith("function: "):
        return {"type": "function", "function": {"name": chosen.removeprefix("function: ")}}
    return {"type": chosen}
