"""The chat page."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, Route, expect

from tests.scripted import Call, Reply

from .conftest import DESKTOP, PHONE, Open, Studio, answered, dialog_on, enter, obstacles, sign_up

ANSWER = """**重点：**一句话。

| n | n² |
|---|---|
| 2 | 4 |

$a^2 + b^2 = c^2$

```python
print("<b>")
```

<script>alert(1)</script> ![x](http://elsewhere.example/a.png)"""


PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63382127070002b6010534a675"
    "aa0000000049454e44ae426082"
)


def unique(text: str) -> str:
    """A text that no other test says."""
    return f"{text} {uuid.uuid4().hex[:8]}"


def say(page: Page, text: str) -> None:
    enter(page.get_by_label("Write a message"), text)


def ask(page: Page, text: str, answer: str | None = None) -> None:
    """Say something and wait for the answer, which the model echoes unless a test scripts it."""
    before = page.get_by_role("article").count()
    say(page, text)
    expect(page.get_by_role("article")).to_have_count(before + 2)
    expect(page.get_by_role("article").last).to_contain_text(answer or text)
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def thread_of(page: Page) -> str:
    page.wait_for_url("**/chat/thread_*")
    return page.url.rpartition("/")[2]


def history(page: Page, title: str) -> Any:
    return page.get_by_role("navigation", name="Your chats").get_by_role("link", name=title)


def test_an_answer_has_tables_maths_and_code_and_nothing_of_it_is_taken_for_a_page(visit: Open, studio: Studio) -> None:
    studio.upstream.script(Reply(text=ANSWER))
    page = visit("/")
    say(page, "Show me")
    answer = page.get_by_role("article").nth(1)
    expect(answer.get_by_role("cell", name="4")).to_be_visible()
    expect(answer.locator("strong")).to_have_text("重点：")
    expect(answer.locator(".katex").first).to_be_visible()
    expect(answer.locator(".hljs-string")).to_have_text('"<b>"')
    expect(answer).to_contain_text("<script>alert(1)</script>")
    assert answer.locator("script, img").count() == 0
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_a_suggestion_begins_a_chat_that_stands_in_the_history(visit: Open, studio: Studio) -> None:
    page = visit("/")
    # As some people press everything.
    page.get_by_role("button", name="Explain to a ten-year-old why the sky is blue.").dblclick()
    expect(page.get_by_role("article")).to_have_count(2)
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    thread = thread_of(page)
    entry = page.get_by_role("navigation", name="Your chats").locator(f'a[href="/chat/{thread}"]')
    expect(entry).to_have_text("Explain to a ten-year-old why the sky is blue.")
    expect(entry).to_have_attribute("aria-current", "page")
    expect(page.get_by_role("heading", name="Today")).to_be_visible()
    metadata = studio.api.beta.threads.retrieve(thread).metadata
    assert metadata
    assert metadata["user"].startswith("user-")
    listed = page.request.get(f"{studio.url}/v1/threads?metadata[title]={metadata['title']}").json()["data"]
    assert [one["id"] for one in listed] == [thread]
    # Opened again it is the same.
    page.reload()
    expect(page.get_by_role("article")).to_have_count(2)
    assert page.title() == "Explain to a ten-year-old why the sky is blue. · Retinue"


def test_one_assistant_stands_for_a_model_in_all_chats(visit: Open, studio: Studio) -> None:
    for _ in range(2):
        ask(visit("/"), unique("Hello"))
    made = [one for one in studio.api.beta.assistants.list(limit=100) if (one.metadata or {}).get("chat_model") == "m"]
    assert len(made) == 1


def test_an_assistant_is_chosen_at_the_top(visit: Open, studio: Studio) -> None:
    name = unique("Pirate")
    studio.api.beta.assistants.create(model="m", name=name, instructions="Talk like a pirate.")
    page = visit("/")
    page.get_by_role("combobox", name="Talk with").click()
    page.get_by_role("option", name=name).click()
    ask(page, unique("Ahoy"))
    assert "Talk like a pirate." in json.dumps(studio.upstream.requests[-1]["messages"])
    expect(page.get_by_role("article").last).to_contain_text(name)
    # It is remembered with the chat.
    page.reload()
    expect(page.get_by_role("combobox", name="Talk with")).to_have_value(name)


