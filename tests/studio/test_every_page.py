"""What holds for every page: it opens, in both languages, light and dark, wide and narrow, for everybody."""

from __future__ import annotations

import pytest

from retinue.studio.pages import PAGES
from retinue.studio.words import WORDS

from .conftest import DESKTOP, PHONE, Open, obstacles

#: Pages that are the same for everybody and have an address without parts to fill in.
PATHS = [page.path for page in PAGES if "{" not in page.path]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("language", "theme", "size"), [("en", "light", DESKTOP), ("zh", "dark", PHONE)])
def test_it_can_be_used_by_everybody(visit: Open, path: str, language: str, theme: str, size: tuple[int, int]) -> None:
    page = visit(path, language=language, theme=theme, size=size)
    title = WORDS[next(one.title for one in PAGES if one.path == path)][language == "zh"]
    page.get_by_role("main").wait_for()
    assert page.title() == f"{title} · Retinue"
    assert page.locator("html").get_attribute("lang") == ("zh-CN" if language == "zh" else "en-US")
    assert obstacles(page) == []
