"""RSS and Atom feeds."""

from __future__ import annotations

import re
from typing import Any

from lxml import (
    etree,  # pyright: ignore[reportAttributeAccessIssue] (it is no Python)
    html,
)

from ...knowledge.extract import Unreadable
from .html import joined
from .page import Link, Page, marked, unmarked

_BEFORE = r"<\?[^>]*\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>"
_ROOT = re.compile(rf"\s*(?:(?:{_BEFORE})\s*)*<(?:rss|feed|rdf:RDF)\b", re.S | re.I)
_ROOT_WITHIN = 4_000
#: Entries that are read, and characters of each.
_MOST_ENTRIES = 200
_LONGEST = 2_000


def is_feed(text: str) -> bool:
    """Whether a text is a feed, by its beginning."""
    return bool(_ROOT.match(text[:_ROOT_WITHIN]))


def read_feed(text: str, url: str) -> Page:
    """The entries of a feed: title, link, date and summary of each.

    Raises:
        Unreadable: it is damaged.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, recover=True, remove_comments=True, encoding="utf-8"
    )
    root = etree.fromstring(unmarked(text).strip().encode("utf-8", "replace"), parser=parser)
    if root is None:
        raise Unreadable("invalid_file", "This feed is damaged.")
    entries = root.xpath("//*[local-name() = 'item' or local-name() = 'entry']")
    links: list[Link] = []
    blocks: list[str] = []
    for entry in entries[:_MOST_ENTRIES]:
        title = _text(entry, "title")
        target = _target(entry, url)
        mark = ""
        if target:
            mark = marked(len(links))
            links.append(Link(title, target))
        date = _text(entry, "pubDate", "published", "updated", "date")
        summary = _text(entry, "description", "summary", "content", "encoded")
        blocks.append("\n".join(filter(None, [f"## {title}{mark}", date, summary])))
    if len(entries) > _MOST_ENTRIES:
        blocks.append(f"({len(entries) - _MOST_ENTRIES} further entries were left out.)")
    head = root.find("{*}channel")
    title = _text(root if head is None else head, "title")
    return Page(url, title, "\n\n".join(blocks), links)


def _text(parent: Any, *names: str) -> str:
    """The text of the first child with one of these names, without HTML."""
    for name in names:
        found = parent.find(f"{{*}}{name}")
        if found is None:
            continue
        raw = "".join(map(str, found.itertext())).strip()
        if "<" in raw or "&" in raw:
            raw = html.fromstring(f"<div>{raw}</div>").text_content()
        if text := " ".join(str(raw).split()):
            return text[:_LONGEST]
    return ""


def _target(entry: Any, base: str) -> str | None:
    """Where an entry leads: in RSS a link's text, in Atom its attribute."""
    for link in entry.findall("{*}link"):
        target = link.get("href") or link.text
        if link.get("rel", "alternate") == "alternate" and target:
            return joined(base, target)
    return None
