"""Trying one call of a connection: what goes out is what the person sees, and what comes back is shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import openai
from nicegui import ui

from ...content import content_url
from ...elements.controls import primary
from ...elements.dialogs import closing, dialog, working
from ...frame import message_of
from ...visitor import Visitor

_LONGEST = 64_000
#: Parameters that are listed, and characters of what is told of one.
_MOST_PARAMETERS, _LONGEST_TOLD = 50, 300
#: What stands for a value that is still to be written.
_EMPTY: Mapping[str, Any] = {"integer": 0, "number": 0, "boolean": False, "array": [], "object": {}}


def try_call(visitor: Visitor, connection: Mapping[str, Any], tool: Mapping[str, Any]) -> None:
    """Open a dialog that calls an operation.

    Args:
        visitor: who calls, with their own sign-in at the service.
        connection: as the API shows it.
        tool: one of its operations.
    """
    text = visitor.text
    with dialog(text("gpt_form.test_name", name=tool["name"])) as made:
        said = " · ".join(filter(None, [tool.get("operation"), tool["description"]]))
        ui.label(said).classes("quiet")
        if tool["needs_consent"]:
            ui.label(text("gpt_form.test_changes")).classes("wrong")
        _parameters(tool["parameters"])
        field = ui.textarea(text("gpt_form.arguments"), value=_skeleton(tool["parameters"])).classes("wide")
        field.props(f"outlined autogrow input-class=mono maxlength={_LONGEST} spellcheck=false")
        place = ui.element("div").classes("stack").props("role=status aria-live=polite")

        async def call() -> None:
            try:
                arguments = json.loads(field.value or "{}")
            except (ValueError, RecursionError):
                arguments = None
            field.error = None if isinstance(arguments, dict) else text("gpt_form.not_an_object")
            if isinstance(arguments, dict):
                with working(button):
                    await _call(visitor, connection, tool["name"], arguments, place)

        with closing(visitor, made):
            button = primary(text("gpt_form.call"), call)


def _parameters(schema: Mapping[str, Any]) -> None:
    """What the operation takes, in the current slot."""
    required = schema.get("required") or ()
    with ui.element("ul").classes("gpt-parameters"):
        for name, about in list(_properties(schema).items())[:_MOST_PARAMETERS]:
            with ui.element("li"):
                ui.label(f"{name}{' *' if name in required else ''}").classes("mono")
                kind = about.get("type")
                said = [kind if isinstance(kind, str) else "", str(about.get("description") or "")]
                ui.label(" · ".join(filter(None, said))[:_LONGEST_TOLD]).classes("quiet small")


def _properties(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The schemas of the arguments; services may say anything."""
    found: Any = schema.get("properties")
    if not isinstance(found, dict):
        return {}
    return {str(name): about if isinstance(about, dict) else {} for name, about in found.items()}  # pyright: ignore


def _skeleton(schema: Mapping[str, Any]) -> str:
    """Arguments to begin with: those that there must be, empty."""
    properties = _properties(schema)
    begun = {
        name: properties[name].get("default", _EMPTY.get(str(properties[name].get("type")), ""))
        for name in schema.get("required") or ()
        if name in properties
    }
    return json.dumps(begun, indent=2, ensure_ascii=False) if begun else "{}"


async def _call(
    visitor: Visitor, connection: Mapping[str, Any], name: str, arguments: dict[str, Any], place: ui.element
) -> None:
    text, path = visitor.text, f"/connections/{connection['id']}"
    place.clear()
    try:
        came = await visitor.post(f"{path}/tools/{name}/call", {"arguments": arguments})
    except openai.APIStatusError as error:
        if place.is_deleted:
            return
        with place:
            ui.label(message_of(error)).classes("wrong")
            if error.code == "sign_in_needed":
                address = (await visitor.post(f"{path}/sign_in"))["authorize_url"]
                ui.link(text("playground.sign_in_first"), address, new_tab=True).props('rel="noopener noreferrer"')
        return
    if place.is_deleted:
        return
    with place:
        ui.label(text("gpt_form.failed" if came["failed"] else "gpt_form.worked")).classes(
            "wrong" if came["failed"] else "good"
        )
        output = ui.element("pre").classes("details").props("tabindex=0")
        output.props["aria-label"] = text("gpt_form.output")
        with output:
            ui.label(came["output"]).classes("gpt-output")
        for file in came["files"]:
            ui.link(file, content_url(file), new_tab=True)
