"""The pages in a real browser: a server of its own, a scripted model, somebody who is signed in.

Skipped where `chromium` is not on the PATH; `make test` installs it where it can.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, expect, sync_playwright
from psycopg.conninfo import make_conninfo

from tests.faults.harness import KEY, Site, environment
from tests.harness import in_thread
from tests.scripted import ScriptedUpstream, upstream_in_thread
from tests.services import Provider, provider

CHROMIUM = shutil.which("chromium")
PASSWORD = "correct horse battery"
DESKTOP, PHONE = (1280, 800), (390, 844)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if not CHROMIUM and here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="no chromium on the PATH: apt-get install chromium"))


#: Milliseconds that a page has for anything: a busy machine is no reason to fail.
PATIENCE = 40_000
expect.set_options(timeout=PATIENCE)


@dataclass
class Studio:
    """A running server."""

    url: str
    #: The connection string of its database.
    database: str
    upstream: ScriptedUpstream
    #: With the key of the default project.
    api: openai.OpenAI
    #: What the owner's browser keeps.
    signed_in: Any = None


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a file's tests; each has a context of its own. No asynchronous test can run while it is open."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def studio(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A file's own server, with an owner, Ada; what one file's tests leave behind is in no other's way.

    What models say is what a test says: names of chats would take its turns.
    """
    folder = tmp_path_factory.mktemp("studio")
    with serving(postgres, folder, folder.name, RETINUE_CHAT_TITLES="off") as studio:
        yield studio


@pytest.fixture(autouse=True)
def _own_script(request: pytest.FixtureRequest) -> None:
    """What a failed test left unsaid is no other test's answer."""
    if "studio" in request.fixturenames:
        request.getfixturevalue("studio").upstream.forget()


@contextmanager
def serving(postgres: str, folder: Path, database: str, **settings: Any) -> Generator[Studio]:
    """A server of its own, with an owner, Ada; its arguments are those of `begun`."""
    with begun(postgres, folder, database, **settings) as (studio, link):
        studio.signed_in = sign_up(link, "Ada", "ada@example.com")
        yield studio


@contextmanager
def begun(postgres: str, folder: Path, database: str, **settings: Any) -> Generator[tuple[Studio, str]]:
    """A server that has just been started for the first time.

    Args:
        postgres: the connection string of the database server.
        folder: for its data.
        database: what its database is called.
        settings: further variables of its environment.

    Yields:
        the server, and the link that it has printed for the first owner.
    """
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"create database {database}")  # pyright: ignore[reportCallIssue, reportArgumentType]
    conninfo = make_conninfo(postgres, dbname=database)
    with upstream_in_thread() as upstream:
        Site(folder / "data").configure(upstream.base_url)
        more = {"RETINUE_RUN_LEASE": 15, "RETINUE_EGRESS_ALLOW": '["127.0.0.1"]'}
        own = environment(folder / "data", DATABASE_URL=conninfo, **more, **settings)
        with (folder / "log").open("wb") as log, (folder / "out").open("wb") as out:
            process = subprocess.Popen([sys.executable, "-m", "retinue", "serve"], env=own, stdout=out, stderr=log)
        try:
            link = _link(process, folder)
            parts = urlsplit(link)
            url = f"{parts.scheme}://{parts.netloc}"
            api = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
            yield Studio(url, conninfo, upstream, api), link
        finally:
            process.terminate()
            process.wait(120)
        assert "Traceback" not in (folder / "log").read_text("utf-8"), (folder / "log").read_text("utf-8")[-5000:]


def _link(process: subprocess.Popen[bytes], folder: Path) -> str:
    deadline = time.monotonic() + 180
    while not (found := re.search(r"Sign up\s+(\S+)", (folder / "out").read_text("utf-8"))):
        assert process.poll() is None, (folder / "log").read_text("utf-8")
        assert time.monotonic() < deadline, (folder / "log").read_text("utf-8")
        time.sleep(0.05)
    return found[1]


