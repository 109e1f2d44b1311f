"""The pictures of the pages in docs/images: `make screenshots` takes them."""

from __future__ import annotations

from fastapi.routing import APIRoute

from retinue.api import guest_pages, pages
from retinue.studio.pages import PAGES
from tests.studio import shown

#: Ways on to somewhere else, which nobody sees.
_LEAD_ON = {"/sign-in/provider", "/sign-in/callback"}


def test_every_page_has_its_pictures_and_nothing_else_has() -> None:
    assert set(shown.WITH_PARTS) == {page.path for page in PAGES if "{" in page.path}
    assert len(set(shown.names())) == len(shown.names())
    expected = {file for name in shown.names() for file in shown.files(name)}
    assert {path.name for path in shown.IMAGES.iterdir()} == expected, "run `make screenshots`"


def test_pages_beside_the_studio_have_pictures_too() -> None:
    routes = [one for one in (*pages.router.routes, *guest_pages.router.routes) if isinstance(one, APIRoute)]
    seen = {one.path for one in routes if "GET" in (one.methods or ())} - _LEAD_ON
    assert {one for one in seen if "." not in one} == set(shown.BESIDE) - {"/s/{token}"}
