"""Searching the web through the provider that the settings name.

Sources: SearXNG, Search API (docs.searxng.org/dev/search_api.html); Brave Search API, Web Search
(api-dashboard.search.brave.com); Tavily API, Search (docs.tavily.com).
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from ...egress import Egress
from ...errors import InvalidRequest
from ...inference.chat import Json
from ...settings import Settings
from .page import Link, Page, finished, marked, unmarked

#: Results that are asked for and told.
_MOST = 8
_MAX_BYTES = 2 * 1024 * 1024
_LONGEST_SNIPPET = 600
_TAG = re.compile(r"<[^<>]*>")


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
    body: Json | None = None


def _searxng(base: str, key: str, query: str) -> _Request:
    authorization = {"authorization": f"Bearer {key}"} if key else {}
    return _Request("GET", f"{base}/search?format=json&q={quote(query, safe='')}", authorization)


def _brave(base: str, key: str, query: str) -> _Request:
    wanted = f"count={_MOST}&text_decorations=false&q={quote(query, safe='')}"
    return _Request("GET", f"{base}/res/v1/web/search?{wanted}", {"x-subscription-token": key})


def _tavily(base: str, key: str, query: str) -> _Request:
    body = {"query": query, "max_results": _MOST}
    return _Request("POST", f"{base}/search", {"authorization": f"Bearer {key}"}, body)


#: By the setting's value: where the provider is unless `search_url` says it, and how it is asked.
_PROVIDERS: dict[str, tuple[str, Callable[[str, str, str], _Request]]] = {
    "searxng": ("", _searxng),
    "brave": ("https://api.search.brave.com", _brave),
    "tavily": ("https://api.tavily.com", _tavily),
}


class Provider:
    """The provider. To be closed in the end."""

    def __init__(self, settings: Settings) -> None:
        """`settings.search_provider` names one."""
        self.name = settings.search_provider
        base, self._request = _PROVIDERS[self.name]
        self._base = (settings.search_url or base).rstrip("/")
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
        wanted = self._request(self._base, self._key, query)
        headers = {"accept": "application/json", **wanted.headers}
        if wanted.body:
            headers["content-type"] = "application/json"
        async with self._egress.request(
            wanted.method,
            wanted.url,
            headers=headers,
            body=orjson.dumps(wanted.body) if wanted.body else None,
            max_bytes=_MAX_BYTES,
            timeout=self._timeout,
        ) as response:
            if response.status != 200:
                raise InvalidRequest(f"the search provider answered with status {response.status}.")
            content = await response.read()
        try:
            results = self._results(content)
        except (ValidationError, ValueError) as error:
            raise InvalidRequest("the search provider's answer cannot be understood.") from error
        if not results:
            raise InvalidRequest("Nothing was found. Search with other words.")
        return _page(query, results)

    def _results(self, content: bytes) -> list[_Result]:
        if self.name == "brave":
            found = _BraveResults.model_validate_json(content).web
            return found.results if found else []
        return _Results.model_validate_json(content).results


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
