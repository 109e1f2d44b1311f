"""The page for guests, and the widget on other sites."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.scripted import Reply

from .conftest import PATIENCE, PHONE, Open, Studio, answered, dialog_on, enter, obstacles

NOBODY: Any = {"cookies": [], "origins": []}
MARKDOWN = "It is **4**:\n\n| sum | result |\n|---|---|\n| 2 + 2 | 4 |\n\n```python\nprint(2 + 2)\n```\n\nAnd $x^2$."


def post(studio: Studio, path: str, body: Any) -> Any:
    return studio.api.post(path, cast_to=cast(Any, object), body=body)


def linked(studio: Studio, **options: object) -> dict[str, Any]:
    """A new GPT's guest link."""
    body = {
        "name": f"Tutor {uuid4().hex[:6]}",
        "description": "Explains sums.",
        "instructions": "Teach.",
        "conversation_starters": ["What is 2 + 2?", "解释分数"],
    }
    gpt = post(studio, "/gpts", body)
    post(studio, f"/gpts/{gpt['id']}/publish", {})
    return post(studio, f"/gpts/{gpt['id']}/links", options)


def test_a_guest_talks_without_an_account(studio: Studio, visit: Open) -> None:
    link = linked(studio)
    page = visit(f"/g/{link['token']}", state=NOBODY)
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Tutor"))
    expect(page.get_by_text("Explains sums.")).to_be_visible()
    studio.upstream.script(Reply(text=MARKDOWN), Reply(text="Yes."))
    page.get_by_role("button", name="What is 2 + 2?").click()
    answer = page.locator(".message.assistant").first
    expect(answer.locator("strong")).to_have_text("4")
    expect(answer.get_by_role("cell", name="2 + 2")).to_be_visible()
    expect(answer.locator(".katex").first).to_be_visible()
    expect(answer.get_by_role("button", name="Copy")).to_be_visible()
    expect(page.get_by_role("button", name="What is 2 + 2?")).to_be_hidden()
    answered(page)
    enter(page.get_by_role("textbox"), "Really?")
    expect(page.locator(".message.assistant").nth(1)).to_have_text(re.compile("Yes."))
    answered(page)
    # It is still there when the page comes again.
    page.reload()
    expect(page.locator(".message")).to_have_count(4)
    expect(page.locator(".message.assistant strong")).to_have_text("4")
    page.get_by_role("button", name="New chat").click()
    expect(page.locator(".message")).to_have_count(0)
    expect(page.get_by_role("button", name="What is 2 + 2?")).to_be_visible()
    page.reload()
    expect(page.locator(".message")).to_have_count(0)