def test_chats_are_found_renamed_and_deleted(visit: Open) -> None:
    words, title = unique("Zebra"), unique("Stripes")
    page = visit("/")
    ask(page, words)
    page.get_by_label("Search your chats").fill(words.split()[1])
    expect(page.get_by_role("navigation", name="Your chats").get_by_role("link")).to_have_count(1)
    page.get_by_role("button", name=f"Options: {words}").click()
    page.get_by_role("menuitem", name="Rename").click()
    enter(dialog_on(page).get_by_label("Title"), title)
    expect(history(page, title)).to_be_visible()
    page.get_by_label("Search your chats").fill("nothing has these words")
    expect(page.get_by_text("No chat has these words.")).to_be_visible()
    page.get_by_label("Search your chats").fill(title)
    page.get_by_role("button", name=f"Options: {title}").click()
    page.get_by_role("menuitem", name="Delete").click()
    dialog = dialog_on(page)
    expect(dialog).to_contain_text(title)
    dialog.get_by_role("button", name="Delete").click()
    page.wait_for_url(re.compile(r"/$"))
    expect(page.get_by_role("navigation", name="Your chats")).to_be_visible()
    expect(history(page, title)).to_have_count(0)


def test_the_open_chat_keeps_the_name_and_place_that_it_was_given(visit: Open, studio: Studio) -> None:
    words, title = unique("Plain"), unique("Fancy")
    page = visit("/")
    ask(page, words)
    page.get_by_role("button", name=f"Options: {words}").click()
    page.get_by_role("menuitem", name="Rename").click()
    enter(dialog_on(page).get_by_label("Title"), title)
    expect(page).to_have_title(f"{title} · Retinue")
    page.get_by_role("button", name=f"Options: {title}").click()
    page.get_by_role("menuitem", name="Pin", exact=True).click()
    pinned = page.get_by_role("navigation", name="Your chats").get_by_role("list").first
    expect(pinned).to_contain_text(title)
    ask(page, unique("More"))
    expect(pinned).to_contain_text(title)
    expect(history(page, words)).to_have_count(0)
    # So does what begins in it.
    first = thread_of(page)
    page.get_by_role("button", name="Answer again").last.click()
    expect(page.get_by_role("group", name="Branches")).to_have_text(re.compile("2 / 2"))
    expect(page).not_to_have_url(re.compile(first))
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    for thread in (first, thread_of(page)):
        known = studio.api.beta.threads.retrieve(thread).metadata or {}
        assert (known["title"], known["pinned"], known["root"]) == (title, "yes", first)
        # Other tests pin, too.
        studio.api.beta.threads.delete(thread)


def test_an_earlier_question_is_edited_in_a_branch_and_there_is_a_way_back(visit: Open) -> None:
    page = visit("/")
    first, second, other = unique("First"), unique("Second"), unique("Other")
    ask(page, first)
    ask(page, second)
    page.get_by_role("article").nth(2).get_by_role("button", name="Edit, and ask again").click()
    dialog_on(page).get_by_label("Question").fill(other)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("article").nth(3)).to_contain_text(other)
    expect(page.get_by_role("group", name="Branches")).to_have_text(re.compile("2 / 2"))
    expect(page.get_by_text(second)).to_have_count(0)
    expect(page.get_by_role("article").first).to_contain_text(first)
    answered(page)
    page.get_by_role("button", name="Previous branch").click()
    expect(page.get_by_role("article").nth(3)).to_contain_text(second)
    expect(page.get_by_role("group", name="Branches")).to_have_text(re.compile("1 / 2"))
    # Both are one chat in the history.
    expect(history(page, first)).to_have_count(1)


def test_a_question_that_is_refused_stays_in_its_dialog_and_the_chat_as_it_was(visit: Open, studio: Studio) -> None:
    page = visit("/")
    ask(page, unique("First"))
    thread = thread_of(page)
    file = studio.api.files.create(file=("notes.txt", b"Notes"), purpose="assistants")
    attached: Any = [{"file_id": file.id, "tools": [{"type": "code_interpreter"}]}]
    studio.api.beta.threads.messages.create(thread, role="user", content="Read them", attachments=attached)
    page.reload()
    studio.api.files.delete(file.id)
    page.get_by_role("article").last.get_by_role("button", name="Edit, and ask again").click()
    dialog_on(page).get_by_label("Question").fill("Read them well")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(file.id)
    expect(dialog_on(page).get_by_label("Question")).to_have_value("Read them well")
    listed = page.request.get(f"{studio.url}/v1/threads?metadata[root]={thread}").json()["data"]
    assert [one["id"] for one in listed] == [thread]
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("article").last).to_contain_text("Read them")
    assert thread_of(page) == thread


