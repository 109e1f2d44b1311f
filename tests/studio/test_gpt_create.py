"""Making a GPT by talking."""

# pyright: reportDeprecated=false
from __future__ import annotations

import json
import re
import uuid
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.scripted import Call, Reply

from .conftest import PHONE, Open, Studio, enter, obstacles

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63382127070002b6010534a675"
    "aa0000000049454e44ae426082"
)


def draft(**fields: Any) -> dict[str, Any]:
    """Arguments of `create_gpt`, with a name that no other test has."""
    made = {
        "name": f"Game Time {uuid.uuid4().hex[:6]}",
        "description": "Explains the rules of card games.",
        "category": "games",
        "instructions": "You are Game Time. You explain rules step by step.",
        "conversation_starters": ["How do I play Whist?", "Who begins?", "What is a trump?"],
    }
    return made | fields


def say(page: Page, text: str) -> None:
    enter(page.get_by_label("Talk").get_by_label("Write a message"), text)


def card(page: Page, label: str = "The draft") -> Locator:
    return page.get_by_role("region", name=label)


def begin(page: Page, studio: Studio, made: dict[str, Any], answer: str = "Done. Who will use it?") -> None:
    """The first turn, to its end."""
    studio.upstream.script(Reply(tool_calls=[Call("create_gpt", made)]), Reply(text=answer))
    say(page, "I want a GPT that explains card games.")
    expect(page.get_by_role("article").last).to_contain_text(answer)
    page.wait_for_url(re.compile(r"/gpts/create/gpt_\w+$"))
    expect(page.get_by_label("Talk").get_by_role("button", name="Send")).to_be_visible()


def gpt_of(page: Page, studio: Studio) -> dict[str, Any]:
    found: Any = studio.api.get(f"/gpts/{page.url.rpartition('/')[2]}", cast_to=object)
    return found


def test_a_sentence_makes_a_draft_that_is_seen_changed_and_tried(visit: Open, studio: Studio) -> None:
    made = draft()
    page = visit("/gpts/create")
    expect(page.get_by_role("heading", name=re.compile("What would you like to make"))).to_be_visible()
    expect(page.get_by_role("button", name="Publish")).to_be_hidden()
    begin(page, studio, made)
    asked = studio.upstream.requests[-2]
    names = [tool["function"]["name"] for tool in asked["tools"]]
    assert "create_gpt" in names
    assert "update_gpt" not in names
    assert studio.upstream.requests[-1]["messages"][-1]["content"].startswith("Saved: Name")
    expect(card(page).get_by_role("heading", name=made["name"])).to_be_visible()
    expect(card(page)).to_contain_text("You explain rules step by step.")
    expect(card(page)).to_contain_text("Games")
    expect(card(page).locator("[data-field=instructions]")).to_contain_text("changed")
    image = card(page).get_by_role("img", name=f"Picture of {made['name']}")
    assert image.evaluate("async (one) => { await one.decode(); return one.naturalWidth }") > 0

    # The next turn changes a part, and that part is marked.
    studio.upstream.script(
        Reply(tool_calls=[Call("update_gpt", {"description": "For children.", "capabilities": ["code_interpreter"]})]),
        Reply(text="It is for children now. Are there documents?"),
    )
    say(page, "It is for children, and calculates points.")
    expect(card(page).locator("[data-field=description]")).to_contain_text("For children.")
    expect(page.get_by_role("article").last).to_contain_text("Are there documents?")
    expect(card(page).locator("[data-field=capabilities]")).to_contain_text("changed")
    expect(card(page).locator("[data-field=instructions]")).not_to_contain_text("changed")
    asked = studio.upstream.requests[-2]
    assert made["name"] in asked["messages"][0]["content"]
    (update,) = [tool["function"] for tool in asked["tools"] if tool["function"]["name"] == "update_gpt"]
    assert "capabilities" in update["parameters"]["properties"]
    kept = gpt_of(page, studio)["draft"]
    assert (kept["description"], kept["capabilities"]) == ("For children.", ["code_interpreter"])
    assert (kept["instructions"], kept["language"]) == (made["instructions"], "en")

    # The draft is tried beside the talk, by one of its starters.
    preview = page.get_by_role("region", name="Preview").last
    studio.upstream.script(Reply(text="Everybody gets thirteen cards."))
    preview.get_by_role("button", name="How do I play Whist?").click()
    expect(preview.get_by_role("article").last).to_contain_text("thirteen cards")
    expect(preview.get_by_role("article").last).to_contain_text(made["name"])
    assert made["instructions"] in json.dumps(studio.upstream.requests[-1]["messages"])

    # Opened again everything is there, and nothing of it among the chats.
    page.reload()
    expect(page.get_by_label("Talk").get_by_role("article")).to_have_count(4)
    expect(card(page).get_by_role("heading", name=made["name"])).to_be_visible()
    page.goto(f"{studio.url}/")
    expect(page.get_by_role("navigation", name="Your chats").get_by_text("card games")).to_have_count(0)
    page.get_by_role("combobox", name="Talk with").click()
    expect(page.get_by_role("option").first).to_be_visible()
    expect(page.get_by_role("option", name="GPT Builder")).to_have_count(0)


