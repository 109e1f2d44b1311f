"""The Playground: an assistant's settings, its conversations, what its runs wait for."""

# pyright: reportDeprecated=false
from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.scripted import Call, Reply

from .conftest import PHONE, Open, Studio, enter

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
#: A picture of one pixel.
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
Made = Callable[..., str]


@pytest.fixture(autouse=True)
def _own_script(studio: Studio) -> Iterator[None]:
    """What a test that failed has left in the script is not said to the next one."""
    yield
    studio.upstream._script.clear()  # pyright: ignore[reportPrivateUsage]


@pytest.fixture
def assistant(studio: Studio) -> Made:
    """Makes an assistant; returns its id."""

    def made(**fields: Any) -> str:
        return studio.api.beta.assistants.create(model="default", **{"name": "Tutor", **fields}).id

    return made


@pytest.fixture
def open_(visit: Open) -> Callable[..., Page]:
    """Opens the Playground with an assistant, and waits until its threads are there."""

    def opened(id_: str, **options: Any) -> Page:
        page = visit(f"/playground/{id_}", **options)
        page.locator(".threads [role=list] button, .threads .none:not(:empty)").first.wait_for(state="attached")
        return page

    return opened


def say(page: Page, text: str, label: str = "Write a message") -> None:
    enter(page.get_by_label(label), text)


def answers(page: Page) -> Any:
    return page.locator("article.assistant")


def test_it_opens_what_people_made_last(visit: Open, studio: Studio, assistant: Made) -> None:
    mine = assistant(name="Mine")
    assistant(name="Stands for a model", metadata={"chat_model": "m"})
    assistant(name="GPT Builder", metadata={"gpt_builder": "en"})
    page = visit("/playground")
    expect(page.get_by_role("combobox", name="Assistant")).to_have_value("Mine")
    expect(page.get_by_text(mine)).to_be_visible()


def test_changes_are_saved_at_once_undone_and_done_again(
    open_: Callable[..., Page], studio: Studio, assistant: Made
) -> None:
    id_ = assistant(instructions="Be kind.")
    page = open_(id_)
    page.get_by_label("Instructions").fill("Be brief.")
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    page.get_by_role("switch", name="Code interpreter").click()
    expect(page.get_by_text("All changes are saved")).to_be_visible()
    page.get_by_role("button", name="History").click()
    history = page.get_by_role("dialog", name="History")
    expect(history.get_by_role("listitem")).to_have_count(3)
    expect(history).to_contain_text("Instructions: Be kind. → Be brief.")
    expect(history).to_contain_text("Tools: none → code_interpreter")
    saved = studio.api.beta.assistants.retrieve(id_)
    assert (saved.instructions, [one.type for one in saved.tools]) == ("Be brief.", ["code_interpreter"])
    history.get_by_role("button", name="Go back to this").last.click()
    expect(page.get_by_label("Instructions")).to_have_value("Be kind.")
    expect(page.get_by_role("switch", name="Code interpreter")).not_to_be_checked()
    assert studio.api.beta.assistants.retrieve(id_).tools == []
    page.get_by_role("button", name="Redo").click()
    expect(page.get_by_label("Instructions")).to_have_value("Be brief.")
    expect(page.get_by_role("switch", name="Code interpreter")).not_to_be_checked()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Instructions")).to_have_value("Be kind.")
    assert studio.api.beta.assistants.retrieve(id_).instructions == "Be kind."


