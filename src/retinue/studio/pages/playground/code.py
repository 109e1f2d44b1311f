"""What is on the page as a program: the assistant, the thread's messages, the options of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from ...elements.code import Code
from ...elements.dialogs import closing, dialog
from ...visitor import Visitor
from ..runs import source

Json = dict[str, Any]


def asked(messages: Sequence[Json], unsent: str, example: str) -> list[Json]:
    """The messages that a program begins with: up to the last question, of a long thread the last ones.

    Args:
        messages: of the thread, as the API has them, oldest first.
        unsent: what stands in the field.
        example: is asked where nothing else is.
    """
    told = [source.message_of(one) for one in messages if one["content"]]
    if unsent.strip():
        told.append({"role": "user", "content": unsent.strip()})
    while told and told[-1]["role"] == "assistant":
        told.pop()
    return told[-source.MOST_MESSAGES :] or [{"role": "user", "content": example}]


def show_code(
    visitor: Visitor, base_url: str, assistant: Mapping[str, Any], options: Mapping[str, Any], messages: Sequence[Json]
) -> None:
    """Open a dialog with the program.

    Args:
        visitor: who reads.
        base_url: where programs reach the API, ending in ``/v1``.
        assistant: its ``id`` and its ``tools``.
        options: of runs, as `RunOptions.fields` has them.
        messages: as `asked` makes them.
    """
    text = visitor.text
    request = {"assistant_id": assistant["id"], **options}
    # The program calls these, and somebody writes what they answer.
    outputs = {one["function"]["name"]: "" for one in assistant["tools"] if one["type"] == "function"}
    with dialog(text("playground.code"), wide=True) as made:
        ui.label(text("playground.code_hint")).classes("quiet")
        if outputs:
            ui.label(text("playground.code_functions", names=", ".join(outputs))).classes("quiet")
        language = ui.select(dict(source.LANGUAGES), value="python", label=text("completions.language"))
        language.props("outlined dense").classes("code-language")
        box = ui.element("div").classes("code-box")

        def show() -> None:
            box.clear()
            with box:
                Code(visitor, source.program(language.value, base_url, request, messages, outputs), language.value)

        show()
        language.on_value_change(show)
        closing(visitor, made)
