"""The Playground: an assistant's settings and conversations side by side."""

from __future__ import annotations

from ...frame import Page
from .page import build

PAGES = (
    Page("/playground", "playground.title", build, icon="science", group="build", fills=True),
    Page("/playground/{assistant}", "playground.title", build, group="build", fills=True),
)
