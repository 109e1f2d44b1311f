"""How a GPT is used, and what its users say."""

# pyright: reportDeprecated=false
from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import expect

from tests.scripted import Reply

from .conftest import PHONE, Open, Studio, obstacles
from .people import let_in

DAY = 86_400


def post(studio: Studio, path: str, body: dict[str, Any] | None = None) -> Any:
    return studio.api.post(path, cast_to=object, body=body or {})


def made(studio: Studio, name: str) -> Any:
    """A GPT in the store, in its second version."""
    gpt = post(studio, "/gpts", {"name": name, "instructions": "Explain."})
    for notes in ("First.", "Better."):
        post(studio, f"/gpts/{gpt['id']}/publish", {"notes": notes, "visibility": "store"})
    return gpt


def rated(studio: Studio, gpt: Any, question: str, answer: str, **feedback: Any) -> None:
    """A conversation with a GPT, and what is said of it."""
    studio.upstream.script(Reply(text=answer))
    beta = studio.api.beta
    thread = beta.threads.create(messages=[{"role": "user", "content": question}])
    run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=gpt["id"])
    assert run.status == "completed", run.last_error
    message = beta.threads.messages.list(thread.id, run_id=run.id).data[0]
    post(studio, f"/gpts/{gpt['id']}/feedback", {"thread_id": thread.id, "message_id": message.id, **feedback})


@pytest.fixture
def used(studio: Studio) -> Any:
    """A GPT that was used for weeks."""
    gpt = made(studio, f"Card games {time.time_ns()}")
    rated(studio, gpt, "Who leads?", "=SUM(1)", rating="up", comment="Clear & short <b>!</b>")
    rated(studio, gpt, "Is an ace high in Whist?", "No.", rating="down", comment="It is.", share_conversation=True)
    used_for_weeks(studio, gpt)
    return gpt


def used_for_weeks(studio: Studio, gpt: Any) -> None:
    """Let a GPT have been run for three weeks, in both its versions."""
    noon = int(time.time()) // DAY * DAY - DAY // 2
    with psycopg.connect(studio.database) as connection:
        for ago in range(20):
            for number in range(1 + ago * 7 % 5):
                status = "failed" if (ago + number) % 9 == 8 else "completed"
                connection.execute(
                    "insert into gpt_runs values "
                    "(%s, 'proj_default', %s, %s, %s, %s, %s, %s, %s, 1, false, 900, 120, 2500000)",
                    [
                        *(f"run_{gpt['id']}_{ago}_{number}", gpt["id"], 1 if ago > 8 else 2),
                        *(f"thread_{gpt['id']}_{ago}_{number % 3}", f"user-{number}", status),
                        *(noon - ago * DAY, 3 + number),
                    ],
                )


def test_the_figures_and_what_users_said(visit: Open, used: Any) -> None:
    page = visit(f"/gpts/analytics/{used['id']}")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"How {used['name']} is used")
    figures = page.locator("dl.figures > div")
    expect(figures.filter(has_text="Runs")).to_contain_text("62")
    expect(figures.filter(has_text="Cost (USD)")).to_contain_text("0.1500")
    expect(page.get_by_role("img", name="Runs by version").locator("svg")).to_be_visible()
    assert obstacles(page) == []
    versions = page.get_by_role("table", name="By version")
    expect(versions.get_by_role("row").nth(1).get_by_role("cell").first).to_have_text("Version 2")
    expect(versions.get_by_role("row")).to_have_count(3)

    # The question that was shared, and not the other one.
    questions = page.get_by_role("listitem").filter(has_text="Rated down")
    expect(questions).to_contain_text("Is an ace high in Whist?")
    said = page.get_by_role("list", name="Feedback").get_by_role("listitem")
    expect(said).to_have_count(2)
    expect(said.nth(1)).to_contain_text("Clear & short <b>!</b>")
    assert "Who leads?" not in page.content()
    said.nth(0).get_by_text("Question and answer").click()
    expect(said.nth(0)).to_contain_text("No.")

    # One version, and days of one's own.
    page.get_by_label("Version", exact=True).click()
    page.get_by_role("option", name="Version 1").click()
    expect(versions.get_by_role("row")).to_have_count(2)
    page.get_by_label("Period", exact=True).click()
    page.get_by_role("option", name="The last 7 days").click()
    expect(versions.get_by_role("row").nth(1).get_by_role("cell").first).to_have_text("Version 2")
    page.get_by_label("Period", exact=True).click()
    page.get_by_role("option", name="From … to …").click()
    page.get_by_label("To (inclusive)").fill("2020-01-01")
    expect(page.get_by_text("Choose a first day")).to_be_visible()
    page.get_by_label("From", exact=True).fill("2020-01-01")
    expect(page.get_by_text("Nobody used it in this time.")).to_be_visible()