def test_the_first_question_can_be_edited_too(visit: Open) -> None:
    page = visit("/")
    first, other = unique("First"), unique("Other")
    ask(page, first)
    page.get_by_role("article").first.get_by_role("button", name="Edit, and ask again").click()
    dialog_on(page).get_by_label("Question").fill(other)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("article").nth(1)).to_contain_text(other)
    answered(page)
    page.get_by_role("button", name="Previous branch").click()
    expect(page.get_by_role("article").nth(1)).to_contain_text(first)


def test_an_answer_is_given_again_beside_the_old_one(visit: Open, studio: Studio) -> None:
    question = unique("Colour?")
    page = visit("/")
    studio.upstream.script(Reply(text="It is red."), Reply(text="It is green."))
    ask(page, question, "It is red.")
    page.get_by_role("button", name="Answer again").click()
    expect(page.get_by_role("article").last).to_contain_text("It is green.")
    expect(page.get_by_role("group", name="Branches")).to_have_text(re.compile("2 / 2"))
    expect(page.get_by_role("article")).to_have_count(2)
    page.get_by_role("button", name="Previous branch").click()
    expect(page.get_by_role("article").last).to_contain_text("It is red.")


def test_an_answer_under_way_is_joined_by_who_opens_the_page_again_and_can_be_stopped(
    visit: Open, studio: Studio
) -> None:
    studio.upstream.script(Reply(chunks=["Half ", "of it"], hang=True))
    page = visit("/")
    say(page, unique("Tell me"))
    expect(page.get_by_role("article").last).to_contain_text("Half of it")
    page.reload()
    expect(page.get_by_role("article").last).to_contain_text("Half of it")
    expect(page.get_by_role("article")).to_have_count(2)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(page.get_by_text("Stopped.").first).to_be_visible()
    then = unique("And then?")
    say(page, then)
    expect(page.get_by_role("article")).to_have_count(4)
    expect(page.get_by_role("article").last).to_contain_text(then)
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_what_went_wrong_is_said_and_can_be_tried_again(visit: Open, studio: Studio) -> None:
    studio.upstream.script(Reply(status=400, error={"message": "The model is out of order."}))
    page = visit("/")
    question = unique("Are you there?")
    say(page, question)
    expect(page.get_by_role("alert").filter(has_text="out of order")).to_be_visible()
    page.get_by_role("button", name="Answer again").click()
    expect(page.get_by_role("article").nth(1)).to_contain_text(question)
    expect(page.get_by_role("article")).to_have_count(2)


def test_a_chat_is_exported(visit: Open, tmp_path: Path) -> None:
    page = visit("/")
    question = unique("Export me")
    ask(page, question)
    for item, ending in (("As Markdown", "md"), ("As JSON lines", "jsonl")):
        page.get_by_role("button", name="Export", exact=True).click()
        with page.expect_download() as loading:
            page.get_by_role("menuitem", name=item).click()
        assert loading.value.suggested_filename == f"{question}.{ending}"
        loading.value.save_as(tmp_path / ending)
    markdown = (tmp_path / "md").read_text("utf-8")
    assert markdown.startswith(f"# {question}\n\n## You · 20")
    objects = [json.loads(line)["object"] for line in (tmp_path / "jsonl").read_text("utf-8").splitlines()]
    assert objects[0] == "export"
    assert objects.count("thread.message") == 2
    assert objects[-1] == "export.end"


def attach(page: Page, name: str, kind: str, data: bytes) -> None:
    with page.expect_file_chooser() as choosing:
        page.get_by_role("button", name="Attach files").click()
    choosing.value.set_files([{"name": name, "mimeType": kind, "buffer": data}])
    expect(page.get_by_role("button", name=f"Remove {name}")).to_be_visible()


