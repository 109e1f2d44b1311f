"""Chats that are shared by link: the dialog, and the page for everybody who has the link."""

# pyright: reportDeprecated=false

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.scripted import Reply

from .conftest import DESKTOP, PHONE, Open, Studio, dialog_on, obstacles
from .test_chat import ANSWER, PIXEL, ask, attach, thread_of, unique

#: Somebody who is signed in nowhere.
NOBODY: Any = {"cookies": [], "origins": []}


def shared(page: Page, **chosen: str) -> str:
    """Make a link to the chat of a page; returns the path that it leads to."""
    page.get_by_role("button", name="Share by link").click()
    dialog = dialog_on(page)
    expect(dialog).to_contain_text("without signing in")
    before = dialog.get_by_role("textbox", name="Link:").count()
    if "title" in chosen:
        dialog.get_by_label("Title").fill(chosen["title"])
    if "good_for" in chosen:
        dialog.get_by_role("combobox", name="Good for").click()
        page.get_by_role("option", name=chosen["good_for"]).click()
    dialog.get_by_role("button", name="Make a link").click()
    links = dialog.get_by_role("textbox", name="Link:")
    expect(links).to_have_count(before + 1)
    url = links.first.input_value()
    assert "/s/" in url
    return "/s/" + url.rpartition("/s/")[2]


def test_whoever_has_the_link_reads_the_chat_as_it_was(visit: Open, studio: Studio) -> None:
    studio.upstream.script(Reply(text=ANSWER))
    mine = visit("/")
    question, title = unique("Show me squares"), unique("Squares")
    ask(mine, question, "一句话")
    expect(mine.locator(".katex").first).to_be_visible()
    path = shared(mine, title=title, good_for="7 days")
    expect(dialog_on(mine)).to_contain_text("2 messages")
    expect(dialog_on(mine)).to_contain_text("good until")
    dialog_on(mine).get_by_role("button", name="Close").click()
    expect(mine.get_by_role("dialog")).to_have_count(0)
    later = unique("Later")
    ask(mine, later)
    theirs = visit(path, state=NOBODY)
    expect(theirs.get_by_role("heading", level=1)).to_have_text(title)
    assert theirs.title() == f"{title} · Retinue"
    expect(theirs.get_by_role("article")).to_have_count(2)
    expect(theirs.get_by_role("article").first).to_contain_text(question)
    answer = theirs.get_by_role("article").nth(1)
    expect(answer.get_by_role("cell", name="4")).to_be_visible()
    expect(answer.locator(".katex").first).to_be_visible()
    expect(answer.locator(".hljs-string")).to_have_text('"<b>"')
    expect(answer).to_contain_text("<script>alert(1)</script>")
    assert answer.locator("script, img").count() == 0
    # Nobody is told who shared it, and there is nothing to write into.
    assert "Ada" not in theirs.content()
    expect(theirs.get_by_role("textbox")).to_have_count(0)
    expect(theirs.get_by_text(later)).to_have_count(0)
    assert theirs.context.cookies() == []
    headers = theirs.request.get(studio.url + path).headers
    assert headers["referrer-policy"] == "no-referrer"
    assert "noindex" in headers["x-robots-tag"]


def test_pictures_are_seen_by_the_link(visit: Open, studio: Studio) -> None:
    mine = visit("/")
    attach(mine, "dot.png", "image/png", PIXEL)
    ask(mine, unique("What is this?"))
    theirs = visit(shared(mine), state=NOBODY)
    picture = theirs.get_by_role("article").first.get_by_role("img", name="Picture")
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("naturalWidth", 1)


