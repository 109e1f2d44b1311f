"""What holds for every page: it opens, in both languages, light and dark, wide and narrow, for everybody."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from retinue.studio.pages import PAGES
from retinue.studio.words import WORDS

from .conftest import DESKTOP, PHONE, Open

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
    page.wait_for_timeout(500)
    found = Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert not serious, [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in serious]
    # Nothing is wider than the window.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
