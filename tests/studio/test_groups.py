"""Groups of people, on the page of people."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from .conftest import PHONE, Open, Studio, dialog_on
from .people import let_in


def row(page: Page, name: str, table: str = "Groups") -> Locator:
    return page.get_by_role("table", name=table).get_by_role("row").filter(has_text=name)


def test_a_group_is_made_filled_renamed_and_deleted(visit: Open, studio: Studio) -> None:
    page = visit("/people", fails=True)
    let_in(page, studio, "Grace")
    page.get_by_role("button", name="New group").click()
    dialog = dialog_on(page)
    dialog.get_by_role("button", name="Make the group").click()
    expect(dialog).to_contain_text("This is needed.")
    dialog.get_by_label("Name of the group").fill("Field sales")
    dialog.get_by_role("button", name="Make the group").click()
    cells = row(page, "Field sales").get_by_role("cell")
    expect(cells.nth(2)).to_have_text("0")

    # There is one of each name.
    page.get_by_role("button", name="New group").click()
    dialog.get_by_label("Name of the group").fill("field SALES")
    dialog.get_by_role("button", name="Make the group").click()
    expect(page.get_by_text("there is a group 'field SALES' already")).to_be_visible()
    dialog.get_by_role("button", name="Cancel").click()

    page.get_by_role("button", name="People of Field sales").click()
    expect(dialog).to_contain_text("Nobody is in this group yet.")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("Choose a person first.")).to_be_visible()
    dialog.get_by_label("Add somebody").fill("grace")
    page.get_by_role("option", name="Grace (grace@example.com)").click()
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.get_by_role("listitem")).to_contain_text("grace@example.com")
    expect(cells.nth(2)).to_have_text("1")
    (group,) = [one for one in page.request.get(f"{studio.url}/v1/gpts/groups").json()["data"] if one["users"] == 1]
    assert group["name"] == "Field sales"
    dialog.get_by_role("button", name="Take Grace out of the group").click()
    expect(dialog).to_contain_text("Nobody is in this group yet.")
    dialog.get_by_role("button", name="Close").click()
    expect(cells.nth(2)).to_have_text("0")

    page.get_by_role("button", name="Rename the group Field sales").click()
    expect(dialog.get_by_label("Name of the group")).to_have_value("Field sales")
    dialog.get_by_label("Name of the group").fill("Sales")
    dialog.get_by_role("button", name="Rename", exact=True).click()
    expect(row(page, "Field sales")).to_have_count(0)
    page.get_by_role("button", name="Delete the group Sales").click()
    expect(dialog).to_contain_text("This cannot be undone.")
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(row(page, "Sales")).to_have_count(0)


def test_a_group_in_chinese_on_a_phone(visit: Open) -> None:
    page = visit("/people", language="zh", theme="dark", size=PHONE)
    page.get_by_role("button", name="新建群组").click()
    dialog = page.get_by_role("dialog", name="新建群组")
    dialog.get_by_label("群组名称").fill("数据分析组")
    dialog.get_by_role("button", name="创建").click()
    expect(row(page, "数据分析组", "群组")).to_be_visible()
    page.get_by_role("button", name="“数据分析组”的成员").click()
    expect(dialog_on(page)).to_contain_text("此群组还没有成员")
    dialog_on(page).get_by_role("button", name="关闭").click()
    page.get_by_role("button", name="删除群组“数据分析组”").click()
    dialog_on(page).get_by_role("button", name="删除").click()
    expect(page.get_by_text("还没有群组")).to_be_visible()
