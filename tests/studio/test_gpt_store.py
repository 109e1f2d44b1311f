"""The pages of the store of GPTs."""

# pyright: reportDeprecated=false

from __future__ import annotations

import re
from typing import Any, cast
from urllib.parse import quote, urlsplit
from uuid import uuid4

import openai
import pytest
from playwright.sync_api import Page, expect

from tests.scripted import Reply

from .conftest import PHONE, Open, Studio, dialog_on, obstacles, sign_up

Json = dict[str, Any]


def post(studio: Studio, path: str, body: Json | None = None) -> Json:
    return cast(Json, studio.api.post(path, cast_to=cast(Any, object), body=body or {}))


def get(studio: Studio, path: str) -> Json:
    return cast(Json, studio.api.get(path, cast_to=cast(Any, object)))


def unique(name: str) -> str:
    return f"{name} {uuid4().hex[:6]}"


#: Asks the API as whoever is signed in on a page.
_POST = """async ([path, body]) => {
    const me = await (await fetch('/v1/me')).json();
    const headers = {
        'content-type': 'application/json', 'x-csrf-token': me.csrf_token, 'openai-beta': 'assistants=v2',
    };
    return await (await fetch('/v1' + path, {method: 'POST', headers, body: JSON.stringify(body)})).json();
}"""


def colleague(page: Page, studio: Studio) -> Any:
    """What the browser of somebody keeps who has come to the project, invited on a page of the owner's."""
    name = uuid4().hex[:8]
    email = f"{name}@example.com"
    invite = page.evaluate(_POST, ["/organization/invites", {"email": email, "role": "reader"}])
    link = urlsplit(invite["accept_url"])
    return sign_up(f"{studio.url}{link.path}?{link.query}", name, email)


@pytest.fixture
def gpt(studio: Studio) -> Json:
    """A GPT in the store, whose owner is no person."""
    made = post(
        studio,
        "/gpts",
        {
            "name": unique("茶博士"),
            "description": "讲解茶叶的种类与冲泡方法。",
            "instructions": "讲茶。",
            "conversation_starters": ["龙井用多少度的水？"],
            "category": "lifestyle",
            "tags": ["茶"],
            "capabilities": ["web_browsing"],
            "language": "zh",
        },
    )
    post(studio, f"/gpts/{made['id']}/publish", {"visibility": "store"})
    return made


def test_one_is_found_read_and_reviewed_in_chinese(visit: Open, studio: Studio, gpt: Json) -> None:
    studio.upstream.script(Reply(text="八十度。"))
    studio.api.beta.threads.create_and_run_poll(assistant_id=f"gpt:{gpt['slug']}")
    page = visit("/gpts", language="zh", size=PHONE)
    # Pieces of a word find it, by the name and by the description.
    page.get_by_label("按名称、描述、标签或作者搜索").fill(f"冲泡 {gpt['name'].split()[1]}")
    expect(page.get_by_text("找到 1 个")).to_be_visible()
    page.wait_for_url(re.compile(r"\?q="))
    card = page.get_by_role("link", name=gpt["name"])
    expect(card).to_contain_text("1 次对话")
    card.click()
    expect(page.get_by_role("heading", level=1, name=gpt["name"])).to_be_visible()
    expect(page.get_by_text("浏览网页")).to_be_visible()
    starter = page.get_by_role("link", name="龙井用多少度的水？")
    expect(starter).to_have_attribute("href", f"/?gpt={quote(gpt['slug'])}&ask={quote('龙井用多少度的水？')}")
    expect(page.get_by_text("还没有人评价，来写第一条吧。")).to_be_visible()
    assert obstacles(page) == []

    send = page.get_by_role("button", name="发表评价")
    send.click()
    expect(page.get_by_text("请先选择一到五星。")).to_be_visible()
    page.get_by_role("radio", name="4 星：不错").click()
    page.get_by_label("哪里好，哪里不好？").fill("讲得很清楚。<b>多谢</b>")
    send.click()
    reviews = page.locator(".gpt-review-list li")
    expect(reviews).to_have_count(1)
    expect(reviews).to_contain_text("讲得很清楚。<b>多谢</b>")
    expect(reviews).to_contain_text("4 星（满分 5 星）")
    expect(page.locator(".gpt-distribution")).to_contain_text("4 星：1")

    # Again replaces it; and it can be taken back.
    page.get_by_role("radio", name="2 星：较差").click()
    page.get_by_role("button", name="修改评价").click()
    expect(reviews).to_contain_text("2 星（满分 5 星）")
    expect(reviews).to_have_count(1)
    assert get(studio, f"/gpts/{gpt['id']}")["statistics"]["rating"] == 2
    page.get_by_role("button", name="删除评价").click()
    dialog_on(page).get_by_role("button", name="删除").click()
    expect(reviews).to_have_count(0)


