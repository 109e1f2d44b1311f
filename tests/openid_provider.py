"""A real OpenID provider as a process: `python -m tests.openid_provider` prints its URL and serves until it is ended.

It checks what a provider checks: client, redirect URI, PKCE, that a code is used once. Who signs in, and how it cheats
if it does, is said by `POST /next`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import time
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "retinue-client", "the+client's secret:é".encode().hex()


class Provider:
    """The provider's state."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.other_key = RSAKey.generate_key(2048, {"kid": "one"})
        self.url = ""
        self.next: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}

    async def metadata(self, request: web.Request) -> web.Response:
        told = {
            "issuer": self.next.get("issuer", self.url),
            "authorization_endpoint": self.url + "/authorize",
            "token_endpoint": self.next.get("token_endpoint", self.url + "/token"),
            "jwks_uri": self.url + "/keys",
            "token_endpoint_auth_methods_supported": [self.next.get("method", "client_secret_basic")],
        }
        return web.json_response(told)

    async def keys(self, request: web.Request) -> web.Response:
        return web.json_response(KeySet([self.key]).as_dict())

    async def say_next(self, request: web.Request) -> web.Response:
        self.next = await request.json()
        return web.json_response({})

    async def authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        assert asked["client_id"] == CLIENT
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        raise web.HTTPFound(asked["redirect_uri"] + "?" + urlencode({"code": code, "state": asked["state"]}))

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        asked = self.codes.pop(str(form.get("code")), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        by_post = (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
        if request.headers.get("authorization") != f"Basic {basic}" and not by_post:
            return web.json_response({"error": "invalid_client"}, status=401)
        verifier = str(form.get("code_verifier", "")).encode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=").decode()
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri") or asked["code_challenge"] != challenge:
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": asked["nonce"]}
        claims |= self.next.get("claims", {})
        header = {"alg": self.next.get("alg", "RS256"), "kid": "one"}
        key = self.other_key if self.next.get("wrong_key") else self.key
        if header["alg"] == "none":
            parts = [
                base64.urlsafe_b64encode(web.json_response(one).body).rstrip(b"=").decode() for one in (header, claims)
            ]
            token = ".".join(parts) + "."
        else:
            token = jwt.encode(header, claims, key)
        return web.json_response({"access_token": "x", "token_type": "Bearer", "id_token": token})


async def main() -> None:
    provider = Provider()
    app = web.Application()
    app.add_routes(
        [
            web.get("/.well-known/openid-configuration", provider.metadata),
            web.get("/keys", provider.keys),
            web.get("/authorize", provider.authorize),
            web.post("/token", provider.token),
            web.post("/next", provider.say_next),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    print(provider.url, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
