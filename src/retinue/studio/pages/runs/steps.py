"""The steps of a run, in order: what was said, which tools were called with what, and what came of it."""

from __future__ import annotations

import json
from typing import Any

from nicegui import ui

from ...content import content_url
from ...elements.amounts import duration
from ...elements.code import Code, pretty
from ...elements.controls import heading
from ...elements.objects import Objects
from ...visitor import Visitor
from .found import Found, Json, ended_at, seconds, text_of, tokens

#: What is shown of a long text or output, in characters; the rest is among the objects.
_MOST_SHOWN = 20_000
_ICONS = {"code_interpreter": "terminal", "file_search": "search", "function": "build"}


def show_steps(visitor: Visitor, found: Found) -> None:
    """Show them in the current slot, from what was asked to the last answer."""
    with ui.element("ol").classes("steps"):
        if found.asked:
            with _entry("person", visitor.text(f"runs.said_{found.asked['role']}"), ""):
                _said(visitor, found.asked)
        for step in found.steps:
            _step(visitor, found, step)
    if not found.steps:
        key = "runs.no_steps_yet" if found.under_way else "runs.no_steps"
        ui.label(visitor.text(key)).classes("quiet")


def _entry(icon: str, title: str, note: str) -> ui.element:
    """An entry with its head; returns where its content belongs."""
    with ui.element("li").classes("step"):
        with ui.element("div").classes("mark"):
            ui.icon(icon).props("aria-hidden=true")
        with ui.element("div").classes("inside") as inside, ui.element("div").classes("step-head"):
            heading(title, 3)
            if note:
                ui.label(note).classes("quiet")
    return inside


def _step(visitor: Visitor, found: Found, step: Json) -> None:
    details = step["step_details"]
    taken = duration(visitor, seconds(step["created_at"], ended_at(step)))
    note = [visitor.text(f"runs.step_{step['status']}") if step["status"] != "completed" else "", taken]
    note.append(tokens(visitor, step.get("usage")))
    told = " · ".join(filter(None, note))
    if details["type"] == "message_creation":
        message = found.messages.get(details["message_creation"]["message_id"])
        with _entry("chat_bubble_outline", visitor.text("runs.answer"), told):
            if message:
                _said(visitor, message)
            else:
                ui.label(visitor.text("runs.message_gone")).classes("quiet")
            _error(step)
        return
    calls: list[Json] = details["tool_calls"]
    icon = _ICONS.get(calls[0]["type"], "build") if calls else "build"
    with _entry(icon, visitor.text("runs.calls" if len(calls) != 1 else "runs.call", count=len(calls)), told):
        for call in calls:
            _CALLS.get(call["type"], _other)(visitor, call)
        _error(step)


def _error(step: Json) -> None:
    if step.get("last_error"):
        ui.label(f"{step['last_error']['code']}: {step['last_error']['message']}").classes("wrong said")


def _said(visitor: Visitor, message: Json) -> None:
    for part in message["content"]:
        if part["type"] == "image_file":
            _picture(visitor, part["image_file"]["file_id"])
    text = text_of({"content": [part for part in message["content"] if part["type"] != "image_file"]})
    ui.label(_short(visitor, text)).classes("said")


def _short(visitor: Visitor, text: str) -> str:
    if len(text) <= _MOST_SHOWN:
        return text
    return text[:_MOST_SHOWN] + "\n" + visitor.text("runs.cut", count=f"{len(text) - _MOST_SHOWN:,}")


def _picture(visitor: Visitor, file: str) -> None:
    image = ui.element("img").classes("picture")
    image.props["src"], image.props["alt"] = content_url(file), visitor.text("conversation.picture")


def _label(text: str) -> None:
    ui.label(text).classes("part")


def _code(visitor: Visitor, call: Json) -> None:
    inside = call["code_interpreter"]
    _label(visitor.text("runs.code"))
    if not inside["input"]:
        ui.label(visitor.text("runs.withheld")).classes("quiet")
        return
    Code(visitor, _short(visitor, inside["input"]), "python")
    outputs: list[Json] = inside["outputs"]
    if outputs:
        _label(visitor.text("runs.output"))
    for output in outputs:
        if output["type"] == "logs":
            Code(visitor, _short(visitor, output["logs"]), "text")
        else:
            _picture(visitor, output["image"]["file_id"])


def _search(visitor: Visitor, call: Json) -> None:
    inside = call["file_search"]
    _label(visitor.text("runs.search"))
    for query in inside.get("queries") or ():
        ui.label(query).classes("said mono")
    results: list[Json] = inside.get("results") or []
    _label(visitor.text("runs.passages" if len(results) != 1 else "runs.passage", count=len(results)))
    ranking = inside.get("ranking_options")
    if ranking:
        told = visitor.text("runs.ranking", ranker=ranking["ranker"], threshold=ranking["score_threshold"])
        ui.label(told).classes("quiet small")
    things: list[dict[str, Any]] = []
    for result in results:
        content = "\n\n".join(part["text"] for part in result.get("content") or () if part.get("text"))
        text = content or visitor.text("runs.withheld")
        note = visitor.text("runs.score", score=f"{result['score']:.3f}")
        things.append({"title": result["file_name"], "note": note, "text": text, "language": ""})
    if things:
        Objects(visitor, things)


def _function(visitor: Visitor, call: Json) -> None:
    inside = call["function"]
    _label(visitor.text("runs.function", name=inside["name"]))
    Code(visitor, _short(visitor, pretty(inside["arguments"])), "json")
    if inside.get("output") is None:
        ui.label(visitor.text("runs.no_output")).classes("quiet")
        return
    _label(visitor.text("runs.output"))
    output = pretty(inside["output"])
    Code(visitor, _short(visitor, output), "json" if output.startswith(("{", "[")) else "text")


def _other(visitor: Visitor, call: Json) -> None:
    _label(call["type"])
    Code(visitor, _short(visitor, json.dumps(call, indent=2, ensure_ascii=False)), "json")


_CALLS = {"code_interpreter": _code, "file_search": _search, "function": _function}
