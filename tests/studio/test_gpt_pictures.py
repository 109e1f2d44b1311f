"""Pictures of GPTs that an image model draws: by the form's button, and by the builder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.harness import in_thread
from tests.image_upstream import ImageUpstream, images_upstream
from tests.scripted import Call, Reply

from .conftest import Open, Studio
from .test_gpt_create import begin, draft, gpt_of, say

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def painter(studio: Studio, chromium: Browser) -> Iterator[ImageUpstream]:
    """An image model of the server."""
    context = chromium.new_context(storage_state=studio.signed_in)
    csrf = context.request.get(f"{studio.url}/v1/me").json()["csrf_token"]
    path, headers = f"{studio.url}/v1/organization/models", {"X-CSRF-Token": csrf}
    with in_thread(images_upstream()) as upstream:
        model = {"name": "painter", "base_url": upstream.base_url, "default_for": ["default-image"]}
        assert context.request.post(path, headers=headers, data=model).ok
        yield upstream
        assert context.request.delete(f"{path}/painter", headers=headers).ok
    context.close()


def test_the_form_has_one_drawn(visit: Open, studio: Studio, painter: ImageUpstream) -> None:
    gpt = studio.api.post("/gpts", cast_to=object, body={"name": "Easel", "description": "Paints with words."})
    assert isinstance(gpt, dict)
    page = visit(f"/gpts/edit/{gpt['id']}")
    page.get_by_role("button", name="Have a picture made").click()
    expect(page.get_by_role("button", name="Back to the drawn picture")).to_be_visible()
    picture = gpt_of(page, studio)["draft"]["picture"]
    assert studio.api.files.content(picture).content.startswith(b"\x89PNG")
    assert "Easel" in str(painter.requests[-1])


def test_the_builder_draws_one_when_it_is_asked_to(visit: Open, studio: Studio, painter: ImageUpstream) -> None:
    page = visit("/gpts/create")
    begin(page, studio, draft())
    studio.upstream.script(
        Reply(tool_calls=[Call("draw_picture", {"prompt": "A card."})]), Reply(text="It is drawn. Anything else?")
    )
    say(page, "Draw a card.")
    expect(page.get_by_role("article").last).to_contain_text("It is drawn. Anything else?")
    picture = gpt_of(page, studio)["draft"]["picture"]
    assert studio.api.files.content(picture).content.startswith(b"\x89PNG")
    assert "A card." in str(painter.requests[-1])