def test_what_the_api_refuses_goes_back_to_the_builder(visit: Open, studio: Studio) -> None:
    made = draft()
    page = visit("/gpts/create")
    studio.upstream.script(
        Reply(tool_calls=[Call("create_gpt", {**made, "category": "toys"})]),
        Reply(tool_calls=[Call("create_gpt", made)]),
        Reply(text="Here it is. Who will use it?"),
    )
    say(page, "Card games, please.")
    expect(card(page).get_by_role("heading", name=made["name"])).to_be_visible()
    expect(page.get_by_role("article").last).to_contain_text("Who will use it?")
    refused = studio.upstream.requests[-2]["messages"][-1]["content"]
    assert refused.startswith("Error:")
    assert "category" in refused


def test_a_picture_that_cannot_be_drawn_ends_the_turn_and_not_the_talk(visit: Open, studio: Studio) -> None:
    page = visit("/gpts/create")
    csrf = page.request.get(f"{studio.url}/v1/me").json()["csrf_token"]
    # A server that does not listen.
    painter = {"name": "painter", "base_url": "http://127.0.0.1:9/v1", "default_for": ["default-image"]}
    path, headers = f"{studio.url}/v1/organization/models", {"X-CSRF-Token": csrf}
    assert page.request.post(path, headers=headers, data=painter).ok
    try:
        page.reload()
        made = draft()
        begin(page, studio, made)
        studio.upstream.script(Reply(tool_calls=[Call("draw_picture", {"prompt": "A card."})]))
        say(page, "Draw a card.")
        expect(page.get_by_role("alert").first).to_be_visible()
        expect(page.get_by_label("Talk").get_by_role("button", name="Send")).to_be_visible()
        # The run has ended: one can go on.
        studio.upstream.script(Reply(text="Fine. Who will use it?"))
        say(page, "Leave the picture, then.")
        expect(page.get_by_label("Talk").get_by_role("article").last).to_contain_text("Fine. Who will use it?")
    finally:
        assert page.request.delete(f"{path}/painter", headers=headers).ok


def test_a_model_that_does_not_come_to_an_end_makes_one_whole_draft(visit: Open, studio: Studio) -> None:
    made = draft(instructions="You explain card games. " * 1400 + "And then you")
    page = visit("/gpts/create")
    studio.upstream.script(
        Reply(tool_calls=[Call("create_gpt", made)]),
        Reply(tool_calls=[Call("create_gpt", draft(name="Another"))]),
        Reply(text="Here it is. Who will use it?"),
    )
    say(page, "Card games, please.")
    expect(page.get_by_role("article").last).to_contain_text("Who will use it?")
    kept = gpt_of(page, studio)["draft"]
    assert kept["name"] == made["name"]
    assert kept["instructions"].endswith("You explain card games.")


def test_no_turn_ends_without_a_word(visit: Open, studio: Studio) -> None:
    page = visit("/gpts/create")
    begin(page, studio, draft(), "I made a draft.\n\nIs it good?")
    # Nothing is changed, and the model asks nothing: it may just talk.
    studio.upstream.script(Reply(text="I am a builder."))
    say(page, "Who are you?")
    expect(page.get_by_role("article").last).to_contain_text("I am a builder.")
    expect(page.get_by_label("Talk").get_by_role("button", name="Send")).to_be_visible()
    # The model says nothing at all: what changed is said, and the next thing is asked.
    studio.upstream.script(Reply(tool_calls=[Call("update_gpt", {"name": "Trick"})]), Reply(text=""))
    say(page, "Call it Trick.")
    expect(page.get_by_role("article").last).to_contain_text("Changed: Name.")
    expect(page.get_by_role("article").last).to_contain_text("?")
    expect(card(page).get_by_role("heading", name="Trick")).to_be_visible()
    # The model fails: that is said, with what to do.
    studio.upstream.script(Reply(status=400, error={"error": {"message": "too hot", "type": "invalid_request_error"}}))
    say(page, "And now?")
    expect(page.get_by_role("article").last).to_contain_text("Nothing was changed. Send your message again")


