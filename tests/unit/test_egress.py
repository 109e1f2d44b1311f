"""The egress client: which addresses it lets out to, and that it connects to the one it judged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import ValidationError

from retinue.egress import Egress, EgressFailed, EgressRefused, EgressResponse, Resolve
from retinue.settings import Settings


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


REFUSED_ADDRESSES = [
    # private, loopback, link-local, shared, "this network", broadcast, multicast, reserved, documentation
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "127.0.0.1", "127.255.255.254", "169.254.0.1",
    "100.64.0.1", "0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "192.0.2.1", "198.51.100.7", "203.0.113.9", "198.18.0.1", "192.88.99.1",
    # metadata services of clouds
    "169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254",
    # IPv6: unspecified, loopback, link-local, unique local, site-local, multicast, documentation
    "::", "::1", "fe80::1", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "ff0e::1", "2001:db8::1", "3fff::1",
    # IPv4 inside of IPv6: mapped, compatible, NAT64, 6to4, Teredo
    "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:a9fe:a9fe", "::127.0.0.1", "::8.8.8.8", "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:4136:e378::1",
    # discard only, segment routing
    "100::1", "5f00::1",
]  # fmt: skip

ALLOWED_ADDRESSES = ["8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450::1"]


def in_url(address: str) -> str:
    return f"http://[{address}]/" if ":" in address else f"http://{address}/"


@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
async def test_refused_address(tmp_path: Path, address: str) -> None:
    async with egress(tmp_path, resolve=answers(address)) as client:
        with pytest.raises(EgressRefused, match="private or reserved"):
            await client.check(in_url(address))
        with pytest.raises(EgressRefused, match="private or reserved"):
            await client.check("https://somewhere.example/")


@pytest.mark.parametrize("address", ALLOWED_ADDRESSES)
async def test_allowed_address(tmp_path: Path, address: str) -> None:
    async with egress(tmp_path, resolve=answers(address)) as client:
        await client.check(in_url(address))
        await client.check("https://somewhere.example:8443/path?query#fragment")


@pytest.mark.parametrize(
    "url",
    [
        # IPv4 in other spellings: decimal, octal, hexadecimal, shortened
        "http://2130706433/", "http://134744072/", "http://017700000001/", "http://0177.0.0.1/", "http://0x7f.0.0.1/",
        "http://0x7f000001/", "http://127.1/", "http://127.0.1/", "http://0x7f.1/", "http://0/", "http://0x/",
        "http://010.8.8.8/", "http://8.8.8.08/", "http://1.2.3.4.5/", "http://256.0.0.1/", "http://a.0x7f/",
        # loopback in disguise: other digits, other dots, a trailing dot
        "http://１２７.0.0.1/", "http://127。0。0。1/", "http://①②⑦.0.0.1/", "http://127.0.0.1./", "http://127.0.0.1../",
        "http://%31%32%37.0.0.1/", "http://127.0.0.1%00.example.com/", "http://127.0.0.1%2f.example.com/",
        # IPv6 with zones and in other spellings
        "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[2a00:1450::1%25eth0]/", "http://[::1%251]/",
        "http://[0:0:0:0:0:0:0:1]/", "http://[::ffff:7f00:1]/", "http://[0000::1]/", "http://[::1", "http://[v1.abc]/",
        "http://::1/", "http://[]/",
        # what parsers read differently
        "http://good.example@127.0.0.1/", "http://user:word@good.example/", "http://@good.example/",
        "http://:@good.example/", "http://good.example\\@127.0.0.1/", "http://127.0.0.1\\.good.example/",
        "http://good.example /", " http://good.example/", "http://good.example/\n", "http://127.0.0.1\t/",
        "http:/good.example/", "http:good.example", "http:///good.example", "//good.example/", "good.example", "",
        # other schemes and ports
        "ftp://good.example/", "file:///etc/passwd", "gopher://good.example/", "javascript:alert(1)", "data:,x",
        "unix:///run/docker.sock", "http+unix://%2frun%2fdocker.sock/", "http://good.example:0/",
        "http://good.example:65536/", "http://good.example:-1/", "http://good.example:x/",
        # names that are none
        "http://a..b/", "http://.good.example/", "http://-good.example/", "http://*/",
        "http://" + "a" * 64 + ".example/", "http://" + "a." * 127 + "example/", "http://good.example/" + "a" * 8192,
    ],
)  # fmt: skip
async def test_refused_spelling(tmp_path: Path, url: str) -> None:
    """Refused whatever a look-up would say, and before any."""

    async def resolve(host: str) -> list[str]:
        raise AssertionError(f"{host} was looked up")

    async with egress(tmp_path, resolve=resolve) as client:
        with pytest.raises(EgressRefused):
            await client.check(url)
        with pytest.raises(EgressRefused):
            async with client.request("GET", url):
                pass


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
    ["http://127.0.0.2/", "http://[::1]/", "//169.254.169.254/latest", "http://inside.example/", "http://0x7f.1/"],
)
async def test_a_redirect_to_a_private_address(tmp_path: Path, target: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"location": target})

    async with (
        serving(handler) as address,
        egress(tmp_path, "127.0.0.1", resolve=answers("10.0.0.1")) as client,
    ):
        with pytest.raises(EgressRefused):
            await follow(client, f"http://{address}/", 5)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://a:b@good.example/"])
async def test_a_redirect_to_what_no_request_may_name(tmp_path: Path, target: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"location": target})

    async with serving(handler) as address, egress(tmp_path, "127.0.0.1") as client:
        with pytest.raises(EgressRefused):
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
            async with client.request("GET", "http://127.0.0.1:9/", headers={"a": "b\r\nc: d"}):
                pass
