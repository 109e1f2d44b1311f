"""Chats are named by the model that has answered first."""

# pyright: reportDeprecated=false
from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.scripted import Reply

from .conftest import PHONE, Open, Studio, enter, serving
from .test_chat import history, say, thread_of, unique


@pytest.fixture(scope="module")
def studio(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A server on which models of other servers name chats, as it is unless somebody changes it."""
    with serving(postgres, tmp_path_factory.mktemp("titles"), "studio_titles") as studio:
        yield studio


def test_a_chat_is_named_once_after_its_first_answer(visit: Open, studio: Studio) -> None:
    words, title = unique("When do the ferries leave on Sundays and what do they cost"), unique("Ferries on")
    page = visit("/")
    studio.upstream.script(Reply(text="At noon."), Reply(text=f'"{title}."'))
    say(page, words)
    expect(history(page, title)).to_be_visible()
    expect(page).to_have_title(f"{title} · Retinue")
    asked = studio.upstream.requests[-1]
    assert asked["model"] == "m"
    assert f"user: {words}\n\nassistant: At noon." in asked["messages"][-1]["content"]
    thread = thread_of(page)
    # What comes later does not change it, and costs nothing.
    before = len(studio.upstream.requests)
    say(page, "And on Mondays?")
    expect(page.get_by_role("article")).to_have_count(4)
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.reload()
    expect(history(page, title)).to_be_visible()
    assert len(studio.upstream.requests) == before + 1
    metadata = studio.api.beta.threads.retrieve(thread).metadata
    assert metadata
    assert metadata["title"] == title


def test_a_name_that_a_person_gave_stays(visit: Open, studio: Studio) -> None:
    words, own = unique("Otters"), unique("My own name")
    page = visit("/")
    threads = studio.api.beta.threads

    def meanwhile(_: Any) -> Reply:
        """While the model looks for a name, a person has found one."""
        newest: Any = studio.api.get("/threads", cast_to=object, options={"params": {"limit": 1}})
        thread = newest["data"][0]
        threads.update(thread["id"], metadata={**thread["metadata"], "title": own})
        asked.set()
        return Reply(text="Otters swim")

    asked = threading.Event()
    studio.upstream.script(Reply(text="They swim."), meanwhile)
    say(page, words)
    expect(page.get_by_role("article")).to_have_count(2)
    assert asked.wait(15)
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    # The next answer comes after the name.
    say(page, "More")
    expect(page.get_by_role("article")).to_have_count(4)
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.reload()
    expect(history(page, own)).to_be_visible()


def test_a_name_that_is_none_leaves_the_first_words_on_a_phone_in_chinese(visit: Open, studio: Studio) -> None:
    words, asked = unique("潮汐"), threading.Event()
    page = visit("/", language="zh", theme="dark", size=PHONE)

    def rambles(_: Any) -> Reply:
        asked.set()
        return Reply(text="好的，" * 20)

    studio.upstream.script(Reply(text="中午。"), rambles)
    enter(page.get_by_label("输入消息"), words)
    expect(page.get_by_role("article")).to_have_count(2)
    assert asked.wait(15)
    expect(page.get_by_role("button", name="发送")).to_be_visible()
    page.reload()
    expect(page).to_have_title(f"{words} · Retinue")
