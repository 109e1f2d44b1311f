"""The log of requests: the list, what is new, and the page of one."""

from __future__ import annotations

import openai
import pytest
from playwright.sync_api import Page, expect

from tests.scripted import Reply

from .conftest import DESKTOP, PHONE, Open, Studio, obstacles


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def ask(studio: Studio, text: str, model: str = "default") -> None:
    studio.api.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])


def test_requests_appear_by_themselves_and_lead_to_what_is_known(visit: Open, studio: Studio) -> None:
    ask(studio, "First")
    page = visit("/logs?show=requests")
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("POST /v1/chat/completions")
    studio.upstream.script(Reply(status=400, error={"message": "no"}))
    with pytest.raises(openai.BadRequestError):
        ask(studio, "Second")
    # Nothing is clicked.
    expect(rows.nth(1)).to_contain_text("400")
    expect(rows.nth(1)).to_contain_text("first key")
    with pytest.raises(openai.NotFoundError):
        studio.api.beta.threads.retrieve("thread_of_the_log")
    expect(rows.nth(1)).to_contain_text("GET /v1/threads/thread_of_the_log")
    choose(page, "Method", "POST")
    choose(page, "Status", "4xx: refused")
    expect(rows.nth(1)).to_contain_text("POST /v1/chat/completions")
    expect(page.get_by_text("thread_of_the_log")).to_have_count(0)
    rows.nth(1).get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("POST /v1/chat/completions")
    facts = page.locator(".facts")
    expect(facts).to_contain_text("400")
    expect(facts).to_contain_text("Model")
    expect(facts).to_contain_text("first key")
    expect(page.get_by_role("note")).to_contain_text("invalid_request_error")
    expect(facts.get_by_text("req_")).to_be_visible()


def test_a_request_of_a_run_leads_to_the_run(visit: Open, studio: Studio) -> None:
    assistant = studio.api.beta.assistants.create(model="default", name="Of the log")
    thread = studio.api.beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
    studio.upstream.script(Reply(text="Hello."))
    run = studio.api.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    page = visit("/logs?show=requests")
    rows = page.get_by_role("table").get_by_role("row")
    rows.filter(has_text=f"POST /v1/threads/{thread.id}/runs").get_by_role("link").click()
    expect(page.locator(".facts").get_by_role("link", name="Of the log")).to_be_visible()
    page.get_by_role("link", name="What happened in this run").click()
    page.wait_for_url(f"**/runs/{thread.id}/{run.id}")
    expect(page.get_by_text("Hello.", exact=True).first).to_be_visible()


def test_owners_see_who_was_refused(visit: Open, studio: Studio) -> None:
    stranger = openai.OpenAI(base_url=f"{studio.url}/v1", api_key="sk-retinue-nobody", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        stranger.models.list()
    page = visit("/logs?show=requests", language="zh", theme="dark")
    expect(page.get_by_role("tab", name="请求")).to_have_attribute("aria-selected", "true")
    choose(page, "范围", "身份不明、被拒绝的请求")
    row = page.get_by_role("table").get_by_role("row").nth(1)
    expect(row).to_contain_text("GET /v1/models")
    expect(row).to_contain_text("未知")
    row.get_by_role("link").click()
    expect(page.get_by_text("invalid_api_key").first).to_be_visible()
    expect(page.get_by_text("请求与响应的内容不会被保存。")).to_be_visible()


def test_what_fits_nothing_says_so(visit: Open) -> None:
    page = visit("/logs?show=requests")
    choose(page, "Status", "429: too many")
    expect(page.get_by_text("No request fits.")).to_be_visible()
    choose(page, "From", "These pages")
    choose(page, "Status", "Any")
    expect(page.get_by_role("table").get_by_role("row").nth(1)).to_contain_text("Ada")


@pytest.mark.parametrize(("language", "theme", "size"), [("en", "light", DESKTOP), ("zh", "dark", PHONE)])
def test_it_can_be_used_by_everybody(
    visit: Open, studio: Studio, language: str, theme: str, size: tuple[int, int]
) -> None:
    ask(studio, "Seen by all")
    page = visit("/logs?show=requests", language=language, theme=theme, size=size)
    for seen in (page.get_by_role("table").get_by_role("row").first, page.get_by_text("JSON")):
        expect(seen).to_be_visible()
        assert obstacles(page) == []
        link = page.get_by_role("table").get_by_role("link").first
        if link.count():
            link.click()
            page.wait_for_url("**/logs/requests/**")
