"""The page of usage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.scripted import Reply

from .conftest import Open, Studio, sign_up

NOW = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def used(studio: Studio) -> str:
    """What was used long ago, where no other test uses anything; returns the name of an assistant."""
    assistant = studio.api.beta.assistants.create(model="default", name="=cmd, the tutor").id  # pyright: ignore
    rows = [
        (200, "m1", assistant, 3, 1_000, 400, 50, 2_500_000_000),
        (200, "m2", "", 1, 10, 0, 5, 0),
        (150, "m1", "asst_gone", 2, 2_000, 0, 70, 250_000),
    ]
    with psycopg.connect(studio.database) as connection:
        connection.execute("delete from usage_records where minute < now() - interval '100 days'")
        for ago, model, by, requests, prompt, cached, completion, cost in rows:
            connection.execute(
                "insert into usage_records (minute, project_id, endpoint, key_id, model, assistant_id, requests, "
                "prompt_tokens, cached_tokens, completion_tokens, images, cost) "
                "values (%s, 'proj_default', 'runs', 'key_gone', %s, %s, %s, %s, %s, %s, 0, %s)",
                [NOW - timedelta(days=ago), model, by, requests, prompt, cached, completion, cost],
            )
    return "=cmd, the tutor"


def day(ago: int) -> str:
    return (NOW - timedelta(days=ago)).date().isoformat()


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def test_tokens_and_costs_by_day_model_and_assistant(visit: Open, used: str) -> None:
    page = visit("/usage")
    choose(page, "Period", "From … to …")
    page.get_by_label("From", exact=True).fill(day(300))
    page.get_by_label("To (inclusive)").fill(day(120))
    # Longer than a page of the API has days.
    expect(page.get_by_text("6 requests, 3,135 tokens, 2.50 US dollars.")).to_be_visible()
    daily = page.get_by_role("table", name="By day")
    expect(daily.get_by_role("row").nth(1)).to_contain_text(day(150))
    cells = daily.get_by_role("row").nth(2).get_by_role("cell")
    expect(cells).to_have_text([day(200), "4", "1,010", "400", "55", "2.50"])
    expect(page.get_by_role("img", name="Tokens of models that chat").locator("svg")).to_be_visible()

    choose(page, "Broken down by", "model")
    sums = page.get_by_role("table", name="Sums")
    expect(sums.get_by_role("row").nth(1).get_by_role("cell")).to_have_text(["m1", "5", "3,000", "400", "120", "2.50"])
    choose(page, "Broken down by", "assistant")
    expect(sums).to_contain_text(used)
    expect(sums).to_contain_text("asst_gone")
    expect(sums).to_contain_text("Without an assistant")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    assert download.value.suggested_filename == f"usage-{day(300)}-{day(120)}.csv"
    text = Path(download.value.path()).read_text("utf-8-sig")
    assert f'{day(200)},"\'=cmd, the tutor",asst_' in text
    assert f"{day(150)},asst_gone,asst_gone,2,2000,0,70,0.00025,,,,,,,,,,,,,,,,,,,,\n" in text


def test_errors_and_times_by_day_and_model(visit: Open, studio: Studio) -> None:
    columns = "project_id, by_page, method, path, model, called_model, status, first_ms, total_ms, bytes, id, at"
    fates = [
        *((20, "m1", 200, 10 * number, 1000 * number) for number in range(1, 22)),
        *((20, "m1", status, 5, 5) for status in (404, 429, 500)),
        (15, "m2", 200, 30, 40),
    ]
    with psycopg.connect(studio.database) as connection:
        connection.execute("delete from request_log where at < now() - interval '10 days'")
        for ago, model, status, first, total in fates:
            connection.execute(
                f"insert into request_log ({columns}) values ('proj_default', false, 'POST', '/v1/x', %s, true, %s, "
                "%s, %s, 1, gen_random_uuid(), %s)",
                [model, status, first, total, NOW - timedelta(days=ago) + timedelta(hours=1)],
            )
    page = visit("/usage")
    choose(page, "Period", "From … to …")
    page.get_by_label("From", exact=True).fill(day(25))
    page.get_by_label("To (inclusive)").fill(day(12))
    daily = page.get_by_role("table", name="Errors and times by day")
    cells = daily.get_by_role("row").nth(2).get_by_role("cell")
    expect(cells).to_have_text([day(20), "24", "1", "1", "1", "12.5 %", "110 ms", "200 ms", "11.0 s", "20.0 s"])
    for plot in ("How long calls of models took, in seconds", "Requests that went wrong"):
        expect(page.get_by_role("img", name=plot).locator("svg")).to_be_visible()
    choose(page, "Broken down by", "model")
    sums = page.get_by_role("table", name="Errors and times in all")
    expect(sums.get_by_role("row").nth(1).get_by_role("cell").first).to_have_text("m1")
    expect(sums.get_by_role("row").nth(2)).to_contain_text("40 ms")
    for plot in ("How long calls of models took (p95), in seconds", "Requests that went wrong, in percent"):
        expect(page.get_by_role("img", name=plot).locator("svg")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    text = Path(download.value.path()).read_text("utf-8-sig")
    assert f"{day(20)},m1,m1,0,0,0,0,0,24,1,1,1,12.5,110,200,11000,20000," in text
    choose(page, "Requests from", "these pages")
    expect(page.get_by_text("Nothing was used in this time.")).to_be_visible()


def test_runs_by_assistant(visit: Open, studio: Studio) -> None:
    assistant = studio.api.beta.assistants.create(model="default", name="Counted").id  # pyright: ignore
    for reply in (Reply(text="Yes."), Reply(status=400, error={"message": "no"})):
        thread = studio.api.beta.threads.create(messages=[{"role": "user", "content": "x"}])  # pyright: ignore
        studio.upstream.script(reply)
        studio.api.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant)  # pyright: ignore
    page = visit("/usage", language="zh")
    # What these pages ask of the API calls no model.
    choose(page, "请求来源", "本站页面")
    expect(page.get_by_text("运行中的模型调用不单独计时")).to_be_visible()
    expect(page.get_by_role("img", name="模型调用耗时")).to_have_count(0)
    choose(page, "请求来源", "程序与页面")
    expect(page.get_by_role("img", name="运行结果").locator("svg")).to_be_visible()
    choose(page, "分组方式", "助手")
    row = page.get_by_role("table", name="运行合计").get_by_role("row").filter(has_text="Counted")
    expect(row.get_by_role("cell").nth(1)).to_have_text("2")
    expect(row).to_contain_text("50.0 %")
    choose(page, "分组方式", "API 密钥")
    # Which key began a run is not known of it.
    expect(page.get_by_role("table", name="错误与耗时合计")).to_contain_text("first key")
    expect(page.get_by_role("table", name="运行合计")).to_have_count(0)


def test_days_that_make_no_sense(visit: Open) -> None:
    page = visit("/usage")
    choose(page, "Period", "From … to …")
    page.get_by_label("From", exact=True).fill("2026-02-02")
    page.get_by_label("To (inclusive)").fill("2026-02-01")
    expect(page.get_by_text("Choose a first day")).to_be_visible()


def test_in_chinese(visit: Open, used: str) -> None:
    page = visit("/usage", language="zh", theme="dark")
    choose(page, "时间范围", "自定义")
    page.get_by_label("开始日期").fill(day(210))
    page.get_by_label("结束日期（含）").fill(day(190))
    expect(page.get_by_text("4 次请求，1,065 词元，2.50 美元。")).to_be_visible()
    choose(page, "分组方式", "API 密钥")
    expect(page.get_by_role("table", name="合计")).to_contain_text("key_gone")
    page.get_by_label("结束日期（含）").fill(day(205))
    expect(page.get_by_text("此时间段内没有用量")).to_be_visible()


def test_who_may_only_look_is_not_offered_more(visit: Open, studio: Studio) -> None:
    page = visit("/usage")
    me = page.request.get(f"{studio.url}/v1/me").json()
    organization, headers = f"{studio.url}/v1/organization", {"X-CSRF-Token": me["csrf_token"]}
    wanted = {"email": "looker@example.com", "role": "reader", "projects": [{"id": me["project"], "role": "member"}]}
    invited = page.request.post(f"{organization}/invites", headers=headers, data=wanted)
    assert invited.ok, invited.text()
    # The server's settings do not know the port that it was given.
    link = f"{studio.url}/welcome?{invited.json()['accept_url'].partition('?')[2]}"
    state = sign_up(link, "Looker", "looker@example.com")
    people = page.request.get(f"{organization}/users").json()["data"]
    (looker,) = [one["id"] for one in people if one["email"] == "looker@example.com"]
    users = f"{organization}/projects/{me['project']}/users/{looker}"
    assert page.request.post(users, headers=headers, data={"role": "viewer"}).ok
    file = studio.api.files.create(file=("seen.txt", b"Seen."), purpose="assistants")
    store = studio.api.vector_stores.create(name="Seen by all")
    studio.api.vector_stores.files.create_and_poll(file.id, vector_store_id=store.id)

    page = visit("/usage", state=state)
    expect(page.get_by_text("Only owners of the organization")).to_be_visible()
    expect(page.get_by_role("link", name="Usage", exact=True)).to_have_count(0)
    page = visit("/files", state=state)
    row = page.get_by_role("row").filter(has_text="seen.txt")
    expect(row.get_by_role("button")).to_have_count(2)
    expect(page.get_by_role("button", name="Upload files")).to_have_count(0)
    page = visit("/vector-stores", state=state)
    page.get_by_role("link", name="Seen by all").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Seen by all")
    expect(page.get_by_role("button", name="Remove: seen.txt")).to_have_count(0)
    expect(page.get_by_role("button", name="Upload files")).to_have_count(0)
