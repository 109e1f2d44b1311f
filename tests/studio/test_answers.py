"""What goes with questions and stands in answers, in the chat and in the Playground: files, pictures, code."""

# pyright: reportDeprecated=false
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.scripted import Call, Reply

from .conftest import DESKTOP, PHONE, Open, Studio, answered, obstacles
from .test_assistant_settings import made, opened
from .test_chat import unique
from .test_runs import address, asked

#: Pastes files into what has the focus, as the browser does: a table, and a picture that it draws.
_PASTE = """async () => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 8;
  const picture = await new Promise((drawn) => canvas.toBlob(drawn, 'image/png'));
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File(['a,b\\n1,2\\n'], 'pasted.csv', {type: 'text/csv'}));
  clipboardData.items.add(new File([picture], 'pasted.png', {type: 'image/png'}));
  const event = new ClipboardEvent('paste', {clipboardData, bubbles: true, cancelable: true});
  document.activeElement.dispatchEvent(event);
  return event.defaultPrevented;
}"""
DRAW = """import matplotlib.pyplot as plt
plt.plot([1, 4, 9])
plt.show()
open('/mnt/data/squares.csv', 'w').write('1,4,9')
print('drawn', 1 + 4 + 9)"""
MADE = "The squares: [squares.csv](sandbox:/mnt/data/squares.csv)."


def where(visit: Open, studio: Studio, place: str, **options: Any) -> Page:
    """The chat, or the Playground, with a new assistant that runs code."""
    assistant = made(studio, tools=[{"type": "code_interpreter"}])
    return visit(f"/?assistant={assistant}", **options) if place == "chat" else opened(visit, assistant, **options)


@pytest.mark.parametrize("place", ["chat", "playground"])
def test_files_and_pictures_are_pasted(visit: Open, studio: Studio, place: str) -> None:
    page = where(visit, studio, place)
    field = page.get_by_label("Write a message")
    field.fill(question := unique("What are these?"))
    assert page.evaluate(_PASTE)
    for name in ("pasted.csv", "pasted.png"):
        expect(page.get_by_role("button", name=f"Remove {name}")).to_be_visible()
    expect(field).to_have_value(question)
    studio.upstream.script(Reply(text="A table and a square."))
    field.press("Enter")
    expect(page.get_by_role("article").last).to_contain_text("A table and a square.")
    sent = page.get_by_role("article").first
    expect(sent.get_by_role("link", name="pasted.csv")).to_be_visible()
    expect(sent.get_by_role("img")).to_have_js_property("naturalWidth", 8)
    assert "data:image/png;base64," in str(studio.upstream.requests[-1]["messages"][-1])
    # Text goes into the field, as it does everywhere.
    field.focus()
    assert not page.evaluate(_PASTE.replace("clipboardData.items.add", "void "))


@pytest.mark.parametrize(("place", "language"), [("chat", "zh"), ("playground", "en")])
def test_code_is_copied(visit: Open, studio: Studio, place: str, language: str) -> None:
    page = where(visit, studio, place, language=language)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    code = 'def square(n: int) -> int:\n    return n * n  # <b> & "so"\n'
    studio.upstream.script(Reply(text=f"So:\n\n```python\n{code}```\n\nThat is all."))
    field = page.get_by_label("输入消息" if language == "zh" else "Write a message")
    field.fill(unique("Square?"))
    field.press("Enter")
    answer = page.get_by_role("article").last
    expect(answer).to_contain_text("That is all.")
    answered(page)
    answer.get_by_role("button", name="复制" if language == "zh" else "Copy", exact=True).first.click()
    expect(answer.get_by_role("button", name="已复制" if language == "zh" else "Copied", exact=True)).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").strip() == code.strip()


@pytest.mark.parametrize(
    ("place", "language", "theme", "size"), [("chat", "zh", "dark", PHONE), ("playground", "en", "light", DESKTOP)]
)
def test_what_code_has_made_stands_in_the_answer(
    visit: Open, studio: Studio, tmp_path: Path, place: str, language: str, theme: str, size: tuple[int, int]
) -> None:
    page = where(visit, studio, place, language=language, theme=theme, size=size)
    studio.upstream.script(Reply(tool_calls=[Call("code_interpreter", {"code": DRAW})]), Reply(text=MADE))
    field = page.get_by_label("输入消息" if language == "zh" else "Write a message")
    field.fill(unique("Draw squares"))
    field.press("Enter")
    for _ in ("as it comes", "as it is kept"):
        answer = page.get_by_role("article").last
        link = answer.get_by_role("link", name="squares.csv")
        expect(link).to_be_visible(timeout=60_000)
        image = answer.get_by_role("img")
        expect(image).to_be_visible()
        assert image.evaluate("async (one) => { await one.decode(); return one.naturalWidth }") > 100
        with page.expect_download() as loading:
            link.click()
        loading.value.save_as(tmp_path / "made.csv")
        assert loading.value.suggested_filename == "squares.csv"
        assert (tmp_path / "made.csv").read_text("utf-8") == "1,4,9"
        page.reload()
    assert obstacles(page) == []


@pytest.mark.parametrize(
    ("language", "theme", "size", "code", "output", "score"),
    [("en", "light", DESKTOP, "Code", "Output", "score"), ("zh", "dark", PHONE, "代码", "输出", "得分")],
)
def test_a_run_shows_code_with_its_output_and_passages_with_their_scores(
    visit: Open,
    studio: Studio,
    language: str,
    theme: str,
    size: tuple[int, int],
    code: str,
    output: str,
    score: str,
) -> None:
    store = studio.api.vector_stores.create(name="Birds")
    text = "The arctic tern flies from pole to pole each year."
    studio.api.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=("birds.txt", text.encode()))
    run = asked(
        studio,
        "How far does a tern fly?",
        Reply(tool_calls=[Call("code_interpreter", {"code": DRAW})]),
        Reply(tool_calls=[Call("file_search", {"queries": ["arctic tern"]})]),
        Reply(text="From pole to pole."),
        tools=[{"type": "code_interpreter"}, {"type": "file_search"}],
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )
    assert run.status == "completed", run.last_error
    page = visit(address(run), language=language, theme=theme, size=size)
    steps = page.get_by_role("listitem").filter(has=page.get_by_role("heading", level=3))
    expect(steps).to_have_count(4)
    expect(steps.nth(1)).to_contain_text(code)
    expect(steps.nth(1)).to_contain_text("plt.plot([1, 4, 9])")
    expect(steps.nth(1)).to_contain_text(output)
    expect(steps.nth(1)).to_contain_text("drawn 14")
    image = steps.nth(1).get_by_role("img")
    assert image.evaluate("async (one) => { await one.decode(); return one.naturalWidth }") > 100
    expect(steps.nth(2)).to_contain_text("birds.txt")
    expect(steps.nth(2)).to_contain_text(re.compile(rf"{score} \d\.\d{{3}}"))
    steps.nth(2).get_by_text("birds.txt").first.click()
    expect(steps.nth(2)).to_contain_text(text)
    assert obstacles(page) == []