def test_one_is_searched_for_in_english(visit: Open, studio: Studio, gpt: Json) -> None:
    mark = uuid4().hex[:6]
    other = post(studio, "/gpts", {"name": f"Kettle {mark}", "description": "Boils water.", "tags": ["tea"]})
    post(studio, f"/gpts/{other['id']}/publish", {"visibility": "store"})
    page = visit("/gpts", theme="dark")
    search = page.get_by_label("Search by name, description, tag or author")
    search.fill(f"boils {mark}")
    expect(page.get_by_text("1 found")).to_be_visible()
    expect(page.get_by_role("link", name=other["name"])).to_be_visible()
    expect(page.get_by_role("link", name=gpt["name"])).to_have_count(0)
    page.reload()
    expect(search).to_have_value(f"boils {mark}")
    expect(page.get_by_text("1 found")).to_be_visible()
    search.fill(f"nothing like this {mark}")
    expect(page.get_by_text("No GPT fits.")).to_be_visible()


def test_administrators_feature_and_hide(visit: Open, studio: Studio, gpt: Json) -> None:
    page = visit(f"/gpts/{quote(gpt['slug'])}")
    page.get_by_role("button", name="Feature", exact=True).click()
    expect(page.get_by_role("button", name="Do not feature")).to_be_visible()
    front = visit("/gpts")
    shelf = front.get_by_role("list", name="Featured")
    expect(shelf.get_by_role("link", name=gpt["name"])).to_be_visible()

    page.get_by_role("button", name="Hide", exact=True).click()
    dialog = page.get_by_role("dialog", name=f"Hide {gpt['name']}?")
    dialog.get_by_label("Reason").fill("Wrong water temperatures.")
    dialog.get_by_role("button", name="Hide").click()
    expect(page.get_by_text("Their reason: Wrong water temperatures.")).to_be_visible()
    front.reload()
    expect(front.get_by_role("heading", level=1, name="GPTs")).to_be_visible()
    expect(front.get_by_role("link", name=gpt["name"])).to_have_count(0)
    hidden = visit("/gpts/reports")
    expect(hidden.get_by_role("list", name="Hidden GPTs").get_by_role("link", name=gpt["name"])).to_be_visible()
    # For everybody else there is no such GPT.
    bob = colleague(page, studio)
    other = visit(f"/gpts/{gpt['id']}", state=bob, fails=True)
    expect(other.get_by_role("alert")).to_be_visible()
    expect(other.get_by_text(gpt["name"])).to_have_count(0)

    page.get_by_role("button", name="Show again").click()
    expect(page.get_by_role("button", name="Hide", exact=True)).to_be_visible()
    other.reload()
    expect(other.get_by_role("heading", level=1, name=gpt["name"])).to_be_visible()
    # They can neither decide nor change anything.
    for name in ("Hide", "Edit"):
        expect(other.get_by_role("button", name=name)).to_have_count(0)
    told = visit("/gpts/reports", state=bob)
    expect(told.get_by_text("Only owners of the project see reports.")).to_be_visible()


def test_a_report_reaches_the_administrators(visit: Open, gpt: Json) -> None:
    page = visit(f"/gpts/{gpt['id']}")
    # By keyboard, so that the focus comes back to where it was.
    page.get_by_role("button", name="Report", exact=True).press("Enter")
    dialog = page.get_by_role("dialog", name=f"Report {gpt['name']}")
    dialog.get_by_label("What happened?").fill("Advertises a shop.")
    dialog.get_by_role("button", name="Send report").press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Report", exact=True)).to_be_focused()

    page = visit("/gpts/reports")
    report = page.get_by_role("list", name="Open reports").get_by_role("listitem").filter(has_text=gpt["name"])
    expect(report).to_contain_text("Advertises a shop.")
    report.get_by_role("button", name="Resolve").click()
    dialog_on(page).get_by_label("What was done").fill("Spoke to the owner.")
    dialog_on(page).get_by_role("button", name="Resolve").click()
    resolved = page.get_by_role("list", name="Resolved reports").get_by_role("listitem").filter(has_text=gpt["name"])
    expect(resolved).to_contain_text("Done: Spoke to the owner.")
    expect(report).to_have_count(0)


