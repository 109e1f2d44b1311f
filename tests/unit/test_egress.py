"""The egress client: which addresses it lets out to, and that it connects to the one it judged."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import ValidationError

from retinue.egress import Egress, EgressFailed, EgressRefused, EgressResponse, Resolve
from retinue.settings import Settings

from ..tricks import AUTHORITY, FORM, OTHER_SERVICE, PRIVATE, PRIVATE_ADDRESSES, SCHEME, URLS, in_url


@asynccontextmanager
async def egress(tmp_path: Path, *allow: str, resolve: Resolve | None = None) -> AsyncIterator[Egress]:
    client = Egress(Settings(data=tmp_path, egress_allow=list(allow)), resolve)
    try:
        yield client
    finally:
        await client.close()


def answers(*addresses: str) -> Resolve:
    """A look-up with these answers for every name."""

    async def resolve(host: str) -> list[str]:
        return list(addresses)

    return resolve


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Coroutine[None, None, web.StreamResponse]]) -> AsyncIterator[str]:
    """A server on loopback that answers everything with `handler`; yields its address, with port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1)
    await site.start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


ALLOWED_ADDRESSES = ["8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450::1"]


@pytest.mark.parametrize("address", PRIVATE_ADDRESSES)
async def test_refused_address(tmp_path: Path, address: str) -> None:
    async with egress(tmp_path, resolve=answers(address)) as client:
        with pytest.raises(EgressRefused, match=PRIVATE):
            await client.check(in_url(address))
        with pytest.raises(EgressRefused, match=PRIVATE):
            await client.check("https://somewhere.example/")


@pytest.mark.parametrize("address", ALLOWED_ADDRESSES)
async def test_allowed_address(tmp_path: Path, address: str) -> None:
    async with egress(tmp_path, resolve=answers(address)) as client:
        await client.check(in_url(address))
        await client.check("https://somewhere.example:8443/path?query#fragment")


@pytest.mark.parametrize(("url", "reason"), [(url, reason) for reason, urls in URLS.items() for url in urls])
async def test_refused_spelling(tmp_path: Path, url: str, reason: str) -> None:
    """Refused whatever a look-up would say, and before any."""

    async def resolve(host: str) -> list[str]:
        raise AssertionError(f"{host} was looked up")

    async with egress(tmp_path, resolve=resolve) as client:
        with pytest.raises(EgressRefused, match=reason):
            await client.check(url)
        with pytest.raises(EgressRefused, match=reason):
            async with client.request("GET", url):
                pass


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("metadata.google.internal", "169.254.169.254"),
        ("instance-data.ec2.internal", "169.254.169.254"),
        ("metadata.azure.internal", "168.63.129.16"),
        ("127.0.0.1.nip.io", "127.0.0.1"),
        ("kubernetes.default.svc", "10.96.0.1"),
        ("host.docker.internal", "172.17.0.1"),
        ("router.lan", "fe80::1"),
        ("xn--fiqs8s.example", "::ffff:192.168.0.1"),
    ],
)
async def test_a_name_that_leads_inside(tmp_path: Path, host: str, address: str) -> None:
    async def resolve(asked: str) -> list[str]:
        return {host: [address]}[asked]

    async with egress(tmp_path, resolve=resolve) as client:
        with pytest.raises(EgressRefused, match=f"The address of {host} is private or reserved"):
            async with client.request("GET", f"https://{host.upper()}./latest"):
                pass


async def test_ports_that_the_setting_allows(tmp_path: Path) -> None:
    client = Egress(Settings(data=tmp_path, egress_ports=[6379]), answers("8.8.8.8"))
    await client.check("http://good.example:6379/")
    with pytest.raises(EgressRefused, match=OTHER_SERVICE):
        await client.check("http://good.example:6380/")
    await client.close()


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "ip6-localhost", "a.localhost"])
async def test_names_of_this_machine(tmp_path: Path, host: str) -> None:
    """The system's own look-up: names that lead here are refused; where it knows none, nothing can be reached."""
    async with egress(tmp_path) as client:
        with pytest.raises((EgressRefused, EgressFailed)):
            await client.check(f"http://{host}/")


