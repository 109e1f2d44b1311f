"""“View code” in the Playground: what is on the page as a program, which does the same."""

# pyright: reportDeprecated=false
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.scripted import Call, Reply

from .conftest import PHONE, Open, Studio, obstacles

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
TIDE = {"type": "function", "function": {"name": "tide", "parameters": {"type": "object", "properties": {}}}}


def test_the_program_asks_what_the_page_would_ask(visit: Open, studio: Studio, tmp_path: Path) -> None:
    beta = studio.api.beta
    id_ = beta.assistants.create(model="default", name="Pilot", instructions="Know the sea.", tools=[TIDE]).id  # pyright: ignore[reportArgumentType]
    thread = beta.threads.create(
        messages=[
            {"role": "user", "content": "When is high tide?"},
            {"role": "assistant", "content": "At noon."},
        ]
    ).id
    page = visit(f"/playground/{id_}?thread={thread}")
    expect(page.locator("article.assistant")).to_contain_text("At noon.")
    page.get_by_label("Write a message").fill('And "low" tide?')
    page.get_by_role("button", name="View code").click()
    dialog = page.get_by_role("dialog", name="View code")
    expect(dialog).to_contain_text("Write into answers what these functions return: tide.")
    program = dialog.locator("pre").inner_text()
    assert f'"{id_}"' in program

    # It runs as it is.
    studio.upstream.script(Reply(tool_calls=[Call("tide", {})]), Reply(text="At six."))
    (tmp_path / "program.py").write_text(program, "utf-8")
    key = studio.api.api_key
    own = {**os.environ, "OPENAI_BASE_URL": f"{studio.url}/v1", "OPENAI_API_KEY": key, "PYTHONWARNINGS": "ignore"}
    ran = subprocess.run(
        [sys.executable, tmp_path / "program.py"], env=own, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.stdout == "At six.\n", ran.stderr
    asked = studio.upstream.requests[-2]["messages"]
    assert [one["content"] for one in asked] == ["Know the sea.", "When is high tide?", "At noon.", 'And "low" tide?']

    for language, said in (("Node.js", "createAndPoll"), ("curl", 'curl -N "$OPENAI_BASE_URL/threads/runs"')):
        dialog.get_by_label("Language").click()
        page.get_by_role("option", name=language).click()
        expect(dialog.locator("pre")).to_contain_text(said)


def test_the_question_that_was_answered_last_is_asked_on_a_phone_in_chinese(visit: Open, studio: Studio) -> None:
    beta = studio.api.beta
    id_ = beta.assistants.create(model="default", name="领航员").id
    messages = [{"role": "user", "content": "几点涨潮？"}, {"role": "assistant", "content": "中午。"}]
    thread = beta.threads.create(messages=messages).id  # pyright: ignore[reportArgumentType]
    page = visit(f"/playground/{id_}?thread={thread}", language="zh", theme="dark", size=PHONE)
    expect(page.locator("article.assistant")).to_contain_text("中午。")
    page.get_by_role("button", name="查看代码").click()
    program = page.get_by_role("dialog", name="查看代码").locator("pre")
    expect(program).to_contain_text("几点涨潮？")
    expect(program).not_to_contain_text("中午。")
    assert obstacles(page) == []
