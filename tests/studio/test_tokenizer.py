"""The page that shows a text as tokens."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from .conftest import PHONE, Open

PATH = "/tokenizer"


def test_a_text_is_shown_as_tokens_and_as_ids(visit: Open) -> None:
    page = visit(PATH)
    page.get_by_label("Text", exact=True).fill("tiktoken 分词器\n🦜!")
    expect(page.get_by_role("status").filter(has_text="characters")).to_have_text("11 tokens, 15 characters, 24 bytes")
    tokens = page.get_by_role("listbox", name="Tokens").get_by_role("option")
    expect(tokens).to_have_count(11)
    assert "🦜" in (tokens.nth(8).get_attribute("aria-label") or "")
    page.get_by_role("listbox", name="Tokens").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("Token 1: “t”")).to_be_visible()
    page.get_by_role("button", name="Token ids").click()
    expect(tokens.first).to_have_text("83")
    page.get_by_label("Tokenizer", exact=True).click()
    page.get_by_role("option", name="cl100k_base").click()
    expect(page.get_by_role("status").filter(has_text="characters")).to_have_text("12 tokens, 15 characters, 24 bytes")


def test_a_long_file_is_counted_in_chinese_page_by_page(visit: Open, tmp_path: Path) -> None:
    file = tmp_path / "long.txt"
    line = "人工智能助手帮助人们完成工作🦜。\n"
    file.write_text(line * 50_000, encoding="utf-8")
    page = visit(PATH, language="zh", theme="dark", size=PHONE)
    page.locator("input[type=file]").set_input_files(file)
    said = page.get_by_role("status").filter(has_text="字符")
    characters = f"{50_000 * len(line):,} 个字符，{50_000 * len(line.encode()):,} 字节"
    expect(said).to_contain_text(characters, timeout=30_000)
    tokens = page.get_by_role("listbox", name="词元").get_by_role("option")
    expect(tokens.first).to_have_attribute("aria-label", "第 1 个词元：“人工”，ID 47243，字节 E4 BA BA E5 B7 A5")
    page.get_by_role("button", name="后面的词元").click()
    expect(page.get_by_text("第 1,501–3,000 个")).to_be_visible()


def test_a_file_that_is_no_text_is_refused(visit: Open, tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(b"\x89PNG\xff\xfe")
    page = visit(PATH)
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("This file is no text in UTF-8.")).to_be_visible()


def test_a_reload_keeps_the_text_and_local_models_can_be_chosen(visit: Open) -> None:
    page = visit(PATH)
    page.get_by_role("button", name="Show an example").click()
    expect(page.get_by_role("listbox", name="Tokens")).to_be_visible()
    page.reload()
    expect(page.get_by_role("listbox", name="Tokens")).to_be_visible()
    page.get_by_label("Tokenizer", exact=True).click()
    expect(page.get_by_role("option", name="on this machine").first).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("listbox", name="Tokens")).to_be_hidden()
