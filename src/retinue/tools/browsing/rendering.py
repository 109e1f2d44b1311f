"""Pages that need a browser: rendered by Chromium, which has no network, with what `Egress` fetches for it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import structlog
from yarl import URL

from ...egress import Egress, EgressRefused
from ...errors import InvalidRequest
from ...inference.frames import Frame
from ...inference.worker import Died, Worker
from ...sandbox import cgroups
from ...sandbox.command import bubblewrap
from ...settings import Settings

log = structlog.get_logger(__name__)

#: Seconds that starting the browser may take, and that a page may wait for others to be rendered before it.
_START = 30.0
_PATIENCE = 60.0
#: Seconds without a page after which the browser is ended.
_IDLE = 120.0
#: Bytes of memory, and processes with their threads, that the browser may have, where control groups can be had.
_MEMORY = 2 * 1024**3
_PROCESSES = 600
#: Seconds until the kernel must have cleared away the processes, and between two looks.
_CLEARED, _POLL = 10.0, 0.02
#: Requests of a page that are under way at once, and redirects of each that are followed.
_AT_ONCE = 8
_REDIRECTS = 5
_REDIRECT = (301, 302, 303, 307, 308)
#: Of the environment, what the browser's process is told. Its files are in memory, in a folder of the same name.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME")
#: Headers of a page's requests that `Egress` says itself, or that are between browsers and servers.
_NOT_SENT = frozenset(
    {"accept-encoding", "connection", "content-length", "cookie", "host", "te", "transfer-encoding", "user-agent"}
)
_NOT_SENT_BEGINNINGS = ("proxy-", "sec-")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page as its server sent it.

    Attributes:
        url: where from, after redirects.
        content_type: of which type the server says that it is, with parameters; may be empty.
        body: its content; not empty.
    """

    url: str
    content_type: str
    body: bytes


#: Whether the main page may go to an address. Raises `InvalidRequest` if not.
Judge = Callable[[str], Awaitable[None]]


class Renderer:
    """The browser, started with the first page that needs it. To be closed in the end."""

    def __init__(self, egress: Egress, settings: Settings, chromium: str) -> None:
        """`chromium` is the path of the program."""
        self._egress = egress
        #: For whatever is not the page's own: another site must not reach what only `egress_allow` lets out.
        self._public = Egress(settings.model_copy(update={"egress_allow": [], "egress_ports": []}))
        self._settings = settings
        self._chromium = chromium
        self._turn = asyncio.Lock()
        self._worker: Worker | None = None
        self._group = cgroups.Group()

    async def close(self) -> None:
        """End the browser, and with it what is under way."""
        await self._end()
        await self._public.close()

    @property
    def pid(self) -> int | None:
        """The process id, while there is one."""
        return self._worker.pid if self._worker else None

    async def render(self, page: Fetched, judge: Judge) -> Fetched:
        """A page, after its programs have run, as HTML.

        Args:
            page: the page before.
            judge: asked before the page leads the browser to another.

        Raises:
            InvalidRequest: that is not possible, with the reason.
        """
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._turn.acquire()
        except TimeoutError as error:
            raise InvalidRequest(f"{page.url} could not be rendered now: too many others are.") from error
        try:
            worker = self._worker = self._worker or self._described()
            visit = _Visit(worker, self._egress, self._public, judge, page.url, self._settings)
            async with asyncio.timeout(_START + self._settings.browse_timeout):
                return await visit.rendered(page)
        except (Died, TimeoutError, _Failed) as error:
            # A page that was not rendered may be at work still.
            log.info("page not rendered", reason=str(error))
            await self._end()
            raise InvalidRequest(f"{page.url} could not be rendered within the limits of time and memory.") from error
        except BaseException:
            await self._end()
            raise
        finally:
            self._turn.release()

    def _described(self) -> Worker:
        """The process that has the browser; nothing is started yet."""
        found = bubblewrap()
        if found is None or not Path(self._chromium).is_file() or not find_spec("playwright"):
            log.error(
                "browse_chromium needs that program, bubblewrap, and pip install 'retinue[browser]'",
                browse_chromium=self._chromium,
            )
            raise InvalidRequest("the page needs a browser, which does not work on this server.")
        self._group = cgroups.make(_MEMORY, _PROCESSES)
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        return Worker(
            "retinue.tools.browsing.browser",
            {
                "bubblewrap": str(Path(*found)),
                "chromium": self._chromium,
                "timeout": self._settings.browse_timeout,
                "groups": self._group.entrances(),
            },
            name="browser",
            timeout=_START,
            idle=_IDLE,
            environment={**environment, "TMPDIR": "/tmp"},  # noqa: S108 (see above)
        )

    async def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker:
            await worker.close()
            deadline = time.monotonic() + _CLEARED
            while not self._group.remove() and time.monotonic() < deadline:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(_POLL)


