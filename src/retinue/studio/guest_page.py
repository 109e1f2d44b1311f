"""The page for guests of a GPT: plain HTML and a small module, for many people who have no account."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import urlencode

from .texts import Language
from .words import word
from .words.guests import WORDS

#: What other sites load to show the page in a frame of theirs.
WIDGET = (Path(__file__).parent / "static" / "widget.js").read_bytes()
#: What the page's module needs to say.
_SAID = ("you", "send", "stop", "waiting", "stopped", "cut", "again", "new", "copy", "copied", "source")


@dataclass(frozen=True, slots=True)
class GuestGpt:
    """A GPT as its guests see it."""

    name: str
    description: str
    starters: Sequence[str]
    picture: str
    privacy_policy: str | None
    #: Most characters of a message.
    longest: int


def headers(sites: Sequence[str]) -> Mapping[str, str]:
    """What the page is sent with: it loads nothing from elsewhere, and is framed by these sites only."""
    framed = " ".join(sites) or "'none'"
    return {
        # Formulas have styles of their own at each of their parts.
        "content-security-policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
            "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; "
            f"frame-ancestors {framed}"
        ),
        "referrer-policy": "same-origin",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }


def guest_page(gpt: GuestGpt, token: str, language: Language, *, embedded: bool) -> bytes:
    """The chat.

    Args:
        gpt: who is talked with.
        token: of the link.
        language: of the page's own words.
        embedded: whether a page of another site shows it.
    """
    said = {key: word(language, f"guests.{key}") for key in WORDS if key in _SAID or key.startswith("error")}
    facts = {"token": token, "name": gpt.name, "embedded": embedded, "words": said}
    starters = "".join(f'<li><button type="button" disabled>{escape(one)}</button></li>' for one in gpt.starters)
    listed = f'<ul class="starters" aria-label="{_word(language, "starters")}">{starters}</ul>' if starters else ""
    policy = ""
    if gpt.privacy_policy:
        address = escape(gpt.privacy_policy)
        policy = (
            f' <a href="{address}" target="_blank" rel="noopener noreferrer nofollow">{_word(language, "privacy")}</a>'
        )
    small, large = _picture(gpt.picture, 32), _picture(gpt.picture, 72)
    name, switch = escape(gpt.name), _switch(token, language, embedded=embedded)
    close = (
        f'<button type="button" class="quiet close" data-do="close" aria-label="{_word(language, "close")}">×</button>'
        if embedded
        else ""
    )
    body = (
        f'<body data-facts="{escape(json.dumps(facts, ensure_ascii=False))}"{" class=embedded" if embedded else ""}>\n'
        f'<header>{small}<h1>{name}</h1><button type="button" class="quiet" data-do="new" hidden>'
        f"{_word(language, 'new')}</button>{switch}{close}</header>\n"
        f'<main><div class="log" role="log" tabindex="0" aria-label="{_word(language, "conversation")}">'
        f'<div class="welcome">{large}<h2>{name}</h2><p>{escape(gpt.description)}</p>{listed}</div></div>\n'
        f'<button type="button" class="latest" data-do="latest" hidden aria-label="{_word(language, "latest")}">'
        '↓</button><p class="visually-hidden" role="status"></p><div class="wrong" role="alert"></div>\n'
        f'<form><label class="visually-hidden" for="text">{_word(language, "message")}</label>'
        f'<textarea id="text" rows="1" maxlength="{gpt.longest}" placeholder="{_word(language, "placeholder")}" '
        # What is written or clicked before the script listens would be lost.
        f'autocomplete="off" disabled></textarea>'
        f'<button type="submit" disabled>{_word(language, "send")}</button></form>\n'
        f'<p class="fine">{_word(language, "fine")}{policy}</p>'
        f"<noscript><p>{_word(language, 'no_script')}</p></noscript></main>\n"
        '<script type="module" src="/static/guest.mjs"></script>\n</body>'
    )
    return _page(gpt.name, gpt.picture, language, body)


def invalid_page(token: str, language: Language, *, embedded: bool) -> bytes:
    """What is shown where a link is not, or no longer, good for anything."""
    body = (
        f"<body{' class=embedded' if embedded else ''}><header>{_switch(token, language, embedded=embedded)}</header>"
        f'<main><div class="welcome"><h1>{_word(language, "invalid_title")}</h1>'
        f"<p>{_word(language, 'invalid')}</p></div></main></body>"
    )
    return _page(word(language, "guests.invalid_title"), "data:,", language, body)


def _picture(address: str, size: int) -> str:
    return f'<img class="picture" src="{escape(address)}" alt="" width="{size}" height="{size}">'


def _word(language: Language, key: str) -> str:
    return escape(word(language, f"guests.{key}"))


def _switch(token: str, language: Language, *, embedded: bool) -> str:
    """The link to the page in the other language."""
    other = "en" if language == "zh" else "zh"
    query = {"lang": other, **({"embedded": "1"} if embedded else {})}
    address = escape(f"/g/{token}?{urlencode(query)}")
    shown = escape(word(language, "frame.language"))
    return f'<a class="switch" href="{address}" hreflang="{other}" lang="{other}">{shown}</a>'


def _page(title: str, icon: str, language: Language, body: str) -> bytes:
    html = (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="robots" content="noindex">\n<title>{escape(title)}</title>\n'
        f'<link rel="icon" href="{escape(icon)}">\n<link rel="stylesheet" href="/static/guest.css">\n</head>\n'
        f"{body}\n</html>\n"
    )
    return html.encode("utf-8", "replace")
