"""Pages whose text is made by their programs, through a real Chromium. Skipped where `chromium` is not on the PATH."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from aiohttp import web

from retinue.egress import Egress
from retinue.errors import InvalidRequest
from retinue.settings import Settings
from retinue.tools.browsing.page import Page
from retinue.tools.browsing.pages import Pages

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no chromium on the PATH: apt-get install chromium"),
    pytest.mark.skipif(not find_spec("playwright"), reason="no playwright: pip install 'retinue[browser]'"),
]


class Site:
    """A site on an address of loopback, and the requests that reached it."""

    def __init__(self) -> None:
        self.url = ""
        self.pages: dict[str, web.Response] = {}
        self.asked: list[web.Request] = []

    def put(self, path: str, content: str, content_type: str = "text/html", **headers: str) -> str:
        self.pages[path] = web.Response(text=content, content_type=content_type, headers=headers)
        return self.url + path

    def app(self, script: str, body: str = '<div id="root"></div>') -> str:
        """A page that a program fills; `say(text)` shows text."""
        say = "const say = text => { document.body.append(document.createElement('p')); "
        say += "document.body.lastChild.textContent = text; };"
        return self.put("/app", f"<!doctype html><title>App</title>{body}<script>{say}{script}</script>")

    def paths(self) -> list[str]:
        return [request.path for request in self.asked if request.path not in ("/robots.txt", "/favicon.ico")]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.asked.append(request)
        found = self.pages.get(request.path)
        if found is None:
            return web.Response(status=404)
        return web.Response(body=found.body, status=found.status, headers=found.headers)


@asynccontextmanager
async def serving(host: str) -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", site.answer)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, 0, shutdown_timeout=0.1).start()
    site.url = f"http://{host}:{runner.addresses[0][1]}"
    try:
        yield site
    finally:
        await runner.cleanup()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving("127.0.0.1") as site:
        yield site


@pytest.fixture
async def private() -> AsyncIterator[Site]:
    """A site that the settings do not allow."""
    async with serving("127.0.0.2") as site:
        yield site


@asynccontextmanager
async def browsing(folder: Path, seconds: float = 20, chromium: str | None = CHROMIUM) -> AsyncIterator[Pages]:
    settings = Settings(
        data=folder, egress_allow=["127.0.0.1"], browse_chromium=chromium and Path(chromium), browse_timeout=seconds
    )
    egress = Egress(settings)
    pages = Pages(egress, settings)
    try:
        yield pages
    finally:
        await pages.close()
        await egress.close()


@pytest.fixture
async def pages(tmp_path: Path) -> AsyncIterator[Pages]:
    async with browsing(tmp_path) as pages:
        yield pages


async def test_text_that_a_program_fetches(site: Site, pages: Pages) -> None:
    site.put("/tides.json", '[{"name": "Oslo", "high": "noon"}]', "application/json")
    site.put(
        "/lib.js", "export const shown = tide => `High tide in ${tide.name} is at ${tide.high}.`;", "text/javascript"
    )
    url = site.put(
        "/app/",
        "<!doctype html><title>Tides</title><link rel=stylesheet href=/style.css><div id=root>Loading…</div>"
        "<img src=/picture.png><script type=module>import {shown} from '/lib.js';"
        "const answer = await fetch('/tides.json', {method: 'POST', body: 'all', headers: {'x-app': '7'}});"
        "root.innerHTML = shown((await answer.json())[0]) + ' <a href=\"more\">More</a>';</script>",
    )
    page = await pages.get(url)
    assert (page.url, page.title) == (url, "Tides")
    assert page.text == "High tide in Oslo is at noon. More [1]"
    assert [link.url for link in page.links] == [url + "more"]
    assert site.paths()[0] == "/app/"
    # The page itself is not fetched twice, its picture never.
    assert sorted(site.paths()[1:]) == ["/lib.js", "/style.css", "/tides.json"]
    asked = next(request for request in site.asked if request.path == "/tides.json")
    assert (asked.method, await asked.text(), asked.headers["x-app"]) == ("POST", "all", "7")
    assert all(request.headers["user-agent"].startswith("Retinue/") for request in site.asked)


async def test_pages_that_need_no_browser(site: Site, pages: Pages) -> None:
    script = "<script>document.body.textContent = 'changed'</script>"
    long = "The tide is the rise and fall of the sea. " * 7
    assert "rise and fall" in (await pages.get(site.put("/long", f"<p>{long}</p>{script}"))).text
    assert (await pages.get(site.put("/still", "<p>Short.</p>"))).text == "Short."
    data = "<script type='application/ld+json'>{}</script>"
    assert (await pages.get(site.put("/data", f"<p>Short.</p>{data}"))).text == "Short."
    # It has not even been started.
    assert pages.browser is None
    assert (await pages.get(site.put("/short", f"<body><p>Short.</p>{script}"))).text == "changed"
    assert pages.browser is not None


async def test_without_the_setting_there_is_no_browser(site: Site, tmp_path: Path) -> None:
    async with browsing(tmp_path, chromium=None) as pages:
        with pytest.raises(InvalidRequest, match="has no text; it may need a browser"):
            await pages.get(site.app("say('made')"))


async def test_a_browser_that_is_not_there(site: Site, tmp_path: Path) -> None:
    async with browsing(tmp_path, chromium="/nonexistent/chromium") as pages:
        with pytest.raises(InvalidRequest, match="does not work on this server"):
            await pages.get(site.app("say('made')"))


async def test_nothing_leaves_but_what_is_allowed(site: Site, private: Site, pages: Pages) -> None:
    private.put("/secret", "secret", **{"access-control-allow-origin": "*"})
    site.pages["/redirect"] = web.Response(status=302, headers={"location": private.url + "/secret"})
    there = private.url
    stream = "new Promise((done, no) => { const s = new %s; s.onopen = s.onload = done; s.onerror = no; %s })"
    tries = {
        "get": f"fetch('{there}/secret').then(a => a.text())",
        "post": f"fetch('{there}/secret', {{method: 'POST', mode: 'no-cors'}}).then(a => 'opaque')",
        "redirect": "fetch('/redirect').then(a => a.text())",
        "metadata": "fetch('http://169.254.169.254/latest/meta-data').then(a => a.text())",
        "file": "fetch('file:///etc/passwd').then(a => a.text())",
        "socket": stream % (f"WebSocket('{there.replace('http', 'ws')}/')", ""),
        "events": stream % (f"EventSource('{there}/')", ""),
        "picture": stream % ("Image()", f"s.src = '{there}/picture.png'"),
        "worker": stream % (f"Worker('{there}/worker.js')", ""),
    }
    script = f"navigator.sendBeacon('{there}/beacon'); window.open('{there}/popup'); alert('x');"
    script += "navigator.serviceWorker.register('/sw.js');"
    script += "".join(f"{one}.then(() => say('got'), () => say('no {name}'));" for name, one in tries.items())
    frames = f"<iframe src='{there}/frame'></iframe><iframe src='file:///etc/passwd'></iframe>"
    frames += f"<link rel=preconnect href='{there}'><link rel=prefetch href='{there}/prefetch'>"
    page = await pages.get(site.app(script, frames))
    assert sorted(page.text.split("\n\n")) == sorted(f"no {name}" for name in tries)
    assert private.asked == []
    assert site.paths() == ["/app", "/redirect"]


async def test_another_site_reaches_nothing_private(site: Site, pages: Pages) -> None:
    """What `egress_allow` lets out is for whoever opens it, not for the programs of other sites."""
    async with serving("127.0.0.1") as other:
        other.put("/inside", "inside", **{"access-control-allow-origin": "*"})
        script = f"fetch('{other.url}/inside').then(a => a.text()).then(say, () => say('refused'));"
        assert (await pages.get(site.app(script))).text == "refused"
        assert other.asked == []


async def test_programs_that_lead_elsewhere(site: Site, private: Site, tmp_path: Path) -> None:
    site.put("/robots.txt", "User-agent: *\nDisallow: /closed", "text/plain")
    site.put("/closed", "closed")
    site.put("/there/", "<title>There</title><p>Here it is.</p><a href=on>On</a>")
    site.pages["/moved"] = web.Response(status=302, headers={"location": "/there/"})
    site.pages["/inside"] = web.Response(status=302, headers={"location": private.url + "/secret"})
    async with browsing(tmp_path, seconds=4) as pages:
        page = await pages.get(site.app("location.href = '/moved'"))
        assert (page.url, page.title, page.text) == (site.url + "/there/", "There", "Here it is.\n\nOn [1]")
        assert page.links[0].url == site.url + "/there/on"
        for path in ("/closed", "/inside", "file:///etc/passwd", private.url):
            with pytest.raises(InvalidRequest, match="has no text"):
                await pages.get(site.app(f"location.href = '{path}'"))
    assert "/closed" not in site.paths()
    assert private.asked == []


HOSTILE = {
    "endless": "while (true);",
    "later": "setTimeout(() => { while (true); }, 100)",
    "memory": "const all = []; while (true) all.push(new Array(1e6).fill(all.length));",
}


@pytest.mark.parametrize("script", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_programs_come_to_an_end(site: Site, tmp_path: Path, script: str) -> None:
    async with browsing(tmp_path, seconds=4) as pages:
        with pytest.raises(InvalidRequest, match="could not be rendered within the limits"):
            await pages.get(site.app(script))
        # The next page gets a browser of its own.
        assert (await pages.get(site.app("say('well')"))).text == "well"


async def test_endless_requests(site: Site, tmp_path: Path) -> None:
    site.put("/more", "x")
    async with browsing(tmp_path, seconds=8) as pages:
        page = await pages.get(
            site.app("say('asking'); (async () => { while (true) await fetch('/more').catch(() => 0); })()")
        )
    assert page.text == "asking"
    assert 10 < site.paths().count("/more") <= 200


async def test_a_huge_page_is_cut(site: Site, pages: Pages) -> None:
    page = await pages.get(site.app("say('x '.repeat(1.6e6)); String.prototype.slice = function () { return this; };"))
    assert 500_000 < len(page.text) <= 1_000_000


async def test_the_browser_ends_with_its_owner(site: Site, tmp_path: Path) -> None:
    async with browsing(tmp_path) as pages:
        await pages.get(site.app("say('made')"))
        assert pages.browser is not None
        members = below(pages.browser)
        assert len(members) > 5
    await until(lambda: not any(Path("/proc", str(pid)).exists() for pid in members))


async def test_giving_up_ends_what_a_page_does(site: Site, pages: Pages) -> None:
    await pages.get(site.app("say('made')"))
    opening: asyncio.Task[Page] = asyncio.create_task(
        pages.get(site.app("fetch('/begun').then(() => { while (true); })"))
    )
    await until(lambda: "/begun" in site.paths())
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert pages.browser is None


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


def below(pid: int) -> set[int]:
    """A process and all that it has started."""
    found = {pid}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found |= below(int(child))
    return found