def test_a_revoked_link_leads_to_a_page_that_says_so(visit: Open) -> None:
    mine = visit("/")
    ask(mine, unique("For a while"))
    path = shared(mine)
    dialog = dialog_on(mine)
    dialog.get_by_role("button", name="Revoke this link").click()
    expect(dialog).to_contain_text("Nobody outside can read this chat.")
    expect(mine.get_by_text("The link is revoked. It leads nowhere now.")).to_be_visible()
    expect(dialog.get_by_role("button", name="Make a link")).to_be_focused()
    for one in (path, "/s/nothing", "/s/" + "x" * 100):
        theirs = visit(one, state=NOBODY, fails=True)
        expect(theirs.get_by_role("heading", name="This link leads nowhere")).to_be_visible()
        assert theirs.request.get(theirs.url).status == 404


def test_the_link_can_be_copied_and_is_told_again(visit: Open, studio: Studio) -> None:
    mine = visit("/")
    ask(mine, unique("Copy me"))
    path = shared(mine)
    mine.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dialog_on(mine).get_by_role("button", name="Copy", exact=True).click()
    expect(mine.get_by_text("Copied", exact=True)).to_be_visible()
    assert mine.evaluate("navigator.clipboard.readText()") == studio.url + path
    mine.reload()
    mine.get_by_role("button", name="Share by link").click()
    expect(dialog_on(mine).get_by_role("textbox", name="Link:")).to_have_value(studio.url + path)


def test_long_chats_come_a_hundred_messages_at_a_time(visit: Open, studio: Studio) -> None:
    said: Any = [{"role": "user", "content": f"Line {number}"} for number in range(130)]
    thread = studio.api.beta.threads.create(messages=said)
    made: Any = studio.api.post(f"/threads/{thread.id}/shares", cast_to=object, body={})
    page = visit("/s/" + made["url"].rpartition("/s/")[2], state=NOBODY, fails=True)
    expect(page.get_by_role("article")).to_have_count(100)
    page.route("**/messages?**", lambda route: route.abort(), times=1)
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_role("status")).not_to_be_empty()
    # What did not come can be asked for again.
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_role("article")).to_have_count(130)
    expect(page.get_by_role("article").last).to_contain_text("Line 129")
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)


@pytest.mark.parametrize(("language", "theme", "size"), [("en", "light", DESKTOP), ("zh", "dark", PHONE)])
def test_a_shared_chat_can_be_read_by_everybody(
    visit: Open, studio: Studio, language: str, theme: str, size: tuple[int, int]
) -> None:
    studio.upstream.script(Reply(text=ANSWER))
    mine = visit("/")
    bad = "</title><script>window.taken = 1</script>"
    ask(mine, bad, "一句话")
    thread = thread_of(mine)
    page = visit(f"/chat/{thread}", language=language, theme=theme, size=size)
    expect(page.get_by_role("article")).to_have_count(2)
    page.get_by_role("button", name="Share by link" if language == "en" else "通过链接分享").click()
    dialog = dialog_on(page)
    dialog.get_by_label("Title" if language == "en" else "标题").fill(bad)
    dialog.get_by_role("button", name="Make a link" if language == "en" else "创建链接").click()
    expect(dialog.get_by_role("button", name="Copy" if language == "en" else "复制", exact=True)).to_be_visible()
    assert obstacles(page) == []
    shares: Any = studio.api.get(f"/threads/{thread}/shares", cast_to=object)
    path = "/s/" + shares["data"][0]["url"].rpartition("/s/")[2]
    reader = visit(path, language=language, theme=theme, size=size, state=NOBODY)
    expect(reader.get_by_role("article")).to_have_count(2)
    expect(reader.get_by_role("heading", level=1)).to_have_text(bad)
    expect(reader.get_by_role("article").nth(1)).to_contain_text("Assistant" if language == "en" else "助手")
    assert reader.locator("html").get_attribute("lang") == ("zh-CN" if language == "zh" else "en")
    assert obstacles(reader) == []
    assert reader.evaluate("window.taken") is None
    # The other language is a click away.
    reader.get_by_role("link", name="中文" if language == "en" else "English").click()
    expect(reader.get_by_role("article").nth(1)).to_contain_text("助手" if language == "en" else "Assistant")
