"""The text of web pages, with their links numbered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import trafilatura
from lxml import (
    etree,  # pyright: ignore[reportAttributeAccessIssue] (it is no Python)
    html,
)

from ...knowledge.extract import Limits
from ...knowledge.extract.document import Writer
from ...knowledge.extract.html import read_html
from .page import Link, Page, marked, marks_in, unmarked

#: Characters of HTML that are read of a page.
_MOST_READ = 3_000_000
#: A page of more characters of HTML is not judged but read whole: judging takes seconds for each million.
_MOST_JUDGED = 500_000
#: What is taken for the main text has at least so many characters, or such a part of the whole.
_LEAST_MAIN, _LEAST_PART = 400, 0.2
#: Links that are numbered.
_MOST_LINKS = 2_000
#: Links beside the main text that are listed.
_MOST_BESIDE = 60
#: Longest name of a link that is listed, in characters.
_LONGEST_NAME = 100
#: Longest address of a link.
_LONGEST_URL = 2_000
#: A page with programs and fewer characters of text than this may have its text made by them.
_LITTLE = 250
#: Programs: of these types, or of none. Others (JSON, templates) are data.
_PROGRAMS = etree.XPath("//script[not(@type) or @type = '' or @type = 'module' or contains(@type, 'javascript')]")
#: What readers do not see in the page; its title stands above it.
_HIDDEN = etree.XPath(
    "//title | //script | //style | //template | //noscript | //svg | //iframe | //object | //select | //comment()"
    " | //*[@hidden] | //*[contains(translate(@style, ' ', ''), 'display:none')]"
    " | //*[contains(translate(@style, ' ', ''), 'visibility:hidden')]"
)
#: trafilatura writes Markdown, in which these mean something; as text they do not.
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>~])")


def read_page(text: str, url: str) -> Page:
    """The main text of an HTML page, or all of it where it has no such part.

    Args:
        text: the HTML.
        url: where it is from.

    Raises:
        Unreadable: a limit is passed.
    """
    parser = html.HTMLParser(encoding="utf-8", remove_pis=True)
    tree = html.document_fromstring(unmarked(text[:_MOST_READ]).encode("utf-8", "replace"), parser=parser)
    title = " ".join((tree.findtext(".//title") or "").split())
    programs = bool(_PROGRAMS(tree))
    for element in _HIDDEN(tree):
        if element.getparent() is not None:
            element.drop_tree()
    links = list(_mark_links(tree, _base(tree, url)))
    whole = _whole(tree)
    scripted = programs and len(whole) < _LITTLE
    main = _main(tree) if len(text) <= _MOST_JUDGED else ""
    if len(main) < min(_LEAST_MAIN, len(whole)) and len(main) < _LEAST_PART * len(whole):
        return Page(url, title, whole, links, scripted)
    return Page(url, title, main + _beside(main, links), links, scripted)


def _base(tree: html.HtmlElement, url: str) -> str:
    base = tree.find(".//base[@href]")
    return url if base is None else joined(url, base.get("href", "")) or url


def joined(base: str, reference: str) -> str | None:
    """Where a link leads; None where that is no page."""
    try:
        found = urljoin(base, "".join(reference.split()))
        parts = urlsplit(found)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.netloc or len(found) > _LONGEST_URL:
        return None
    return found


def _mark_links(tree: html.HtmlElement, base: str) -> Iterator[Link]:
    """The links to other pages; a mark is put behind each in the tree."""
    number = 0
    here = base.partition("#")[0]
    for element in tree.iter("a"):
        target = joined(base, element.get("href") or "#")
        name = " ".join("".join(element.itertext()).split())
        if not name:
            name = " ".join(element.xpath(".//img/@alt"))
            element.text = name
        if not target or not name or target.partition("#")[0] == here:
            continue
        mark = marked(number)
        if len(element):
            element[-1].tail = (element[-1].tail or "") + mark
        else:
            element.text = (element.text or "") + mark
        yield Link(name[:_LONGEST_NAME], target)
        number += 1
        if number == _MOST_LINKS:
            return


def _whole(tree: html.HtmlElement) -> str:
    writer = Writer(Limits(), ocr=False)
    read_html(str(html.tostring(tree, encoding="unicode")), writer)
    return writer.document().text


def _main(tree: html.HtmlElement) -> str:
    try:
        found = trafilatura.extract(tree, favor_recall=True, include_formatting=True, output_format="txt")
    except Exception:
        # The page is read whole then; on pages that are made to, the library fails in many ways.
        return ""
    return _ESCAPED.sub(r"\1", found or "")


def _beside(main: str, links: list[Link]) -> str:
    """The links that do not stand in the main text, each address once."""
    seen = {links[number].url for number in marks_in(main)}
    lines: list[str] = []
    for number, link in enumerate(links):
        if link.url not in seen and len(lines) < _MOST_BESIDE:
            seen.add(link.url)
            lines.append(f"- {link.name}{marked(number)}")
    return "\n\nOther links of the page:\n" + "\n".join(lines) if lines else ""
