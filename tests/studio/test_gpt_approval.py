"""A store in which administrators approve what others publish."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from .conftest import Open, Studio, serving
from .test_gpt_store import colleague, post, unique


@pytest.fixture(scope="module")
def studio(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A server whose store shows what was approved."""
    with serving(postgres, tmp_path_factory.mktemp("approval"), "studio_approval", RETINUE_GPT_APPROVAL=True) as studio:
        yield studio


def test_what_waits_is_approved_and_shown(visit: Open, studio: Studio) -> None:
    name = unique("Tea")
    gpt = post(studio, "/gpts", {"name": name, "instructions": "Speak of tea."})
    post(studio, f"/gpts/{gpt['id']}/publish", {"visibility": "store"})
    page = visit("/gpts", language="zh")
    state = colleague(page, studio)
    bob = visit("/gpts", language="zh", state=state)
    expect(bob.get_by_role("searchbox")).to_be_visible()
    expect(bob.get_by_role("link", name=name)).to_have_count(0)

    page.goto(f"{studio.url}/gpts/{gpt['id']}")
    page.get_by_role("button", name="批准", exact=True).click()
    expect(page.get_by_role("button", name="撤销批准")).to_be_visible()
    bob.reload()
    expect(bob.get_by_role("link", name=name)).to_be_visible()

    page.get_by_role("button", name="撤销批准").click()
    expect(page.get_by_role("button", name="批准", exact=True)).to_be_visible()
    bob.reload()
    expect(bob.get_by_role("searchbox")).to_be_visible()
    expect(bob.get_by_role("link", name=name)).to_have_count(0)
