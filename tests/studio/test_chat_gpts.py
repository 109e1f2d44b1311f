"""Talking with GPTs on the chat page."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

from playwright.sync_api import expect

from ..harness import Json
from ..scripted import Reply
from .conftest import Open, Studio, enter


def published(studio: Studio, **fields: object) -> Json:
    """A GPT in the store."""
    body = {"name": f"Game Time {uuid4().hex[:6]}", "instructions": "Explain rules.", **fields}
    gpt = studio.api.post("/gpts", cast_to=object, body=body)
    assert isinstance(gpt, dict)
    studio.api.post(f"/gpts/{gpt['id']}/publish", cast_to=object, body={"visibility": "store"})
    return gpt


def test_a_talk_begins_by_a_starter_and_goes_on_later(visit: Open, studio: Studio) -> None:
    gpt = published(studio, description="Explains card games.", conversation_starters=["Who wins a trick?"])
    page = visit(f"/?gpt={gpt['slug']}")
    expect(page.get_by_role("heading", name=gpt["name"])).to_be_visible()
    expect(page.get_by_text("Explains card games.")).to_be_visible()
    studio.upstream.script(Reply(text="Whoever plays the highest card."))
    page.get_by_role("button", name="Who wins a trick?").click()
    expect(page.get_by_text("Whoever plays the highest card.")).to_be_visible()
    assert studio.upstream.requests[-1]["messages"][0]["content"].endswith("Explain rules.")
    expect(page).to_have_url(re.compile("/chat/thread_"))
    page.reload()
    expect(page.get_by_text("Whoever plays the highest card.")).to_be_visible()
    expect(page.get_by_label("Talk with")).to_have_value(gpt["name"])
    studio.upstream.script(Reply(text="Trumps beat all."))
    enter(page.get_by_label("Write a message"), "And trumps?")
    expect(page.get_by_text("Trumps beat all.")).to_be_visible()
    expect(page.locator(".chat")).to_contain_text(gpt["name"])


def test_the_chosen_one_is_named_among_many(visit: Open, studio: Studio) -> None:
    several = [published(studio) for _ in range(10)]
    page = visit(f"/?gpt={several[4]['slug']}")
    expect(page.get_by_label("Talk with")).to_have_value(several[4]["name"])


def test_in_chinese_one_is_chosen_from_the_list(visit: Open, studio: Studio) -> None:
    gpt = published(studio, name=f"牌局 {uuid4().hex[:6]}", conversation_starters=["怎么出牌？"])
    page = visit("/", language="zh")
    page.locator(".choose").click()
    page.get_by_role("option", name=gpt["name"]).click()
    expect(page.get_by_role("button", name="怎么出牌？")).to_be_visible()


def test_a_file_that_it_cannot_read_is_not_sent(visit: Open, studio: Studio, tmp_path: Path) -> None:
    gpt = published(studio)
    page = visit(f"/?gpt={gpt['id']}")
    notes = tmp_path / "notes.txt"
    notes.write_text("Some notes.")
    page.locator("input[type=file]").first.set_input_files(notes)
    enter(page.get_by_label("Write a message"), "Read this")
    expect(page.get_by_text("reads no such files")).to_be_visible()


def test_one_that_is_not_there_leads_to_the_usual_choice(visit: Open) -> None:
    page = visit("/?gpt=no-such-gpt")
    expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
