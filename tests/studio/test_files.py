"""The page of files."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import FilePayload, Page, expect

from .conftest import PHONE, Open, Studio, dialog_on, obstacles


def given(name: str, data: bytes = b"Some text.") -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": data}


def row_of(page: Page, name: str) -> object:
    return page.get_by_role("row").filter(has_text=name)


def test_files_come_and_go(visit: Open, studio: Studio, tmp_path: Path) -> None:
    page = visit("/files")
    page.locator("input[type=file]").set_input_files([given("one.txt", b"One"), given("two <b>.txt", b"Two, two")])
    uploads = page.locator(".uploads li")
    expect(uploads.filter(has_text="uploaded")).to_have_count(2)
    table = page.get_by_role("table", name="Files")
    row = table.get_by_role("row").filter(has_text="two <b>.txt")
    expect(row).to_contain_text("8 B")
    expect(row).to_contain_text("Assistants")

    page.get_by_label("Search by name").fill("TWO <")
    expect(table.get_by_role("row").filter(has_text="one.txt")).to_have_count(0)
    with page.expect_download() as download:
        row.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "two _b_.txt"
    assert Path(download.value.path()).read_bytes() == b"Two, two"

    row.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete two <b>.txt?")
    expect(dialog).to_contain_text("cannot be undone")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    # Whoever uses the keyboard goes on where they were.
    expect(row.get_by_role("button", name="Delete")).to_be_focused()
    page.keyboard.press("Enter")
    dialog_on(page).get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No file fits.")).to_be_visible()
    assert "two <b>.txt" not in [one.filename for one in studio.api.files.list()]


def test_files_come_and_go_in_chinese_on_a_phone(visit: Open, studio: Studio) -> None:
    page = visit("/files", language="zh", theme="dark", size=PHONE)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="上传文件").click()
    others = given("渡轮.txt", "中午开船。".encode())
    chooser.value.set_files([given("港口手册.txt", "每晚十八克朗。".encode()), others])
    uploads = page.locator(".uploads li")
    expect(uploads.filter(has_text="已上传")).to_have_count(2)
    page.get_by_label("按名称搜索").fill("港口")
    row = page.get_by_role("table", name="文件").get_by_role("row").filter(has_text="港口手册.txt")
    expect(row).to_contain_text("21 B")
    assert obstacles(page) == []
    with page.expect_download() as download:
        row.get_by_role("button", name="下载").click()
    assert Path(download.value.path()).read_text("utf-8") == "每晚十八克朗。"
    row.get_by_role("button", name="删除").click()
    page.get_by_role("dialog", name="删除 港口手册.txt？").get_by_role("button", name="删除").click()
    expect(page.get_by_text("没有符合的文件。")).to_be_visible()
    assert "港口手册.txt" not in [one.filename for one in studio.api.files.list()]


def test_files_are_dropped(visit: Open, studio: Studio) -> None:
    page = visit("/files")
    page.get_by_role("button", name="Upload files").wait_for()
    data = page.evaluate_handle(
        "() => { const data = new DataTransfer(); data.items.add(new File(['dropped'], 'dropped.txt')); return data }"
    )
    page.dispatch_event(".uploads", "drop", {"dataTransfer": data})
    expect(page.get_by_role("table").get_by_text("dropped.txt")).to_be_visible()
    (file,) = [one for one in studio.api.files.list() if one.filename == "dropped.txt"]
    assert studio.api.files.content(file.id).read() == b"dropped"


def test_what_the_api_refuses_is_said(visit: Open) -> None:
    page = visit("/files", fails=True)
    page.locator("input[type=file]").set_input_files([given("n" * 256)])
    expect(page.locator(".uploads li.failed")).to_contain_text("the name of a file must have 1 to 255 characters")


def test_the_purpose_is_chosen(visit: Open, studio: Studio) -> None:
    page = visit("/files")
    page.get_by_label("Upload for").click()
    page.get_by_role("option", name="Pictures for models").click()
    expect(page.locator(".uploads")).to_have_attribute("data-purpose", "vision")
    page.locator("input[type=file]").set_input_files([given("picture.png")])
    expect(page.get_by_role("row").filter(has_text="picture.png")).to_contain_text("Pictures for models")
    page.get_by_label("Purpose", exact=True).click()
    page.get_by_role("option", name="Pictures for models").click()
    expect(page.get_by_role("table").get_by_text("picture.png")).to_be_visible()
    assert {one.purpose for one in studio.api.files.list() if one.filename == "picture.png"} == {"vision"}


def test_where_a_file_is_used_in_chinese(visit: Open, studio: Studio) -> None:
    file = studio.api.files.create(file=("used.txt", b"Used."), purpose="assistants").id
    store = studio.api.vector_stores.create(name="Holds used.txt")
    studio.api.vector_stores.files.create_and_poll(file, vector_store_id=store.id)
    tools = {"tools": [{"type": "code_interpreter"}], "tool_resources": {"code_interpreter": {"file_ids": [file]}}}
    studio.api.beta.assistants.create(model="default", name="Uses used.txt", **tools)  # pyright: ignore
    page = visit("/files", language="zh")
    page.get_by_role("row").filter(has_text="used.txt").get_by_role("button", name="使用情况").click()
    dialog = page.get_by_role("dialog", name="used.txt")
    expect(dialog.get_by_role("heading", name="所在向量库")).to_be_visible()
    expect(dialog.get_by_text("Uses used.txt")).to_be_visible()
    dialog.get_by_role("link", name="Holds used.txt").click()
    page.wait_for_url(f"**/vector-stores/{store.id}")