def sign_up(link: str, name: str, email: str) -> Any:
    """Follow a link of welcome; returns what the browser of whoever does keeps."""
    jar = CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    with opener.open(link) as answer:
        page = answer.read().decode()
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    invited = re.search(r'name="email"[^>]* value="([^"]+)"', page)
    fields |= {"name": name, "email": invited[1] if invited else email, "password": PASSWORD}
    with opener.open(link.partition("?")[0], urllib.parse.urlencode(fields).encode()) as answer:
        assert answer.url.endswith("/start"), answer.url
    host = urlsplit(link).hostname
    kept = [{"name": one.name, "value": one.value, "domain": host, "path": "/"} for one in jar]
    more = {"expires": -1, "httpOnly": True, "secure": False, "sameSite": "Lax"}
    return {"cookies": [one | more for one in kept], "origins": []}


Open = Callable[..., Page]


def enter(field: Locator, text: str) -> None:
    """Write into a field and press Enter there: what has just closed may give the focus to something else."""
    field.fill(text)
    field.press("Enter")


def dialog_on(page: Page) -> Locator:
    """The open dialog on top of a page: one that closes is there for a while, but modal no more."""
    return page.get_by_role("dialog").and_(page.locator(".q-dialog--modal")).last


#: Resolves once nothing has moved for a while: dialogs that close are seen through, colours change slowly.
_STILL = """() => new Promise((still) => {
  let since = performance.now();
  const ends = (one) => one.playState === 'running' && one.effect.getComputedTiming().endTime !== Infinity;
  const look = () => {
    if (document.getAnimations().some(ends)) since = performance.now();
    if (performance.now() - since > 300) still();
    else setTimeout(look, 20);
  };
  look();
})"""


def obstacles(page: Page, part: str | None = None, *, minor: bool = False) -> list[Any]:
    """What keeps people from using a page, once nothing moves.

    Args:
        page: the page.
        part: a selector of what is looked at; None: all of it.
        minor: whether what axe-core calls minor or moderate counts.

    Returns:
        what axe-core finds, each with the first elements; and whether the page is wider than its window.
    """
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(_STILL)
    found = Axe().run(page, part).response["violations"]
    # Quasar's bar at the top, which comes and goes with every request, has no name.
    mistaken = {"aria-progressbar-name"}
    if page.get_by_role("dialog").count():
        # Axe takes the backdrop, which stands behind a dialog's buttons, for what they are painted on.
        mistaken.add("color-contrast")
    wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    return [("wider than the window", [])] * wide + [
        (one["id"], [node["html"][:200] for node in one["nodes"][:3]])
        for one in found
        if (minor or one["impact"] in ("serious", "critical")) and one["id"] not in mistaken
    ]


def answered(page: Page) -> None:
    """Wait until an answer has come whole: before that, pages take nothing new."""
    expect(page.get_by_role("button", name=re.compile("^(Send|发送)$"))).to_be_visible()


@pytest.fixture
def visit(studio: Studio, chromium: Browser) -> Iterator[Open]:
    """Opens pages as Ada; in the end nothing has gone wrong in the browser, and nothing was asked of others."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def opened(
        path: str = "/",
        *,
        language: str = "en",
        theme: str = "light",
        size: tuple[int, int] = DESKTOP,
        state: Any = None,
        fails: bool = False,
    ) -> Page:
        """A page; with `fails` it may be refused, which browsers note in their console."""
        context = chromium.new_context(
            storage_state=studio.signed_in if state is None else state,
            locale="zh-CN" if language == "zh" else "en",
            color_scheme="dark" if theme == "dark" else "light",
            viewport={"width": size[0], "height": size[1]},
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)

        def said(message: ConsoleMessage) -> None:
            refused = fails and message.text.startswith("Failed to load resource")
            if message.type in ("error", "warning") and not refused:
                problems.append(message.text)

        def asked(request: Request) -> None:
            if not request.url.startswith((studio.url, "data:", "blob:")):
                problems.append(f"asked {request.url}")

        page.on("console", said)
        page.on("pageerror", lambda error: problems.append(str(error)))
        context.on("request", asked)
        page.goto(studio.url + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def idp() -> Iterator[Provider]:
    """An OAuth provider, at which people sign in to services."""
    with in_thread(provider()) as made:
        yield made