def test_a_picture_is_shown_to_a_model_that_sees(visit: Open, studio: Studio) -> None:
    page = visit("/")
    attach(page, "dot.png", "image/png", PIXEL)
    ask(page, unique("What is this?"))
    image = page.get_by_role("article").first.get_by_role("img")
    expect(image).to_be_visible()
    expect(image).to_have_js_property("naturalWidth", 1)
    assert "data:image/png;base64," in json.dumps(studio.upstream.requests[-1]["messages"])


def test_a_file_is_given_to_the_tool_that_works_with_it(visit: Open, studio: Studio) -> None:
    page = visit("/")
    attach(page, "sales.csv", "text/csv", b"month,sum\nMay,3\n")
    ask(page, unique("How much in May?"))
    expect(page.get_by_role("article").first.get_by_role("link", name="sales.csv")).to_be_visible()
    assert any(tool["function"]["name"] == "code_interpreter" for tool in studio.upstream.requests[-1]["tools"])
    resources = studio.api.beta.threads.retrieve(thread_of(page)).tool_resources
    assert resources
    assert resources.code_interpreter
    assert len(resources.code_interpreter.file_ids or []) == 1


def test_a_message_waits_for_its_files(visit: Open, studio: Studio) -> None:
    page = visit("/")
    held: list[Route] = []
    page.route("**/_nicegui/client/*/upload/*", lambda route: held.append(route))
    files: Any = [{"name": f"{name}.csv", "mimeType": "text/csv", "buffer": b"sum\n3\n"} for name in ("may", "june")]
    page.locator("input[type=file]").first.set_input_files(files)
    question = unique("How much?")
    enter(page.get_by_label("Write a message"), question)
    expect(page.get_by_text("Uploading files…")).to_be_visible()
    # Stopped, it is all as it was, but for the files.
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("Uploading files…")).to_have_count(0)
    expect(page.get_by_label("Write a message")).to_have_value(question)
    held.clear()
    page.locator("input[type=file]").first.set_input_files(files)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Uploading files…")).to_be_visible()
    held[0].continue_()
    expect(page.get_by_role("button", name="Remove may.csv")).to_be_visible()
    expect(page.get_by_text("Uploading files…")).to_be_visible()
    expect(page.get_by_role("article")).to_have_count(0)
    held[1].continue_()
    asked = page.get_by_role("article").first
    expect(asked.get_by_role("link", name="may.csv")).to_be_visible()
    expect(asked.get_by_role("link", name="june.csv")).to_be_visible()
    expect(asked).to_contain_text(question)


def test_titles_and_names_are_not_taken_for_a_page(visit: Open, studio: Studio) -> None:
    bad = "</title></script><script>window.taken = 1</script><img src=x onerror='window.taken = 2'>"
    made = studio.api.beta.assistants.create(model="m", name=bad)
    page = visit(f"/?assistant={made.id}&ask={quote(bad)}")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("article")).to_have_count(2)
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    studio.api.beta.threads.update(
        thread_of(page), metadata={**(studio.api.beta.threads.retrieve(thread_of(page)).metadata or {}), "title": bad}
    )
    page.reload()
    expect(page.get_by_role("article").last).to_contain_text(bad)
    assert page.title().startswith(bad)
    assert page.evaluate("window.taken") is None


def test_functions_of_a_program_are_not_answered_here(visit: Open, studio: Studio) -> None:
    tool: Any = {"type": "function", "function": {"name": "unlock_door"}}
    made = studio.api.beta.assistants.create(model="m", name=unique("Porter"), tools=[tool])
    studio.upstream.script(Reply(tool_calls=[Call("unlock_door")]))
    page = visit(f"/?assistant={made.id}&ask=Open%20up")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("The assistant calls unlock_door")).to_be_visible()
    # Who opens the page again is asked again.
    page.reload()
    page.get_by_role("button", name="End the run").click()
    expect(page.get_by_text("The assistant calls unlock_door")).to_have_count(0)
    ask(page, unique("Still there?"))


