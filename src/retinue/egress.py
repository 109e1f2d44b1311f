"""The one way out to addresses that users, models or documents name.

Such an address may be meant to reach what only this machine can: other services on loopback, the local network, a
cloud's metadata. So an address is judged after it was resolved, and the connection goes to the very address that was
judged: there is no second look-up in which a name could answer otherwise. Every redirect is judged anew.

Source: OWASP, Server-Side Request Forgery Prevention.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from . import __version__
from .addresses import Address, Policy
from .errors import InvalidRequest
from .settings import Settings

#: Finds the addresses of a host name. Raises `OSError` if it has none.
Resolve = Callable[[str], Awaitable[list[str]]]

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*$")
#: A last label like this makes a host an IPv4 address, in one of its old spellings.
_NUMBER = re.compile(r"(^|\.)(\d+|0x[0-9a-f]*)$")
_AUTHORITY = re.compile(r"[^:/?#]+://([^/?#]*)")
_MAX_URL = 8192
#: Seconds for the look-up of a name.
_RESOLVE_TIMEOUT = 5.0
#: Look-ups at once. They wait in threads of their own: names whose servers are slow hold up nobody but each other.
_RESOLVERS = 8
_REDIRECTS = (301, 302, 303, 307, 308)
#: Headers that are for one server only: a redirect to another does not carry them.
_PRIVATE_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


class EgressRefused(InvalidRequest):
    """400: this server does not connect to such an address."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="address_refused")


class EgressFailed(InvalidRequest):
    """400: the address is allowed, but it cannot be reached, is too slow or answers too much."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="address_failed")


class EgressResponse:
    """What the other side answered."""

    def __init__(self, response: aiohttp.ClientResponse, max_bytes: int) -> None:
        #: HTTP status.
        self.status = response.status
        #: Response headers, to be asked in any case of letters.
        self.headers: Mapping[str, str] = response.headers
        #: Where the answer came from, after redirects.
        self.url = str(response.url)
        self._response = response
        self._max_bytes = max_bytes

    async def read(self) -> bytes:
        """The whole body, decompressed.

        Raises:
            EgressFailed: it is larger than the request's `max_bytes`, breaks off, or takes too long.
        """
        return b"".join([piece async for piece in self.pieces()])

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The body as it comes, decompressed.

        Raises:
            EgressFailed: see `read`.
        """
        size = 0
        try:
            async for piece in self._response.content.iter_any():
                size += len(piece)
                if size > self._max_bytes:
                    raise EgressFailed(f"The answer of {self.url} is larger than {self._max_bytes} bytes.")
                yield piece
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _failed(self._response.url, error) from error


