"""Which chats are kept, and where: temporary ones, archived ones."""

# pyright: reportDeprecated=false
from __future__ import annotations

from collections.abc import Callable, Iterator

import openai
import pytest
from playwright.sync_api import Page, expect

from tests.scripted import Reply

from .conftest import DESKTOP, PHONE, Open, Studio, enter, obstacles
from .test_chat import ask, history, say, thread_of, unique

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def _own_script(studio: Studio) -> Iterator[None]:
    """What a test that failed has left in the script is not said to the next one."""
    yield
    studio.upstream._script.clear()  # pyright: ignore[reportPrivateUsage]


def newest_temporary(studio: Studio) -> str:
    """The id of the thread that was made last; it has to be a temporary chat's."""
    (thread,) = studio.api.get("/threads", cast_to=object, options={"params": {"limit": 1}})["data"]  # pyright: ignore
    assert "user" not in thread["metadata"]
    assert thread["metadata"]["temporary"].startswith("user-")
    return thread["id"]


def is_gone(page: Page, look: Callable[[], object]) -> None:
    """Wait until what the API is asked for is no more."""
    for _ in range(200):
        try:
            look()
        except openai.NotFoundError:
            return
        page.wait_for_timeout(50)
    raise AssertionError("it is still there")


def test_a_temporary_chat_stands_in_no_list_and_goes_with_its_page(visit: Open, studio: Studio) -> None:
    page, words = visit("/"), unique("Secret")
    page.get_by_role("button", name="Temporary chat").click()
    expect(page.get_by_role("button", name="Temporary chat")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("is deleted with its files when you leave this page")).to_be_visible()
    ask(page, words)
    # It can be branched like any other.
    page.get_by_role("button", name="Answer again").click()
    expect(page.get_by_label("2 / 2").or_(page.get_by_text("2 / 2"))).to_be_visible()
    assert page.url == f"{studio.url}/?temporary=1"
    assert page.title() == "Temporary chat · Retinue"
    expect(page.get_by_role("button", name="Copy the link")).to_be_hidden()
    expect(page.get_by_role("button", name="Export", exact=True)).to_be_visible()
    expect(history(page, words)).to_have_count(0)
    thread = newest_temporary(studio)
    page.get_by_label("Search your chats").fill(words.split()[1])
    expect(page.get_by_text("No chat has these words.")).to_be_visible()
    page.get_by_role("link", name="New chat").click()
    expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    expect(page.get_by_role("button", name="Temporary chat")).to_have_attribute("aria-pressed", "false")
    is_gone(page, lambda: studio.api.beta.threads.retrieve(thread))


def test_it_goes_in_the_middle_of_an_answer_on_a_phone_in_chinese(visit: Open, studio: Studio) -> None:
    page = visit("/?temporary=1", language="zh", theme="dark", size=PHONE)
    expect(page.get_by_text("离开本页或新建聊天时，它及其文件会被删除")).to_be_visible()
    studio.upstream.script(Reply(text="潮汐", hang=True))
    enter(page.get_by_label("输入消息"), unique("讲讲潮汐"))
    expect(page.get_by_role("article").last).to_contain_text("潮汐")
    thread = newest_temporary(studio)
    page.goto(f"{studio.url}/files")
    is_gone(page, lambda: studio.api.beta.threads.retrieve(thread))


def test_a_switch_that_is_turned_back_keeps_the_chat(visit: Open, studio: Studio) -> None:
    page, words = visit("/"), unique("Kept")
    page.get_by_role("button", name="Temporary chat").click()
    expect(page.get_by_text("Temporary chat: it is not among your chats")).to_be_visible()
    page.get_by_role("button", name="Temporary chat").click()
    expect(page.get_by_text("Temporary chat: it is not among your chats")).to_be_hidden()
    ask(page, words)
    thread_of(page)
    expect(history(page, words)).to_be_visible()


def test_a_chat_is_archived_found_and_brought_back(visit: Open, studio: Studio) -> None:
    page, words = visit("/"), unique("Walrus")
    ask(page, words)
    thread = thread_of(page)
    page.get_by_role("button", name=f"Options: {words}").click()
    page.get_by_role("menuitem", name="Archive").click()
    # It was open: a new chat is in its place.
    page.wait_for_url(f"{studio.url}/")
    expect(page.get_by_role("button", name="Archived chats")).to_be_visible()
    expect(history(page, words)).to_have_count(0)

    page.get_by_label("Search your chats").fill(words.split()[1])
    expect(history(page, words)).to_be_visible()
    expect(page.get_by_role("heading", name="Archived", exact=True)).to_be_visible()
    page.get_by_label("Search your chats").fill("")
    expect(history(page, words)).to_have_count(0)

    page.get_by_role("button", name="Archived chats").click()
    history(page, words).click()
    page.wait_for_url(f"**/chat/{thread}")
    expect(page.get_by_text("This chat is archived.")).to_be_visible()
    # Whoever writes in it has it among the others again.
    studio.upstream.script(Reply(text="Tusks."))
    say(page, "What does it have?")
    expect(page.get_by_role("article").last).to_contain_text("Tusks.")
    expect(page.get_by_text("This chat is archived.")).to_be_hidden()
    expect(history(page, words)).to_be_visible()
    page.reload()
    expect(history(page, words)).to_be_visible()


def test_archived_chats_are_brought_back_from_their_list_in_chinese(visit: Open, studio: Studio) -> None:
    words = unique("海象")
    page = visit("/", language="zh")
    enter(page.get_by_label("输入消息"), words)
    expect(page.get_by_role("article")).to_have_count(2)
    expect(page.get_by_role("button", name="发送")).to_be_visible()
    page.goto(studio.url)
    page.get_by_role("button", name=f"选项: {words}").click()
    page.get_by_role("menuitem", name="归档").click()
    expect(page.get_by_text("已归档，仍可搜索到。")).to_be_visible()
    chats = page.get_by_role("navigation", name="聊天记录")
    expect(chats.get_by_role("link", name=words)).to_have_count(0)
    page.get_by_role("button", name="已归档的聊天").click()
    page.get_by_role("button", name=f"选项: {words}").click()
    page.get_by_role("menuitem", name="取消归档").click()
    expect(chats.get_by_role("link", name=words)).to_have_count(0)
    page.get_by_role("button", name="返回聊天记录").click()
    expect(chats.get_by_role("link", name=words)).to_be_visible()


@pytest.mark.parametrize(("language", "theme", "size"), [("en", "light", DESKTOP), ("zh", "dark", PHONE)])
def test_both_can_be_used_by_everybody(
    visit: Open, studio: Studio, language: str, theme: str, size: tuple[int, int]
) -> None:
    page = visit("/?temporary=1", language=language, theme=theme, size=size)
    page.locator(".chat-notice").get_by_text("临时聊天" if language == "zh" else "Temporary chat").wait_for()
    assert obstacles(page) == []
    ada = page.request.get(f"{studio.url}/v1/me").json()["user"]["id"]
    thread = studio.api.beta.threads.create(
        messages=[{"role": "user", "content": "Archived"}], metadata={"user": ada, "archived": "yes"}
    ).id
    page.goto(f"{studio.url}/chat/{thread}")
    page.locator(".chat-notice button").wait_for()
    assert obstacles(page) == []