@pytest.mark.parametrize(("language", "theme", "size"), [("en", "light", DESKTOP), ("zh", "dark", PHONE)])
def test_a_chat_can_be_used_by_everybody(
    visit: Open, studio: Studio, language: str, theme: str, size: tuple[int, int]
) -> None:
    studio.upstream.script(Reply(text=ANSWER), Reply(text=ANSWER))
    page = visit("/")
    ask(page, unique("Everybody"), "一句话")
    page.get_by_role("button", name="Answer again").click()
    expect(page.get_by_role("group", name="Branches")).to_be_visible()
    page = visit(f"/chat/{thread_of(page)}", language=language, theme=theme, size=size)
    expect(page.get_by_role("article")).to_have_count(2)
    expect(page.locator(".katex").first).to_be_visible()
    page.get_by_role("article").first.get_by_role("button").last.click()
    expect(dialog_on(page).get_by_role("textbox")).to_be_focused()
    for step in ("dialog", "page"):
        assert obstacles(page) == [], step
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    # The focus is where it was.
    expect(page.get_by_role("article").first.get_by_role("button").last).to_be_focused()


def test_older_messages_come_when_one_scrolls_up(visit: Open, studio: Studio) -> None:
    page = visit("/")
    ask(page, unique("Mine"))
    user = (studio.api.beta.threads.retrieve(thread_of(page)).metadata or {})["user"]
    said: Any = [{"role": "user", "content": f"Line {number}\n\nand more"} for number in range(120)]
    thread = studio.api.beta.threads.create(messages=said, metadata={"user": user, "title": unique("Long")})
    page.goto(f"{studio.url}/chat/{thread.id}")
    expect(page.get_by_text("Line 119")).to_be_in_viewport()
    assert page.get_by_role("article").count() == 50
    box = page.get_by_role("region", name="Conversation")
    for _ in range(20):
        if page.get_by_role("article").count() == 120:
            break
        before = page.get_by_role("article").count()
        box.evaluate("box => { box.scrollTop = 0; }")
        expect(page.get_by_role("article")).not_to_have_count(before)
    assert page.get_by_role("article").first.text_content().count("Line 0") == 1
    page.get_by_role("button", name="Go to the latest message").click()
    expect(page.get_by_text("Line 119")).to_be_in_viewport()


def colleague(visit: Open, studio: Studio, role: str) -> Any:
    """What the browser of somebody keeps who has come to the project."""
    page = visit("/start")
    name = uuid.uuid4().hex[:8]
    email = f"{name}@example.com"
    asked = """async ([path, body]) => {
        const me = await (await fetch('/v1/me')).json();
        const headers = {'content-type': 'application/json', 'x-csrf-token': me.csrf_token};
        const method = body ? 'POST' : 'GET';
        const answer = await fetch(path, {method, headers, body: body && JSON.stringify(body)});
        return [answer.status, await answer.json(), me.project];
    }"""
    status, invite, project = page.evaluate(asked, ["/v1/organization/invites", {"email": email, "role": "reader"}])
    assert status == 200, invite
    state = sign_up(invite["accept_url"], name, email)
    if role == "viewer":
        users = f"/v1/organization/projects/{project}/users"
        _, found, _ = page.evaluate(asked, [f"{users}?limit=100", None])
        person = next(one["id"] for one in found["data"] if one["email"] == email)
        status, told, _ = page.evaluate(asked, [f"{users}/{person}", {"role": "viewer"}])
        assert status == 200, told
    return state


def test_what_was_not_sent_is_not_shown_to_who_signs_in_next(visit: Open, studio: Studio) -> None:
    other = colleague(visit, studio, "member")
    page, field = visit("/"), "Write a message"
    page.get_by_label(field).fill("A secret of Ada's")
    page.wait_for_function("Object.values(sessionStorage).some((one) => one.includes('secret'))")
    page.reload()
    expect(page.get_by_label(field)).to_have_value("A secret of Ada's")
    page.context.clear_cookies()
    page.context.add_cookies(other["cookies"])
    page.reload()
    # What a tab has kept comes back at once, with what is written meanwhile left alone.
    page.get_by_label(field).fill("Mine")
    page.wait_for_function("Object.values(sessionStorage).some((one) => one === 'Mine')")
    page.reload()
    expect(page.get_by_label(field)).to_have_value("Mine")
    assert page.evaluate("Object.values(sessionStorage).some((one) => one.includes('secret'))")


