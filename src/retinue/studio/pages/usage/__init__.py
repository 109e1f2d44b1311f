"""What the organization has used, and what it cost."""

from __future__ import annotations

from ...frame import Page
from .page import build

PAGES = (
    Page("/usage", "usage.title", build, icon="bar_chart", group="watch", shown=lambda visitor: visitor.administers),
)
