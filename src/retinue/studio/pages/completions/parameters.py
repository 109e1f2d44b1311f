"""The panel of parameters: what is left empty is not sent."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from nicegui import events, ui

from ...elements.controls import heading, plain
from ...visitor import Visitor
from .request import FUNCTION, GROUPS, PARAMETERS, Parameter, Unclear, functions, how_many_set, parsed

#: Characters of a field.
_MOST = 100_000


class Parameters:
    """All parameters, in groups."""

    def __init__(self, visitor: Visitor, on_change: Callable[[], Any]) -> None:
        """Built in the current slot. `on_change` is called whenever a parameter has changed."""
        self._visitor, self._on_change = visitor, on_change
        #: What is set, by name, as the fields have it.
        self.values: dict[str, Any] = {}
        self._fields: dict[str, Any] = {}
        self._sliders: dict[str, ui.slider] = {}
        self._counts: dict[str, ui.expansion] = {}
        heading(visitor.text("completions.parameters"), 2)
        self._said = ui.label().classes("quiet").props("role=status")
        for group in GROUPS:
            with ui.expansion(visitor.text(f"completions.{group}"), value=group == "sampling") as box:
                box.props("dense expand-separator switch-toggle-side").classes("parameters")
                self._counts[group] = box
                for parameter in PARAMETERS:
                    if parameter.group == group:
                        self._build(parameter)
        plain(visitor.text("completions.reset"), lambda: self.show({})).classes("reset")
        self._tell()

    def show(self, values: Mapping[str, Any]) -> None:
        """Set these, and nothing else."""
        for parameter in PARAMETERS:
            value = values.get(parameter.name)
            self._offer(parameter.name, value)
            self._fields[parameter.name].set_value(value)
        self._open({one.group for one in PARAMETERS if values.get(one.name) not in (None, "")})

    def _open(self, groups: set[str]) -> None:
        for group in groups:
            self._counts[group].set_value(True)

    def _build(self, parameter: Parameter) -> None:
        name = parameter.name
        with ui.element("div").classes("parameter") as box:
            field = self._field(parameter)
            field.props["hint"] = self._visitor.text(f"completions.hint_{name}")
            field.props("dense clearable")
            field.on_value_change(functools.partial(self._changed, parameter))
            self._fields[name] = field
            if parameter.usual is not None:
                self._slide(parameter, field)
            if parameter.example:
                example = ui.button(self._visitor.text("completions.example"), color=None).props("flat dense size=sm")
                example.props["aria-label"] = self._visitor.text("completions.example_of", name=name)
                example.on_click(lambda: field.set_value(parameter.example)).classes("plain")
        if name == "json_schema":
            self._schema = box
            box.set_visibility(False)

    def _field(self, parameter: Parameter) -> Any:
        name = parameter.name
        match parameter.kind:
            case "number" | "integer":
                low, high = parameter.low, parameter.high
                field = ui.number(name, min=low, max=high, step=parameter.step)
                return field.props("inputmode=decimal")
            case "choice" | "flag":
                return ui.select(list(parameter.options), label=name).props("options-dense")
            case "text":
                return ui.input(name).props(f"maxlength={_MOST}")
            case "lines":
                return ui.textarea(name).props(f"autogrow maxlength={_MOST}")
            case "json":
                return (
                    ui.textarea(name, validation=functools.partial(self._checked, name))
                    .props(f"autogrow spellcheck=false maxlength={_MOST} input-class=mono")
                    .classes("json")
                )

    def _slide(self, parameter: Parameter, field: ui.number) -> None:
        """A slider beside the field; it stands at what is usual while nothing is set."""
        low, high = parameter.low or 0, parameter.high or 1
        slider = ui.slider(min=low, max=high, step=parameter.step, value=parameter.usual).props("color=primary")
        slider.props["aria-label"] = parameter.name
        # Only what the person moves counts: the field moves the slider, too.
        slider.on("update:model-value", lambda event: field.set_value(round(float(event.args), 4)))
        self._sliders[parameter.name] = slider

    def _checked(self, name: str, text: str | None) -> str | None:
        try:
            if text:
                parsed(name, text)
        except Unclear as error:
            return self._visitor.text(error.key, **error.values)
        return None

    def _changed(self, parameter: Parameter, event: events.ValueChangeEventArguments[Any]) -> None:
        name, value = parameter.name, event.value
        if value in (None, ""):
            self.values.pop(name, None)
        else:
            self.values[name] = value
        if slider := self._sliders.get(name):
            slider.set_value(parameter.usual if value in (None, "") else float(value))
        if name == "response_format":
            self._schema.set_visibility(value == "json_schema")
        if name == "tools":
            self._offer("tool_choice", self.values.get("tool_choice"))
        self._tell()
        self._on_change()

    def _offer(self, name: str, value: Any) -> None:
        """Let the functions that can be called be chosen, and what was chosen before."""
        if name == "tool_choice":
            usual = next(one.options for one in PARAMETERS if one.name == name)
            offered = [*usual, *(FUNCTION + one for one in functions(self.values.get("tools")))]
            if value and value not in offered:
                offered.append(value)
            self._fields[name].set_options(offered)

    def _tell(self) -> None:
        count = how_many_set(self.values)
        said = "completions.none_set" if not count else "completions.some_set"
        self._said.set_text(self._visitor.text(said, count=count))
        for group, box in self._counts.items():
            of_group = how_many_set(self.values, group)
            label = self._visitor.text(f"completions.{group}")
            box.set_text(f"{label} · {of_group}" if of_group else label)
