"""The rest of an assistant's settings in the Playground: how it searches, what it reaches, how it runs."""

# pyright: reportDeprecated=false
from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.scripted import Reply

from .conftest import PHONE, Open, Studio, enter, obstacles
from .test_agents import until

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SHOP = {
    "openapi": "3.1.0",
    "info": {"title": "Bookshop", "version": "1"},
    "servers": [{"url": "https://93.184.216.34"}],
    "paths": {
        "/orders": {
            "get": {"operationId": "list_orders", "summary": "All orders", "responses": {}},
            "post": {"operationId": "buy", "summary": "Buys it", "responses": {}},
        }
    },
}


def made(studio: Studio, **fields: Any) -> str:
    """A new assistant's id."""
    return studio.api.beta.assistants.create(model="default", **{"name": "Tutor", **fields}).id


def opened(visit: Open, assistant: str, **options: Any) -> Page:
    """The Playground, once it is there."""
    page = visit(f"/playground/{assistant}", **options)
    page.locator(".threads [role=list] button, .threads .none:not(:empty)").first.wait_for(state="attached")
    return page


def test_temperature_and_top_p_are_saved_and_sent(visit: Open, studio: Studio) -> None:
    page = opened(visit, id_ := made(studio))
    for name, keys in (("Temperature", ("PageUp", "ArrowRight")), ("Top P", ("PageDown", "ArrowLeft"))):
        for key in keys:
            page.get_by_role("slider", name=name).locator("[tabindex='0']").press(key)

    def saved() -> tuple[float | None, float | None]:
        now = studio.api.beta.assistants.retrieve(id_)
        return now.temperature, now.top_p

    until(saved, lambda now: now == (1.11, 0.89))
    page.reload()
    expect(page.get_by_role("slider", name="Temperature")).to_have_attribute("aria-valuenow", "1.11")
    expect(page.get_by_role("slider", name="Top P")).to_have_attribute("aria-valuenow", "0.89")
    studio.upstream.script(Reply(text="Hot."))
    enter(page.get_by_label("Write a message"), "Well?")
    expect(page.locator("article.assistant")).to_contain_text("Hot.")
    sent = studio.upstream.requests[-1]
    assert (sent["temperature"], sent["top_p"]) == (1.11, 0.89)


def test_description_metadata_and_protection_are_saved_and_undone(visit: Open, studio: Studio) -> None:
    id_ = made(studio, metadata={"team": "blue"})
    page = opened(visit, id_)
    page.get_by_label("Description").fill("Explains things")
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    rows = page.get_by_role("list", name="Metadata").get_by_role("listitem")
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Add a pair").click()
    expect(rows.nth(1).get_by_label("Key")).to_be_focused()
    rows.nth(1).get_by_label("Value").fill("x")
    expect(page.get_by_text("A value has no key.")).to_be_visible()
    rows.nth(1).get_by_label("Key").fill("team")
    expect(page.get_by_text("The key team is there twice.")).to_be_visible()
    assert studio.api.beta.assistants.retrieve(id_).metadata == {"team": "blue"}
    rows.nth(1).get_by_label("Key").fill("level")
    expect(page.get_by_text("The key team is there twice.")).to_be_hidden()
    rows.first.get_by_role("button", name="Remove this pair").click()
    expect(rows).to_have_count(1)
    page.get_by_role("switch", name="Protected").click()
    page.get_by_role("button", name="History").click()
    history = page.get_by_role("dialog", name="History")
    for said in (
        "Description: none → Explains things",
        "Metadata: team=blue, level=x → level=x",
        "Protected: none → yes",
    ):
        expect(history).to_contain_text(said)
    saved: Any = studio.api.beta.assistants.retrieve(id_)
    assert (saved.description, saved.metadata, saved.protected) == ("Explains things", {"level": "x"}, True)
    history.get_by_role("button", name="Go back to this").last.click()
    expect(rows.first.get_by_label("Key")).to_have_value("team")
    expect(page.get_by_role("switch", name="Protected")).not_to_be_checked()
    back = studio.api.beta.assistants.retrieve(id_).to_dict(warnings=False)
    assert (back["description"], back["metadata"], back.get("protected")) == (None, {"team": "blue"}, None)


def test_how_file_search_looks_is_set_on_a_phone_in_chinese(visit: Open, studio: Studio) -> None:
    page = opened(visit, id_ := made(studio, tools=[{"type": "file_search"}]), language="zh", theme="dark", size=PHONE)
    page.get_by_role("button", name="设置").click()
    page.get_by_text("检索方式").click()
    page.get_by_label("段落数量上限").fill("7")
    page.get_by_label("相关度下限").fill("0.4")
    expect(page.get_by_role("button", name="撤销")).to_be_enabled()
    expect(page.get_by_text("所有更改均已保存")).to_be_visible()
    page.get_by_label("排序方式").click()
    page.get_by_role("option", name="default_2024_08_21").click()
    page.get_by_role("button", name="历史版本").click()
    expect(page.get_by_role("dialog", name="历史版本").get_by_role("listitem")).to_have_count(4)
    (tool,) = studio.api.beta.assistants.retrieve(id_).to_dict(warnings=False)["tools"]  # pyright: ignore[reportGeneralTypeIssues,reportAssignmentType]
    ranking = {"ranker": "default_2024_08_21", "score_threshold": 0.4}
    assert tool == {"type": "file_search", "file_search": {"max_num_results": 7, "ranking_options": ranking}}