def test_a_function_from_a_signature_is_called_and_answered_in_a_form(
    open_: Callable[..., Page], studio: Studio, assistant: Made
) -> None:
    page = open_(id_ := assistant())
    page.get_by_role("button", name="Add function").click()
    editor = page.get_by_role("dialog", name="Add function")
    editor.get_by_text("From a Python function").click()
    editor.get_by_label("Python signature").fill("def tide(port: str, high: bool = True) -> float")
    editor.get_by_role("button", name="Make the definition").click()
    expect(editor.get_by_label("Definition (JSON)")).to_contain_text('"name": "tide"')
    editor.get_by_label("Definition (JSON)").fill('{"name": "tide",\n "parameters": {"type": "objekt"}}')
    expect(editor.get_by_role("status")).to_contain_text("must be a JSON object")
    expect(editor.get_by_role("button", name="Save")).to_be_disabled()
    editor.get_by_label("Definition (JSON)").fill('{"name": "tide",\n oops}')
    expect(editor.get_by_role("status")).to_contain_text("Line 2")
    expect(editor.locator(".cm-wrong")).to_have_text(" oops}")
    editor.get_by_role("button", name="Make the definition").click()
    editor.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Edit tide")).to_be_visible()
    (tool,) = studio.api.beta.assistants.retrieve(id_).tools
    assert tool.type == "function"
    assert (tool.function.parameters or {})["required"] == ["port"]

    studio.upstream.script(Reply(tool_calls=[Call("tide", {"port": "Bergen"})]), Reply(text="High at noon."))
    say(page, "When is the tide?")
    form = page.get_by_role("region", name="The run waits for you")
    expect(form).to_contain_text('"Bergen"')
    form.get_by_label("Output of tide").fill("12:00")
    form.get_by_role("button", name="Submit").click()
    expect(answers(page)).to_contain_text("High at noon.")
    expect(form).to_have_count(0)
    assert studio.upstream.requests[-1]["messages"][-1]["content"] == "12:00"
    link = answers(page).get_by_role("link", name="What happened")
    expect(link).to_have_attribute("href", re.compile(r"^/runs/thread_\w+/run_\w+$"))


def test_what_a_person_has_to_allow_is_asked(open_: Callable[..., Page], studio: Studio, assistant: Made) -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Shop", "version": "1"},
        "servers": [{"url": "https://93.184.216.34"}],
        "paths": {"/orders": {"post": {"operationId": "buy", "summary": "Buys it", "responses": {}}}},
    }
    body = {"type": "action", "name": "Shop", "document": document}
    made: Any = studio.api.post("/connections", cast_to=object, body=body)
    page = open_(assistant(tools=[{"type": "action", "action": {"connection_id": made["id"]}}]))
    expect(page.get_by_role("switch", name="Shop")).to_be_checked()
    studio.upstream.script(Reply(tool_calls=[Call("buy", {})]), Reply(text="Then not."))
    say(page, "Buy it")
    form = page.get_by_role("region", name="The run waits for you")
    expect(form).to_contain_text("May the assistant call buy?")
    form.get_by_role("button", name="Submit").click()
    expect(form.get_by_role("alert")).to_contain_text("Say for each call")
    form.get_by_role("radio", name="Deny").click()
    form.get_by_label("Reason").fill("too dear")
    form.get_by_role("button", name="Submit").click()
    expect(answers(page)).to_contain_text("Then not.")
    assert "did not allow this call: too dear" in studio.upstream.requests[-1]["messages"][-1]["content"]


def test_a_run_is_stopped_and_messages_are_added_without_one(
    open_: Callable[..., Page], studio: Studio, assistant: Made
) -> None:
    page = open_(assistant())
    page.get_by_label("Write a message").fill("Only a note")
    asked = len(studio.upstream.requests)
    page.get_by_role("button", name="Add without running").click()
    page.get_by_text("Add as the assistant's message").click()
    expect(answers(page)).to_contain_text("Only a note")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    assert len(studio.upstream.requests) == asked
    studio.upstream.script(Reply(text="One two", hang=True))
    say(page, "Count")
    expect(answers(page).nth(1)).to_contain_text("One two")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("Stopped.")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_a_file_that_is_dropped_is_found_and_its_passage_opens(
    open_: Callable[..., Page], studio: Studio, assistant: Made
) -> None:
    id_ = assistant(tools=[{"type": "file_search"}])
    page = open_(id_)
    text = "The kestrel hovers over meadows. It eats voles."
    dropped = page.evaluate_handle(
        "(text) => { const data = new DataTransfer(); data.items.add(new File([text], 'birds.txt')); return data; }",
        text,
    )
    page.locator(".settings .uploads").first.dispatch_event("drop", {"dataTransfer": dropped})
    expect(page.get_by_role("list", name="Files of file search").get_by_role("link", name="birds.txt")).to_be_visible()
    # A busy machine takes its time to start what embeds.
    expect(page.get_by_role("progressbar", name="birds.txt")).to_be_hidden(timeout=100_000)
    store = studio.api.beta.assistants.retrieve(id_).tool_resources
    assert store
    assert store.file_search
    studio.upstream.script(
        Reply(tool_calls=[Call("file_search", {"queries": ["kestrel"]})]), Reply(text="Kestrels eat voles【0:0】.")
    )
    say(page, "What do kestrels eat?")
    footnote = answers(page).get_by_role("button", name="Source 1: birds.txt")
    footnote.click()
    expect(page.get_by_role("dialog", name="Cited passage")).to_contain_text(text)
    page.get_by_role("button", name="Close").click()
    expect(footnote).to_be_focused()