async def test_a_name_without_address(tmp_path: Path) -> None:
    async def resolve(host: str) -> list[str]:
        raise OSError("no such name")

    async with egress(tmp_path, resolve=resolve) as client:
        with pytest.raises(EgressFailed, match=r"nowhere\.example has no address"):
            await client.check("http://nowhere.example/")
        with pytest.raises(EgressFailed, match=r"nowhere\.example has no address"):
            async with client.request("GET", "http://nowhere.example/"):
                pass


@pytest.mark.parametrize(
    ("allow", "url", "allowed"),
    [
        ("10.1.0.0/16", "http://10.1.2.3/", True),
        ("10.1.0.0/16", "http://10.2.0.1/", False),
        ("10.1.2.3", "http://10.1.2.3/", True),
        ("::1", "http://[::1]/", True),
        ("127.0.0.1", "http://[::ffff:127.0.0.1]/", False),
        ("127.0.0.1", "http://2130706433/", False),
        ("Hooks.Internal.", "http://hooks.internal/", True),
        ("hooks.internal", "http://HOOKS.internal./", True),
        ("hooks.internal", "http://other.internal/", False),
        ("internal", "http://hooks.internal/", False),
    ],
)
async def test_the_setting_allows(tmp_path: Path, allow: str, url: str, allowed: bool) -> None:
    async with egress(tmp_path, allow, resolve=answers("192.168.7.7")) as client:
        if allowed:
            await client.check(url)
        else:
            with pytest.raises(EgressRefused):
                await client.check(url)


@pytest.mark.parametrize("entry", ["http://hooks.internal", "hooks.internal/x", "10.0.0.0/33", "1.2.3", "", "*"])
def test_a_setting_that_is_neither_network_nor_name(tmp_path: Path, entry: str) -> None:
    with pytest.raises(ValidationError, match="neither a network"):
        Settings(data=tmp_path, egress_allow=[entry])


async def test_a_request_and_its_answer(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        text = f"{request.method} {request.path_qs} {request.headers['x-mine']} {await request.text()}"
        return web.Response(text=text, status=201, headers={"X-Theirs": "yes", "Set-Cookie": "a=b"})

    async with serving(handler) as address, egress(tmp_path, "127.0.0.1") as client:
        for _ in range(2):
            async with client.request(
                "POST", f"http://{address}/p?q=1#f", headers={"X-Mine": "v"}, body=b"hello"
            ) as response:
                assert (response.status, response.headers["x-theirs"]) == (201, "yes")
                assert await response.read() == b"POST /p?q=1 v hello"


async def test_neither_cookies_nor_proxies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.get("cookie"))
        response = web.Response()
        response.set_cookie("a", "b")
        return response

    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(handler) as address, egress(tmp_path, "127.0.0.1") as client:
        for _ in range(2):
            async with client.request("GET", f"http://{address}/"):
                pass
    assert seen == [None, None]


async def test_a_name_that_answers_differently_the_second_time(tmp_path: Path) -> None:
    """DNS rebinding: the judged address is the one that is connected to, and every request judges anew."""
    reached: list[str] = []
    lookups = iter((["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"]))

    async def handler(request: web.Request) -> web.Response:
        reached.append(request.host)
        return web.Response()

    async def resolve(host: str) -> list[str]:
        return next(lookups)

    async with serving(handler) as address, egress(tmp_path, "127.0.0.1", resolve=resolve) as client:
        url = f"http://rebind.example:{address.rpartition(':')[2]}/"
        async with client.request("GET", url) as response:
            assert response.status == 200
        # One look-up for one request: had there been a second one, its answer would have been refused.
        assert len(reached) == 1
        with pytest.raises(EgressRefused):
            async with client.request("GET", url):
                pass
        await client.check(url)
        assert next(lookups, None) is None
    assert reached == [f"rebind.example:{address.rpartition(':')[2]}"]


