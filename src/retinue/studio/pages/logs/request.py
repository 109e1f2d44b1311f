"""A request: everything that was noted of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import openai
from fastapi import Request
from nicegui import ui

from ...elements.amounts import in_bytes, milliseconds
from ...elements.controls import heading
from ...elements.facts import Facts
from ...elements.objects import Objects
from ...visitor import Visitor
from ..runs.found import Json, assistant_of, run_page
from .requests import ORGANIZATION, PROJECT, names_of_keys, who


async def build(visitor: Visitor, request: Request) -> None:
    """The page."""
    ui.add_head_html('<link rel="stylesheet" href="/static/runs.css">')
    path = ORGANIZATION if request.query_params.get("all") and visitor.administers else PROJECT
    found: Json = await visitor.get(f"{path}/{quote(request.path_params['request'], safe='')}")
    text = visitor.text
    ui.link(text("logs.all_requests"), "/logs?show=requests").classes("quiet")
    heading(f"{found['method']} {found['path']}").classes("mono request-title")
    with ui.element("div").classes("card run"):
        Facts(await _facts(visitor, found), visitor.language)
        if found["error"]:
            _tell_error(visitor, found)
        if found["run_id"] and found["project_id"] == visitor.project:
            ui.link(text("logs.to_run"), run_page(found["thread_id"], found["run_id"])).classes("to-run")
        ui.label(text("logs.not_kept")).classes("quiet small")
        Objects(visitor, [{"title": "JSON", "value": found}])


async def _facts(visitor: Visitor, found: Json) -> list[dict[str, Any]]:
    text, project = visitor.text, found["project_id"]
    sender = who(visitor, found, await names_of_keys(visitor))
    failed = found["error"] or found["status"] >= 400
    status = text("logs.broken_off", status=found["status"]) if found["error"] and found["status"] < 400 else None
    facts: list[dict[str, Any]] = [
        {"label": text("runs.status"), "value": status or str(found["status"]), "kind": "wrong" if failed else "good"},
        {"label": text("logs.time"), "value": found["created_at"], "kind": "time"},
        {"label": text("logs.first_byte"), "value": milliseconds(visitor, found["first_byte_ms"])},
        {"label": text("runs.took"), "value": milliseconds(visitor, found["duration_ms"])},
        {"label": text("logs.bytes"), "value": in_bytes(found["response_bytes"])},
        {"label": text("runs.model"), "value": found["model"]},
        {"label": text("runs.assistant"), **await _assistant(visitor, found)},
        {"label": text("logs.from"), "value": text("logs.from_pages" if found["by_page"] else "logs.from_programs")},
        {"label": text("logs.by"), "value": sender},
        {"label": text("logs.route"), "value": found["route"], "kind": "mono"},
        {"label": text("logs.project"), "value": project if project != visitor.project else None, "kind": "mono"},
        {"label": text("logs.request_id"), "value": found["id"], "kind": "mono"},
    ]
    return [fact for fact in facts if fact["value"]]


async def _assistant(visitor: Visitor, found: Json) -> dict[str, Any]:
    """The name of the assistant, if it had to do with one."""
    identifier = found["assistant_id"]
    if not identifier or found["project_id"] != visitor.project:
        return {"value": identifier}
    try:
        assistant = await assistant_of(visitor, identifier)
    except openai.PermissionDeniedError:
        assistant = None
    if assistant is None:
        return {"value": identifier}
    return {"value": assistant["name"] or identifier, "href": f"/playground/{quote(identifier, safe='')}"}


def _tell_error(visitor: Visitor, found: Json) -> None:
    """What it was refused with, or broke off with."""
    error = found["error"]
    with ui.element("div").classes("run-error").props("role=note"):
        ui.label(visitor.text("logs.error")).classes("part")
        ui.label(" · ".join(filter(None, [error["type"], error["code"]]))).classes("mono")
