"""An id, copied by a click."""

from __future__ import annotations

import json

from nicegui import ui

from ..visitor import Visitor

_COPY = """() => import(`${window.path_prefix ?? ""}/static/rich-text.mjs`)
  .then((rich) => rich.copyText(VALUE))
  .then(() => Quasar.Notify.create({ message: SAID, timeout: 1500 }))"""


class Identifier(ui.element):
    """A button that shows an id and copies it. Its style is in `static/elements.css`."""

    def __init__(self, visitor: Visitor, value: str, label: str) -> None:
        """`label`: what the button does, for screen readers, such as “Copy the assistant's id”."""
        super().__init__("button")
        self.classes("identifier mono").props("type=button")
        self.props["aria-label"] = f"{label}: {value}"
        self.props["title"] = label
        with self:
            ui.label(value)
            ui.icon("content_copy").props("aria-hidden=true")
        copy = _COPY.replace("VALUE", json.dumps(value), 1)
        self.on("click", js_handler=copy.replace("SAID", json.dumps(visitor.text("frame.copied")), 1))