async def test_only_the_allowed_addresses_of_a_name_are_tried(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=request.host)

    async with (
        serving(handler) as address,
        egress(tmp_path, "127.0.0.1", resolve=answers("::1", "10.0.0.1", "127.0.0.1")) as client,
    ):
        port = address.rpartition(":")[2]
        async with client.request("GET", f"http://mixed.example:{port}/") as response:
            assert await response.read() == f"mixed.example:{port}".encode()


async def follow(client: Egress, url: str, redirects: int, **request: str) -> tuple[EgressResponse, bytes]:
    async with client.request(
        request.get("method", "GET"), url, redirects=redirects, headers={"authorization": "secret"}
    ) as response:
        return response, await response.read()


async def test_redirects(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        left = int(request.query["left"])
        if left:
            raise web.HTTPFound(f"?left={left - 1}")
        return web.Response(text=f"{request.method} {request.headers.get('authorization')}")

    async with serving(handler) as address, egress(tmp_path, "127.0.0.1") as client:
        url = f"http://{address}/"
        response, body = await follow(client, url + "?left=2", 2)
        assert (response.status, response.url, body) == (200, url + "?left=0", b"GET secret")
        # POST becomes GET; an answer is an answer where no redirect is to be followed.
        assert (await follow(client, url + "?left=1", 1, method="POST"))[1] == b"GET secret"
        assert (await follow(client, url + "?left=1", 0))[0].status == 302
        with pytest.raises(EgressFailed, match="redirects more than 1 times"):
            await follow(client, url + "?left=2", 1)


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.2/", "http://[::1]/", "//169.254.169.254/latest", "http://inside.example/"],
)
async def test_a_redirect_to_a_private_address(tmp_path: Path, target: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"location": target})

    async with (
        serving(handler) as address,
        egress(tmp_path, "127.0.0.1", resolve=answers("10.0.0.1")) as client,
    ):
        with pytest.raises(EgressRefused, match=PRIVATE):
            await follow(client, f"http://{address}/", 5)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("file:///etc/passwd", SCHEME),
        ("http://a:b@good.example/", AUTHORITY),
        ("http://0x7f.1/", FORM),
        ("http://good.example:6379/", OTHER_SERVICE),
    ],
)
async def test_a_redirect_to_what_no_request_may_name(tmp_path: Path, target: str, reason: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"location": target})

    async with serving(handler) as address, egress(tmp_path, "127.0.0.1") as client:
        with pytest.raises(EgressRefused, match=reason):
            await follow(client, f"http://{address}/", 5)


async def test_credentials_stay_with_the_server_they_are_for(tmp_path: Path) -> None:
    async def second(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.headers.get('authorization')}")

    async with serving(second) as elsewhere:

        async def first(request: web.Request) -> web.Response:
            raise web.HTTPTemporaryRedirect(f"http://{elsewhere}/")

        async with serving(first) as address, egress(tmp_path, "127.0.0.1") as client:
            assert (await follow(client, f"http://{address}/", 1))[1] == b"None"