class Egress:
    """Requests to addresses that others named. To be opened (`async with`) where it is used, or closed in the end."""

    def __init__(self, settings: Settings, resolve: Resolve | None = None) -> None:
        """`resolve` stands in for the system's look-up of names."""
        self._policy = Policy(settings.egress_allow, settings.egress_ports)
        self._threads = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="egress-resolver")
        self._resolve = resolve or self._look_up
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close what is open."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._session:
            await self._session.close()

    async def check(self, url: str) -> None:
        """See whether a request to `url` would be let out now; nothing is sent.

        Raises:
            EgressRefused: it would not.
            EgressFailed: its host has no address.
        """
        target = self._parse(url)
        host = target.raw_host or ""
        if _literal(host) is None:
            await self._allowed_addresses(host)

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        max_bytes: int = 1024 * 1024,
        timeout: float = 15,  # noqa: ASYNC109 (it covers more than the caller could wrap: the body, read later)
        redirects: int = 0,
    ) -> AsyncGenerator[EgressResponse]:
        """Send a request; the context holds its answer, whose body need not be read.

        Args:
            method: HTTP method.
            url: an `http` or `https` URL without user name and password.
            headers: request headers.
            body: request body.
            max_bytes: the most that is taken of the body.
            timeout: seconds for everything: look-ups, redirects, the body.
            redirects: how many are followed, each checked like the first address. With 0 a redirect is an answer.

        Raises:
            EgressRefused: the address is not allowed.
            EgressFailed: no answer within the limits.
        """
        target = self._parse(url)
        deadline = time.monotonic() + timeout
        sent = {
            "user-agent": f"Retinue/{__version__}",
            **{name.lower(): text for name, text in (headers or {}).items()},
        }
        for hops_left in range(redirects, -1, -1):
            response = await self._send(method, target, sent, body, deadline)
            try:
                location = response.headers.get("location") if response.status in _REDIRECTS else None
                if not redirects or location is None:
                    yield EgressResponse(response, max_bytes)
                    return
            finally:
                response.close()
            if not hops_left:
                break
            following = self._parse(_join(target, location))
            if response.status == 303 or (response.status < 303 and method == "POST"):
                method, body = "GET", None
                sent = {name: text for name, text in sent.items() if not name.startswith("content-")}
            if following.origin() != target.origin():
                sent = {name: text for name, text in sent.items() if name not in _PRIVATE_HEADERS}
            target = following
        raise EgressFailed(f"{url} redirects more than {redirects} times.")

    async def _send(
        self, method: str, target: URL, headers: Mapping[str, str], body: bytes | None, deadline: float
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=_Resolver(self._allowed_addresses), use_dns_cache=False, force_close=True, limit=0
            )
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        # Zero would mean no limit.
        limit = aiohttp.ClientTimeout(total=max(0.001, deadline - time.monotonic()))
        try:
            return await self._session.request(
                method, target, headers=headers, data=body, allow_redirects=False, timeout=limit
            )
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise _failed(target, error) from error

    def _parse(self, url: str) -> URL:
        """The URL, if all that can be said of it without a look-up allows it."""
        if len(url) > _MAX_URL:
            raise EgressRefused(f"The URL is longer than {_MAX_URL} characters.")
        if any(character <= " " or character in '\\\x7f"<>' for character in url):
            raise EgressRefused("The URL holds a space, a control character, a backslash or a bracket.")
        try:
            parsed = URL(url)
            port = parsed.port
        except ValueError as error:
            raise EgressRefused(f"This is not a URL: {error}.") from error
        if parsed.scheme not in ("http", "https"):
            raise EgressRefused("The URL must begin with http:// or https://.")
        authority = _AUTHORITY.match(url)
        if authority is None or "@" in authority[1]:
            raise EgressRefused("The URL must name a host, without user name and password.")
        if not port:
            raise EgressRefused("The URL's port must be from 1 to 65535.")
        if not self._policy.allows_port(port):
            raise EgressRefused(
                f"Port {port} is not for HTTP, but for another service. The setting `egress_ports` can allow it."
            )
        host = (parsed.raw_host or "").removesuffix(".")
        address = _literal(host)
        if address is not None:
            self._judge(address, host)
        elif "[" in authority[1] or not _HOST.match(host) or _NUMBER.search(host):
            raise EgressRefused("The URL's host must be a name, or an IP address in its usual form.")
        return parsed.with_host(host).with_fragment(None)

    async def _allowed_addresses(self, host: str) -> list[Address]:
        """The addresses of a name that may be connected to: at least one."""
        try:
            async with asyncio.timeout(_RESOLVE_TIMEOUT):
                found = await self._resolve(host)
        except (OSError, UnicodeError) as error:
            raise EgressFailed(f"The host {host} has no address, or none could be found in time.") from error
        if self._policy.allows_name(host):
            return [ipaddress.ip_address(address) for address in found]
        addresses = [ipaddress.ip_address(address) for address in found]
        allowed = [address for address in addresses if self._policy.allows_address(address)]
        if not addresses:
            raise EgressFailed(f"The host {host} has no address.")
        if not allowed:
            self._judge(addresses[0], host)
        return allowed

    def _judge(self, address: Address, host: str) -> None:
        if not self._policy.allows_address(address):
            raise EgressRefused(
                f"The address of {host} is private or reserved. The setting `egress_allow` can allow it."
            )

    async def _look_up(self, host: str) -> list[str]:
        def look_up() -> list[str]:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            return [str(entry[4][0]) for entry in found]

        return await asyncio.get_running_loop().run_in_executor(self._threads, look_up)


class _Resolver(AbstractResolver):
    """Gives the connector the addresses that were judged, and no others."""

    def __init__(self, allowed: Callable[[str], Awaitable[list[Address]]]) -> None:
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The allowed addresses of `host`."""
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in await self._allowed(host)
        ]

    async def close(self) -> None:
        """Nothing to close."""


def _literal(host: str) -> Address | None:
    """The address that a URL's host is, if it is one and no name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _join(base: URL, location: str) -> str:
    try:
        return str(base.join(URL(location)))
    except ValueError as error:
        raise EgressFailed(f"{base} redirects to what is not a URL.") from error


def _failed(url: URL, error: Exception) -> EgressFailed:
    """The error for a request that was let out and went wrong."""
    if isinstance(error, TimeoutError):
        return EgressFailed(f"{url} did not answer in time.")
    return EgressFailed(f"The request to {url} failed: {error or type(error).__name__}.")
