"""Calls of Actions that a person has to allow, and signing in for them, in the chat."""

# pyright: reportDeprecated=false

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.harness import in_thread
from tests.scripted import Call, Reply
from tests.services import Provider, Service, document, service

from .conftest import PHONE, Open, Studio, answered, enter
from .people import let_in
from .test_chat import say, thread_of, unique

PETS: Any = {
    "/pets": {
        "post": {
            "operationId": "addPet",
            "summary": "Add a pet.",
            "requestBody": {
                "content": {
                    "application/json": {"schema": {"type": "object", "properties": {"name": {"type": "string"}}}}
                }
            },
        }
    },
    "/me": {"get": {"operationId": "whoami", "summary": "Who is asking."}},
}


@pytest.fixture
def pets() -> Iterator[Service]:
    with in_thread(service()) as made:
        yield made


def assistant(studio: Studio, pets: Service, **connection: Any) -> str:
    """The id of an assistant with an Action."""
    body = {"type": "action", "document": document(PETS, pets.url), **connection}
    made: Any = studio.api.post("/connections", cast_to=object, body=body)
    tools: Any = [{"type": "action", "action": {"connection_id": made["id"]}}]
    return studio.api.beta.assistants.create(model="m", name=unique("Keeper"), tools=tools).id


def asked(page: Page, title: str = "May the assistant do this?") -> Any:
    return page.get_by_role("group", name=title)


def test_a_call_is_made_when_it_is_allowed(visit: Open, studio: Studio, pets: Service) -> None:
    page = visit(f"/?assistant={assistant(studio, pets)}")
    studio.upstream.script(Reply(tool_calls=[Call("addPet", {"name": "Rex"})]), Reply(text="Rex is added."))
    say(page, unique("Add Rex"))
    expect(asked(page)).to_contain_text("Pets: POST /pets")
    expect(asked(page)).to_contain_text('"name": "Rex"')
    assert pets.got == []
    # Who opens the page again is asked again.
    thread_of(page)
    page.reload()
    asked(page).get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("article").last).to_contain_text("Rex is added.")
    expect(asked(page)).not_to_be_visible()
    assert [(got.method, got.target, got.json) for got in pets.got] == [("POST", "/pets", {"name": "Rex"})]


def test_a_call_is_not_made_when_it_is_denied(visit: Open, studio: Studio, pets: Service) -> None:
    page = visit(f"/?assistant={assistant(studio, pets)}", language="zh", theme="dark", size=PHONE)
    studio.upstream.script(Reply(tool_calls=[Call("addPet", {"name": "Rex"})]), Reply(text="好的，不添加。"))
    enter(page.get_by_label("输入消息"), "添加 Rex")
    group = asked(page, "是否允许助手执行此操作？")
    group.get_by_role("button", name="不允许").click()
    expect(page.get_by_role("article").last).to_contain_text("好的，不添加。")
    assert pets.got == []
    told = studio.upstream.requests[-1]["messages"][-1]
    assert told["content"] == "Error: the user did not allow this call."


def test_what_is_always_allowed_is_not_asked_again(visit: Open, studio: Studio, pets: Service) -> None:
    page = visit(f"/?assistant={assistant(studio, pets)}")
    call = Reply(tool_calls=[Call("addPet", {"name": "Rex"})])
    studio.upstream.script(call, Reply(text="First."))
    say(page, unique("Add Rex"))
    asked(page).get_by_role("button", name="Always allow").click()
    expect(page.get_by_role("article").last).to_contain_text("First.")
    answered(page)
    studio.upstream.script(call, Reply(text="Second."))
    say(page, unique("Again"))
    expect(page.get_by_role("article").last).to_contain_text("Second.")
    assert len(pets.got) == 2


def test_of_several_calls_some_are_allowed(visit: Open, studio: Studio, pets: Service) -> None:
    page = visit(f"/?assistant={assistant(studio, pets)}")
    calls = [Call("addPet", {"name": name}, id=f"call_{name}") for name in ("Rex", "Tom")]
    studio.upstream.script(Reply(tool_calls=calls), Reply(text="One of them."))
    say(page, unique("Add both"))
    expect(asked(page).get_by_role("checkbox")).to_have_count(2)
    asked(page).get_by_role("checkbox").first.click()
    asked(page).get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("article").last).to_contain_text("One of them.")
    assert [got.json["name"] for got in pets.got] == ["Tom"]


def test_a_person_signs_in_from_the_chat(visit: Open, studio: Studio, pets: Service, idp: Provider) -> None:
    pets.answer = idp.who_asks("you")
    oauth = {
        "type": "oauth",
        "client_id": "retinue",
        "client_secret": idp.client_secret,
        "authorization_url": idp.url + "/authorize",
        "token_url": idp.url + "/token",
    }
    page = visit(f"/?assistant={assistant(studio, pets, auth=oauth)}")
    studio.upstream.script(Reply(tool_calls=[Call("whoami")]), Reply(text="You are Ada."))
    say(page, unique("Who am I?"))
    link = asked(page).get_by_role("link", name="Sign in first")
    expect(link).to_have_attribute("target", "_blank")
    expect(asked(page).get_by_role("button", name="Always allow")).to_have_count(0)
    # Where the provider sends the browser back to, once the person has agreed there.
    address = idp.agree(link.get_attribute("href") or "", "ada@idp")
    tab = page.context.new_page()
    tab.goto(str(address))
    expect(tab.get_by_text("You are signed in").first).to_be_visible()
    asked(page).get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("article").last).to_contain_text("You are Ada.")
    assert '"you":"ada@idp"' in studio.upstream.requests[-1]["messages"][-1]["content"].replace(" ", "")


def test_an_answer_that_is_refused_is_asked_for_again_in_a_preview(visit: Open, studio: Studio, pets: Service) -> None:
    owner = visit("/people")
    pip = let_in(owner, studio, "Pip")
    connection: Any = studio.api.post(
        "/connections", cast_to=object, body={"type": "action", "document": document(PETS, pets.url)}
    )
    page = visit("/files", state=pip)
    me = page.request.get(f"{studio.url}/v1/me").json()
    gpt = page.request.post(
        f"{studio.url}/v1/gpts",
        headers={"X-CSRF-Token": me["csrf_token"]},
        data={"name": unique("Zoo"), "connections": [connection["id"]]},
    ).json()
    page.goto(f"{studio.url}/gpts/edit/{gpt['id']}")
    preview = page.get_by_role("region", name="Preview").last
    studio.upstream.script(Reply(tool_calls=[Call("addPet", {"name": "Rex"})]), Reply(text="Rex is added."))
    enter(preview.get_by_label("Write a message"), "Add Rex")

    def role(name: str) -> None:
        csrf = owner.request.get(f"{studio.url}/v1/me").json()["csrf_token"]
        path = f"{studio.url}/v1/organization/projects/{me['project']}/users/{me['user']['id']}"
        assert owner.request.post(path, headers={"X-CSRF-Token": csrf}, data={"role": name}).ok

    def allow() -> None:
        waiting = preview.get_by_role("region", name="The run waits for you")
        waiting.get_by_role("radio", name="Allow once").click()
        waiting.get_by_role("button", name="Submit").click()

    expect(preview.get_by_role("radio", name="Allow once")).to_be_visible()
    role("viewer")
    allow()
    expect(page.get_by_role("alert").first).to_be_visible()
    role("member")
    allow()
    expect(preview.get_by_role("article").last).to_contain_text("Rex is added.")
    assert len(pets.got) == 1
