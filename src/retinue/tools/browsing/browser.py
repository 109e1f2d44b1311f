"""The process that has a browser: it renders one page at a time, and asks for everything that the page wants.

Run by `Worker`, with ``{"bubblewrap", "chromium", "timeout", "groups"}``. A page is begun by ``{"url", "type"}`` with
its body as the part. Each answer is either ``{"wanted": [{"id", "method", "url", "headers", "main", "navigates"}]}``,
with the bodies of these requests as parts, maybe none; or ``{"url"}`` with the HTML that the page has become as the
part; or ``{"failed"}``. What was wanted is given, as it comes, by ``{"given": [{"id", "status", "type"}]}`` with the
bodies as parts; without a status it was refused.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Error, Page, Playwright, Request, Route, async_playwright

from ...inference.frames import Frame
from ...inference.working import work
from .box import script

#: What a page may ask for. Pictures, fonts and sounds have no text; streams do not end.
_KINDS = frozenset({"document", "stylesheet", "script", "xhr", "fetch"})
#: Requests of a page, characters of a request's address and headers, and bytes of its body.
_MOST_REQUESTS = 200
_LONGEST_URL = 8_192
_LONGEST_HEADERS = 32_000
_LARGEST_BODY = 1024 * 1024
#: Characters of HTML that are taken.
_MOST_TAKEN = 3_000_000
#: Seconds that the other side waits for an answer while the page wants nothing new.
_TICK = 0.05
#: Parts of the time that a page has: to be loaded, and to come to rest. Seconds until what it has become must be taken.
_LOADING, _RESTING = 0.5, 0.25
_TAKING = 5.0
#: There is no way out of the box; this keeps Chromium from looking for one.
_ARGUMENTS = (
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--disable-gpu",
    "--js-flags=--max-old-space-size=512",
)
_TAKE = f"document.documentElement ? document.documentElement.outerHTML.slice(0, {_MOST_TAKEN}) : ''"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A request of a page, and its body."""

    head: dict[str, Any]
    body: bytes


class _Visit:
    """A page that is being rendered."""

    def __init__(self, browser: Browser, url: str, content_type: str, body: bytes, timeout: float) -> None:
        self._browser = browser
        self._url = url
        self._first: tuple[str, bytes] | None = (content_type, body)
        self._timeout = timeout
        self._wanted: list[_Wanted] = []
        self._routes: dict[int, Route] = {}
        self._count = 0
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._rendering = asyncio.create_task(self._render())
        self._rendering.add_done_callback(lambda _: self._news.set())

    async def answer(self) -> Frame:
        """What the page wants now, or what it has become."""
        try:
            async with asyncio.timeout(_TICK):
                await self._news.wait()
        except TimeoutError:
            pass
        if self._rendering.done():
            return self._rendering.result()
        self._news.clear()
        wanted, self._wanted = self._wanted, []
        return Frame({"wanted": [one.head for one in wanted]}, [one.body for one in wanted])

    def give(self, head: dict[str, Any], body: bytes) -> None:
        """Answer a request of the page."""
        if route := self._routes.pop(head["id"], None):
            status = head.get("status")
            self._begin(route.abort("aborted") if status is None else _fulfil(route, status, head["type"], body))

    def _begin(self, coroutine: Coroutine[Any, Any, None]) -> None:
        async def quietly() -> None:
            with suppress(Error):  # the page may not wait for it any more
                await coroutine

        task = asyncio.create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _render(self) -> Frame:
        try:
            context = await self._browser.new_context(accept_downloads=False, service_workers="block")
            await context.route("**/*", self._route)
            page = await context.new_page()
            context.on("page", lambda window: self._begin(window.close()))
            try:
                await page.goto(self._url, wait_until="domcontentloaded", timeout=self._timeout * _LOADING * 1000)
                await page.wait_for_load_state("networkidle", timeout=self._timeout * _RESTING * 1000)
            except Error:
                pass  # what there is by now is taken
            async with asyncio.timeout(_TAKING):
                text = await _taken(context, page)
                url = page.url
                await context.close()
        except (Error, TimeoutError) as error:
            return Frame({"failed": str(error).partition("\n")[0] or type(error).__name__})
        return Frame({"url": url}, [text.encode("utf-8", "replace")])

    async def _route(self, route: Route) -> None:
        request = route.request
        if self._first and request.url.partition("#")[0] == self._url.partition("#")[0]:
            (content_type, body), self._first = self._first, None
            self._begin(_fulfil(route, 200, content_type, body))
            return
        self._count += 1
        body = request.post_data_buffer or b""
        headers = request.headers
        place = _place(request)
        if (
            place is None
            or request.resource_type not in _KINDS
            or self._count > _MOST_REQUESTS
            or len(request.url) > _LONGEST_URL
            or len(body) > _LARGEST_BODY
            or sum(map(len, (*headers, *headers.values()))) > _LONGEST_HEADERS
        ):
            self._begin(route.abort("aborted"))
            return
        head = {"id": self._count, "method": request.method, "url": request.url, "headers": headers, **place}
        self._routes[self._count] = route
        self._wanted.append(_Wanted(head, body))
        self._news.set()


def _place(request: Request) -> dict[str, bool] | None:
    """Whether a request leads a page elsewhere, and whether that is the main one and no frame in it.

    None: it is for a window that the page opens.
    """
    navigates = request.is_navigation_request()
    try:
        return {"navigates": navigates, "main": navigates and request.frame.parent_frame is None}
    except Error:
        return None


async def _fulfil(route: Route, status: int, content_type: str, body: bytes) -> None:
    await route.fulfill(status=status, headers={"content-type": content_type}, body=body)


async def _taken(context: BrowserContext, page: Page) -> str:
    """The HTML that a page has become, by a world of its own, in which the page's programs cannot change a function."""
    session = await context.new_cdp_session(page)
    tree = await session.send("Page.getFrameTree")
    world = await session.send("Page.createIsolatedWorld", {"frameId": tree["frameTree"]["frame"]["id"]})
    found = await session.send(
        "Runtime.evaluate",
        {"expression": _TAKE, "contextId": world["executionContextId"], "returnByValue": True},
    )
    return str(found["result"].get("value", ""))


async def _started(config: dict[str, Any]) -> tuple[Playwright, Browser]:
    # Not in a folder, where a file could be left behind: in memory, for as long as this process lives.
    descriptor = os.memfd_create("chromium")
    os.write(descriptor, script(config["bubblewrap"], config["chromium"]).encode())
    playwright = await async_playwright().start()
    browser = await playwright.chromium.launch(
        executable_path=f"/proc/{os.getpid()}/fd/{descriptor}", chromium_sandbox=True, args=_ARGUMENTS
    )
    return playwright, browser


def _load(config: dict[str, Any]) -> Callable[[Frame], Frame]:
    for group in config["groups"]:
        Path(group).write_text("0")
    loop = asyncio.new_event_loop()
    _, browser = loop.run_until_complete(_started(config))
    visit: _Visit | None = None

    async def serve(question: Frame) -> Frame:
        nonlocal visit
        head = question.head
        if "url" in head:
            visit = _Visit(browser, head["url"], head["type"], question.parts[0], config["timeout"])
        assert visit is not None  # noqa: S101 (the first question begins one)
        for given, body in zip(head.get("given", ()), question.parts, strict=False):
            visit.give(given, body)
        return await visit.answer()

    return lambda question: loop.run_until_complete(serve(question))


if __name__ == "__main__":
    work(_load)
