"""A GPT as a file: taken out and put in by the browser itself, so that large ones never lie in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from nicegui import ui

from ...visitor import Visitor

_EXPORT = """async () => {
  Quasar.Notify.create({ message: WORKING, timeout: 1500 });
  const answer = await fetch(`${window.path_prefix ?? ""}ADDRESS`, { headers: HEADERS });
  if (!answer.ok) {
    const body = await answer.json().catch(() => null);
    Quasar.Notify.create({ type: "negative", message: body?.error?.message ?? LOST });
    return;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = NAME;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}"""
_IMPORT = """async (event) => {
  const file = event.target.files[0];
  if (!file) return;
  const form = new FormData();
  form.append("file", file, file.name);
  event.target.value = "";
  emit({ state: "sending" });
  try {
    const sent = { method: "POST", headers: HEADERS, body: form };
    const answer = await fetch(`${window.path_prefix ?? ""}/v1/gpts/import`, sent);
    const body = await answer.json();
    if (answer.ok) emit({ state: "done", gpt: body.gpt.id, notes: body.notes });
    else emit({ state: "failed", message: body.error.message });
  } catch {
    emit({ state: "failed", message: LOST });
  }
}"""


def exporter(visitor: Visitor, gpt: str, name: str) -> str:
    """The program with which a click saves a GPT as a file.

    Args:
        visitor: who saves it; may edit it.
        gpt: its id.
        name: of the file, without its ending.
    """
    values = {
        "ADDRESS": f"/v1/gpts/{quote(gpt, safe='')}/export",
        "HEADERS": json.dumps({"OpenAI-Project": visitor.project}),
        "NAME": json.dumps(f"{name}.zip"),
        "WORKING": json.dumps(visitor.text("gpt_form.exporting")),
        "LOST": json.dumps(visitor.text("errors.no_answer")),
    }
    return _filled(_EXPORT, values)


def importer(visitor: Visitor, on_told: Callable[[dict[str, Any]], Any]) -> tuple[ui.element, str]:
    """A chooser of files that makes a GPT of one, in the current slot.

    Args:
        visitor: whose GPT it will be.
        on_told: is told how it goes: `state` is `sending`, `failed` (with `message`) or `done` (with `gpt`, its id, and
            `notes`, as the API has them).

    Returns:
        The chooser, which is not seen, and the program with which a button opens it.
    """
    chooser = ui.element("input").props('type=file accept=".zip,application/zip" hidden tabindex=-1')
    chooser.props["aria-label"] = visitor.text("gpt_form.choose_file")
    headers = {"X-CSRF-Token": visitor.me["csrf_token"] or "", "OpenAI-Project": visitor.project}
    values = {"HEADERS": json.dumps(headers), "LOST": json.dumps(visitor.text("errors.no_answer"))}
    chooser.on("change", lambda event: on_told(event.args), js_handler=_filled(_IMPORT, values))
    return chooser, f"() => getHtmlElement({chooser.id}).click()"


def _filled(program: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        program = program.replace(name, value)
    return program
