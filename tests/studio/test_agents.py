"""The pages of agents."""

from __future__ import annotations

import io
import re
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from playwright.sync_api import Page, expect

from tests.scripted import Reply

from .conftest import DESKTOP, PHONE, Open, Studio, dialog_on, obstacles
from .test_chat import colleague

Json = dict[str, Any]


def thinks(name: str, text: str = "", criticism: str = "", /, **args: Any) -> Reply:
    """A reply that fits the format."""
    thoughts = {"text": text or f"I will {name}.", "reasoning": "because", "plan": "- first", "criticism": criticism}
    said = {"thoughts": {**thoughts, "speak": "s"}, "command": {"name": name, "args": args}}
    return Reply(text=orjson.dumps(said).decode())


DONE = thinks("task_complete", "Nothing is left.", reason="All is done.")


def get(studio: Studio, path: str) -> Any:
    return studio.api.get(path, cast_to=object)


def post(studio: Studio, path: str, body: Json | None = None) -> Any:
    return studio.api.post(path, cast_to=object, body=body or {})


def begin(studio: Studio, name: str, *replies: Reply | Callable[[Json], Reply], **fields: Any) -> Json:
    studio.upstream.script(*replies)
    return post(studio, "/agents", {"name": name, "role": "an AI", "goals": ["write a story"], **fields})


