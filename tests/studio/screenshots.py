"""Pictures of all pages for the documentation: `make screenshots` writes docs/images.

No test: its name keeps it out of the ordinary run.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from retinue.studio.pages import PAGES

from .conftest import DESKTOP, PHONE, Open

IMAGES = Path(__file__).parents[2] / "docs" / "images"
PATHS = [page.path for page in PAGES if "{" not in page.path]


def picture(page: Page, name: str) -> None:
    """Take a picture of what is seen."""
    IMAGES.mkdir(exist_ok=True)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(700)
    page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_picture(visit: Open, path: str, theme: str, size: tuple[int, int], language: str) -> None:
    name = path.strip("/").replace("/", "-") or "chat"
    page = visit(path, language=language, theme=theme, size=size)
    picture(page, f"{name}-{language}-{theme}-{'phone' if size == PHONE else 'desktop'}")
