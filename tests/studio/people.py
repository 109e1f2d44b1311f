"""People whom a test lets in."""

from __future__ import annotations

from typing import Any, Protocol

from playwright.sync_api import Page

from .conftest import sign_up


class Served(Protocol):
    """A server, in whatever way it was started."""

    @property
    def url(self) -> str:
        """Without a path."""
        ...


def let_in(page: Page, studio: Served, name: str, role: str = "member") -> Any:
    """Let somebody into the default project; returns what their browser keeps.

    Args:
        page: of an owner.
        studio: the server.
        name: theirs; the email address is made of it.
        role: in the project.
    """
    me = page.request.get(f"{studio.url}/v1/me").json()
    headers = {"X-CSRF-Token": me["csrf_token"]}
    email = f"{name.lower()}@example.com"
    wanted = {"email": email, "role": "reader", "projects": [{"id": me["project"], "role": role}]}
    invited = page.request.post(f"{studio.url}/v1/organization/invites", headers=headers, data=wanted)
    assert invited.ok, invited.text()
    # The server's settings do not know the port that it was given.
    link = f"{studio.url}/welcome?{invited.json()['accept_url'].partition('?')[2]}"
    return sign_up(link, name, email)
