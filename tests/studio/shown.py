"""Which pictures of pages docs/images has: what `make screenshots` takes, and a test holds to the pages there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from retinue.studio.pages import PAGES

IMAGES = Path(__file__).parents[2] / "docs" / "images"

#: Pages with parts in their paths, which show one thing: what their pictures are called.
WITH_PARTS: Mapping[str, str] = {
    "/chat/{thread}": "chat-with-answer",
    "/gpts/create/{gpt}": "gpt-talk",
    "/gpts/edit/{gpt}": "gpt-form",
    "/gpts/{gpt}/links": "gpt-links",
    "/gpts/analytics/{gpt}": "gpt-analytics",
    "/gpts/rate/{gpt}": "gpt-rating",
    "/gpts/{name}": "gpt",
    "/agents/{agent}": "agent",
    "/playground/{assistant}": "playground-with-answer",
    "/vector-stores/{store}": "vector-store",
    "/runs/{thread}/{run}": "run",
    "/logs/completions/{completion}": "log-of-a-completion",
    "/logs/requests/{request}": "log-of-a-request",
}
#: Pages that are not the studio's: those for people who are not signed in, and the account's.
BESIDE: Mapping[str, str] = {
    "/sign-in": "sign-in",
    "/welcome": "welcome",
    "/account": "account",
    "/s/{token}": "shared-chat",
    "/g/{token}": "guests-chat",
}


def name_of(path: str) -> str:
    """What the pictures of a page are called; `KeyError` if they have no name."""
    if "{" in path:
        return WITH_PARTS[path]
    return path.strip("/").replace("/", "-") or "chat"


def names() -> Sequence[str]:
    """Of all pages."""
    return [*(name_of(page.path) for page in PAGES), *BESIDE.values()]


def files(name: str) -> Sequence[str]:
    """The pictures of a page."""
    return [f"{name}-{theme}-{size}.png" for theme in ("light", "dark") for size in ("desktop", "phone")]
