"""`web_browsing`: the tool and its functions."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...accounts.usage import UsageMeter
from ...egress import Egress
from ...errors import InvalidRequest
from ...inference.chat import Json
from ...settings import Settings
from ...wire.runs import Run
from ...wire.steps import ToolCall
from ...wire.tools import WebBrowsingTool
from ..tool import Report, Scope, Served, ServerFunction
from .page import Page, found, told
from .pages import Pages
from .providers import Provider

#: Runs that are remembered, and characters of all their pages together.
_MOST_RUNS = 2_000
_MOST_CHARACTERS = 50_000_000
#: Longest query or words to find, in characters.
_LONGEST = 400

_SEARCH = (
    "Search the web. Results come with numbered links; open the best with web_click or web_open before you answer, for "
    "a result shows only the beginning of its page."
)
_OPEN = (
    "Open a page of the web by its address, and read it: web pages, PDF files, feeds and other documents. In an answer "
    "that rests on a page, name its address."
)
_FIND = "Find words in the page opened last, with what stands around them. For pages too long to be read whole."
_CLICK = "Open what a numbered link of the page opened last leads to. Number 3 follows what stands before [3]."
#: The page that was read, if one was, and what the model reads.
_Told = tuple[Page | None, str]
_NO_PAGE = "No page is open. Open it, again if need be, with web_open."


@dataclass(slots=True)
class _Visit:
    """What a run has done on the web.

    Attributes:
        opened: how many pages it has asked for, searches included.
        page: the one that it opened last.
    """

    opened: int = 0
    page: Page | None = None


class WebBrowsing:
    """The tool. To be closed in the end."""

    type = "web_browsing"

    def __init__(self, egress: Egress, usage: UsageMeter, settings: Settings) -> None:
        self._usage = usage
        self._settings = settings
        self._pages = Pages(egress, settings)
        self._provider = Provider(settings) if settings.search_provider != "none" else None
        self._visits: OrderedDict[tuple[str, str], _Visit] = OrderedDict()

    async def close(self) -> None:
        """End what is under way."""
        await self._pages.close()
        if self._provider:
            await self._provider.close()

    async def functions(self, project: str, run: Run, wanted: WebBrowsingTool) -> Sequence[ServerFunction]:
        """See `ServerTool`."""
        start = {"type": "integer", "description": "Of a long page, the character from which to read on.", "minimum": 0}
        offered = [
            self._function("web_open", _OPEN, self._open, {"url": {"type": "string"}, "from": start}),
            self._function("web_find", _FIND, self._find, {"text": {"type": "string"}}),
            self._function("web_click", _CLICK, self._click, {"link": {"type": "integer", "minimum": 1}}),
        ]
        if self._provider:
            offered.insert(0, self._function("web_search", _SEARCH, self._search, {"query": {"type": "string"}}))
        return offered

    def _function(self, name: str, description: str, serve: Any, properties: Json) -> ServerFunction:
        """A function whose first property must be given."""

        async def served(scope: Scope, call: ToolCall, arguments: Json, report: Report) -> Served:
            page, output = await serve(scope, arguments)
            return Served(call, output, addresses=[page.url] if page else [])

        parameters = {"type": "object", "properties": properties, "required": [next(iter(properties))]}
        return ServerFunction(self.type, name, {"description": description, "parameters": parameters}, served)

    async def _search(self, scope: Scope, arguments: Json) -> _Told:
        assert self._provider is not None  # noqa: S101 (else there is no such function)
        query = _words(arguments, "query")
        visit = self._begin(scope)
        visit.page = await self._provider.search(query)
        self._usage.record(scope.caller, "web_search")
        return None, told(visit.page, 0, scope.room)

    async def _open(self, scope: Scope, arguments: Json) -> _Told:
        url = str(arguments.get("url") or "").strip()
        start = _number(arguments.get("from", 0))
        if not url or start is None or start < 0:
            raise InvalidRequest("'url' must be an address, and 'from' a number from 0. Call the tool again.")
        if "://" not in url:
            url = "https://" + url
        page = self._visit(scope).page
        if page is None or not start or url != page.url:
            page = await self._get(scope, url)
        return page, await asyncio.to_thread(told, page, min(start, len(page.text)), scope.room)

    async def _find(self, scope: Scope, arguments: Json) -> _Told:
        words = _words(arguments, "text")
        page = self._visit(scope).page
        if page is None:
            raise InvalidRequest(_NO_PAGE)
        text = await asyncio.to_thread(found, page, words, scope.room)
        return None, text or f"{words!r} does not stand in {page.url}. Look for other words, or open another page."

    async def _click(self, scope: Scope, arguments: Json) -> _Told:
        page = self._visit(scope).page
        if page is None:
            raise InvalidRequest(_NO_PAGE)
        number = _number(arguments.get("link"))
        if number is None or not 1 <= number <= len(page.links):
            known = f"a number from 1 to {len(page.links)}" if page.links else "none: the page has no links"
            raise InvalidRequest(f"'link' must be {known}.")
        page = await self._get(scope, page.links[number - 1].url)
        return page, await asyncio.to_thread(told, page, 0, scope.room)

    async def _get(self, scope: Scope, url: str) -> Page:
        visit = self._begin(scope)
        visit.page = await self._pages.get(url)
        self._forget_old()
        return visit.page

    def _begin(self, scope: Scope) -> _Visit:
        """Count a page that a run asks for."""
        visit = self._visit(scope)
        if visit.opened >= self._settings.browse_max_pages:
            raise InvalidRequest(
                f"this run has opened {visit.opened} pages, and may open no more. Answer from what you have read."
            )
        visit.opened += 1
        return visit

    def _visit(self, scope: Scope) -> _Visit:
        key = (scope.project, scope.run.id)
        visit = self._visits.setdefault(key, _Visit())
        self._visits.move_to_end(key)
        return visit

    def _forget_old(self) -> None:
        kept = sum(len(visit.page.text) for visit in self._visits.values() if visit.page)
        while len(self._visits) > 1 and (len(self._visits) > _MOST_RUNS or kept > _MOST_CHARACTERS):
            _, visit = self._visits.popitem(last=False)
            kept -= len(visit.page.text) if visit.page else 0


def _words(arguments: Json, name: str) -> str:
    value: Any = arguments.get(name)
    if not isinstance(value, str) or not 0 < len(value.strip()) <= _LONGEST:
        raise InvalidRequest(f"'{name}' must be a text of 1 to {_LONGEST} characters. Call the tool again.")
    return " ".join(value.split())


def _number(value: Any) -> int | None:
    """A number that models also write as a text, or as they see it: ``[3]``."""
    digits = str(value).strip().strip("[]")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
