"""Signing in at an OpenID provider: authorization code with PKCE, state and nonce bound to the browser.

What the provider answers is read by Authlib; every request to it goes through the egress client, to the hosts that the
settings name and to no others.

Sources: OpenID Connect Core 1.0, OpenID Connect Discovery 1.0, RFC 7636 (PKCE), RFC 9700 (best current practice).
"""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from typing import Any

import orjson
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from yarl import URL

from ..egress import Egress
from ..errors import AuthenticationFailed
from ..settings import Settings
from ..store.secretbox import SecretBox, SecretUnreadable
from .sessions import new_token

#: Where the browser comes back to.
CALLBACK_PATH = "/sign-in/callback"
#: Seconds that a person has to sign in.
SIGN_IN_TIME = 600
#: Seconds for which what a provider says of itself is believed.
_BELIEVED = 600.0
#: Seconds that an answer may take, its most bytes, and the seconds that clocks may be apart.
_TIMEOUT, _MOST_ANSWER, _LEEWAY = 15, 1024 * 1024, 60
#: How providers sign: by keys of their own, never by the client's secret.
_ALGORITHMS = ("RS256", "PS256", "ES256", "RS384", "PS384", "ES384", "RS512", "PS512", "ES512", "Ed25519", "EdDSA")
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
#: Characters of what a provider may say of a person.
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as a provider knows them."""

    issuer: str
    subject: str
    name: str
    #: Empty unless the provider has verified it.
    email: str


def _failed(why: str) -> AuthenticationFailed:
    return AuthenticationFailed(f"Signing in at the provider failed: {why}.", code="sign_in_failed")


class OpenIdProvider:
    """The provider that the settings name."""

    def __init__(self, settings: Settings, egress: Egress, secrets: SecretBox) -> None:
        """`settings.oidc_issuer` and `settings.oidc_client_id` are set."""
        self._issuer, self._client = settings.oidc_issuer or "", settings.oidc_client_id or ""
        self._secret = settings.oidc_client_secret
        self._egress = egress
        self._secrets = secrets
        self._hosts = {URL(self._issuer).host, *(host.lower() for host in settings.oidc_hosts)}
        self._redirect_uri = settings.browser_url() + CALLBACK_PATH
        self._metadata: tuple[float, dict[str, Any]] = (0.0, {})

    async def begin(self, onward: str = "") -> tuple[str, str]:
        """Where a person signs in, and what the browser keeps meanwhile as a cookie for `SIGN_IN_TIME`.

        Args:
            onward: what `finish` is to give back.

        Raises:
            AuthenticationFailed: the provider does not say where.
            EgressRefused, EgressFailed: it cannot be reached.
        """
        metadata = await self._discover()
        begun = {
            "state": new_token(),
            "nonce": new_token(),
            "verifier": new_token(),
            "until": time.time() + SIGN_IN_TIME,
            "onward": onward,
        }
        url = prepare_grant_uri(
            metadata["authorization_endpoint"],
            self._client,
            "code",
            redirect_uri=self._redirect_uri,
            scope="openid email profile",
            state=begun["state"],
            nonce=begun["nonce"],
            code_challenge=create_s256_code_challenge(begun["verifier"]),
            code_challenge_method="S256",
        )
        return url, self._secrets.seal(orjson.dumps(begun)).decode()

    async def finish(self, cookie: str, state: str, code: str, error: str) -> tuple[Identity, str]:
        """Whom the provider says that a browser's person is; and the `onward` that `begin` was given.

        Args:
            cookie: what `begin` gave this browser.
            state: what the browser comes back with.
            code: the authorization code; "" if there is none.
            error: the provider's error; "" if there is none.

        Raises:
            AuthenticationFailed: this browser did not begin, or too long ago; or the provider's answer is not good.
            EgressRefused, EgressFailed: the provider cannot be reached.
        """
        begun = self._begun(cookie)
        if not hmac.compare_digest(begun["state"].encode(), state.encode("utf-8", "surrogatepass")):
            raise _failed("it was begun in another browser, or another time")
        if error or not code:
            raise _failed("the provider refused" if error else "there is no code")
        metadata = await self._discover()
        token = await self._id_token(metadata, code, begun["verifier"])
        keys = await self._ask("GET", metadata["jwks_uri"])
        return self._identity(token, keys, begun["nonce"]), begun.get("onward", "")

    def _begun(self, cookie: str) -> dict[str, Any]:
        try:
            begun = orjson.loads(self._secrets.open(cookie.encode("utf-8", "surrogatepass")))
        except SecretUnreadable:
            raise _failed("it was not begun in this browser") from None
        if begun["until"] < time.time():
            raise _failed("it took too long")
        return begun

    def _identity(self, token: str, keys: dict[str, Any], nonce: str) -> Identity:
        expected = {
            "iss": {"essential": True, "value": self._issuer},
            "aud": {"essential": True, "value": self._client},
        }
        try:
            decoded = jwt.decode(token, KeySet.import_key_set(keys), algorithms=_ALGORITHMS)  # pyright: ignore
            parameters = {"nonce": nonce, "client_id": self._client}
            claims = CodeIDToken(decoded.claims, decoded.header, expected, parameters)
            claims.validate(leeway=_LEEWAY)
        except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _failed(f"its ID token is not valid ({type(error).__name__})") from error
        told = {name: _text(claims.get(name)) for name in ("sub", "name", "email")}
        if not told["sub"]:
            raise _failed("its ID token does not say who")
        verified = claims.get("email_verified") in (True, "true")
        email = told["email"] if verified else ""
        return Identity(self._issuer, told["sub"], told["name"] or email, email)

    async def _id_token(self, metadata: dict[str, Any], code: str, verifier: str) -> str:
        body = prepare_token_request(
            "authorization_code", redirect_uri=self._redirect_uri, code=code, code_verifier=verifier
        )
        secret = self._secret.get_secret_value() if self._secret else None
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        basic = "client_secret_basic" in methods
        method = "none" if secret is None else "client_secret_basic" if basic else "client_secret_post"
        headers = {"content-type": "application/x-www-form-urlencoded"}
        url, headers, body = ClientAuth(self._client, secret, method).prepare(
            "POST", metadata["token_endpoint"], headers, body
        )
        answer = await self._ask("POST", url, headers, body)
        token = answer.get("id_token")
        if not isinstance(token, str) or not token.isascii():
            raise _failed("it gave no ID token")
        return token

    async def _discover(self) -> dict[str, Any]:
        until, metadata = self._metadata
        if until > time.monotonic():
            return metadata
        metadata = await self._ask("GET", get_well_known_url(self._issuer, external=True))
        if metadata.get("issuer") != self._issuer:
            raise _failed("it calls itself by another name than the setting `oidc_issuer`")
        for name in _ENDPOINTS:
            self._check(str(metadata.get(name, "")))
        self._metadata = time.monotonic() + _BELIEVED, metadata
        return metadata

    def _check(self, url: str) -> None:
        """See to it that a URL leads to a host that the settings name."""
        try:
            host = URL(url).host
        except ValueError:
            host = None
        if host not in self._hosts or not url.startswith(("https://", "http://")):
            raise _failed(f"it names the host {str(host)[:100]}, which the setting `oidc_hosts` does not allow")

    async def _ask(
        self, method: str, url: str, headers: dict[str, str] | None = None, body: str | None = None
    ) -> dict[str, Any]:
        self._check(url)
        sent = {"accept": "application/json", **(headers or {})}
        content = body.encode() if body is not None else None
        async with self._egress.request(
            method, url, headers=sent, body=content, max_bytes=_MOST_ANSWER, timeout=_TIMEOUT
        ) as response:
            raw, status = await response.read(), response.status
        try:
            answer = orjson.loads(raw)
        except orjson.JSONDecodeError:
            answer = None
        if status != 200 or not isinstance(answer, dict):
            raise _failed(f"it answered {status}")
        return answer


def _text(value: object) -> str:
    fits = isinstance(value, str) and len(value) <= _LONGEST and value.isprintable()
    return str(value).strip() if fits else ""
