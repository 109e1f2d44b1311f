"""What stands around every page."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from .conftest import PHONE, Open, Studio, obstacles


def test_who_is_not_signed_in_goes_to_sign_in_and_back(visit: Open) -> None:
    page = visit("/start?x=1", state={})
    assert page.url.endswith("/sign-in?next=%2Fstart%3Fx%3D1")


def test_the_language_is_switched_and_kept(visit: Open) -> None:
    page = visit("/start")
    expect(page.get_by_role("heading", level=1)).to_have_text("Get started")
    page.get_by_role("link", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("开始使用")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("开始使用")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Get started")


def test_the_language_changes_nothing_else_of_the_address(visit: Open, studio: Studio) -> None:
    page = visit("/logs?show=completions")
    page.get_by_role("tab", name="Requests").click()
    expect(page).to_have_url(f"{studio.url}/logs?show=requests")
    page.get_by_role("link", name="中文").click()
    expect(page.get_by_role("link", name="English")).to_be_visible()
    expect(page).to_have_url(f"{studio.url}/logs?show=requests")


def test_light_and_dark_are_switched_and_kept(visit: Open) -> None:
    page = visit("/start")
    body = page.locator("body")
    assert "body--dark" not in (body.get_attribute("class") or "")
    page.get_by_role("button", name="Light or dark").click()
    page.wait_for_function("document.body.classList.contains('body--dark')")
    page.reload()
    page.wait_for_function("document.body.classList.contains('body--dark')")


def test_the_navigation_opens_on_a_phone(visit: Open) -> None:
    page = visit("/start", size=PHONE)
    link = page.get_by_role("link", name="Chat", exact=True)
    expect(link).not_to_be_in_viewport()
    page.get_by_role("button", name="Menu").click()
    expect(link).to_be_in_viewport()
    link.click()
    page.wait_for_url("**/")


def test_what_is_not_there_is_said(visit: Open) -> None:
    page = visit("/nowhere", fails=True)
    expect(page.get_by_role("alert")).to_contain_text("There is no such page")


@pytest.mark.parametrize(
    "path", ["/vector-stores/%2e%2e", "/chat/%2e", "/gpts/rate/GPT?thread=&message=", "/gpts/rate/GPT?thread=.."]
)
def test_what_can_be_no_id_is_not_found(studio: Studio, path: str) -> None:
    cookies = "; ".join(f"{one['name']}={one['value']}" for one in studio.signed_in["cookies"])
    gpt: Any = studio.api.post("/gpts", cast_to=object, body={"name": "Nowhere"})
    assert ask(studio, path.replace("GPT", gpt["id"]), cookie=cookies).status == 404


def ask(studio: Studio, path: str, **headers: str) -> http.client.HTTPResponse:
    """One request, without a browser."""
    connection = http.client.HTTPConnection(urlsplit(studio.url).netloc, timeout=10)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    return connection.getresponse()


def test_the_api_answers_for_itself(studio: Studio) -> None:
    answer = ask(studio, "/v1/nowhere", authorization="Bearer x")
    assert answer.status == 401
    assert b'"error"' in answer.read()


def test_pages_load_nothing_from_elsewhere(studio: Studio) -> None:
    cookies = "; ".join(f"{one['name']}={one['value']}" for one in studio.signed_in["cookies"])
    answer = ask(studio, "/", cookie=cookies)
    assert answer.status == 200
    assert "default-src 'self'" in (answer.getheader("content-security-policy") or "")


def test_pages_of_others_get_no_socket(studio: Studio) -> None:
    path = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    opening = {"connection": "Upgrade", "upgrade": "websocket", "sec_websocket_version": "13"}
    opening["sec_websocket_key"] = "MDEyMzQ1Njc4OWFiY2RlZg=="
    assert ask(studio, path, origin=studio.url, **opening).status == 101
    assert ask(studio, path, origin="http://elsewhere.example", **opening).status == 403
    assert ask(studio, path, **opening).status == 403


@pytest.mark.parametrize("name", ["Second", "All that the harbour office of Port Ellery has to do this year"])
def test_projects_leave_room_for_the_rest_of_the_bar(visit: Open, studio: Studio, name: str) -> None:
    page = visit("/files", language="zh", size=PHONE)
    headers = {"X-CSRF-Token": page.request.get(f"{studio.url}/v1/me").json()["csrf_token"]}
    path = f"{studio.url}/v1/organization/projects"
    made = page.request.post(path, headers=headers, data={"name": name}).json()
    try:
        page.reload()
        chooser = page.get_by_role("combobox", name="项目")
        for _ in range(2):
            expect(chooser).to_be_visible()
            assert obstacles(page) == []
            expect(page.get_by_role("button", name="我的账号: Ada")).to_be_in_viewport(ratio=1)
            # The same once it is chosen.
            page.goto(f"{studio.url}/files?project={made['id']}")
        expect(chooser).to_have_value(name)
    finally:
        assert page.request.post(f"{path}/{made['id']}/archive", headers=headers).ok
        page.goto(f"{studio.url}/?project=proj_default")