def test_a_report_in_chinese_on_a_phone(visit: Open, gpt: Json) -> None:
    page = visit(f"/gpts/{gpt['id']}", language="zh", theme="dark", size=PHONE)
    page.get_by_role("button", name="举报", exact=True).click()
    dialog = page.get_by_role("dialog", name=f"举报 {gpt['name']}")
    dialog.get_by_role("combobox", name="原因").click()
    page.get_by_role("option", name="垃圾信息或广告").click()
    dialog.get_by_label("发生了什么？").fill("给一家店打广告。")
    assert obstacles(page) == []
    dialog.get_by_role("button", name="提交举报").click()
    expect(page.get_by_text("谢谢，已通知管理员。")).to_be_visible()

    page = visit("/gpts/reports", language="zh", theme="dark", size=PHONE)
    report = page.get_by_role("list", name="待处理的举报").get_by_role("listitem").filter(has_text=gpt["name"])
    expect(report).to_contain_text("给一家店打广告。")
    expect(report).to_contain_text("垃圾信息或广告，举报人：Ada")
    assert obstacles(page) == []
    report.get_by_role("button", name=f"处理对 {gpt['name']} 的举报").click()
    dialog_on(page).get_by_label("处理结果").fill("已提醒作者。")
    dialog_on(page).get_by_role("button", name="标为已处理").click()
    resolved = page.get_by_role("list", name="已处理的举报").get_by_role("listitem").filter(has_text=gpt["name"])
    expect(resolved).to_contain_text("处理结果：已提醒作者。")
    expect(report).to_have_count(0)


def test_a_template_becomes_ones_own_draft(visit: Open, studio: Studio) -> None:
    page = visit("/gpts/templates", language="zh", fails=True)
    card = page.get_by_role("listitem").filter(has_text="桌游时间")
    expect(card).to_contain_text("自带文件：whist.md")
    card.get_by_text("指令", exact=True).click()
    expect(card.get_by_text("先查规则书")).to_be_visible()
    card.get_by_role("button", name="安装 桌游时间").click()
    page.wait_for_url(re.compile(r"/gpts/edit/gpt_\w+"))
    installed = get(studio, f"/gpts/{page.url.rpartition('/')[2]}")
    assert (installed["name"], installed["author"], installed["version"]) == ("桌游时间", "Ada", None)

    mine = visit("/gpts/mine", language="zh")
    row = mine.get_by_role("list", name="我的 GPT").get_by_role("listitem").filter(has_text="桌游时间")
    expect(row.first).to_contain_text("草稿")
    one = visit(f"/gpts/{installed['id']}", language="zh")
    expect(one.get_by_text("这是草稿，只有所有者和管理员能看到。")).to_be_visible()
    expect(one.get_by_role("button", name="开始对话")).to_have_count(0)
    # Nobody reviews or reports what is their own.
    expect(one.get_by_role("button", name="举报")).to_have_count(0)

    row = row.filter(has=mine.locator(f'a[href="/gpts/{quote(installed["slug"])}"]'))
    row.get_by_role("button", name="删除 桌游时间").click()
    dialog_on(mine).get_by_role("button", name="删除").click()
    expect(row).to_have_count(0)
    with pytest.raises(openai.NotFoundError):
        get(studio, f"/gpts/{installed['id']}")


def test_people_are_counted_by_who_they_are(visit: Open, studio: Studio, gpt: Json) -> None:
    page = visit("/start")
    for _ in range(2):
        studio.upstream.script(Reply(text="OK"))
        run = page.evaluate(_POST, ["/threads/runs", {"assistant_id": gpt["id"]}])
        studio.api.beta.threads.runs.poll(run["id"], thread_id=run["thread_id"])
    studio.upstream.script(Reply(text="OK"))
    studio.api.beta.threads.create_and_run_poll(assistant_id=gpt["id"])
    page.goto(f"{studio.url}/gpts/{gpt['id']}")
    expect(page.get_by_text("3 conversations")).to_be_visible()
    expect(page.get_by_text("2 people")).to_be_visible()


def names(page: Page) -> list[str]:
    return page.locator(".gpt-card .name").all_inner_texts()


def test_a_list_has_an_order_and_goes_on(visit: Open, studio: Studio) -> None:
    mark = uuid4().hex[:6]
    made: list[Json] = []
    for number in range(26):
        one = post(studio, "/gpts", {"name": f"Row{mark} {number:02}", "category": "games"})
        post(studio, f"/gpts/{one['id']}/publish", {"visibility": "store"})
        made.append(one)
    studio.upstream.script(Reply(text="OK"))
    studio.api.beta.threads.create_and_run_poll(assistant_id=made[0]["id"])
    page = visit(f"/gpts?q=Row{mark}&sort=most_used")
    expect(page.get_by_text("The first 24")).to_be_visible()
    assert names(page)[:2] == [made[0]["name"], made[25]["name"]]
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".gpt-card")).to_have_count(26)
    assert len(set(names(page))) == 26
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    page.get_by_label("Category").click()
    page.get_by_role("option", name="Data", exact=True).click()
    expect(page.get_by_text("No GPT fits.")).to_be_visible()
    for one in made:
        studio.api.delete(f"/gpts/{one['id']}", cast_to=cast(Any, object))
