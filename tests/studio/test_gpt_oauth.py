"""A GPT with an Action that needs a sign-in: two people in browsers of their own get what is theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.harness import in_thread
from tests.scripted import Call, Json, Reply
from tests.services import Provider, Service, document, service

from .conftest import Open, Studio, enter
from .people import let_in

PATHS: Json = {"/orders": {"get": {"operationId": "listOrders", "summary": "What somebody has ordered."}}}


@pytest.fixture
def shop(idp: Provider) -> Iterator[Service]:
    """A service that tells who is signed in what they have ordered."""

    with in_thread(service()) as made:
        made.answer = idp.who_asks("orders_of")
        yield made


def reading_out(request: Json) -> Reply:
    """A model that lists orders, and repeats what it was told."""
    last = request["messages"][-1]
    return Reply(text=last["content"]) if last["role"] == "tool" else Reply(tool_calls=[Call("listOrders")])


def ask(page: Page) -> None:
    enter(page.get_by_label("Write a message"), "What have I ordered?")


def sign_in(page: Page, idp: Provider, user: str) -> None:
    """Sign in at the service in another tab of the same browser, and let the call go on."""
    waiting = page.get_by_role("region", name="The run waits for you")
    link = waiting.get_by_role("link", name="Sign in there first")
    address = idp.agree(link.get_attribute("href") or "", user)
    tab = page.context.new_page()
    tab.goto(str(address))
    expect(tab.get_by_text("You are signed in").first).to_be_visible()
    tab.close()
    waiting.get_by_role("radio", name="Allow once").click()
    waiting.get_by_role("button", name="Submit").click()


def test_two_people_sign_in_and_get_what_is_theirs(visit: Open, studio: Studio, idp: Provider, shop: Service) -> None:
    oauth = {
        "type": "oauth",
        "client_id": "retinue",
        "client_secret": idp.client_secret,
        "authorization_url": idp.url + "/authorize",
        "token_url": idp.url + "/token",
    }

    def post(path: str, body: Json) -> Any:
        return studio.api.post(path, cast_to=object, body=body)

    connection = post("/connections", {"type": "action", "document": document(PATHS, shop.url), "auth": oauth})
    gpt = post("/gpts", {"name": "Orders", "connections": [connection["id"]]})
    version = post(f"/gpts/{gpt['id']}/publish", {"visibility": "store"})
    path = f"/playground/{version['assistant_id']}"
    mallory = let_in(visit("/people"), studio, "Mallory")
    before, studio.upstream.default = studio.upstream.default, reading_out
    try:
        for state, name in ((None, "ADA"), (mallory, "MALLORY")):
            page = visit(path, state=state)
            ask(page)
            sign_in(page, idp, name)
            expect(page.get_by_role("article").last).to_contain_text(f'{{"orders_of":"{name}"}}')
        assert idp.asked == ["authorization_code"] * 2
        # Each comes again, and is not asked again.
        for state, name in ((None, "ADA"), (mallory, "MALLORY")):
            page = visit(path, state=state)
            ask(page)
            expect(page.get_by_role("article").last).to_contain_text(f'{{"orders_of":"{name}"}}')
            expect(page.get_by_role("link", name="Sign in there first")).to_have_count(0)
    finally:
        studio.upstream.default = before
