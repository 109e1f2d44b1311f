"""The process that reads pages, each in a fork of its own: a page can do no harm beyond it.

Run by `Worker`, with ``{"timeout", "memory_bytes"}``. A page is asked for by ``{"url", "type", "charset"}`` and its
body as the part; the answer is ``{"url", "title", "links": [[name, url]], "scripted"}`` with the text as the part.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] (it is no Python)

from ...inference.frames import Frame
from ...inference.working import work
from ...knowledge.extract import extract_from
from ...knowledge.extract.document import Document, broken
from ...knowledge.extract.encodings import decode
from ...knowledge.extract.kinds import kind
from ...knowledge.forks import Forks
from .feeds import is_feed, read_feed
from .html import read_page
from .page import Page, finished, unmarked

_HTML = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_HTML_WITHIN = 2_000
#: Endings of names, which tell formats of text apart, by the types that servers name.
_ENDINGS = {
    "application/json": ".json",
    "text/csv": ".csv",
    "text/markdown": ".md",
    "text/tab-separated-values": ".tsv",
}


def read(body: bytes, url: str, content_type: str, charset: str | None) -> Page:
    """A page of any kind that files may have, finished.

    Args:
        body: what the server sent.
        url: from where.
        content_type: of which type it says that it is, without parameters; may be wrong, or empty.
        charset: in which encoding.

    Raises:
        Unreadable: it has no text that can be read.
    """
    if kind(io.BytesIO(body)) is None:
        text = decode(body, charset)
        reader = _reader(text, content_type)
        if reader:
            try:
                return finished(reader(text, url))
            except (etree.LxmlError, ValueError, RecursionError) as error:
                raise broken("page") from error
        body = text.encode()
    path = PurePosixPath(urlsplit(url).path)
    name = path.stem + _ENDINGS.get(content_type, path.suffix)
    return finished(Page(url, path.name, unmarked(_with_pages(extract_from(io.BytesIO(body), name))), []))


def _reader(text: str, content_type: str) -> Callable[[str, str], Page] | None:
    if is_feed(text):
        return read_feed
    if content_type in ("text/html", "application/xhtml+xml") or _HTML.match(text[:_HTML_WITHIN]):
        return read_page
    return None


def _with_pages(document: Document) -> str:
    """The text of a file, with a line where each of its pages begins."""
    parts: list[str] = []
    page, begin = None, 0
    for place in document.places:
        if place.page != page:
            parts.append(document.text[begin : place.start])
            parts.append(f"(page {place.page})\n")
            page, begin = place.page, place.start
    return "".join([*parts, document.text[begin:]])


def _answer(question: Frame, config: dict[str, Any]) -> Iterator[Frame]:
    head = question.head
    page = read(question.parts[0], head["url"], head["type"], head["charset"])
    links = [[link.name, link.url] for link in page.links]
    head = {"url": page.url, "title": page.title, "links": links, "scripted": page.scripted}
    yield Frame(head, [page.text.encode("utf-8", "replace")])


def _load(config: dict[str, Any]) -> Callable[[Frame], Frame]:
    # What the libraries load with their first page, every fork would load again.
    read_page("<title>Title</title><p>" + "A sentence that is read. " * 20, "https://example.com/")
    return Forks(config, _answer, nice=0).answer


if __name__ == "__main__":
    work(_load)