def test_files_and_pictures_go_with_a_message(open_: Callable[..., Page], studio: Studio, assistant: Made) -> None:
    page = open_(id_ := assistant())
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach files").click()
    table = {"name": "numbers.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"}
    picture = {"name": "dot.png", "mimeType": "image/png", "buffer": base64.b64decode(DOT)}
    chooser.value.set_files([table, picture])  # pyright: ignore[reportArgumentType]
    for name in ("numbers.csv", "dot.png"):
        expect(page.get_by_role("listitem").filter(has_text=name)).to_be_visible()
    studio.upstream.script(Reply(text="Three."))
    say(page, "Add them")
    expect(page.locator("article.user").get_by_role("link", name="numbers.csv")).to_be_visible()
    expect(page.locator("article.user").get_by_role("img", name="Picture")).to_be_visible()
    expect(page.get_by_text("Code interpreter was switched on")).to_be_visible()
    expect(page.get_by_role("switch", name="Code interpreter")).to_be_checked()
    expect(answers(page)).to_contain_text("Three.")
    assert "data:image/png" in str(studio.upstream.requests[-1]["messages"][-1]["content"])
    assert [one.type for one in studio.api.beta.assistants.retrieve(id_).tools] == ["code_interpreter"]


def test_threads_are_searched_opened_and_deleted(open_: Callable[..., Page], studio: Studio, assistant: Made) -> None:
    for text in ("Zanzibar is an island", "Quito is a city"):
        studio.api.beta.threads.create(messages=[{"role": "user", "content": text}])
    page = open_(assistant())
    threads = page.get_by_role("complementary", name="Threads")
    threads.get_by_label("Search threads").fill("zanzibar")
    expect(threads.get_by_role("listitem")).to_have_count(1)
    threads.get_by_role("button", name="Zanzibar is an island").click()
    expect(page.locator("article.user")).to_have_text(re.compile("Zanzibar is an island"))
    expect(page).to_have_url(re.compile(r"\?thread=thread_"))
    threads.get_by_role("button", name="Delete thread").click()
    page.get_by_role("dialog", name="Delete thread").get_by_role("button", name="Delete").click()
    expect(threads).to_contain_text("No thread has these words.")
    expect(page.locator("article")).to_have_count(0)


def test_a_thread_that_waits_goes_on_where_it_is_opened(
    open_: Callable[..., Page], visit: Open, studio: Studio, assistant: Made
) -> None:
    id_ = assistant(tools=[WEATHER])
    studio.upstream.script(Reply(tool_calls=[Call("get_weather", {"city": "Oslo"})]), Reply(text="Rain."))
    thread = studio.api.beta.threads.create(messages=[{"role": "user", "content": "Weather?"}]).id
    studio.api.beta.threads.runs.create_and_poll(thread_id=thread, assistant_id=id_)
    page = visit(f"/playground/{id_}?thread={thread}")
    page.get_by_label("Output of get_weather").fill("rain")
    page.get_by_role("button", name="Submit").click()
    expect(answers(page)).to_contain_text("Rain.")


def test_on_a_phone_in_chinese(open_: Callable[..., Page], studio: Studio, assistant: Made) -> None:
    id_ = assistant(name="老师")
    page = open_(id_, language="zh", theme="dark", size=PHONE)
    expect(page.get_by_label("搜索对话")).not_to_be_visible()
    page.get_by_role("button", name="设置").click()
    page.get_by_label("指令").fill("请简短回答。")
    expect(page.get_by_text("所有更改均已保存")).to_be_visible()
    expect(page.get_by_role("button", name="撤销")).to_be_enabled()
    page.get_by_role("complementary", name="助手").get_by_role("button", name="关闭").click()
    studio.upstream.script(Reply(text="**好的。**"))
    say(page, "你好", "输入消息")
    expect(answers(page).locator("strong")).to_have_text("好的。")
    expect(answers(page)).to_contain_text("老师")
    page.get_by_role("button", name="对话", exact=True).click()
    expect(page.get_by_label("搜索对话")).to_be_visible()
    assert studio.upstream.requests[-1]["messages"][0]["content"] == "请简短回答。"
