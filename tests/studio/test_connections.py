"""A connection is changed in the Playground: what was not typed stays, secrets above all."""

# pyright: reportDeprecated=false
from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.harness import in_thread
from tests.services import Service, document, service

from .conftest import PHONE, Open, Studio, obstacles
from .test_chat import unique
from .test_consents import PETS

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
KEY: Any = {"type": "api_key", "in": "header", "name": "X-Key", "prefix": "Token", "key": "sesame"}


@pytest.fixture
def pets() -> Iterator[Service]:
    with in_thread(service()) as made:
        yield made


def connected(studio: Studio, pets: Service) -> Any:
    """A new connection, as the API shows it."""
    body = {"type": "action", "name": unique("Pets"), "document": document(PETS, pets.url), "auth": KEY}
    return studio.api.post("/connections", cast_to=object, body=body)


def asked_with(studio: Studio, pets: Service, connection: str) -> str | None:
    """What the service is sent as a key."""
    studio.api.post(f"/connections/{connection}/tools/whoami/call", cast_to=object, body={})
    return pets.got[-1].headers.get("x-key")


def form_of(visit: Open, studio: Studio, name: str) -> tuple[Page, Any]:
    """The Playground, with the form that changes a connection."""
    id_ = studio.api.beta.assistants.create(model="default", name="Vet").id
    page = visit(f"/playground/{id_}")
    page.get_by_role("button", name=f"{name}: functions and more").click()
    page.get_by_role("dialog", name=name, exact=True).get_by_role("button", name="Change").click()
    form = page.get_by_role("dialog", name=f"Change {name}")
    expect(form).to_contain_text("Secrets stay as they are unless you type new ones.")
    return page, form


def test_a_connection_is_changed_and_keeps_its_key(visit: Open, studio: Studio, pets: Service) -> None:
    old = connected(studio, pets)
    page, form = form_of(visit, studio, old["name"])
    expect(form.get_by_label("Header")).to_have_value("X-Key")
    expect(form.get_by_label("Key", exact=True)).to_have_value("")
    name = unique("Animals")
    form.get_by_label("Name", exact=True).fill(name)
    form.get_by_label("Ask a person before calls").click()
    page.get_by_role("option", name="Always").click()
    form.get_by_role("button", name="Save").click()
    # It is looked into at once, under its new name.
    expect(page.get_by_role("dialog", name=name)).to_contain_text("The document is read. Functions: 2")
    page.get_by_role("dialog", name=name).get_by_role("button", name="Close").click()
    expect(page.get_by_role("switch", name=name)).to_be_visible()
    new: Any = studio.api.get(f"/connections/{old['id']}", cast_to=object)
    assert new == {**old, "name": name, "consent": "always"}
    assert asked_with(studio, pets, old["id"]) == "Token sesame"


def test_a_key_is_typed_anew_where_what_it_is_for_changes(visit: Open, studio: Studio, pets: Service) -> None:
    old = connected(studio, pets)
    page, form = form_of(visit, studio, old["name"])
    with in_thread(service()) as other:
        form.get_by_label("Address of the server").fill(other.url)
        form.get_by_role("button", name="Save").click()
        expect(form.get_by_role("alert")).to_contain_text("type the key or password anew")
        assert studio.api.get(f"/connections/{old['id']}", cast_to=object) == old
        form.get_by_label("Key", exact=True).fill("open")
        form.get_by_role("button", name="Save").click()
        expect(page.get_by_role("dialog", name=old["name"], exact=True)).to_contain_text("Functions: 2")
        assert asked_with(studio, other, old["id"]) == "Token open"
        assert pets.got == []


def test_another_document_on_a_phone_in_chinese(visit: Open, studio: Studio, pets: Service) -> None:
    old = connected(studio, pets)
    id_ = studio.api.beta.assistants.create(model="default", name="兽医").id
    page = visit(f"/playground/{id_}", language="zh", theme="dark", size=PHONE)
    page.get_by_role("button", name="设置").click()
    page.get_by_role("button", name=f"{old['name']}：函数及更多").click()
    page.get_by_role("dialog", name=old["name"], exact=True).get_by_role("button", name="更改").click()
    form = page.get_by_role("dialog", name=f"更改 {old['name']}")
    assert obstacles(page) == []
    form.get_by_text("粘贴文档").click()
    form.get_by_role("button", name="保存").click()
    expect(form.get_by_role("alert")).to_have_text("请提供文档或文档网址。")
    fewer = document({"/me": PETS["/me"]}, pets.url)
    form.get_by_role("textbox", name="OpenAPI 文档").fill(json.dumps(fewer))
    form.get_by_role("button", name="保存").click()
    expect(page.get_by_role("dialog", name=old["name"], exact=True)).to_contain_text("共有 1 个函数")
    assert asked_with(studio, pets, old["id"]) == "Token sesame"
