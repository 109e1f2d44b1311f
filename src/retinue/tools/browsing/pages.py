"""Getting pages: fetched within limits, as far as robots.txt allows, and read in a process of their own."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import OrderedDict
from dataclasses import replace

from yarl import URL

from ...egress import Egress, EgressFailed, EgressRefused
from ...errors import InvalidRequest
from ...inference.frames import Frame
from ...inference.worker import Died, Worker
from ...settings import Settings
from .page import Link, Page
from .rendering import Fetched, Renderer
from .robots import EVERYTHING, MOST_BYTES, NOTHING, Robots, parse

#: Redirects that are followed.
_REDIRECTS = 5
_REDIRECT = (301, 302, 303, 307, 308)
_ACCEPT = "text/html, application/xhtml+xml, application/pdf, application/rss+xml, application/atom+xml, */*;q=0.5"
#: Seconds that reading a page may take, of the clock and of CPU time, and bytes of memory.
_READ_TIMEOUT = 20.0
_READ_MEMORY = 1024**3
#: Seconds that a page may wait for others to be read before it, beside the time of its own reading.
_PATIENCE = 30.0
#: Processes that read, and seconds without a page after which one is ended.
_READERS = 2
_IDLE = 300.0
#: Of our own environment, what processes that read are told: nothing secret.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "TMPDIR")
#: Sites whose robots.txt is remembered, and for how many seconds: one that was read, and one that could not be.
_MOST_SITES = 1_000
_REMEMBERED, _REMEMBERED_FAILURE = 3600.0, 60.0
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)


class Pages:
    """Where pages come from. To be closed in the end."""

    def __init__(self, egress: Egress, settings: Settings) -> None:
        self._egress = egress
        self._settings = settings
        chromium = settings.browse_chromium
        self._renderer = Renderer(egress, settings, str(chromium)) if chromium else None
        self._robots: OrderedDict[str, tuple[float, Robots]] = OrderedDict()
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        self._readers = [
            Worker(
                "retinue.tools.browsing.reader",
                {"timeout": _READ_TIMEOUT, "memory_bytes": _READ_MEMORY},
                name="page reader",
                timeout=_READ_TIMEOUT + _PATIENCE,
                idle=_IDLE,
                environment=environment,
            )
            for _ in range(_READERS)
        ]

    async def close(self) -> None:
        """End the processes that read, and the browser."""
        if self._renderer:
            await self._renderer.close()
        for reader in self._readers:
            await reader.close()

    @property
    def browser(self) -> int | None:
        """The process id of the browser's owner, while there is one."""
        return self._renderer.pid if self._renderer else None

    async def get(self, url: str) -> Page:
        """A page.

        Args:
            url: its address.

        Raises:
            InvalidRequest: it cannot be had, with the reason.
        """
        fetched = await self._fetch(url)
        page = await self._read(fetched)
        if page.scripted and self._renderer:
            page = await self._rendered(fetched, page, self._renderer)
        if not page.text:
            raise InvalidRequest(f"{page.url} has no text; it may need a browser that runs its programs.")
        return page

    async def _fetch(self, url: str) -> Fetched:
        deadline = time.monotonic() + self._settings.browse_timeout
        for _ in range(_REDIRECTS + 1):
            await self._judge(url, deadline)
            async with self._egress.request(
                "GET",
                url,
                headers={"accept": _ACCEPT},
                max_bytes=self._settings.browse_max_bytes,
                timeout=_left(deadline, url),
            ) as response:
                location = response.headers.get("location")
                if response.status in _REDIRECT and location:
                    url = _joined(URL(url), location)
                    continue
                if response.status >= 300:
                    raise InvalidRequest(f"{response.url} answered with status {response.status}.")
                body = await response.read()
                if not body:
                    raise InvalidRequest(f"{response.url} is empty.")
                return Fetched(response.url, response.headers.get("content-type", ""), body)
        raise InvalidRequest(f"{url} redirects more than {_REDIRECTS} times.")

    async def _judge(self, url: str, deadline: float) -> None:
        """See whether a page may be fetched.

        Raises:
            InvalidRequest: it may not.
        """
        # First of all, whether this is an address that may be asked.
        await self._egress.check(url)
        target = URL(url)
        robots = await self._robots_of(target, deadline)
        if robots is NOTHING:
            raise InvalidRequest(f"{url} is not read: whether its robots.txt allows it cannot be told now.")
        if not robots.allow(target.raw_path_qs):
            raise InvalidRequest(f"{url} is not for programs: the site's robots.txt says so.")

    async def _rendered(self, fetched: Fetched, page: Page, renderer: Renderer) -> Page:
        """What a page becomes by its programs; or the little that it was."""

        async def judge(url: str) -> None:
            await self._judge(url, time.monotonic() + self._settings.browse_timeout)

        try:
            rendered = await self._read(await renderer.render(fetched, judge))
        except InvalidRequest as error:
            if not page.text:
                raise
            return replace(page, text=f"{page.text}\n\n({error.message})")
        return rendered if rendered.text else page

    async def _read(self, fetched: Fetched) -> Page:
        """What a page says; its text may be empty."""
        charset = _CHARSET.search(fetched.content_type)
        question = Frame(
            {
                "url": fetched.url,
                "type": fetched.content_type.partition(";")[0].strip().lower(),
                "charset": charset[1] if charset else None,
            },
            [fetched.body],
        )
        reader = min(self._readers, key=lambda reader: reader.load)
        try:
            async with asyncio.timeout(_READ_TIMEOUT + _PATIENCE):
                answer = await reader.ask(question)
        except (Died, TimeoutError) as error:
            raise InvalidRequest(f"{fetched.url} could not be read now.") from error
        if "defect" in answer.head:
            raise RuntimeError(answer.head["defect"])
        if "unreadable" in answer.head:
            # What else it says is advice for those who upload files.
            reason = str(answer.head["message"]).partition(". ")[0].removesuffix(".")
            raise InvalidRequest(f"{fetched.url} cannot be read: {reason}.")
        links = [Link(name, target) for name, target in answer.head["links"]]
        return Page(
            answer.head["url"], answer.head["title"], answer.parts[0].decode(), links, scripted=answer.head["scripted"]
        )

    async def _robots_of(self, url: URL, deadline: float) -> Robots:
        """The rules of an address's site, of which none is asked twice in an hour."""
        site = str(url.origin())
        remembered = self._robots.get(site)
        if remembered and remembered[0] > time.monotonic():
            return remembered[1]
        try:
            robots = await self._fetch_robots(f"{site}/robots.txt", _left(deadline, site))
        except (EgressFailed, EgressRefused):
            robots = NOTHING
        keep = _REMEMBERED_FAILURE if robots is NOTHING else _REMEMBERED
        self._robots[site] = (time.monotonic() + keep, robots)
        self._robots.move_to_end(site)
        while len(self._robots) > _MOST_SITES:
            self._robots.popitem(last=False)
        return robots

    async def _fetch_robots(self, url: str, timeout: float) -> Robots:  # noqa: ASYNC109 (it is passed on)
        async with self._egress.request(
            "GET", url, max_bytes=2 * MOST_BYTES, timeout=timeout, redirects=_REDIRECTS
        ) as response:
            if 300 <= response.status < 500:
                return EVERYTHING
            if response.status != 200:
                return NOTHING
            return await asyncio.to_thread(parse, await response.read())


def _left(deadline: float, url: str) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise InvalidRequest(f"{url} did not answer in time.")
    return left


def _joined(base: URL, location: str) -> str:
    try:
        return str(base.join(URL(location)))
    except ValueError as error:
        raise InvalidRequest(f"{base} redirects to what is not a URL.") from error
