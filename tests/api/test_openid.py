"""Signing in at an OpenID provider, which runs as a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from retinue.settings import Settings
from retinue.store.accounts import DEFAULT_PROJECT
from retinue.store.people import NewPerson

from ..browser import Browser, Page, browsing
from ..harness import Server
from ..openid_provider import CLIENT, SECRET

ADA = {"sub": "ada-1", "name": "Ada", "email": "Ada@Example.com", "email_verified": True}


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The URL of a provider."""
    command = [sys.executable, "-m", "tests.openid_provider"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path, provider: str) -> Settings:
    """The provider is configured, beside what the test's mark `settings` says."""
    values: dict[str, Any] = {
        "oidc_issuer": provider,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
        "egress_allow": ["127.0.0.1"],
        "public_url": "http://127.0.0.1:8000",
    }
    for mark in request.node.iter_markers("settings"):
        values |= mark.kwargs
    return Settings(data=tmp_path, **values)


@pytest.fixture
async def browser(server: Server) -> AsyncIterator[Browser]:
    async with browsing(server.url) as browser:
        yield browser


async def say(provider: str, **how: Any) -> None:
    """How the provider answers next."""
    async with aiohttp.request("POST", provider + "/next", json=how) as response:
        assert response.status == 200


async def come_back(browser: Browser, begin: str = "/sign-in/provider") -> str:
    """Sign in at the provider, up to where it sends the browser: an address of ours."""
    at_provider = (await browser.get(begin)).location
    answer = await browser.request("GET", at_provider)
    assert answer.status == 302, answer.text
    return answer.headers["location"].removeprefix("http://127.0.0.1:8000")


async def sign_in(browser: Browser, provider: str, **how: Any) -> Page:
    await say(provider, **how)
    return await browser.get(await come_back(browser))


async def person(server: Server, email: str = "ada@example.com") -> str:
    return (await server.app.state.store.people.add(NewPerson("Ada", email, "owner"))).id


async def test_people_go_on_where_they_wanted(server: Server, provider: str, browser: Browser) -> None:
    await person(server)
    for wanted, onward in (("/account?lang=zh", "/account?lang=zh"), ("//evil.example", "/")):
        await say(provider, claims=ADA)
        shown = (await browser.get("/sign-in?" + urlencode({"next": wanted}))).text
        (begin,) = re.findall(r'href="(/sign-in/provider[^"]*)"', shown)
        assert (await browser.get(await come_back(browser, unescape(begin)))).location == onward
        await browser.send(await browser.get("/account"), "/sign-out")
    # Whoever writes the address of the provider themselves gets no further.
    await say(provider, claims=ADA)
    begin = "/sign-in/provider?" + urlencode({"next": "//evil.example"})
    assert (await browser.get(await come_back(browser, begin))).location == "/"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_people_are_known_by_a_verified_address_and_then_by_the_subject(
    server: Server, provider: str, browser: Browser, method: str
) -> None:
    known = await person(server)
    assert 'href="/sign-in/provider"' in (await browser.get("/sign-in")).text
    page = await sign_in(browser, provider, claims=ADA, method=method)
    assert page.location == "/"
    assert "retinue_sign_in" not in browser.cookies
    assert "Ada" in (await browser.get("/account")).text
    assert (await browser.api("GET", "/organization/users"))[1]["data"][0]["id"] == known
    # The address may change at the provider; the subject stays.
    async with browsing(server.url) as elsewhere:
        assert (await sign_in(elsewhere, provider, claims=ADA | {"email": "new@example.com"})).location == "/"
        assert "ada@example.com" in (await elsewhere.get("/account")).text


@pytest.mark.parametrize(
    "claims",
    [ADA, ADA | {"email_verified": False, "email": "eve@example.com"}, {"sub": "x"}, ADA | {"email": ["a"]}],
    ids=["unknown", "not verified", "no address", "no text"],
)
async def test_people_who_are_not_known_are_refused(
    server: Server, provider: str, browser: Browser, claims: dict[str, Any]
) -> None:
    await person(server, "eve@example.com")
    page = await sign_in(browser, provider, claims=claims)
    assert page.status == 403
    assert "You are not known here" in page.told
    assert "retinue_session" not in browser.cookies