def test_tables_are_downloaded(visit: Open, used: Any) -> None:
    page = visit(f"/gpts/analytics/{used['id']}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV", exact=True).click()
    assert download.value.suggested_filename.startswith(used["slug"])
    head, first, *_ = Path(download.value.path()).read_text("utf-8-sig").splitlines()
    assert head.startswith("Day,Version,Conversations,People,Runs,Answers,Errors,Found nothing,")
    assert first.split(",")[1] == "1"
    with page.expect_download() as download:
        page.get_by_role("button", name="Feedback: Download as CSV").click()
    lines = Path(download.value.path()).read_text("utf-8-sig").splitlines()
    assert lines[1].endswith("Version 2,Thumb down,It is.,Is an ace high in Whist?,No.")
    assert lines[2].endswith("Version 2,Thumb up,Clear & short <b>!</b>,Not shared with you,Not shared with you")


def test_in_chinese_before_anybody_has_used_it(visit: Open, studio: Studio) -> None:
    gpt = post(studio, "/gpts", {"name": "牌局规则"})
    page = visit(f"/gpts/analytics/{gpt['id']}", language="zh", theme="dark", size=PHONE)
    expect(page.get_by_role("heading", level=1)).to_have_text("“牌局规则”的使用情况")
    expect(page.get_by_text("尚未发布。")).to_be_visible()
    expect(page.get_by_text("还没有人评价。")).to_be_visible()
    post(studio, f"/gpts/{gpt['id']}/publish", {"visibility": "store"})
    rated(studio, gpt, "谁先出牌?", "庄家。", rating="down", share_conversation=True)
    page.reload()
    expect(page.get_by_role("listitem").filter(has_text="被点踩")).to_contain_text("谁先出牌?")
    expect(page.locator("dl.figures > div").filter(has_text="未满意解答")).to_contain_text("1")


def test_who_only_uses_it_is_told_so(visit: Open, studio: Studio) -> None:
    gpt = made(studio, "Not for Heidi")
    state = let_in(visit("/people"), studio, "Heidi")
    page = visit(f"/gpts/analytics/{gpt['id']}", state=state, fails=True)
    expect(page.get_by_role("alert")).to_contain_text("Only the owner of a GPT and administrators may do this.")
    expect(page.get_by_text("How Not for Heidi is used")).to_have_count(0)


def test_an_answer_is_rated_from_the_chat(visit: Open, studio: Studio) -> None:
    gpt = made(studio, "Rated")
    state = let_in(visit("/people"), studio, "Ivan")
    page = visit("/", state=state)
    me = page.request.get(f"{studio.url}/v1/me").json()
    headers = {"X-CSRF-Token": me["csrf_token"], "OpenAI-Beta": "assistants=v2"}
    studio.upstream.script(Reply(text="No, it is **low**."))
    thread = {"messages": [{"role": "user", "content": "Is an ace high?"}]}
    body = {"assistant_id": gpt["id"], "thread": thread, "stream": True}
    run = page.request.post(f"{studio.url}/v1/threads/runs", headers=headers, data=body)
    assert "thread.run.completed" in run.text()
    (id_,) = [one["id"] for one in page.request.get(f"{studio.url}/v1/threads", headers=headers).json()["data"][:1]]
    page.goto(f"{studio.url}/chat/{id_}")
    page.get_by_role("link", name="Rate this answer").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("How was this answer of Rated?")
    expect(page.get_by_text("Is an ace high?")).to_be_visible()
    expect(page.locator("strong")).to_have_text("low")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_have_text("Choose good or not good first.")
    page.get_by_role("radio", name="Not good").click()
    page.get_by_label("What should its maker know?").fill("It is high.")
    page.get_by_role("checkbox", name="Its maker may read this question and this answer").click()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_have_text("Thank you. Its maker reads it.")
    found: Any = studio.api.get(f"/gpts/{gpt['id']}/feedback", cast_to=object)
    assert [(one["rating"], one["comment"], one["question"], one["answer"]) for one in found["data"]] == [
        ("down", "It is high.", "Is an ace high?", "No, it is **low**.")
    ]

    # Later, in Chinese on a phone, it is taken back.
    phone = visit(page.url.removeprefix(studio.url), state=state, language="zh", theme="dark", size=PHONE)
    expect(phone.get_by_label("想对制作者说些什么？")).to_have_value("It is high.")
    expect(phone.get_by_role("radio", name="不好")).to_be_checked()
    assert obstacles(phone) == []
    phone.get_by_role("button", name="撤回评价").click()
    expect(phone.get_by_role("status")).to_have_text("已撤回。")
    found = studio.api.get(f"/gpts/{gpt['id']}/feedback", cast_to=object)
    assert found["data"] == []
    phone.get_by_role("link", name="返回对话").click()
    expect(phone.get_by_role("link", name="评价此回答")).to_be_visible()
