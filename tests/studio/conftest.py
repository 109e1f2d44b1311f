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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright
from psycopg.conninfo import make_conninfo

from tests.faults.harness import KEY, Site, environment
from tests.scripted import ScriptedUpstream, upstream_in_thread

CHROMIUM = shutil.which("chromium")
PASSWORD = "correct horse battery"
DESKTOP, PHONE = (1280, 800), (390, 844)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if not CHROMIUM and here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="no chromium on the PATH: apt-get install chromium"))


@dataclass
class Studio:
    """A running server."""

    url: str
    upstream: ScriptedUpstream
    #: With the key of the default project.
    api: openai.OpenAI
    #: What the owner's browser keeps.
    signed_in: Any = None
    problems: list[str] = field(default_factory=list[str])


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a file's tests; each has a context of its own. No asynchronous test can run while it is open."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def studio(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A server with an owner, Ada."""
    folder = tmp_path_factory.mktemp("studio")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("create database studio")
    with upstream_in_thread() as upstream:
        Site(folder / "data").configure(upstream.base_url)
        own = environment(folder / "data", DATABASE_URL=make_conninfo(postgres, dbname="studio"), RETINUE_RUN_LEASE=15)
        with (folder / "log").open("wb") as log, (folder / "out").open("wb") as out:
            process = subprocess.Popen([sys.executable, "-m", "retinue", "serve"], env=own, stdout=out, stderr=log)
        try:
            link = _link(process, folder)
            parts = urlsplit(link)
            url = f"{parts.scheme}://{parts.netloc}"
            api = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
            studio = Studio(url, upstream, api)
            studio.signed_in = sign_up(link, "Ada", "ada@example.com")
            yield studio
        finally:
            process.terminate()
            process.wait(30)
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
        assert answer.url.endswith("/account"), answer.url
    host = urlsplit(link).hostname
    kept = [{"name": one.name, "value": one.value, "domain": host, "path": "/"} for one in jar]
    more = {"expires": -1, "httpOnly": True, "secure": False, "sameSite": "Lax"}
    return {"cookies": [one | more for one in kept], "origins": []}


Open = Callable[..., Page]


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
        page.set_default_timeout(15_000)

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
