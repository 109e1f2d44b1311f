"""The page of a run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.beta.threads import Run
from playwright.sync_api import expect

from tests.faults.harness import KEY
from tests.scripted import Call, Reply

from .conftest import PHONE, Open, Studio, dialog_on, obstacles

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def ended(api: openai.OpenAI, run: Run) -> Run:
    """A run once it waits for nobody but its client."""
    deadline = time.monotonic() + 30
    while run.status in ("queued", "in_progress"):
        assert time.monotonic() < deadline
        run = api.beta.threads.runs.poll(run.id, thread_id=run.thread_id)
    return run


def answered(api: openai.OpenAI, run: Run, output: str) -> Run:
    """A run that waited for a function, and goes on."""
    assert run.required_action
    (call,) = run.required_action.submit_tool_outputs.tool_calls
    return api.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=[{"tool_call_id": call.id, "output": output}]
    )


def asked(studio: Studio, question: str, *replies: Reply, **assistant: Any) -> Run:
    """A run that has ended, or waits."""
    studio.upstream.script(*replies)
    options = {"instructions": "Be brief.", "name": "Helper"} | assistant
    made = studio.api.beta.assistants.create(model="default", **options)
    thread = studio.api.beta.threads.create(messages=[{"role": "user", "content": question}])
    return ended(studio.api, studio.api.beta.threads.runs.create(thread.id, assistant_id=made.id))


@pytest.fixture
def run(studio: Studio) -> Run:
    """A run that has called a function and answered."""
    replies = (Reply(tool_calls=[Call("weather", {"city": "Oslo"})], usage=(633, 20)), Reply(text="It <b>rains</b>."))
    run = asked(studio, 'Is "rain" due?\nIn Oslo', *replies, tools=[WEATHER])
    return answered(studio.api, run, '{"sky": "grey"}')


def address(run: Run) -> str:
    return f"/runs/{run.thread_id}/{run.id}"


def test_the_steps_tell_what_happened_in_order(visit: Open, run: Run) -> None:
    page = visit(address(run))
    expect(page.get_by_role("heading", level=3)).to_have_text(["User", "Tool call", "Answer"])
    steps = page.get_by_role("listitem").filter(has=page.get_by_role("heading", level=3))
    expect(steps.nth(0)).to_contain_text('Is "rain" due?')
    expect(steps.nth(1)).to_contain_text("633 in, 20 out")
    expect(steps.nth(1)).to_contain_text("Function weather")
    expect(steps.nth(1).locator("pre").nth(0)).to_contain_text('"city": "Oslo"')
    expect(steps.nth(1).locator("pre").nth(1)).to_contain_text('"sky": "grey"')
    # What a model writes is text.
    expect(steps.nth(2)).to_contain_text("It <b>rains</b>.")
    facts = page.locator(".facts")
    for told in ("completed", "Helper", "640 in, 25 out", run.model, run.id, run.thread_id):
        expect(facts).to_contain_text(told)


def test_the_prompt_is_what_the_model_was_sent(visit: Open, run: Run) -> None:
    page = visit(address(run))
    page.get_by_role("tab", name="Prompt").click()
    expect(page.get_by_text("Request 1 of 2")).to_be_visible()
    second = page.locator(".prompt").nth(1)
    expect(second.locator("summary .name")).to_have_text(
        ["system", "user", "assistant", "tool", "tools", "Whole request"]
    )
    expect(second).not_to_contain_text("today")
    second.get_by_text("assistant", exact=True).click()
    expect(second.locator("details").nth(2)).to_contain_text('→ weather({"city": "Oslo"})')
    # By keyboard, too.
    second.locator("summary").nth(5).press("Enter")
    expect(second.locator("details").nth(5)).to_contain_text('"tool_choice": "auto"')


def test_events_and_objects_are_there_as_json(visit: Open, run: Run) -> None:
    page = visit(address(run))
    page.get_by_role("tab", name="Events").click()
    names = page.locator("summary .name")
    expect(names.first).to_have_text("thread.run.created")
    expect(names.last).to_have_text("thread.run.completed")
    page.get_by_role("tab", name="JSON").click()
    expect(names).to_have_text(["Run", "Assistant", "Thread", "Step", "Step", "Message", "Message"])
    names.first.click()
    expect(page.locator("details").first).to_contain_text(f'"id": "{run.id}"')


def test_the_code_does_the_same(visit: Open, studio: Studio, run: Run, tmp_path: Path) -> None:
    before = studio.upstream.requests[-2:]
    page = visit(address(run))
    page.get_by_role("tab", name="Code").click()
    expect(page.locator(".program")).to_have_count(3)
    blocks = page.locator(".program code")
    expect(blocks.nth(2)).to_contain_text("curl")
    python, javascript, shell = (blocks.nth(at).inner_text() for at in range(3))
    studio.upstream.script(Reply(tool_calls=[Call("weather", {"city": "Oslo"}, id="x")]), Reply(text="Again."))
    own = {**os.environ, "OPENAI_BASE_URL": f"{studio.url}/v1", "OPENAI_API_KEY": KEY, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", python], env=own, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("Again.", 0), done.stderr
    after = studio.upstream.requests[-2:]
    assert after[0] == before[0]
    assert after[1]["messages"][-1]["content"] == before[1]["messages"][-1]["content"] == '{"sky": "grey"}'
    script = tmp_path / "run.sh"
    script.write_text(re.sub(r"^export .*$", "", shell, flags=re.MULTILINE))
    studio.upstream.script(Reply(text="And again."))
    done = subprocess.run(["bash", script], env=own, capture_output=True, text=True, timeout=60, check=False)
    assert "And again." in done.stdout.replace('","', "") or "thread.run.completed" in done.stdout, done.stdout
    assert studio.upstream.requests[-1] == before[0]
    if node := shutil.which("node"):
        module = tmp_path / "run.mjs"
        module.write_text(javascript)
        assert subprocess.run([node, "--check", module], capture_output=True, check=False).returncode == 0


def test_errors_are_told_in_full(visit: Open, studio: Studio) -> None:
    why = "Request 17 was refused: the parameter `eels` is unknown. " + "Much more. " * 30
    run = asked(studio, "Hello", Reply(status=400, error={"message": why}))
    page = visit(address(run), language="zh")
    expect(page.get_by_role("alert")).to_contain_text(why.strip())
    expect(page.get_by_role("alert")).to_contain_text("运行失败：")
    expect(page.locator(".facts")).to_contain_text("失败")
    page.get_by_role("tab", name="提示词").click()
    expect(page.get_by_text("第 1 次请求，共 1 次")).to_be_visible()
    expect(page.locator(".prompt pre")).to_have_text("Hello")


def test_running_again_with_other_instructions_beside_the_first(visit: Open, studio: Studio, run: Run) -> None:
    before = studio.upstream.requests[-2]
    studio.api.beta.threads.update(run.thread_id, metadata={"user": "ada", "title": "Rain"})
    studio.upstream.script(Reply(text="Second answer, and a long one."))
    page = visit(address(run))
    page.get_by_role("button", name="Run again").click()
    dialog = dialog_on(page)
    expect(dialog.get_by_label("Instructions")).to_have_value("Be brief.")
    dialog.get_by_label("Instructions").fill("Be long.")
    dialog.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/runs/**beside=**")
    expect(page.get_by_role("heading", level=2)).to_have_text(["First run", "Second run"])
    cards = page.locator(".runs > .card")
    expect(cards.nth(0)).to_contain_text("It <b>rains</b>.")
    expect(cards.nth(1)).to_contain_text("Second answer, and a long one.")
    expect(cards.nth(1)).to_contain_text("completed")
    sent = studio.upstream.requests[-1]
    assert sent["messages"] == [{"role": "system", "content": "Be long."}, *before["messages"][1:]]
    assert sent["tools"] == before["tools"]
    # The first thread is as it was, and the other stands among nobody's chats.
    (made,) = re.findall(r"beside=(thread_\w+)", page.url)
    assert studio.api.beta.threads.retrieve(made).metadata == {}
    assert len(studio.api.beta.threads.messages.list(run.thread_id).data) == 2


def test_a_run_is_followed_until_it_has_ended(visit: Open, studio: Studio) -> None:
    run = asked(studio, "Is it raining?", Reply(tool_calls=[Call("weather", {"city": "Rome"})]), tools=[WEATHER])
    page = visit(address(run))
    expect(page.get_by_text("The run waits for the outputs")).to_be_visible()
    studio.upstream.script(Reply(text="The sun shines."))
    answered(studio.api, run, "sun")
    expect(page.get_by_text("The sun shines.")).to_be_visible()
    expect(page.locator(".facts")).to_contain_text("completed")


def test_the_link_to_share_names_the_project(visit: Open, run: Run) -> None:
    page = visit(address(run))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Colleagues in this project can open the link.")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.search(rf"{address(run)}\?project=proj_\w+$", copied)
    page.goto(copied)
    expect(page.get_by_role("heading", level=3)).to_have_text(["User", "Tool call", "Answer"])


def test_a_run_that_is_not_there(visit: Open) -> None:
    page = visit("/runs/thread_none/run_none", fails=True)
    expect(page.get_by_role("alert")).to_contain_text("There is no such page")


@pytest.mark.parametrize(("language", "theme", "size"), [("en", "light", (1280, 800)), ("zh", "dark", PHONE)])
def test_everybody_can_use_it(visit: Open, run: Run, language: str, theme: str, size: tuple[int, int]) -> None:
    page = visit(f"{address(run)}?beside={run.thread_id}/{run.id}", language=language, theme=theme, size=size)
    for at in range(5):
        page.get_by_role("tab").nth(at).click()
        expect(page.get_by_role("tabpanel").first.get_by_role("status")).to_have_count(0)
        assert obstacles(page) == []
