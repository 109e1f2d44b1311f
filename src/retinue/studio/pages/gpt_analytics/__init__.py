"""How a GPT is used, and what its users say."""

from __future__ import annotations

from ...frame import Page
from . import rating
from .page import build

PAGES = (
    Page("/gpts/analytics/{gpt}", "gpt_analytics.title", build),
    Page("/gpts/rate/{gpt}", "gpt_rating.title", rating.build),
)
