"""The pages of vector stores."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from .conftest import PHONE, Open, Studio, dialog_on, enter, obstacles

GUIDE = "The warranty lasts 24 months.\n\nThe kestrel hovers over meadows and eats voles."


def stored(studio: Studio, name: str, **files: bytes) -> str:
    """A vector store with files that have been processed; `__` in a name stands for a dot."""
    made = studio.api.vector_stores.create(name=name)
    entries: list[Any] = []
    for key, data in files.items():
        file = studio.api.files.create(file=(key.replace("__", "."), data), purpose="assistants")
        entries.append({"file_id": file.id, "attributes": {"kind": key, "year": 2024}})
    studio.api.vector_stores.file_batches.create_and_poll(made.id, files=entries)
    return made.id


def test_a_store_is_made_changed_and_deleted(visit: Open, studio: Studio) -> None:
    page = visit("/vector-stores")
    page.get_by_role("button", name="New vector store").click()
    dialog = page.get_by_role("dialog", name="New vector store")
    dialog.get_by_label("Name").fill("Made by hand")
    dialog.get_by_label("Expires").click()
    page.get_by_role("option", name="30 days").click()
    dialog.get_by_role("button", name="Save").click()
    page.wait_for_url("**/vector-stores/vs_*")
    expect(page.get_by_role("heading", level=1)).to_have_text("Made by hand")
    identifier = page.url.rpartition("/")[2]
    made = studio.api.vector_stores.retrieve(identifier)
    assert made.expires_after
    assert made.expires_after.days == 30

    page.get_by_role("button", name="Edit").click()
    dialog_on(page).get_by_label("Name").fill("Renamed")
    dialog_on(page).get_by_label("Expires").click()
    page.get_by_role("option", name="Never").click()
    dialog_on(page).get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Renamed")
    changed = studio.api.vector_stores.retrieve(identifier)
    assert (changed.name, changed.expires_at) == ("Renamed", None)

    page.get_by_role("link", name="All vector stores").click()
    row = page.get_by_role("row").filter(has_text="Renamed")
    row.get_by_role("button", name="Delete").click()
    dialog_on(page).get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    assert identifier not in [one.id for one in studio.api.vector_stores.list()]


def test_files_are_added_watched_changed_and_removed(visit: Open, studio: Studio) -> None:
    store = studio.api.vector_stores.create(name="Watched").id
    older = studio.api.files.create(file=("older.txt", b"An older file."), purpose="assistants")
    page = visit(f"/vector-stores/{store}")
    expect(page.get_by_text("No files yet.")).to_be_visible()
    page.get_by_text("How files that you add are cut").click()
    page.get_by_role("textbox", name="Attributes").fill("year: 2024")
    page.get_by_label("Chunks").click()
    page.get_by_role("option", name="Sizes of your own").click()
    page.get_by_label("Tokens of a chunk").fill("200")
    page.get_by_label("Tokens that neighbours share").fill("50")
    new = {"name": "new.txt", "mimeType": "text/plain", "buffer": GUIDE.encode()}
    page.locator("input[type=file]").set_input_files([new])  # pyright: ignore
    row = page.get_by_role("row").filter(has_text="new.txt")
    # Nobody reloads the page.
    expect(row).to_contain_text("ready", timeout=60_000)
    expect(row).to_contain_text("year: 2024")
    expect(row).to_contain_text("chunks of 200, 50 shared")
    expect(page.get_by_text("ready · 1 file")).to_be_visible()

    row.get_by_role("button", name="Its text").click()
    expect(dialog_on(page)).to_contain_text("The kestrel hovers")
    page.keyboard.press("Escape")
    row.get_by_role("button", name="Edit attributes").click()
    dialog_on(page).get_by_label("Attributes").fill("year: 2025\ndraft")
    dialog_on(page).get_by_role("button", name="Save").click()
    expect(page.get_by_text("This line has no colon: draft")).to_be_visible()
    dialog_on(page).get_by_label("Attributes").fill("year: 2025\ndraft: true")
    dialog_on(page).get_by_role("button", name="Save").click()
    expect(row).to_contain_text("draft: true")

    page.get_by_role("button", name="Add uploaded files").click()
    dialog_on(page).get_by_label("Files").fill("older")
    page.get_by_role("option", name="older.txt").first.click()
    page.keyboard.press("Escape")
    dialog_on(page).get_by_role("button", name="Add").click()
    expect(page.get_by_role("row").filter(has_text="older.txt")).to_contain_text("ready", timeout=60_000)
    row.get_by_role("button", name="Remove").click()
    dialog_on(page).get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)
    assert [one.id for one in studio.api.vector_stores.files.list(store)] == [older.id]


def test_failures_are_told_in_words(visit: Open, studio: Studio) -> None:
    files = {"broken__pdf": b"%PDF-1.4 nothing", "blank__txt": b"  ", "song__mp3": b"ID3\x03\x00" + bytes(400)}
    store = stored(studio, "Failures", **files)
    page = visit(f"/vector-stores/{store}")
    row = page.get_by_role("row")
    expect(row.filter(has_text="broken.pdf")).to_contain_text("Save or export it anew")
    expect(row.filter(has_text="song.mp3")).to_contain_text("This file is a sound recording")
    expect(page.get_by_text("3 failed")).to_be_visible()
    page = visit(f"/vector-stores/{store}", language="zh", theme="dark", size=PHONE)
    row = page.get_by_role("row")
    expect(row.filter(has_text="broken.pdf")).to_contain_text("文件已损坏或不完整。请重新保存或导出后上传。")
    expect(row.filter(has_text="blank.txt")).to_contain_text("文件中没有文本。")
    expect(row.filter(has_text="song.mp3")).to_contain_text("不支持检索此类文件。")
    assert obstacles(page) == []
    page.get_by_role("button", name="重试: broken.pdf").click()
    expect(row.filter(has_text="broken.pdf")).to_contain_text("文件已损坏", timeout=60_000)


def test_a_search_says_why(visit: Open, studio: Studio) -> None:
    store = stored(studio, "Searched", guide__txt=GUIDE.encode(), poem__txt="床前明月光，疑是地上霜。".encode())
    page = visit(f"/vector-stores/{store}")
    page.get_by_role("tab", name="Try a search").click()
    enter(page.get_by_label("What are you looking for?"), "Which warranties eat submarines?")
    first = page.get_by_role("article").first
    expect(first.locator("mark").first).to_have_text("warranty", timeout=60_000)
    expect(first).to_contain_text("guide.txt")
    expect(first).to_contain_text("chunk 1 of 1")
    expect(first).to_contain_text("It came first because")
    expect(first).to_contain_text("has warranties, eat")
    expect(first).to_contain_text("lacks submarines")
    expect(first).to_contain_text("rank 1")
    assert obstacles(page) == []

    page.get_by_text("Options").click()
    page.get_by_role("button", name="Add a condition").click()
    page.get_by_label("Attribute", exact=True).fill("kind")
    page.get_by_label("Value", exact=True).fill("poem__txt")
    page.get_by_label("What counts").click()
    page.get_by_role("option", name="Words alone").click()
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("Nothing was found.")).to_be_visible()
    page.get_by_label("What are you looking for?").fill("明月")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(first).to_contain_text("poem.txt")
    expect(first.locator("mark")).to_have_text("明月")
    expect(first).to_contain_text("does not count here")


def test_a_search_in_chinese_on_a_phone(visit: Open, studio: Studio) -> None:
    store = stored(studio, "中文", guide__txt="保修期为二十四个月。".encode())
    page = visit(f"/vector-stores/{store}", language="zh", theme="dark", size=PHONE)
    page.get_by_role("tab", name="试检索").click()
    page.get_by_label("想查找什么？").fill("保修期多长")
    page.get_by_role("button", name="检索", exact=True).click()
    first = page.get_by_role("article").first
    expect(first).to_contain_text("它排在第一", timeout=60_000)
    expect(first).to_contain_text("第 1/1 个片段")
    assert obstacles(page) == []


def test_a_store_that_is_not_there(visit: Open) -> None:
    page = visit("/vector-stores/vs_none", fails=True)
    expect(page.get_by_role("alert")).to_contain_text("There is no such page")