class _Failed(Exception):
    """The browser says why it has no page."""


class _Visit:
    """A page that is being rendered, and what it may still have."""

    def __init__(
        self, worker: Worker, egress: Egress, public: Egress, judge: Judge, url: str, settings: Settings
    ) -> None:
        self._worker = worker
        self._own, self._public = egress, public
        self._judge = judge
        self._origin = URL(url).origin()
        self._timeout = settings.browse_timeout
        self._bytes_left = settings.browse_max_bytes
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._fetching: set[asyncio.Task[tuple[dict[str, Any], bytes]]] = set()

    async def rendered(self, page: Fetched) -> Fetched:
        """The page, when it has become one."""
        try:
            await self._public.check(page.url)
            self._own = self._public
        except EgressRefused:
            pass  # only `egress_allow` lets it out: then the page reaches its own site, and what is public
        try:
            question = Frame({"url": page.url, "type": page.content_type or "text/html"}, [page.body])
            while "wanted" in (answer := await self._worker.ask(question)).head:
                for wanted, body in zip(answer.head["wanted"], answer.parts, strict=True):
                    self._fetching.add(asyncio.create_task(self._fetched(wanted, body)))
                question = self._given()
        finally:
            for task in self._fetching:
                task.cancel()
            await asyncio.gather(*self._fetching, return_exceptions=True)
        if "failed" in answer.head:
            raise _Failed(answer.head["failed"])
        return Fetched(answer.head["url"], "text/html; charset=utf-8", answer.parts[0])

    def _given(self) -> Frame:
        """What has been fetched meanwhile."""
        done = [task for task in self._fetching if task.done()]
        self._fetching.difference_update(done)
        given = [task.result() for task in done]
        return Frame({"given": [head for head, _ in given]}, [body for _, body in given])

    async def _fetched(self, wanted: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """The answer to a request of the page, as the browser's process is told it."""
        with suppress(InvalidRequest, ValueError):
            async with self._places:
                status, content_type, content = await self._fetch(wanted, body)
                return {"id": wanted["id"], "status": status, "type": content_type}, content
        return {"id": wanted["id"]}, b""

    async def _fetch(self, wanted: dict[str, Any], body: bytes) -> tuple[int, str, bytes]:
        url, navigates = wanted["url"], wanted["navigates"]
        if wanted["main"]:
            await self._judge(url)
        own = URL(url).origin() == self._origin
        # The browser would follow a redirect without asking; so it is followed here, where every address is public.
        followed = 0 if navigates or (own and self._own is not self._public) else _REDIRECTS
        headers = {name: text for name, text in wanted["headers"].items() if _is_sent(name)}
        async with (self._own if own else self._public).request(
            wanted["method"],
            url,
            headers=headers,
            body=body or None,
            max_bytes=self._bytes_left,
            timeout=self._timeout,
            redirects=followed,
        ) as response:
            location = response.headers.get("location")
            if response.status in _REDIRECT and location:
                if not navigates:
                    raise InvalidRequest(f"{url} redirects.")
                return 200, "text/html", _leading(location)
            return response.status, response.headers.get("content-type", ""), await self._read(response.pieces())

    async def _read(self, pieces: Any) -> bytes:
        """A body, of as many bytes as the page may still have."""
        content: list[bytes] = []
        async for piece in pieces:
            self._bytes_left -= len(piece)
            if self._bytes_left < 0:
                raise InvalidRequest("The page asks for too much.")
            content.append(piece)
        return b"".join(content)


def _is_sent(name: str) -> bool:
    return name not in _NOT_SENT and not name.startswith(_NOT_SENT_BEGINNINGS)


def _leading(location: str) -> bytes:
    """A page that leads the browser on, by a request of its own."""
    address = orjson.dumps(location).replace(b"<", b"\\u003c")
    return b"<script>location.replace(" + address + b")</script>"