def test_a_colleague_reads_by_the_link_and_goes_on_in_a_copy(visit: Open, studio: Studio) -> None:
    mine = visit("/")
    question, answer = unique("Secret of tea"), unique("Warm the pot")
    ask(mine, question)
    mine.get_by_role("button", name="Copy the link").click()
    expect(mine.get_by_text("The link is copied.")).to_be_visible()
    theirs = visit(f"/chat/{thread_of(mine)}", state=colleague(visit, studio, "member"))
    expect(theirs.get_by_role("article")).to_have_count(2)
    expect(theirs.get_by_label("Write a message")).to_have_count(0)
    expect(theirs.get_by_role("button", name="Answer again")).to_have_count(0)
    # It does not stand in their history.
    expect(theirs.get_by_text("Your chats will stand here.")).to_be_visible()
    theirs.get_by_role("button", name="Go on in a copy").click()
    expect(history(theirs, question)).to_be_visible()
    ask(theirs, answer)
    mine.reload()
    expect(mine.get_by_role("article")).to_have_count(2)


def test_a_viewer_reads_only_and_is_told_why(visit: Open, studio: Studio) -> None:
    mine = visit("/")
    ask(mine, unique("Read this"))
    state = colleague(visit, studio, "viewer")
    page = visit(f"/chat/{thread_of(mine)}", state=state)
    expect(page.get_by_role("article")).to_have_count(2)
    expect(page.get_by_text("Your role in this project is viewer")).to_be_visible()
    expect(page.get_by_label("Write a message")).to_have_count(0)
    page.goto(f"{studio.url}/start")
    expect(page.get_by_text("Your role in this project is viewer")).to_be_visible()
    expect(page.get_by_role("button", name="Tutor")).to_have_count(0)


@pytest.mark.parametrize("size", [PHONE])
def test_in_chinese_on_a_phone(visit: Open, size: tuple[int, int]) -> None:
    page = visit("/", language="zh", theme="dark", size=size)
    page.get_by_role("button", name="写一个 Python 函数，找出列表中的重复项。").click()
    expect(page.get_by_role("article")).to_have_count(2)
    expect(page.get_by_role("article").first).to_contain_text("您")
    page.get_by_role("button", name="聊天记录", exact=True).click()
    aside = page.get_by_role("navigation", name="聊天记录")
    expect(aside.get_by_role("heading", name="今天")).to_be_in_viewport()
    page.get_by_role("complementary", name="聊天记录").get_by_role("button", name="关闭").click()
    expect(aside).not_to_be_visible()
    page.get_by_role("button", name="编辑并重新提问").click()
    dialog_on(page).get_by_label("问题").fill("请说明")
    page.get_by_role("button", name="提问", exact=True).click()
    expect(page.get_by_role("article").last).to_contain_text("请说明")


def test_the_first_chat_is_a_click_away(visit: Open, studio: Studio) -> None:
    for _ in range(2):
        page = visit("/start", language="zh")
        page.get_by_role("button", name="学习导师").click()
        page.wait_for_url("**/?assistant=*")
        expect(page.get_by_role("combobox", name="对话对象")).to_have_value("学习导师")
        expect(page.get_by_label("输入消息")).to_have_value("请给我讲讲存款利息是怎么计算的。")
    page.get_by_role("button", name="发送").click()
    expect(page.get_by_role("article").last).to_contain_text("存款利息")
    made = [one for one in studio.api.beta.assistants.list(limit=100) if one.name == "学习导师"]
    assert len(made) == 1


def test_what_was_not_sent_is_kept_for_each_chat(visit: Open) -> None:
    page = visit("/")
    ask(page, unique("Keep"))
    thread = thread_of(page)
    field = page.get_by_label("Write a message")
    field.press_sequentially("Half a thought")
    page.goto(page.url.partition("/chat/")[0] + "/")
    expect(field).to_have_value("")
    page.go_back()
    expect(field).to_have_value("Half a thought")
    page.keyboard.press("Enter")
    field.press("Enter")
    expect(page.get_by_role("article")).to_have_count(4)
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.goto(page.url.partition("/chat/")[0] + f"/chat/{thread}")
    expect(page.get_by_role("article")).to_have_count(4)
    expect(field).to_have_value("")