def test_options_hold_for_runs_and_not_for_the_assistant(visit: Open, studio: Studio) -> None:
    function = {"type": "function", "function": {"name": "tide", "parameters": {"type": "object", "properties": {}}}}
    id_ = made(studio, instructions="Be kind.", tools=[function])
    page = opened(visit, id_)
    page.get_by_role("button", name="Run options").press("Enter")
    form = page.get_by_role("dialog", name="Run options")
    form.get_by_label("Additional instructions").fill("Rhyme.")
    form.get_by_label("Tool choice").click()
    page.get_by_role("option", name="No tools").click()
    form.get_by_label("Reasoning effort").click()
    page.get_by_role("option", name="Low", exact=True).click()
    form.get_by_label("Most tokens of answers").fill("100")
    form.get_by_role("button", name="Apply").click()
    expect(form.get_by_role("alert")).to_have_text("Most tokens of answers: at least 256.")
    expect(form.get_by_label("Most tokens of answers")).to_have_value("100")
    form.get_by_label("Most tokens of answers").fill("300")
    form.get_by_label("Only the last messages").fill("3")
    form.get_by_role("button", name="Apply").click()
    button = page.get_by_role("button", name="Run options (5 set)")
    expect(button).to_be_focused()
    studio.upstream.script(Reply(text="A tide, a ride."))
    enter(page.get_by_label("Write a message"), "Tide?")
    expect(page.locator("article.assistant")).to_contain_text("A tide, a ride.")
    asked = studio.upstream.requests[-1]
    assert "Be kind." in asked["messages"][0]["content"]
    assert "Rhyme." in asked["messages"][0]["content"]
    assert asked["reasoning_effort"] == "low"
    assert asked.get("tool_choice", "none") == "none"
    thread = page.url.partition("thread=")[2]
    (run,) = studio.api.beta.threads.runs.list(thread).data
    assert (run.max_completion_tokens, run.tool_choice) == (300, "none")
    assert run.truncation_strategy
    assert run.truncation_strategy.last_messages == 3
    assert studio.api.beta.assistants.retrieve(id_).instructions == "Be kind."


def test_an_api_is_connected_narrowed_and_deleted(visit: Open, studio: Studio) -> None:
    page = opened(visit, id_ := made(studio))
    page.get_by_role("button", name="Add connection").click()
    form = page.get_by_role("dialog", name="Add connection")
    form.get_by_role("button", name="Connect").click()
    expect(form.get_by_role("alert")).to_have_text("Give the document, or its address.")
    form.get_by_role("textbox", name="OpenAPI document").fill('{"openapi": "3.1.0"}')
    form.get_by_role("button", name="Connect").click()
    # What the API refuses is said, and the form keeps what was written.
    expect(page.locator(".q-notification")).to_be_visible()
    form.get_by_role("textbox", name="OpenAPI document").fill(json.dumps(SHOP))
    form.get_by_label("Authentication").click()
    page.get_by_role("option", name="Key in a header").click()
    form.get_by_label("Key", exact=True).fill("sesame")
    form.get_by_role("button", name="Connect").click()
    offered = page.get_by_role("dialog", name="Bookshop")
    expect(offered).to_contain_text("The document is read. Functions: 2")
    expect(offered).to_contain_text("POST /orders · asks first · Buys it")
    offered.get_by_role("checkbox", name="buy").click()
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    offered.get_by_role("button", name="Close").click()
    expect(page.get_by_role("switch", name="Bookshop")).to_be_checked()
    page.get_by_role("button", name="History").click()
    expect(page.get_by_role("dialog", name="History").get_by_role("listitem")).to_have_count(3)
    page.get_by_role("dialog", name="History").get_by_role("button", name="Close").click()
    (tool,) = studio.api.beta.assistants.retrieve(id_).to_dict(warnings=False)["tools"]  # pyright: ignore[reportGeneralTypeIssues,reportAssignmentType]
    assert tool["action"]["allowed_tools"] == ["list_orders"]  # pyright: ignore
    page.get_by_role("button", name="Bookshop: functions and more").click()
    page.get_by_role("dialog", name="Bookshop").get_by_role("button", name="Delete connection").click()
    sure = page.get_by_role("dialog", name="Delete Bookshop?")
    expect(sure).to_contain_text("cannot be undone")
    sure.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("switch", name="Bookshop")).to_have_count(0)
    assert studio.api.beta.assistants.retrieve(id_).tools == []


def test_ids_are_copied(visit: Open, studio: Studio) -> None:
    id_, thread = made(studio), studio.api.beta.threads.create().id
    page = visit(f"/playground/{id_}?thread={thread}")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for label, value in (("Copy the assistant's id", id_), ("Copy the thread's id", thread)):
        page.get_by_role("button", name=label).click()
        expect(page.get_by_text("Copied").first).to_be_visible()
        page.wait_for_function("(value) => navigator.clipboard.readText().then((one) => one === value)", arg=value)


def test_the_editor_lets_the_keyboard_out_and_follows_light_and_dark(visit: Open, studio: Studio) -> None:
    page = opened(visit, made(studio))
    page.get_by_role("button", name="Add function").click()
    editor = page.get_by_role("dialog", name="Add function")
    field = editor.get_by_role("textbox", name="Definition (JSON)")
    field.click()
    light = field.evaluate("(one) => getComputedStyle(one).color")
    page.keyboard.press("Tab")
    expect(editor.get_by_role("button", name="Tidy up")).to_be_focused()
    page.evaluate("Quasar.Dark.set(true)")
    expect(field).not_to_have_css("color", light)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_settings_can_be_used_by_everybody(visit: Open, studio: Studio, theme: str) -> None:
    tools = [{"type": "file_search"}, {"type": "code_interpreter"}]
    page = opened(visit, made(studio, tools=tools, metadata={"team": "blue"}), theme=theme)

    page.get_by_text("How it searches").click()
    assert obstacles(page) == []
