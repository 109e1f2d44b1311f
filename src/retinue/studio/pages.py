"""The first page: what this server is and how to use it, in English and Chinese."""

from __future__ import annotations

import html
from importlib import resources


def first_page(base_url: str) -> bytes:
    """The page, for a server at `base_url` (ending in ``/v1``). Everything it needs is in it."""
    template = resources.files("retinue.studio").joinpath("first_page.html").read_text(encoding="utf-8")
    return template.replace("{base_url}", html.escape(base_url)).encode()
