"""Who looks at a page, and the official client that acts for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import openai
from fastapi import Request

from .texts import Language, preferred
from .words import word

#: Cookies that remember what somebody has chosen.
LANGUAGE_COOKIE, PROJECT_COOKIE, THEME_COOKIE = "retinue_language", "retinue_project", "retinue_theme"
#: Models that name chats: none, those of other servers, or local ones too.
ChatTitles = Literal["off", "remote", "all"]
#: Seconds to connect, and between two pieces of an answer.
_TIMEOUT = openai.Timeout(600, connect=5)
#: The client wants a key, although it is the cookie of a session that tells who asks.
_NO_KEY = "none"


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who is signed in, on one page."""

    #: Acts with this person's rights, in their project.
    client: openai.AsyncOpenAI
    language: Language
    #: What ``/v1/me`` says.
    me: Mapping[str, Any]
    #: Which models name chats: see the setting.
    chat_titles: ChatTitles = "off"

    def text(self, key: str, **values: object) -> str:
        """Words in the person's language: see `words.word`."""
        return word(self.language, key, **values)

    @property
    def project(self) -> str:
        """The id of the project that the pages show."""
        return self.me["project"]

    @property
    def role(self) -> str:
        """The person's role in this project: `owner`, `member` or `viewer`."""
        return next(one["role"] for one in self.me["projects"] if one["id"] == self.project)

    @property
    def may_write(self) -> bool:
        """Whether the person may change things in this project and ask models."""
        return self.role != "viewer"

    @property
    def administers(self) -> bool:
        """Whether the person administers the organization."""
        return self.me["user"]["role"] == "owner"

    @property
    def sees_protected(self) -> bool:
        """Whether the person is told what protected assistants are made of, and may change them."""
        return not {"admin", "assistants:admin"}.isdisjoint(self.me["scopes"])

    @property
    def administers_connections(self) -> bool:
        """Whether the person may make, change and delete connections of the project."""
        return not {"admin", "connections:admin"}.isdisjoint(self.me["scopes"])

    def own(self, name: str) -> str:
        """The name under which a tab of the browser keeps something of this person's, in this project.

        A tab outlives who is signed in: the next person in it is to find nothing.
        """
        return f"{name}:{self.me['user']['id']}:{self.project}"

    async def get(self, path: str, **query: Any) -> Any:
        """What the API answers where the client has no method for it: JSON as Python has it.

        Args:
            path: behind ``/v1``.
            query: parameters; None is left out.

        Raises:
            openai.APIError: as the client's own methods.
        """
        chosen = {name: value for name, value in query.items() if value is not None}
        return await self.client.get(path, cast_to=cast(Any, object), options={"params": chosen})

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The same, with a body. Raises `openai.APIError`."""
        return await self.client.post(path, cast_to=cast(Any, object), body=body or {})

    async def delete(self, path: str) -> Any:
        """The same, to delete. Raises `openai.APIError`."""
        return await self.client.delete(path, cast_to=cast(Any, object))


class Visitors:
    """Finds out who a request comes from, by asking the API."""

    def __init__(self, api: str, chat_titles: ChatTitles = "off") -> None:
        """Describe what visitors have in common.

        Args:
            api: the address of the API as this process reaches it, ending in ``/v1``.
            chat_titles: which models name chats.
        """
        self.api = api
        self._chat_titles: ChatTitles = chat_titles
        self._http = openai.DefaultAsyncHttpxClient(
            timeout=_TIMEOUT, trust_env=False, event_hooks={"request": [_without_key]}
        )

    async def of(self, request: Request) -> Visitor:
        """Who sends a request.

        Raises:
            openai.AuthenticationError: nobody who is signed in.
            openai.PermissionDeniedError: somebody who is in no project.
        """
        cookie = request.headers.get("cookie", "")
        project = request.cookies.get(PROJECT_COOKIE) or None
        client = self._client(cookie, project)
        try:
            me = await self._me(client)
        except openai.AuthenticationError:
            if project is None:
                raise
            # Not in that project any more, perhaps.
            me = await self._me(self._client(cookie, None))
        headers = {"X-CSRF-Token": me["csrf_token"] or ""}
        return Visitor(self._client(cookie, me["project"], headers), language_of(request), me, self._chat_titles)

    def nobody(self) -> openai.AsyncOpenAI:
        """A client for what the API answers to everybody."""
        return self._client("", None)

    def _client(self, cookie: str, project: str | None, headers: Mapping[str, str] | None = None) -> openai.AsyncOpenAI:
        own = {"Cookie": cookie, "OpenAI-Beta": "assistants=v2", **(headers or {})}
        return openai.AsyncOpenAI(
            api_key=_NO_KEY,
            admin_api_key=_NO_KEY,
            base_url=self.api,
            organization=None,
            project=project,
            default_headers=own,
            http_client=self._http,
            max_retries=0,
        )

    async def _me(self, client: openai.AsyncOpenAI) -> Mapping[str, Any]:
        return await client.get("/me", cast_to=cast(Any, object))

    async def close(self) -> None:
        """Let go of all connections."""
        await self._http.aclose()


async def _without_key(request: Any) -> None:
    del request.headers["authorization"]


def language_of(request: Request) -> Language:
    """The language that a request asks for: by its address, by what was chosen before, by the browser's."""
    chosen = request.query_params.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
    if chosen in ("en", "zh"):
        return "zh" if chosen == "zh" else "en"
    return preferred(request.headers.get("accept-language", ""))
