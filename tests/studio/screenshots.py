"""Pictures of all pages for the documentation: `make screenshots` writes docs/images.

No test: its name keeps it out of the ordinary run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from playwright.sync_api import Browser, Page

from retinue.studio.pages import PAGES

from .conftest import DESKTOP, PHONE, Open, Studio
from .samples import Samples, Shown
from .shown import IMAGES, name_of, names
from .test_shares import NOBODY

#: Whoever looks at the pictures is shown the folder that a server has of itself, not the test's.
_AT_HOME = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const own = /\\/(tmp\\/\\S*?\\/data|root\\/\\.local\\/share\\/retinue)/g;
    node.data = node.data.replace(own, '~/.local/share/retinue');
  }
}"""


@pytest.fixture(scope="module")
def filled(studio: Studio, chromium: Browser) -> Iterator[Mapping[str, Shown]]:
    """Something to see on every page."""
    page = chromium.new_page(storage_state=studio.signed_in, locale="en")
    page.set_default_timeout(30_000)
    page.goto(f"{studio.url}/people")
    yield Samples(studio, page).fill()
    page.close()


def picture(page: Page, name: str) -> None:
    """Take a picture of what is seen."""
    IMAGES.mkdir(exist_ok=True)
    page.get_by_role("main").wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1000)
    page.evaluate(_AT_HOME)
    page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")


@pytest.mark.timeout(2400)
@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh", "dark")])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_pictures(
    visit: Open, studio: Studio, filled: Mapping[str, Shown], language: str, theme: str, size: tuple[int, int]
) -> None:
    plain = {name_of(page.path): Shown(page.path) for page in PAGES if "{" not in page.path}
    for name in names():
        shown = filled.get(name) or plain[name]
        state = None if shown.signed_in else NOBODY
        page = visit(shown.path, language=language, theme=theme, size=size, state=state)
        shown.prepare(page, studio)
        picture(page, f"{name}-{theme}-{'phone' if size == PHONE else 'desktop'}")
        page.context.close()
