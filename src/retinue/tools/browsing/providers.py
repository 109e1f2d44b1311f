"""Searching the web through the provider that the settings name.

Sources: SearXNG, Search API (docs.searxng.org/dev/search_api.html); Brave Search API, Web Search
(api-dashboard.search.brave.com); Tavily API, Search (docs.tavily.com); DuckDuckGo as the package ddgs asks it.
"""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import orjson
from lxml.etree import LxmlError
from pydantic import BaseModel, ConfigDict, ValidationError

from ...egress import Egress
from ...errors import InvalidRequest
from ...settings import Settings
from .page import Link, Page, finished, marked, unmarked

if TYPE_CHECKING:
    from ddgs.engines.duckduckgo import Duckduckgo

#: Results that are asked for and told.
_MOST = 8
_MAX_BYTES = 2 * 1024 * 1024
_LONGEST_SNIPPET = 600
_TAG = re.compile(r"<[^<>]*>")
_JSON = {"accept": "application/json"}
#: DuckDuckGo's name for no region.
_EVERYWHERE = "wt-wt"


class _Result(BaseModel):
    """A result, whoever found it: providers differ in what they call the text, and give more than this."""

    model_config = ConfigDict(extra="ignore")

    url: str
    title: str | None = None
    #: SearXNG and Tavily.
    content: str | None = None
    #: Brave.
    description: str | None = None


class _Results(BaseModel):
    results: list[_Result]


class _BraveResults(BaseModel):
    #: There is none where nothing was found.
    web: _Results | None = None


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None


def _searxng(base: str, key: str, query: str) -> _Request:
    authorization = {"authorization": f"Bearer {key}"} if key else {}
    return _Request("GET", f"{base}/search?format=json&q={quote(query, safe='')}", _JSON | authorization)


def _brave(base: str, key: str, query: str) -> _Request:
    wanted = f"count={_MOST}&text_decorations=false&q={quote(query, safe='')}"
    return _Request("GET", f"{base}/res/v1/web/search?{wanted}", _JSON | {"x-subscription-token": key})


def _tavily(base: str, key: str, query: str) -> _Request:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    return _Request("POST", f"{base}/search", _JSON | headers, orjson.dumps({"query": query, "max_results": _MOST}))


@cache
def _engine() -> Duckduckgo:
    """It knows what to send and how to read the answer; the request itself is ours."""
    from ddgs.engines.duckduckgo import Duckduckgo

    return Duckduckgo()


def _duckduckgo(base: str, key: str, query: str) -> _Request:
    engine = _engine()
    form = engine.build_payload(query, _EVERYWHERE, "moderate", None)
    headers = {"accept": "text/html", "content-type": "application/x-www-form-urlencoded"}
    return _Request(engine.search_method, f"{base}/html/", headers, urlencode(form).encode())


def _results(content: bytes) -> list[_Result]:
    return _Results.model_validate_json(content).results


def _results_of_brave(content: bytes) -> list[_Result]:
    found = _BraveResults.model_validate_json(content).web
    return found.results if found else []


def _results_of_duckduckgo(content: bytes) -> list[_Result]:
    engine = _engine()
    found = engine.post_extract_results(engine.extract_results(content.decode("utf-8", "replace")))
    return [_Result(url=_direct(one.href), title=one.title, content=one.body) for one in found]


def _direct(url: str) -> str:
    """Where a link of DuckDuckGo leads, some of which go through a redirect of its own."""
    wanted = parse_qs(urlsplit(url).query).get("uddg") if "duckduckgo.com/l/?" in url else None
    return wanted[0] if wanted else url


class _How(NamedTuple):
    """How one provider is asked."""

    #: Where it is, unless `search_url` says it.
    base: str
    request: Callable[[str, str, str], _Request]
    results: Callable[[bytes], list[_Result]]


#: By the setting's value.
_PROVIDERS = {
    "searxng": _How("", _searxng, _results),
    "brave": _How("https://api.search.brave.com", _brave, _results_of_brave),
    "tavily": _How("https://api.tavily.com", _tavily, _results),
    "ddgs": _How("https://html.duckduckgo.com", _duckduckgo, _results_of_duckduckgo),
}


class Provider:
    """The provider. To be closed in the end."""

    def __init__(self, settings: Settings) -> None:
        """`settings.search_provider` names one."""
        self.name = settings.search_provider
        self._how = _PROVIDERS[self.name]
        self._base = (settings.search_url or self._how.base).rstrip("/")
        self._key = settings.search_key.get_secret_value() if settings.search_key else ""
        self._timeout = settings.browse_timeout
        # The address is the administrator's, who may well search on a private network; pages are not fetched this way.
        allowed = [*settings.egress_allow, urlsplit(self._base).hostname or ""]
        self._egress = Egress(settings.model_copy(update={"egress_allow": allowed}))

    async def close(self) -> None:
        """Close what is open."""
        await self._egress.close()

    async def search(self, query: str) -> Page:
        """What is found, as a page whose links are the results.

        Raises:
            InvalidRequest: nothing was found, or the provider cannot be used.
        """
        wanted = await asyncio.to_thread(self._how.request, self._base, self._key, query)
        async with self._egress.request(
            wanted.method,
            wanted.url,
            headers=wanted.headers,
            body=wanted.body,
            max_bytes=_MAX_BYTES,
            timeout=self._timeout,
        ) as response:
            if response.status != 200:
                raise InvalidRequest(f"the search provider answered with status {response.status}.")
            content = await response.read()
        try:
            results = await asyncio.to_thread(self._how.results, content)
        except (ValidationError, ValueError, LxmlError) as error:
            raise InvalidRequest("the search provider's answer cannot be understood.") from error
        if not results:
            raise InvalidRequest("Nothing was found. Search with other words.")
        return _page(query, results)


def _page(query: str, results: list[_Result]) -> Page:
    links: list[Link] = []
    blocks: list[str] = []
    for result in _usable(results):
        title = _plain(result.title) or result.url
        snippet = _plain(result.content or result.description)[:_LONGEST_SNIPPET]
        blocks.append("\n".join(filter(None, [title, result.url + marked(len(links)), snippet])))
        links.append(Link(title, result.url))
    return finished(Page("(a search)", f"Results for {query!r}", "\n\n".join(blocks), links))


def _usable(results: list[_Result]) -> Iterator[_Result]:
    web = [result for result in results if result.url.startswith(("http://", "https://"))]
    yield from web[:_MOST]


def _plain(text: Any) -> str:
    return " ".join(html.unescape(_TAG.sub("", unmarked(text or ""))).split())