def test_the_keyboard_is_enough(visit: Open, studio: Studio) -> None:
    page = visit("/")
    studio.upstream.script(Reply(chunks=["On and ", "on"], hang=True))
    say(page, unique("Never stop"))
    expect(page.get_by_role("article").last).to_contain_text("On and on")
    page.keyboard.press("Escape")
    expect(page.get_by_text("Stopped.").first).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.keyboard.press("Control+/")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_contain_text("Begin a new chat")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("Control+k")
    expect(page.get_by_label("Search your chats")).to_be_focused()
    page.keyboard.press("Shift+Escape")
    expect(page.get_by_label("Write a message")).to_be_focused()
    page.keyboard.press("Control+Shift+O")
    page.wait_for_url(re.compile(r"/$"))


def test_answers_are_rated_and_it_can_be_taken_back(visit: Open, studio: Studio) -> None:
    page = visit("/")
    ask(page, unique("Rate me"))
    answer = page.get_by_role("article").last
    good, bad = (answer.get_by_role("button", name=name) for name in ("Good answer", "Bad answer"))
    good.click()
    expect(good).to_have_attribute("aria-pressed", "true")
    thread = thread_of(page)
    assert studio.api.beta.threads.messages.list(thread, limit=1).data[0].metadata == {"rating": "good"}
    bad.click()
    expect(bad).to_have_attribute("aria-pressed", "true")
    expect(good).to_have_attribute("aria-pressed", "false")
    page.reload()
    expect(bad).to_have_attribute("aria-pressed", "true")
    bad.click()
    expect(bad).to_have_attribute("aria-pressed", "false")
    assert studio.api.beta.threads.messages.list(thread, limit=1).data[0].metadata == {}


def test_a_chat_is_pinned_above_the_others(visit: Open) -> None:
    page = visit("/", language="zh")
    title = unique("置顶")
    enter(page.get_by_label("输入消息"), title)
    expect(page.get_by_role("button", name="发送")).to_be_visible()
    expect(page.get_by_role("article")).to_have_count(2)
    aside = page.get_by_role("navigation", name="聊天记录")
    page.get_by_role("button", name=f"选项: {title}").click()
    page.get_by_role("menuitem", name="置顶", exact=True).click()
    expect(aside.get_by_role("heading").first).to_have_text("已置顶")
    expect(aside.get_by_role("list").first).to_contain_text(title)
    page.reload()
    page.get_by_role("button", name=f"选项: {title}").click()
    page.get_by_role("menuitem", name="取消置顶").click()
    expect(aside.get_by_role("heading", name="已置顶")).to_have_count(0)


def test_a_chat_that_is_used_again_stands_on_top_and_is_found_by_its_title(visit: Open, studio: Studio) -> None:
    page = visit("/")
    old, new, title = unique("Older"), unique("Newer"), unique("Umbrella")
    ask(page, old)
    thread = thread_of(page)
    user = (studio.api.beta.threads.retrieve(thread).metadata or {})["user"]
    studio.api.beta.threads.update(thread, metadata={"user": user, "title": title})
    page.goto(f"{studio.url}/")
    ask(page, new)
    links = page.get_by_role("navigation", name="Your chats").get_by_role("link")
    expect(links.first).to_have_text(new)
    page.goto(f"{studio.url}/chat/{thread}")
    ask(page, unique("Once more"))
    expect(links.first).to_have_text(title)
    page.goto(f"{studio.url}/")
    page.get_by_label("Search your chats").fill(title.split()[1])
    expect(links).to_have_count(1)


def test_an_answer_leads_to_what_its_run_did(visit: Open) -> None:
    page = visit("/")
    ask(page, unique("What did you do?"))
    page.get_by_role("article").last.get_by_role("link", name="What happened").click()
    page.wait_for_url("**/runs/thread_*/run_*")
    expect(page.get_by_role("tab", name="Steps")).to_be_visible()


def test_an_answer_that_was_cut_off_is_gone_on_with(visit: Open, studio: Studio) -> None:
    page = visit("/")
    studio.upstream.script(Reply(text="The first half", finish_reason="length"), Reply(text="and the second."))
    say(page, unique("Tell a long story"))
    page.get_by_role("button", name="Go on", exact=True).click()
    expect(page.get_by_role("article").last).to_contain_text("and the second.")
    expect(page.get_by_text("Please go on where you stopped.")).to_be_visible()
    expect(page.get_by_role("button", name="Go on", exact=True)).to_have_count(0)
