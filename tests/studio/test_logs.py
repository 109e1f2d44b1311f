"""The logs."""

# pyright: reportDeprecated=false

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests.scripted import Reply

from .conftest import PHONE, Open, Studio, obstacles
from .test_runs import asked


def test_all_runs_are_listed_and_lead_to_their_pages(visit: Open, studio: Studio) -> None:
    good = asked(studio, "Well?", Reply(text="Very well."), name="Logged one")
    bad = asked(studio, "Badly?", Reply(status=400, error={"message": "no"}), name="Logged two")
    page = visit("/logs")
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("Logged two")
    expect(rows.nth(1)).to_contain_text("failed")
    expect(rows.nth(2)).to_contain_text("Logged one")
    page.get_by_role("combobox", name="Assistant").click()
    page.get_by_role("option", name="Logged one").click()
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("completed")
    page.get_by_role("combobox", name="Status").click()
    page.get_by_role("option", name="failed").click()
    expect(page.get_by_text("No run fits.")).to_be_visible()
    page.get_by_role("combobox", name="Assistant").click()
    page.get_by_role("option", name="Any assistant").click()
    row = rows.filter(has_text="Logged two")
    row.get_by_role("link").click()
    page.wait_for_url(f"**/runs/{bad.thread_id}/{bad.id}")
    assert good.status == "completed"


def test_runs_of_gpts_have_their_names(visit: Open, studio: Studio) -> None:
    gpt: Any = studio.api.post("/gpts", cast_to=object, body={"name": "Logged GPT"})
    studio.api.post(f"/gpts/{gpt['id']}/publish", cast_to=object, body={"visibility": "store"})
    thread = studio.api.beta.threads.create(messages=[{"role": "user", "content": "x"}])
    studio.api.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=gpt["id"])
    rows = visit("/logs").get_by_role("table").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("Logged GPT")


def test_a_long_list_goes_on(visit: Open, studio: Studio) -> None:
    thread = studio.api.beta.threads.create(messages=[{"role": "user", "content": "x"}])
    assistant = studio.api.beta.assistants.create(model="default", name="Busy")
    for _ in range(51):
        studio.api.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, instructions="")
    page = visit("/logs")
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(51)
    page.get_by_role("button", name="Show more").click()
    expect(rows.nth(52)).to_be_visible()


def test_stored_chat_completions(visit: Open, studio: Studio) -> None:
    studio.upstream.script(Reply(text="Kept for you."))
    studio.api.chat.completions.create(
        model="default", store=True, messages=[{"role": "user", "content": "Keep this"}], metadata={"app": "shop"}
    )
    page = visit("/logs", language="zh", theme="dark", size=PHONE)
    page.get_by_role("tab", name="对话补全").click()
    # On a phone there is no row of headings.
    row = page.get_by_role("table").get_by_role("row").first
    expect(row).to_contain_text("Kept for you.")
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("对话补全")
    expect(page.locator(".facts")).to_contain_text("app: shop")
    expect(page.get_by_text("Kept for you.")).to_be_visible()
    page.get_by_text("user", exact=True).click()
    expect(page.locator("details").first.locator("pre")).to_have_text("Keep this")
    assert obstacles(page) == []
    page.go_back()
    expect(page.get_by_role("tab", name="对话补全")).to_have_attribute("aria-selected", "true")


def test_the_list_that_was_chosen_is_in_the_address(visit: Open) -> None:
    page = visit("/logs?show=completions")
    expect(page.get_by_role("tab", name="Chat completions")).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="Runs").click()
    expect(page.get_by_role("tabpanel")).to_have_attribute("aria-label", "Runs")
    page.wait_for_url("**/logs?show=runs")
