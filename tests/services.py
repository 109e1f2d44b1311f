"""Services that Actions call in tests: a REST service and an OAuth provider, on loopback."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from yarl import URL

from .harness import Api, Json

CONNECTIONS = "/connections"


@dataclass(frozen=True, slots=True)
class Got:
    """One request that a service got."""

    method: str
    #: As it was sent, percent-encoded.
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


@dataclass
class Service:
    """A service that answers what a test says."""

    url: str = ""
    got: list[Got] = field(default_factory=list[Got])
    #: From a request to its answer; by default what was sent.
    answer: Callable[[Got], web.Response] = lambda got: web.json_response({"method": got.method, "target": got.target})
    #: Answers wait for it.
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        got = Got(request.method, request.raw_path, headers, await request.read())
        self.got.append(got)
        await self.open.wait()
        return self.answer(got)


@asynccontextmanager
async def listening(handle: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    """A server on loopback that answers all requests so; its URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@asynccontextmanager
async def service() -> AsyncIterator[Service]:
    """A service."""
    made = Service()
    made.open.set()
    async with listening(made.handle) as made.url:
        yield made


@dataclass
class Provider:
    """An OAuth 2.0 provider: authorisation code with PKCE, refresh tokens that are used once, client credentials."""

    url: str = ""
    client_secret: str = "the-client-secret"
    #: Seconds that tokens live.
    life: float | None = 3600
    #: Users by their valid access token.
    valid: dict[str, str] = field(default_factory=dict[str, str])
    #: Users by their valid refresh token.
    renewing: dict[str, str] = field(default_factory=dict[str, str])
    #: Kinds of grants, as they were asked for.
    asked: list[str] = field(default_factory=list[str])
    #: All tokens that it ever gave.
    given: list[str] = field(default_factory=list[str])
    _codes: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict[str, Any])

    def agree(self, authorize_url: str, user: str) -> URL:
        """What a user does in the browser; where it is sent back to."""
        query = dict(URL(authorize_url).query)
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert query["client_id"] == "retinue"
        code = secrets.token_urlsafe()
        self._codes[code] = (user, query)
        return URL(query["redirect_uri"]).with_query(code=code, state=query["state"])

    def who_asks(self, named: str) -> Callable[[Got], web.Response]:
        """How a service answers that takes this provider's tokens: with the user's name, under `named`."""

        def answer(got: Got) -> web.Response:
            user = self.valid.get(got.headers.get("authorization", "").removeprefix("Bearer "))
            return web.json_response({named: user}) if user else web.Response(status=401)

        return answer

    async def handle(self, request: web.Request) -> web.Response:
        fields = dict(parse_qsl((await request.read()).decode()))
        kind = fields["grant_type"]
        self.asked.append(kind)
        if not self._is_client(request, fields):
            return web.json_response({"error": "invalid_client"}, status=401)
        user = None
        if kind == "authorization_code":
            user, begun = self._codes.pop(fields["code"], (None, {}))
            digest = hashlib.sha256(fields["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if user and (challenge, fields["redirect_uri"]) != (begun["code_challenge"], begun["redirect_uri"]):
                user = None
        elif kind == "refresh_token":
            user = self.renewing.pop(fields["refresh_token"], None)
        elif kind == "client_credentials":
            user = "the client"
        if user is None:
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response(self.tokens(user, refresh=kind != "client_credentials"))

    def tokens(self, user: str, *, refresh: bool) -> Json:
        access, renewing = f"access-{secrets.token_hex(8)}", f"refresh-{secrets.token_hex(8)}"
        self.valid[access] = user
        self.given += [access, renewing]
        answer: Json = {"access_token": access, "token_type": "Bearer"}
        if self.life is not None:
            answer["expires_in"] = self.life
        if refresh:
            self.renewing[renewing] = user
            answer["refresh_token"] = renewing
        return answer

    def _is_client(self, request: web.Request, fields: dict[str, str]) -> bool:
        basic = base64.b64encode(f"retinue:{self.client_secret}".encode()).decode()
        if "client_secret" in fields:
            return (fields["client_id"], fields["client_secret"]) == ("retinue", self.client_secret)
        return request.headers.get("authorization") == f"Basic {basic}"


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """An OAuth provider."""
    made = Provider()
    async with listening(made.handle) as made.url:
        yield made


def document(paths: Json, url: str | None = None, **fields: Any) -> Json:
    """An OpenAPI document."""
    servers = {"servers": [{"url": url}]} if url else {}
    return {"openapi": "3.1.0", "info": {"title": "Pets", "version": "1"}, **servers, "paths": paths, **fields}


async def connect(api: Api, **fields: Any) -> Json:
    """A new connection."""
    return await api.call("POST", CONNECTIONS, {"type": "action", **fields}, extension=True)


def action(connection: Json, *allowed: str) -> Json:
    """The fields of an assistant that has this connection."""
    options = {"allowed_tools": list(allowed)} if allowed else {}
    return {"tools": [{"type": "action", "action": {"connection_id": connection["id"], **options}}]}