async def test_whoever_is_invited_comes_in(server: Server, provider: str, browser: Browser) -> None:
    invite, _ = await server.app.state.people.invite("ada@example.com", "reader", None)
    assert (await sign_in(browser, provider, claims=ADA)).location == "/"
    assert (await server.app.state.store.invites.get(invite.id)).status == "accepted"
    assert (await browser.api("POST", "/threads", {}))[0] == 200


@pytest.mark.settings(oidc_domains=["example.com"])
async def test_an_allowed_domain_needs_no_invite(server: Server, provider: str, browser: Browser) -> None:
    assert (await sign_in(browser, provider, claims=ADA)).location == "/"
    found = (await server.app.state.store.members.page(DEFAULT_PROJECT, limit=9, after=None)).rows
    assert [(one.email, one.role) for one in found] == [("Ada@Example.com", "member")]
    async with browsing(server.url) as other:
        eve = {"sub": "eve", "email": "ada@example.com.evil.net", "email_verified": True}
        assert (await sign_in(other, provider, claims=eve)).status == 403


@pytest.mark.parametrize(
    "how",
    [
        {"wrong_key": True},
        {"alg": "none"},
        {"claims": ADA | {"nonce": "another"}},
        {"claims": ADA | {"aud": "another"}},
        {"claims": ADA | {"iss": "https://another.example"}},
        {"claims": ADA | {"exp": 1000}},
        {"claims": ADA | {"exp": "soon"}},
        {"claims": ADA | {"sub": ""}},
        {"claims": ADA | {"aud": [CLIENT, "another"], "azp": "another"}},
    ],
    ids=["key", "unsigned", "nonce", "audience", "issuer", "expired", "no time", "nobody", "party"],
)
async def test_an_id_token_that_is_not_good_is_refused(
    server: Server, provider: str, browser: Browser, how: dict[str, Any]
) -> None:
    await person(server)
    page = await sign_in(browser, provider, **{"claims": ADA, **how})
    assert page.status == 401
    assert "Signing in at the provider failed" in page.told
    assert "retinue_session" not in browser.cookies


@pytest.mark.parametrize(
    "how",
    [{"issuer": "https://another.example"}, {"token_endpoint": "http://127.0.0.2:9/token"}],
    ids=["issuer", "host"],
)
async def test_a_provider_that_leads_elsewhere_is_refused(provider: str, browser: Browser, how: dict[str, Any]) -> None:
    await say(provider, **how)
    assert (await browser.get("/sign-in/provider")).status == 401


async def test_what_another_browser_began_is_refused(server: Server, provider: str, browser: Browser) -> None:
    await person(server)
    await say(provider, claims=ADA)
    address = await come_back(browser)
    async with browsing(server.url) as other:
        assert (await other.get(address)).status == 401
        await come_back(other)
        assert (await other.get(address)).status == 401
        assert "retinue_session" not in other.cookies
    assert (await browser.get(address)).location == "/"
    # A code is good once, and so is what the browser began.
    assert (await browser.get(address)).status == 401


@pytest.mark.parametrize("query", ["", "?state=é&code=x", "?error=access_denied", "?code=%00&state=%ff"])
async def test_nonsense_is_refused(browser: Browser, query: str) -> None:
    assert (await browser.get("/sign-in/callback" + query)).status == 401
    await browser.get("/sign-in/provider")
    assert (await browser.get("/sign-in/callback" + query)).status == 401
    assert (await browser.get("/sign-in/callback" + query, cookie="retinue_sign_in=nonsense")).status == 401


@pytest.mark.settings(oidc_issuer="http://127.0.0.1:9", egress_ports=[9])
async def test_a_provider_that_is_away_is_told(browser: Browser) -> None:
    page = await browser.get("/sign-in/provider")
    assert page.status == 400
    assert page.told
