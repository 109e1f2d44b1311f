"""The pages of administrators: keys, people, projects, models, settings, the audit log."""

# pyright: reportDeprecated=false
from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.scripted import Reply

from .conftest import PHONE, Open, Studio, dialog_on, enter, sign_up

# Some of this takes a while on a busy machine.


def choose(page: Page, label: str, option: str) -> None:
    """Choose in a field with a list."""
    page.get_by_role("combobox", name=label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


@pytest.fixture(scope="module")
def bob(studio: Studio, chromium: Browser) -> dict[str, Any]:
    """What the browser of Bob keeps, who was invited by the pages, in Chinese."""
    context = chromium.new_context(storage_state=studio.signed_in, locale="zh-CN")
    page = context.new_page()
    page.goto(studio.url + "/people")
    page.get_by_role("button", name="邀请", exact=True).click()
    dialog = dialog_on(page)
    dialog.get_by_label("电子邮箱").fill("bob@example.com")
    dialog.get_by_role("button", name="邀请", exact=True).click()
    expect(page.get_by_role("dialog", name="邀请链接")).to_contain_text("链接不会再次显示")
    link = urlsplit(page.get_by_label("链接", exact=True).input_value())
    page.get_by_role("button", name="我已复制").click()
    expect(page.get_by_role("row").filter(has_text="bob@example.com")).to_contain_text("待接受")
    context.close()
    return sign_up(f"{studio.url}{link.path}?{link.query}", "Bob", "bob@example.com")


# --- keys


def test_a_key_is_made_shown_once_and_revoked(visit: Open, studio: Studio) -> None:
    page = visit("/keys")
    page.get_by_role("button", name="Make a key").click()
    dialog = dialog_on(page)
    dialog.get_by_role("button", name="Make a key").click()
    expect(dialog).to_contain_text("This is needed.")
    dialog.get_by_label("Name").fill("dashboard")
    choose(page, "May", "Read only")
    choose(page, "Expires", "In 30 days")
    dialog.get_by_role("button", name="Make a key").click()
    expect(page.get_by_role("dialog", name="Your new key")).to_contain_text("never shown again")
    value = page.get_by_label("Key", exact=True).input_value()
    page.get_by_role("button", name="I have copied it").click()
    row = page.get_by_role("table", name="Keys of this project").get_by_role("row").filter(has_text="dashboard")
    expect(row).to_contain_text("Read only")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert value not in page.content()
    client = openai.OpenAI(base_url=studio.api.base_url, api_key=value, max_retries=0)
    client.models.list()
    with pytest.raises(openai.PermissionDeniedError):
        client.files.create(file=b"x", purpose="assistants")
    row.get_by_role("button", name="Revoke the key dashboard").click()
    expect(dialog_on(page)).to_contain_text("This cannot be undone.")
    dialog_on(page).get_by_role("button", name="Revoke").click()
    expect(row).to_have_count(0)
    with pytest.raises(openai.AuthenticationError):
        client.models.list()


def test_a_key_for_chosen_resources_and_an_admin_key_on_a_phone(visit: Open) -> None:
    page = visit("/keys", language="zh", theme="dark", size=PHONE)
    page.get_by_role("button", name="新建密钥", exact=True).click()
    page.get_by_label("名称").fill("线程机器人")
    choose(page, "权限", "仅限所选资源")
    dialog_on(page).get_by_role("button", name="新建密钥").click()
    expect(dialog_on(page)).to_contain_text("请至少选择一种资源")
    choose(page, "可读取和修改", "threads")
    page.keyboard.press("Escape")
    dialog_on(page).get_by_role("button", name="新建密钥").click()
    page.get_by_role("button", name="我已复制").click()
    expect(page.get_by_role("row").filter(has_text="threads:write")).to_be_visible()
    page.get_by_role("button", name="新建管理密钥").click()
    page.get_by_label("名称").fill("备份脚本")
    dialog_on(page).get_by_role("button", name="新建管理密钥").click()
    expect(page.get_by_label("密钥", exact=True)).to_have_value(re.compile("^sk-"))
    page.get_by_role("button", name="我已复制").click()
    expect(page.get_by_role("table", name="管理密钥")).to_contain_text("备份脚本")


# --- people


def test_who_does_not_administer_sees_none_of_this(visit: Open, bob: Any) -> None:
    page = visit("/keys", state=bob, fails=True)
    expect(page.get_by_role("alert")).to_contain_text("Only owners of the organization")
    expect(page.get_by_role("button", name="Make a key")).to_have_count(0)
    expect(page.get_by_role("link", name="Audit log")).to_have_count(0)
    expect(page.get_by_role("link", name="Chat", exact=True)).to_be_visible()


@pytest.mark.usefixtures("bob")
def test_roles_are_given_in_projects_and_on_the_server(visit: Open) -> None:
    page = visit("/people")
    page.get_by_role("button", name="Projects of Bob").click()
    field = dialog_on(page).get_by_role("combobox", name="Default project")
    expect(field).to_have_value("Member")
    choose(page, "Default project", "Viewer")
    expect(page.get_by_text("Saved")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Projects of Bob").click()
    expect(field).to_have_value("Viewer")


def test_others_are_made_owners_and_nobody_changes_themselves(visit: Open, bob: Any) -> None:
    page = visit("/people")
    expect(page.get_by_role("row").filter(has_text="Ada (You)")).to_contain_text("Owner")
    expect(page.get_by_role("button", name="Remove Ada")).to_have_count(0)
    expect(page.get_by_role("combobox", name="Role of Ada")).to_have_count(0)
    choose(page, "Role of Bob", "Owner")
    expect(page.get_by_text("Saved")).to_be_visible()
    other = visit("/people", state=bob)
    expect(other.get_by_role("combobox", name="Role of Ada")).to_have_value("Owner")
    expect(page.get_by_text("Saved")).to_have_count(0)
    choose(page, "Role of Bob", "Reader")
    expect(page.get_by_text("Saved")).to_be_visible()


def test_data_are_erased_only_when_it_is_said_twice(visit: Open, studio: Studio) -> None:
    thread = studio.api.beta.threads.create(metadata={"user": "carol-7"})
    page = visit("/people")
    page.get_by_role("button", name="Erase a person's data…").click()
    dialog = dialog_on(page)
    dialog.get_by_label("Whose").fill("carol-7")
    dialog.get_by_label("Type the same again").fill("carol-8")
    dialog.get_by_role("button", name="Erase for ever").click()
    expect(dialog).to_contain_text("Both fields must say the same.")
    dialog.get_by_label("Type the same again").fill("carol-7")
    dialog.get_by_role("button", name="Erase for ever").click()
    row = page.get_by_role("table", name="Erased data").get_by_role("row").filter(has_text="threads: 1")
    expect(row).to_contain_text("Done")
    with pytest.raises(openai.NotFoundError):
        studio.api.beta.threads.retrieve(thread.id)


# --- projects


def test_a_project_with_limits_a_budget_and_retention(visit: Open, studio: Studio) -> None:
    page = visit("/limits")
    page.get_by_role("button", name="New project").click()
    page.get_by_label("Name").fill("Limited")
    dialog_on(page).get_by_role("button", name="Add").dblclick()
    expect(page.get_by_role("main").get_by_role("combobox", name="Project", exact=True)).to_have_value("Limited")
    # The second click made no other one.
    known = page.request.get(f"{studio.url}/v1/organization/projects").json()["data"]
    assert [one["name"] for one in known].count("Limited") == 1
    page.get_by_label("US dollars a month").fill("12.50")
    page.get_by_role("button", name="Set the limit").click()
    expect(page.get_by_text("Spent this month (UTC): $0.00 of $12.50")).to_be_visible()
    expect(page.get_by_text("Saved")).to_have_count(0)
    page.get_by_label("Requests a minute").first.fill("77")
    page.get_by_label("Requests a day").nth(1).fill("500")
    page.get_by_label("Storage in MiB").fill("64")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("Saved")).to_be_visible()
    page.get_by_role("button", name="Limits of m", exact=True).click()
    dialog_on(page).get_by_label("Tokens a minute").fill("4000")
    dialog_on(page).get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_label("Threads without use").fill("30")
    page.get_by_role("button", name="Save").last.click()
    expect(dialog_on(page)).to_contain_text("cannot be brought back")
    dialog_on(page).get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.reload()
    expect(page.get_by_label("Requests a minute").first).to_have_value("77")
    expect(page.get_by_label("Requests a day").nth(1)).to_have_value("500")
    expect(page.get_by_label("Storage in MiB")).to_have_value("64")
    expect(page.get_by_label("Threads without use")).to_have_value("30")
    row = page.get_by_role("row").filter(has=page.get_by_role("button", name="Limits of m", exact=True))
    expect(row).to_contain_text("4,000")
    page.get_by_role("button", name="Lift the limit").click()
    expect(page.get_by_text("There is no limit.")).to_be_visible()


def test_a_project_is_archived_when_its_name_is_typed(visit: Open) -> None:
    page = visit("/limits", language="zh")
    page.get_by_role("button", name="新建项目").click()
    page.get_by_label("名称").fill("旧项目")
    dialog_on(page).get_by_role("button", name="添加").click()
    chosen = page.get_by_role("main").get_by_role("combobox", name="项目", exact=True)
    expect(chosen).to_have_value("旧项目")
    page.get_by_role("button", name="归档").click()
    button = dialog_on(page).get_by_role("button", name="归档")
    expect(button).to_be_disabled()
    page.get_by_label("请输入“旧项目”以继续").fill("旧项目")
    button.click()
    expect(chosen).not_to_have_value("旧项目")


# --- models


def test_a_model_is_added_tested_changed_and_removed(visit: Open, studio: Studio) -> None:
    page = visit("/models")
    page.get_by_role("button", name="Add a model").click()
    dialog = dialog_on(page)
    dialog.get_by_label("Name that requests carry").fill("by-page")
    dialog.get_by_label("Server's address").fill(studio.upstream.base_url)
    dialog.get_by_label("Key to send").fill("sk-upstream-secret")
    studio.upstream.script(Reply(text="OK, here I am."))
    dialog.get_by_role("button", name="Save and test").click()
    card = page.get_by_role("region", name="by-page")
    expect(card).to_contain_text("OK, here I am.")
    expect(card).to_contain_text("With a key")
    # What the server gives to whoever opens the page has no secrets.
    page.reload()
    expect(card).to_contain_text("With a key")
    assert "sk-upstream-secret" not in page.content()
    studio.upstream.script(Reply(text="Hello"))
    said = studio.api.chat.completions.create(model="by-page", messages=[{"role": "user", "content": "Hi"}])
    assert said.choices[0].message.content == "Hello"
    card.get_by_role("button", name="Change by-page").click()
    dialog.get_by_label("Tokens of context").fill("4096")
    studio.upstream.script(Reply(status=401, error={"error": {"message": "No such key"}}))
    dialog.get_by_role("button", name="Save and test").click()
    expect(card).to_contain_text("Failed after")
    expect(card).to_contain_text("refused Retinue's key")
    expect(card).to_contain_text("4,096 tokens")
    expect(card).to_contain_text("failures in a row: 1")
    card.get_by_role("button", name="Remove by-page").click()
    dialog_on(page).get_by_role("button", name="Remove").click()
    expect(card).to_have_count(0)


def test_models_are_tested_for_what_one_chooses_in_chinese(visit: Open) -> None:
    page = visit("/models", language="zh", size=PHONE)
    card = page.get_by_role("region", name="m", exact=True)
    expect(card).to_contain_text("默认模型")
    card.get_by_role("combobox").click()
    page.get_by_role("option", name="嵌入").click()
    card.get_by_role("button", name="测试 m").click()
    expect(card).to_contain_text("毫秒内响应")
    expect(page.get_by_role("region", name="multilingual-e5-small")).to_contain_text("内置")


# --- settings


def test_settings_are_found_and_tell_no_secret(visit: Open, studio: Studio) -> None:
    page = visit("/settings")
    expect(page.get_by_role("status")).to_contain_text("settings")
    page.get_by_label("Search settings").fill("run lease")
    found = page.locator(".setting")
    expect(found).to_have_count(1)
    expect(found).to_contain_text("run_lease")
    expect(found).to_contain_text("environment")
    page.get_by_label("Search settings").fill("api_key")
    expect(found.filter(has_text="RETINUE_API_KEY")).to_contain_text("set, not shown")
    assert studio.api.api_key not in page.content()
    page.get_by_label("Search settings").fill("nothing is called so")
    expect(page.get_by_text("No setting fits.")).to_be_visible()


def test_settings_in_chinese(visit: Open) -> None:
    page = visit("/settings", language="zh", theme="dark", size=PHONE)
    page.get_by_label("搜索设置").fill("RETINUE_PORT")
    expect(page.locator(".setting")).to_have_count(1)
    expect(page.locator(".setting")).to_contain_text("监听的端口")


# --- the audit log


def test_the_log_tells_who_did_what(visit: Open) -> None:
    page = visit("/keys")
    page.get_by_role("button", name="Make a key").click()
    page.get_by_label("Name").fill("for the log")
    dialog_on(page).get_by_role("button", name="Make a key").click()
    page.get_by_role("button", name="I have copied it").click()
    page.goto(page.url.replace("/keys", "/audit"))
    choose(page, "What", "Key made")
    page.get_by_label("Who").fill("ada@example.com")
    page.get_by_role("button", name="Show").click()
    first = page.get_by_role("row").nth(1)
    expect(first).to_contain_text("Key made")
    expect(first).to_contain_text("ada@example.com")
    expect(page.get_by_role("row").filter(has_text="Signed in")).to_have_count(0)
    first.get_by_role("button", name="Details").click()
    expect(dialog_on(page)).to_contain_text("for the log")
    page.get_by_role("button", name="Close").click()
    # Closed, it gives the focus back.
    expect(page.get_by_role("dialog")).to_have_count(0)
    enter(page.get_by_label("From"), "2100-01-01")
    expect(page.get_by_text("Nothing was done that fits.")).to_be_visible()


def test_older_entries_come_on_demand(visit: Open, studio: Studio, chromium: Browser) -> None:
    for _ in range(51):
        studio.api.get("/export", cast_to=object, options={"headers": {"accept": "*/*"}})
    page = visit("/audit", language="zh")
    rows = page.get_by_role("row")
    expect(rows).to_have_count(51)
    # What stands in a field is asked for once it is applied.
    page.get_by_label("操作者：邮箱或 ID").fill("nobody")
    page.get_by_role("button", name="更早的记录").click()
    expect(rows.nth(52)).to_be_visible()
    expect(rows.filter(has_text="导出").first).to_be_visible()


def test_long_ids_stay_in_their_rows_on_a_phone(visit: Open, studio: Studio) -> None:
    # Done with a key, so that its service account is who did it.
    studio.api.post("/gpts", cast_to=object, body={"name": "Told in the audit log"})
    page = visit("/audit", size=PHONE)
    who = page.get_by_role("cell").filter(has_text="svcacct_").first
    expect(who).to_be_visible()
    assert who.evaluate("one => one.scrollWidth <= one.clientWidth")