def test_files_become_knowledge_and_a_picture_the_picture(visit: Open, studio: Studio) -> None:
    made = draft()
    page = visit("/gpts/create")
    talk = page.get_by_label("Talk")
    talk.locator("input[type=file]").set_input_files(
        {"name": "whist.md", "mimeType": "text/markdown", "buffer": b"Trumps."}
    )
    expect(talk.locator(".chip")).to_have_text(re.compile("whist.md"))
    begin(page, studio, made)
    expect(page.get_by_role("article").first).to_contain_text("Added to the knowledge: whist.md")
    expect(card(page).locator("[data-field=knowledge]")).to_contain_text("whist.md")
    talk.locator("input[type=file]").set_input_files({"name": "me.png", "mimeType": "image/png", "buffer": PIXEL})
    expect(talk.locator(".chip")).to_have_text(re.compile("me.png"))
    studio.upstream.script(Reply(tool_calls=[Call("update_gpt", {})]), Reply(text="A fine picture."))
    say(page, "This is its picture.")
    expect(page.get_by_role("article").last).to_contain_text("A fine picture.")
    kept = gpt_of(page, studio)["draft"]
    assert kept["picture"]
    expect(card(page).get_by_role("img")).to_have_attribute("src", f"/content/{kept['picture']}")
    assert len(kept["knowledge"]) == 1
    card(page).get_by_role("button", name="Remove whist.md").click()
    expect(card(page).locator("[data-field=knowledge]")).to_contain_text("none")
    assert gpt_of(page, studio)["draft"]["knowledge"] == []


def test_actions_of_the_project_are_used(visit: Open, studio: Studio) -> None:
    name = f"Card shop {uuid.uuid4().hex[:6]}"
    document = {
        "openapi": "3.1.0",
        "info": {"title": name, "version": "1"},
        "servers": [{"url": studio.url}],
        "paths": {"/cards": {"get": {"operationId": "listCards"}}},
    }
    body = {"type": "action", "name": name, "document": document}
    studio.api.post("/connections", body=body, cast_to=object)
    page = visit("/gpts/create")
    begin(page, studio, draft())
    studio.upstream.script(
        Reply(tool_calls=[Call("use_actions", {"actions": [name]})]), Reply(text=f"It uses {name} now.")
    )
    say(page, "It should look into the card shop.")
    expect(card(page).locator("[data-field=connections]")).to_contain_text(name)
    expect(card(page).locator("[data-field=connections]")).to_contain_text("changed")
    assert len(gpt_of(page, studio)["draft"]["connections"]) == 1
    page.reload()
    expect(card(page).locator("[data-field=connections]")).to_contain_text(name)


def test_in_chinese_on_a_phone(visit: Open, studio: Studio) -> None:
    made = draft(
        name=f"纸牌高手{uuid.uuid4().hex[:4]}",
        description="讲解纸牌规则。",
        conversation_starters=["怎么玩惠斯特？", "谁先出牌？"],
    )
    page = visit("/gpts/create", language="zh", theme="dark", size=PHONE)
    studio.upstream.script(Reply(tool_calls=[Call("create_gpt", made)]), Reply(text="草稿做好了。给谁用？"))
    page.get_by_role("button", name="我想要一个讲解纸牌游戏规则的 GPT。").click()
    expect(page.get_by_role("article").last).to_contain_text("给谁用？")
    expect(card(page, "草稿")).to_be_hidden()
    page.get_by_role("tab", name="预览").click()
    expect(card(page, "草稿").get_by_role("heading", name=made["name"])).to_be_visible()
    expect(card(page, "草稿")).to_contain_text("游戏")
    expect(page.get_by_role("button", name="怎么玩惠斯特？")).to_be_visible()
    assert obstacles(page) == []
    page.get_by_role("tab", name="对话").click()
    expect(page.get_by_role("article").last).to_be_visible()
    assert gpt_of(page, studio)["draft"]["language"] == "zh"
    builders = [
        one for one in studio.api.beta.assistants.list(limit=100) if (one.metadata or {}).get("gpt_builder") == "zh"
    ]
    assert len(builders) == 1
    assert "GPT 制作助手" in (builders[0].instructions or "")
