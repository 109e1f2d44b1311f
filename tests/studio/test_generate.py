"""What a model writes for an assistant in the Playground: instructions, functions, formats of answers."""

# pyright: reportDeprecated=false
from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.scripted import Reply

from .conftest import PHONE, Open, Studio, obstacles

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
BERTHS = {
    "name": "find_berths",
    "description": "Looks up free berths.",
    "parameters": {"type": "object", "properties": {"nights": {"type": "integer"}}, "required": ["nights"]},
}


@pytest.fixture(autouse=True)
def _own_script(studio: Studio) -> Iterator[None]:
    """What a test that failed has left in the script is not said to the next one."""
    yield
    studio.upstream._script.clear()  # pyright: ignore[reportPrivateUsage]


def opened(visit: Open, studio: Studio, instructions: str, **options: Any) -> tuple[str, Page]:
    id_ = studio.api.beta.assistants.create(model="default", name="Harbour", instructions=instructions).id
    page = visit(f"/playground/{id_}", **options)
    page.locator(".threads [role=list] button, .threads .none:not(:empty)").first.wait_for(state="attached")
    return id_, page


def test_instructions_are_proposed_used_and_taken_back(visit: Open, studio: Studio) -> None:
    id_, page = opened(visit, studio, "Be kind.")
    page.get_by_role("button", name="Generate instructions").click()
    dialog = page.get_by_role("dialog", name="Improve the instructions")
    write, use = dialog.get_by_role("button", name="Generate"), dialog.get_by_role("button", name="Use the proposal")
    expect(use).to_be_disabled()
    write.click()
    expect(dialog.get_by_role("alert")).to_have_text("Say in a sentence what you want.")

    # A model that answers something else, and one that fails, change nothing.
    dialog.get_by_label("What should be different?").fill("Shorter answers")
    studio.upstream.script(Reply(text="Certainly!"))
    write.click()
    expect(dialog.get_by_role("alert")).to_contain_text("The model answered something else.")
    studio.upstream.script(Reply(text='{"instructions": "You', finish_reason="length"))
    write.click()
    expect(dialog.get_by_role("alert")).to_contain_text("longer than the model may write")
    expect(use).to_be_disabled()

    studio.upstream.script(Reply(text=json.dumps({"instructions": "Be kind and brief."})))
    write.click()
    expect(dialog.get_by_label("Proposal")).to_have_value("Be kind and brief.")
    expect(dialog.get_by_role("alert")).to_have_count(0)
    asked = studio.upstream.requests[-1]
    assert asked["response_format"]["type"] == "json_schema"
    assert "Shorter answers" in asked["messages"][-1]["content"]
    assert "<now>\nBe kind.\n</now>" in asked["messages"][-1]["content"]
    assert studio.api.beta.assistants.retrieve(id_).instructions == "Be kind."

    assert obstacles(page) == []

    use.click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_label("Instructions")).to_have_value("Be kind and brief.")
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    assert studio.api.beta.assistants.retrieve(id_).instructions == "Be kind and brief."
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Instructions")).to_have_value("Be kind.")
    assert studio.api.beta.assistants.retrieve(id_).instructions == "Be kind."


def test_writing_is_stopped(visit: Open, studio: Studio) -> None:
    _, page = opened(visit, studio, "")
    page.get_by_role("button", name="Generate instructions").click()
    dialog = page.get_by_role("dialog", name="Generate instructions")
    dialog.get_by_label("What should the assistant do?").fill("Answer questions about ferries")
    studio.upstream.script(Reply(hang=True))
    dialog.get_by_role("button", name="Generate").click()
    expect(dialog.get_by_role("status")).to_contain_text("Writing…")
    dialog.get_by_role("button", name="Stop").click()
    expect(dialog.get_by_role("status")).to_have_text("Stopped.")
    # It can be asked again.
    studio.upstream.script(Reply(text=json.dumps({"instructions": "You know the ferries."})))
    dialog.get_by_role("button", name="Generate").click()
    expect(dialog.get_by_label("Proposal")).to_have_value("You know the ferries.")


def test_a_function_is_written_from_a_sentence(visit: Open, studio: Studio) -> None:
    id_, page = opened(visit, studio, "")
    page.get_by_role("button", name="Add function").click()
    editor = page.get_by_role("dialog", name="Add function")
    expect(editor.get_by_label("Definition (JSON)")).to_contain_text("get_weather")
    editor.get_by_text("Describe it, and a model writes it").click()
    editor.get_by_label("What should the function do?").fill("looks up free berths")
    # Some servers' models put words around what was asked for.
    studio.upstream.script(Reply(text=f"Here it is:\n```json\n{json.dumps(BERTHS)}\n```"))
    editor.get_by_role("button", name="Generate").click()
    expect(editor.get_by_role("status").filter(has_text="Written")).to_be_visible()
    expect(editor.get_by_label("Definition (JSON)")).to_contain_text('"name": "find_berths"')
    # The example that stood there was nobody's wish.
    assert "<now>" not in studio.upstream.requests[-1]["messages"][-1]["content"]
    editor.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Edit find_berths")).to_be_visible()
    (tool,) = studio.api.beta.assistants.retrieve(id_).tools
    assert tool.type == "function"
    assert tool.function.to_dict() == BERTHS


def test_the_format_of_answers_is_written_on_a_phone_in_chinese(visit: Open, studio: Studio) -> None:
    id_, page = opened(visit, studio, "", language="zh", theme="dark", size=PHONE)
    page.get_by_role("button", name="设置").click()
    page.get_by_label("格式").click()
    page.get_by_role("option", name="按 JSON schema").click()
    editor = page.get_by_role("dialog", name="回答的 schema")
    editor.get_by_text("用文字描述，由模型生成").click()
    editor.get_by_label("回答应包含哪些内容？").fill("发票总额")
    assert obstacles(page) == []
    schema = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
    studio.upstream.script(Reply(text=json.dumps({"name": "invoice", "schema": schema})))
    editor.get_by_role("button", name="生成", exact=True).click()
    expect(editor.get_by_label("定义（JSON）")).to_contain_text('"invoice"')
    editor.get_by_role("button", name="保存").click()
    expect(editor).to_have_count(0)
    expect(page.get_by_text("所有更改均已保存")).to_be_visible()
    saved: Any = studio.api.beta.assistants.retrieve(id_).response_format
    assert saved.json_schema.name == "invoice"