def until(look: Callable[[], Any], is_so: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + 120
    while not is_so(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def reached(studio: Studio, agent: Json, status: str) -> Json:
    return until(lambda: get(studio, f"/agents/{agent['id']}"), lambda now: now["status"] == status)


def address(agent: Json) -> str:
    return f"/agents/{agent['id']}"


def cycle(page: Page, number: int) -> Any:
    return page.locator(f".cycle[data-number='{number}']")


def test_goals_are_drafted_changed_and_worked_for(visit: Open, studio: Studio, tmp_path: Path) -> None:
    drafted = {"name": "Flower-GPT", "role": "an AI that writes", "goals": ["Write it.", "Tweet it."]}
    studio.upstream.script(Reply(text=orjson.dumps(drafted).decode()))
    page = visit("/agents/new")
    page.get_by_role("button", name="Draft goals").click()
    expect(page.get_by_text("Write what it is to do.")).to_be_visible()
    page.get_by_label("Task").fill("Write a story about flowers")
    page.get_by_role("button", name="Draft goals").click()
    expect(page.get_by_label("Name")).to_have_value("Flower-GPT")
    page.get_by_label("Goal 1").fill("Write it well.")
    page.get_by_role("button", name="Remove").nth(1).click()
    expect(page.get_by_label("Goal 2")).to_have_count(0)
    page.get_by_role("radio", name="never").click()
    page.get_by_label("Tokens").fill("5000")
    page.get_by_role("button", name="Commands").click()
    page.get_by_role("checkbox", name="Clone repository").click()
    notes = tmp_path / "notes.txt"
    notes.write_text("A rose.")
    page.locator("input[type=file]").set_input_files(notes)
    expect(page.get_by_role("list", name="Files")).to_contain_text("notes.txt")
    studio.upstream.script(thinks("read_file", "I look at the *notes* <img src=x>.", file="notes.txt"), DONE)
    page.get_by_role("button", name="Start agent").click()
    page.wait_for_url(re.compile("/agents/agent_"))
    # The first agent of a server waits for the embedding model.
    expect(page.locator(".agent-card")).to_contain_text("All is done.", timeout=60_000)
    expect(cycle(page, 1)).to_contain_text("I look at the notes <img src=x>.")
    expect(cycle(page, 1).locator(".outcome")).to_have_text("A rose.")
    made = get(studio, f"/agents/{page.url.rpartition('/')[2]}")
    assert (made["name"], made["goals"], made["approval"]) == ("Flower-GPT", ["Write it well."], "never")
    assert made["limits"] == {"cycles": 30, "seconds": None, "tokens": 5000, "cost": None}
    assert {"clone_repository", "google"}.isdisjoint(made["commands"])
    assert {"browse_website", "task_complete"} <= set(made["commands"])


def test_a_command_is_denied_with_a_word_and_the_next_allowed(visit: Open, studio: Studio) -> None:
    replies = (
        thinks("write_to_file", "I write.", "Be brief.", file="a.txt", text="x\n" * 30),
        thinks("delete_file", file="a.txt"),
        thinks("delete_file", file="a.txt"),
        DONE,
    )
    agent = begin(studio, "Denied-GPT", *replies)
    page = visit(address(agent), language="zh")
    expect(page.get_by_role("heading", name="是否允许执行：删除文件？")).to_be_visible()
    expect(cycle(page, 2)).to_contain_text("等待您批准")
    # What is long is folded.
    expect(cycle(page, 1).get_by_text("31 行")).to_be_visible()
    expect(cycle(page, 1).locator(".thoughts summary")).to_have_text("计划 · 理由 · 自我批评")
    page.get_by_label("随决定附带说明").fill("Keep it.")
    page.get_by_role("button", name="拒绝").click()
    expect(cycle(page, 2)).to_contain_text("已拒绝")
    expect(cycle(page, 2)).to_contain_text("Keep it.")
    expect(cycle(page, 3)).to_contain_text("等待您批准")
    page.get_by_role("button", name="始终允许").click()
    expect(page.locator(".agent-card")).to_contain_text("All is done.")
    expect(page.locator(".agent-status")).to_have_text("已完成")
    assert reached(studio, agent, "completed")["always_allowed"] == ["delete_file"]


def test_several_are_allowed_at_once(visit: Open, studio: Studio) -> None:
    writes = [thinks("write_to_file", file=f"{number}.txt", text="x") for number in range(3)]
    agent = begin(studio, "Several-GPT", *writes, DONE, approval="always")
    page = visit(address(agent))
    page.get_by_label("How many commands").fill("")
    page.get_by_role("button", name="Allow several").click()
    expect(page.get_by_text("1 to 1,000")).to_be_visible()
    page.get_by_label("How many commands").fill("2")
    page.get_by_role("button", name="Allow several").click()
    expect(cycle(page, 3)).to_contain_text("waits for your approval")
    expect(cycle(page, 2).locator(".outcome")).to_contain_text("1.txt")
    page.get_by_role("button", name="Allow once").click()
    expect(page.locator(".agent-status")).to_have_text("completed")


def test_its_question_is_answered(visit: Open, studio: Studio) -> None:
    ask = thinks("ask_user", question="Which flower?\nRose or tulip?")
    agent = begin(studio, "Asking-GPT", ask, commands=["ask_user"])
    page = visit(address(agent))
    expect(page.locator(".agent-question")).to_contain_text("Rose or tulip?")
    page.get_by_role("button", name="Answer").click()
    expect(page.get_by_text("Write an answer.")).to_be_visible()
    page.get_by_label("Your answer").fill("A tulip.")
    studio.upstream.script(DONE)
    page.get_by_role("button", name="Answer").click()
    expect(cycle(page, 1).locator(".outcome")).to_have_text("A tulip.")
    expect(page.locator(".agent-card")).to_contain_text("All is done.")


def test_it_is_told_something_paused_resumed_and_stopped(visit: Open, studio: Studio) -> None:
    goes = threading.Event()

    def late(_: Json) -> Reply:
        assert goes.wait(120)
        return thinks("search_files")

    agent = begin(studio, "Paused-GPT", late)
    page = visit(address(agent))
    expect(page.get_by_text("It thinks about its next step…")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("It pauses when its present step is done.")).to_be_visible()
    goes.set()
    expect(page.locator(".agent-status")).to_have_text("paused")
    page.get_by_label("Tell it something before its next step").fill("Hurry up.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("It hears this before its next step.")).to_be_visible()
    studio.upstream.script(thinks("delete_file", file="none.txt"))
    page.get_by_role("button", name="Resume").click()
    expect(cycle(page, 2)).to_contain_text("waits for your approval")
    assert "Hurry up." in studio.upstream.requests[-1]["messages"][-1]["content"]
    page.get_by_role("button", name="Stop", exact=True).click()
    dialog_on(page).get_by_role("button", name="Stop").click()
    expect(page.locator(".agent-status")).to_have_text("stopped")
    expect(page.get_by_role("button", name="Start again")).to_be_visible()


def test_a_limit_is_raised_and_it_goes_on(visit: Open, studio: Studio) -> None:
    agent = begin(studio, "Limited-GPT", thinks("search_files"), limits={"cycles": 1, "tokens": 90_000})
    page = visit(address(agent))
    expect(page.get_by_role("heading", name="It has used up its cycles")).to_be_visible()
    expect(cycle(page, 1)).to_contain_text("There are no files in the workspace.")
    field = page.locator(".agent-card").get_by_label("Cycles")
    field.fill("1")
    page.get_by_role("button", name="Raise and go on").click()
    expect(page.get_by_text("More than now")).to_be_visible()
    field.fill("9")
    studio.upstream.script(DONE)
    page.get_by_role("button", name="Raise and go on").click()
    expect(page.locator(".agent-status")).to_have_text("completed")
    expect(page.locator(".agent-side")).to_contain_text("2 of 9")
    limits = get(studio, f"/agents/{agent['id']}")["limits"]
    assert limits == {"cycles": 9, "seconds": None, "tokens": 90_000, "cost": None}


def test_what_it_is_told_can_be_changed_while_it_waits(visit: Open, studio: Studio) -> None:
    agent = begin(studio, "Changed-GPT", thinks("delete_file", file="a.txt"))
    reached(studio, agent, "requires_action")
    post(studio, f"/agents/{agent['id']}", {"always_allowed": ["send_tweet"]})
    page = visit(address(agent))
    page.get_by_role("tab", name="Change").click()
    setup = page.get_by_role("tabpanel", name="Change")
    setup.get_by_label("Goal 1").fill("")
    setup.get_by_role("button", name="Save").click()
    expect(setup.get_by_text("Write at least one goal.")).to_be_visible()
    setup.get_by_label("Goal 1").fill("Write a poem")
    setup.get_by_role("button", name="Add a constraint").click()
    setup.get_by_label("Constraint 1").fill("No rhymes")
    setup.get_by_label("Ask again before Send tweet").click()
    setup.get_by_role("radio", name="before every command").click()
    # Somebody else changes something that is not changed here.
    post(studio, f"/agents/{agent['id']}", {"limits": {"cycles": 44}})
    setup.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved")).to_be_visible()
    now = get(studio, f"/agents/{agent['id']}")
    assert (now["goals"], now["constraints"], now["approval"]) == (["Write a poem"], ["No rhymes"], "always")
    assert (now["limits"]["cycles"], now["always_allowed"]) == (44, [])
    expect(page.locator(".agent-goals")).to_have_text("Write a poem")
    page.get_by_role("tab", name="Prompt").click()
    expect(page.locator(".objects summary")).to_have_count(8)
    expect(page.locator(".objects")).to_contain_text("1. Write a poem")
    post(studio, f"/agents/{agent['id']}/cancel")


def test_its_files_are_seen_and_downloaded(visit: Open, studio: Studio) -> None:
    text = "print('<b>hello</b>')\n"
    agent = begin(studio, "Filing-GPT", thinks("write_to_file", file="src/hello & more.py", text=text), DONE)
    page = visit(address(agent))
    cycle(page, 1).get_by_role("button", name="src/hello & more.py").click()
    dialog = page.get_by_role("dialog", name="src/hello & more.py")
    expect(dialog.locator("pre")).to_have_text(text.strip())
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Download").click()
    assert (download.value.suggested_filename, download.value.path().read_text()) == ("hello & more.py", text)
    dialog.get_by_role("button", name="Close").click()
    page.get_by_role("tab", name="Files").click()
    expect(page.get_by_text("1 file, 22 B")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all (zip)").click()
    archive = zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))
    assert archive.read("src/hello & more.py").decode() == text
    # Nobody else has them.
    assert page.request.get(f"{studio.url}/agent-files/{agent['id']}?path=none").status == 404
    assert page.request.get(f"{studio.url}/agent-files/agent_none").status == 404


def test_a_long_agent_comes_page_by_page(visit: Open, studio: Studio) -> None:
    writes = [thinks("write_to_file", file=f"{number}.txt", text="x") for number in range(44)]
    agent = begin(studio, "Long-GPT", *writes, thinks("delete_file", file="0.txt"))
    reached(studio, agent, "requires_action")
    page = visit(address(agent))
    rows = page.locator(".cycle")
    expect(rows).to_have_count(20)
    expect(rows.first).to_have_attribute("data-number", "45")
    page.get_by_role("button", name="Show earlier cycles").click()
    expect(rows).to_have_count(40)
    page.get_by_role("button", name="Show earlier cycles").click()
    expect(rows).to_have_count(45)
    expect(rows.last).to_have_attribute("data-number", "1")
    expect(page.get_by_role("button", name="Show earlier cycles")).to_have_count(0)
    # What comes is put on top, once.
    studio.upstream.script(DONE)
    page.get_by_role("button", name="Allow once").click()
    expect(rows).to_have_count(46)
    expect(rows.first).to_have_attribute("data-number", "46")


def test_closing_the_tab_ends_its_stream(visit: Open, studio: Studio) -> None:
    agent = begin(studio, "Closed-GPT", thinks("delete_file", file="a.txt"))
    page = visit(address(agent))
    expect(page.get_by_role("button", name="Allow once")).to_be_visible()
    path = f"/v1/agents/{agent['id']}/events"

    def streams() -> list[Json]:
        noted = get(studio, "/request_logs?limit=100&by_page=true")["data"]
        return [one for one in noted if one["path"] == path]

    assert streams() == []
    page.close()
    # A request is noted when it has ended.
    assert len(until(streams, bool)) == 1
    post(studio, f"/agents/{agent['id']}/cancel")


def test_those_that_it_starts_are_linked(visit: Open, studio: Studio) -> None:

    def either(request: Json) -> Reply:
        is_helper = "You are Helper-GPT" in request["messages"][0]["content"]
        return DONE if is_helper else thinks("delete_file", file="a.txt")

    start = thinks("start_agent", name="Helper-GPT", task="help", prompt="Help.")
    agent = begin(studio, "Parent-GPT", start, either, either)
    page = visit(address(agent))
    page.get_by_role("link", name="Helper-GPT").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Helper-GPT")
    page.get_by_role("link", name=agent["id"]).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Parent-GPT")
    (helper,) = get(studio, f"/agents/{agent['id']}/agents")["data"]
    reached(studio, helper, "completed")
    reached(studio, agent, "requires_action")
    post(studio, f"/agents/{agent['id']}/cancel")


def test_the_list_is_filtered_and_leads_to_one(visit: Open, studio: Studio) -> None:
    reached(studio, begin(studio, "Listed-GPT", DONE), "completed")
    failed = {"error": {"message": "The key is wrong."}}
    broken = begin(studio, "Broken-GPT", Reply(status=401, error=failed))
    reached(studio, broken, "failed")
    page = visit("/agents", language="zh")
    rows = page.locator(".agents-list tbody tr")
    expect(rows.filter(has_text="Listed-GPT")).to_contain_text("已完成")
    page.get_by_label("状态").click()
    page.get_by_role("option", name="失败").click()
    expect(rows.filter(has_text="Listed-GPT")).to_have_count(0)
    page.get_by_role("link", name="Broken-GPT").click()
    expect(page.get_by_role("heading", name="运行失败")).to_be_visible()
    # It begins again with what it was given.
    page.get_by_role("button", name="重新启动").click()
    expect(page.get_by_label("名称")).to_have_value("Broken-GPT")
    expect(page.get_by_label("目标 1")).to_have_value("write a story")


def test_the_list_shows_how_those_at_work_fare(visit: Open, studio: Studio) -> None:
    goes = threading.Event()

    def late(_: Json) -> Reply:
        assert goes.wait(120)
        return DONE

    begin(studio, "Seen-GPT", late)
    try:
        page = visit("/agents")
        seen = page.locator(".agents-list tbody tr").filter(has_text="Seen-GPT")
        expect(seen).to_contain_text("at work")
    finally:
        goes.set()
    expect(seen).to_contain_text("completed")


def test_an_agent_is_deleted(visit: Open, studio: Studio) -> None:
    agent = begin(studio, "Deleted-GPT", DONE)
    page = visit(address(agent))
    expect(page.locator(".agent-card")).to_contain_text("All is done.")
    page.get_by_role("button", name="Delete agent").click()
    dialog_on(page).get_by_role("button", name="Delete agent").click()
    page.wait_for_url("**/agents")
    expect(page.get_by_role("link", name="Deleted-GPT")).to_have_count(0)
    gone = visit(address(agent), fails=True)
    expect(gone.get_by_role("alert")).to_be_visible()


def test_whoever_may_only_look_changes_nothing(visit: Open, studio: Studio) -> None:
    agent = begin(studio, "Watched-GPT", thinks("delete_file", file="a.txt"))
    state = colleague(visit, studio, "viewer")
    page = visit(address(agent), state=state)
    expect(page.get_by_role("heading", name="May it do this: Delete file?")).to_be_visible()
    expect(page.locator(".agent-card")).to_contain_text("Your role in this project does not allow this.")
    for name in ("Allow once", "Stop", "Send"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    expect(page.get_by_role("tab")).to_have_text(["Timeline", "Files", "Prompt"])
    post(studio, f"/agents/{agent['id']}/cancel")
    expect(page.locator(".agent-status")).to_have_text("stopped")


@pytest.mark.parametrize(("language", "theme", "size"), [("en", "light", DESKTOP), ("zh", "dark", PHONE)])
def test_it_can_be_used_by_everybody(
    visit: Open, studio: Studio, language: str, theme: str, size: tuple[int, int]
) -> None:
    replies = (
        thinks("write_to_file", "I write.", "Be brief.", file="a.py", text="x = 1\n" * 30),
        thinks("read_file", file="none.txt"),
        thinks("delete_file", file="a.py"),
    )
    agent = begin(studio, f"Everybody-GPT {language}", *replies, limits={"cycles": 30, "cost": 1})
    page = visit(address(agent), language=language, theme=theme, size=size)
    expect(cycle(page, 3)).to_be_visible()
    for tab in page.get_by_role("tab").all():
        tab.click()
        assert obstacles(page) == []
    post(studio, f"/agents/{agent['id']}/cancel")
