"""A browser as far as forms and cookies go: it keeps cookies, fills in forms and follows no redirect by itself."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from typing import Any

import aiohttp
from yarl import URL

from retinue.accounts.people import People
from retinue.accounts.sessions import csrf_token
from retinue.store.people import NewPerson

from .harness import Server


class _Form(HTMLParser):
    """The fields of the form with an action."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self._action = action
        self._within = False
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert tag not in ("script", "img", "iframe"), "pages load and run nothing"
        assert tag != "link" or values == {"rel": "icon", "href": "data:,"}
        assert not any(name.startswith("on") or name == "style" for name in values), tag
        if tag == "form":
            self._within = values["action"] == self._action
        elif tag == "input" and self._within:
            self.fields[values["name"] or ""] = values.get("value") or ""


@dataclass(frozen=True, slots=True)
class Page:
    """What a browser shows."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def told(self) -> str:
        """What the page says of what went wrong, or went well; "" if nothing."""
        found = re.search(r'<p class="(?:wrong|good)" role="\w+">(.*?)</p>', self.text)
        return unescape(found[1]) if found else ""

    @property
    def location(self) -> str:
        """Where the browser is sent."""
        assert self.status == 303, self.text
        return self.headers["location"]

    def form(self, action: str) -> dict[str, str]:
        """The fields of a form, as they are filled in."""
        form = _Form(action)
        form.feed(self.text)
        assert form.fields, f"there is no form for {action}"
        return form.fields


class Browser:
    """Somebody's browser."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        #: The server's, without ``/v1``.
        self.url = url

    @property
    def cookies(self) -> dict[str, str]:
        """All cookies, by name."""
        return {cookie.key: cookie.value for cookie in self._http.cookie_jar}

    async def request(self, method: str, path: str, **options: Any) -> Page:
        """A request; `path` may also be a whole URL."""
        url = path if "://" in path else self.url + path
        async with self._http.request(method, url, allow_redirects=False, **options) as response:
            page = Page(response.status, response.headers, await response.text())
        if page.headers.get("content-type", "").startswith("text/html") and "://" not in path:
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
        return page

    async def get(self, path: str, **headers: str) -> Page:
        """Open a page."""
        return await self.request("GET", path, headers={name.replace("_", "-"): headers[name] for name in headers})

    async def send(self, page: Page, action: str, **fields: str) -> Page:
        """Fill in a form of a page and send it."""
        return await self.request("POST", action, data={**page.form(action), **fields})

    async def sign_in(self, email: str, password: str) -> Page:
        """Open the sign-in page and fill it in."""
        return await self.send(await self.get("/sign-in"), "/sign-in", email=email, password=password)

    async def api(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """A request to the API by the session: status and body."""
        sent = {"x-csrf-token": csrf_token(self.cookies.get("retinue_session", "")), **headers}
        async with self._http.request(method, self.url + "/v1" + path, json=body, headers=sent) as response:
            return response.status, await response.json()


@asynccontextmanager
async def browsing(url: str) -> AsyncIterator[Browser]:
    """A new browser, for the server at `url`."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Browser(http, url)


@asynccontextmanager
async def signed_in(server: Server, person: str) -> AsyncIterator[Browser]:
    """A browser in which a person is signed in."""
    people: People = server.app.state.people
    token = await people.sessions.begin(person)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        http.cookie_jar.update_cookies({"retinue_session": token}, URL(server.url))
        yield Browser(http, server.url)


async def new_owner(server: Server, name: str) -> str:
    """The id of a new person, who may do everything."""
    return (await server.app.state.store.people.add(NewPerson(name, f"{name}@example.com", "owner"))).id