def test_in_chinese_on_a_dark_phone(studio: Studio, visit: Open) -> None:
    link = linked(studio)
    page = visit(f"/g/{link['token']}", language="zh", theme="dark", size=PHONE, state=NOBODY)
    studio.upstream.script(Reply(text="分数表示整体的一部分。"))
    page.get_by_role("button", name="解释分数").click()
    expect(page.locator(".message.assistant")).to_have_text(re.compile("分数表示整体的一部分。"))
    expect(page.get_by_role("button", name="发送")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_what_goes_wrong_is_told_and_can_be_tried_again(studio: Studio, visit: Open) -> None:
    page = visit(f"/g/{linked(studio, max_messages=2)['token']}", state=NOBODY, fails=True)
    studio.upstream.script(Reply(status=400, error={"message": "secret inside"}), Reply(text="Here I am."))
    page.get_by_role("textbox").fill("Hello")
    page.get_by_role("button", name="Send").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The assistant cannot answer at the moment.")
    alert.get_by_role("button", name="Try again").click()
    expect(page.locator(".message.assistant")).to_have_text(re.compile("Here I am."))
    expect(page.locator(".message.user")).to_have_count(1)
    expect(alert).to_be_empty()
    page.get_by_role("textbox").fill("More")
    page.get_by_role("button", name="Send").click()
    expect(alert).to_contain_text("This conversation has become too long.")
    alert.get_by_role("button", name="New chat").click()
    expect(page.locator(".message")).to_have_count(0)


def test_an_answer_is_stopped(studio: Studio, visit: Open) -> None:
    page = visit(f"/g/{linked(studio)['token']}", state=NOBODY)
    studio.upstream.script(Reply(text="It goes on and", hang=True))
    enter(page.get_by_role("textbox"), "Hello")
    expect(page.locator(".message.assistant")).to_have_text(re.compile("It goes on"))
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("Stopped.")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_what_models_write_is_no_html(studio: Studio, visit: Open) -> None:
    page = visit(f"/g/{linked(studio)['token']}", state=NOBODY)
    studio.upstream.script(Reply(text='<img src=x onerror="document.title=1"> ![p](https://evil.example/x.png)'))
    enter(page.get_by_role("textbox"), "<b>Hello</b>")
    expect(page.locator(".message.assistant")).to_contain_text("onerror")
    expect(page.locator(".message.user")).to_contain_text("<b>Hello</b>")
    assert page.locator(".message img").count() == 0


def test_a_link_that_is_gone(studio: Studio, visit: Open) -> None:
    link = linked(studio)
    studio.api.delete(f"/gpts/{link['gpt_id']}/links/{link['id']}", cast_to=cast(Any, object))
    page = visit(f"/g/{link['token']}", state=NOBODY, fails=True)
    expect(page.get_by_role("heading", name="This link is not valid")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_the_page(studio: Studio, visit: Open, language: str, theme: str) -> None:
    page = visit(f"/g/{linked(studio)['token']}", language=language, theme=theme, size=PHONE, state=NOBODY)
    expect(page.locator(".starters")).to_be_visible()
    assert obstacles(page, minor=True) == []
    studio.upstream.script(Reply(text=MARKDOWN))
    page.locator(".starters button").first.click()
    expect(page.locator(".message.assistant .katex").first).to_be_visible()
    assert obstacles(page, minor=True) == []


# --- on other sites


class _Site(BaseHTTPRequestHandler):
    """A site with a page that loads the widget."""

    def __init__(self, html: str, *args: Any) -> None:
        self.html = html.encode()
        super().__init__(*args)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        # Strict about styles, as many sites are.
        self.send_header("content-security-policy", "style-src 'none'")
        self.end_headers()
        self.wfile.write(self.html)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def site(html: str, port: int = 0) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", port), partial(_Site, html)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def page_of(studio: Studio, token: str, language: str = "en") -> str:
    return (
        f'<!doctype html><html lang="{language}"><title>Shop</title><h1>Shop</h1>'
        f'<script src="{studio.url}/widget.js" data-gpt="{token}"></script></html>'
    )


def opened(chromium: Browser, address: str, **options: Any) -> Page:
    page = chromium.new_context(**options).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    return page


def test_the_widget_talks_on_a_site_that_may_show_it(studio: Studio, chromium: Browser) -> None:
    with site("") as free:
        port = int(free.rpartition(":")[2])
    link = linked(studio, sites=[f"http://127.0.0.1:{port}"])
    with site(page_of(studio, link["token"], "zh"), port) as address:
        page = opened(chromium, address, locale="en")
        page.get_by_role("button", name="打开对话").click()
        frame = page.frame_locator("retinue-chat iframe")
        studio.upstream.script(Reply(text="Four, of course."))
        frame.get_by_role("textbox").fill("2 + 2?")
        frame.get_by_role("textbox").press("Enter")
        expect(frame.locator(".message.assistant")).to_have_text(re.compile("Four, of course."), timeout=15_000)
        frame.get_by_role("textbox").press("Escape")
        expect(page.locator("retinue-chat iframe")).to_be_hidden()
        button = page.get_by_role("button", name="打开对话")
        expect(button).to_be_focused()
        button.press("Enter")
        expect(frame.locator(".message.assistant")).to_be_visible()
        page.context.close()


def test_the_widget_says_where_it_may_not_be_shown(studio: Studio, chromium: Browser) -> None:
    for sites in ([], ["https://example.com"]):
        link = linked(studio, sites=sites)
        with site(page_of(studio, link["token"])) as address:
            page = opened(chromium, address)
            page.get_by_role("button", name="Open the chat").click()
            elsewhere = page.get_by_role("link", name="Open it in a new tab")
            expect(elsewhere).to_have_attribute("href", f"{studio.url}/g/{link['token']}")
            # A program of that site gets no further.
            said = page.evaluate(
                "([url]) => fetch(url, {method: 'POST'}).then((one) => one.status)",
                [f"{studio.url}/v1/guest/{link['token']}/conversations"],
            )
            assert said == 403
            page.context.close()


# --- for whoever edits the GPT


def test_links_are_made_copied_and_deleted(studio: Studio, visit: Open) -> None:
    link = linked(studio)
    page = visit(f"/gpts/{link['gpt_id']}/links")
    page.get_by_role("button", name="New guest link").click()
    dialog = dialog_on(page)
    dialog.get_by_label("What it is for").fill("Our shop")
    dialog.get_by_label("Sites that may embed it").fill("https://Shop.example/\nhttp://127.0.0.1:9")
    dialog.get_by_label("Messages a day").fill("20")
    dialog.get_by_label("Good for").click()
    page.get_by_role("option", name="a week").click()
    dialog.get_by_role("button", name="Make link").click()
    made = page.locator(".guest-links section").first
    expect(made.get_by_role("heading", name="Our shop")).to_be_visible()
    expect(made.get_by_text("https://shop.example, http://127.0.0.1:9")).to_be_visible()
    expect(made.get_by_text("until")).to_be_visible()
    (newest, oldest) = cast(Any, studio.api.get(f"/gpts/{link['gpt_id']}/links", cast_to=cast(Any, object)))["data"]
    assert (newest["max_messages_per_day"], oldest["id"]) == (20, link["id"])
    expect(made.get_by_label("Link", exact=True)).to_have_value(newest["url"])
    tag = f'<script src="{studio.url}/widget.js" data-gpt="{newest["token"]}" async></script>'
    expect(made.get_by_label("For your site")).to_have_value(tag)
    expect(dialog).to_have_count(0)
    assert obstacles(page, minor=True) == []
    made.get_by_role("button", name="Delete: Our shop").click()
    dialog_on(page).get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Our shop")).to_have_count(0)
    expect(page.locator(".guest-links section")).to_have_count(1)


def test_links_in_chinese_on_a_dark_phone(studio: Studio, visit: Open) -> None:
    gpt = post(studio, "/gpts", {"name": f"助手 {uuid4().hex[:6]}"})
    page = visit(f"/gpts/{gpt['id']}/links", language="zh", theme="dark", size=PHONE)
    expect(page.get_by_text("还没有访客链接。")).to_be_visible()
    expect(page.get_by_text("请先发布 GPT")).to_be_visible()
    post(studio, f"/gpts/{gpt['id']}/publish", {})
    post(studio, f"/gpts/{gpt['id']}/links", {"sites": ["https://example.com"]})
    page.reload()
    expect(page.get_by_label("嵌入代码")).to_be_visible()
    assert obstacles(page, minor=True) == []