async def test_an_answer_that_is_too_large(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        response = web.Response(body=b"a" * 1_000_000)
        if request.path == "/zipped":
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async with serving(handler) as address, egress(tmp_path, "127.0.0.1") as client:
        for path in ("plain", "zipped"):
            async with client.request("GET", f"http://{address}/{path}", max_bytes=999_999) as response:
                with pytest.raises(EgressFailed, match="larger than 999999 bytes"):
                    await response.read()
        async with client.request("GET", f"http://{address}/plain", max_bytes=1_000_000) as response:
            assert len(await response.read()) == 1_000_000


async def test_bombs(tmp_path: Path) -> None:
    """A few kilobytes that become gigabytes: no more of them is unpacked than is taken."""
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packed.compress(bytes(2**20)) for _ in range(64)) + packed.flush()
    twice = gzip.compress(bomb)

    async def handler(request: web.Request) -> web.Response:
        headers = {"content-encoding": "gzip, gzip" if request.path == "/twice" else "gzip"}
        return web.Response(body=twice if request.path == "/twice" else bomb, headers=headers)

    async with serving(handler) as address, egress(tmp_path, "127.0.0.1") as client:
        async with client.request("GET", f"http://{address}/once", max_bytes=100_000) as response:
            with pytest.raises(EgressFailed, match="larger than 100000 bytes"):
                await response.read()
        async with client.request("GET", f"http://{address}/twice", max_bytes=100_000) as response:
            # Packed twice is not unpacked at all, or refused: either way it stays small.
            with suppress(EgressFailed):
                assert len(await response.read()) <= 100_000


async def test_an_answer_without_end(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(b"a" * 65536)
        return response

    async with (
        serving(handler) as address,
        egress(tmp_path, "127.0.0.1") as client,
        client.request("GET", f"http://{address}/", max_bytes=1_000_000) as response,
    ):
        with pytest.raises(EgressFailed, match="larger than 1000000 bytes"):
            await response.read()


async def drip(writer: asyncio.StreamWriter, first: bytes, again: bytes, pause: float) -> None:
    """Send bytes again and again until the other side has had enough."""
    with suppress(ConnectionError):
        writer.write(first)
        while not writer.is_closing():
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause)
    writer.close()


@pytest.mark.parametrize(
    ("first", "again", "pause"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"a", 0.01),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", 0.01),
        (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n", 0.01),
        (b"HTTP/1.1 200 OK\r\nA: ", b"b" * 1000, 0),
        (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 1000, 0),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.01),
        (b"", b"a", 0.01),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", b"a", 0.01),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", b"a", 0.01),
    ],
    ids=["length", "chunks", "headers", "header", "many-headers", "hints", "nonsense", "two-lengths", "overflow"],
)
async def test_drips(tmp_path: Path, first: bytes, again: bytes, pause: float) -> None:
    """However an answer keeps coming, it ends: by its size, its form, or its time."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await drip(writer, first, again, pause)

    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, egress(tmp_path, "127.0.0.1") as client:
        with pytest.raises(EgressFailed):
            async with client.request("GET", f"http://127.0.0.1:{port}/", timeout=0.5, max_bytes=10_000) as response:
                await response.read()


@pytest.mark.parametrize("begins", [True, False])
async def test_an_answer_that_does_not_come(tmp_path: Path, begins: bool) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if begins:
            await response.prepare(request)
            await response.write(b"once")
        await asyncio.Event().wait()
        return response

    async with serving(handler) as address, egress(tmp_path, "127.0.0.1") as client:
        with pytest.raises(EgressFailed, match="did not answer in time"):
            async with client.request("GET", f"http://{address}/", timeout=0.2) as response:
                await response.read()


async def test_a_look_up_that_does_not_come(tmp_path: Path) -> None:
    async def resolve(host: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    async with egress(tmp_path, resolve=resolve) as client:
        with pytest.raises(EgressFailed, match="did not answer in time"):
            async with client.request("GET", "http://slow.example/", timeout=0.1):
                pass


async def test_nobody_there(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response()

    async with serving(handler) as address:
        pass
    async with egress(tmp_path, "127.0.0.1") as client:
        with pytest.raises(EgressFailed, match="failed"):
            async with client.request("GET", f"http://{address}/"):
                pass


async def test_a_header_that_cannot_be_sent(tmp_path: Path) -> None:
    async with egress(tmp_path, "127.0.0.1") as client:
        with pytest.raises(EgressFailed):
            async with client.request("GET", "http://127.0.0.1:8000/", headers={"a": "b\r\nc: d"}):
                pass
