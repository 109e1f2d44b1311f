"""The way to model servers through proxies: a proxy of the model's own, and those of the environment."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from retinue.model_settings import ModelSettings, UpstreamSettings
from retinue.settings import Settings

from ..harness import Api, Json, empty, serving
from ..proxy import Proxy, proxying
from ..scripted import ScriptedUpstream

CHAT = "/chat/completions"
#: Where only a proxy knows the way.
URL = "http://model.test/v1"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxies but the test's own."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def no_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not an address has none."""
    resolve = socket.getaddrinfo

    def refuse(host: Any, *arguments: Any, **options: Any) -> Any:
        if str(host).endswith(".test"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def hosts(upstream: ScriptedUpstream) -> dict[str, int]:
    port = urlsplit(upstream.base_url).port
    assert port
    return {"model.test": port, "127.0.0.1": port}


@pytest.fixture
async def proxy(hosts: dict[str, int]) -> AsyncIterator[Proxy]:
    async with proxying(hosts) as proxy:
        yield proxy


@pytest.fixture
async def serve(postgres: str, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Starts an application with the model `m`; the arguments are its settings."""
    empty(postgres)
    async with AsyncExitStack() as stack:

        async def start(**model: Any) -> Api:
            models = {"m": ModelSettings(**{"base_url": URL, "retries": 0, **model})}
            settings = Settings(data=tmp_path, models=models, default_model="m")
            server = await stack.enter_async_context(serving(settings, postgres))
            return Api(await stack.enter_async_context(aiohttp.ClientSession()), server.url)

        yield start


def asking(text: str = "Hi") -> Json:
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


async def check(api: Api) -> None:
    """Whole answers and streams come."""
    answer = await api.post(CHAT, asking("Hello"))
    assert answer["choices"][0]["message"]["content"] == "Hello"
    chunks = await api.chunks(CHAT, asking("Hello"))
    assert "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]) == "Hello"


async def test_a_proxy_of_the_models_own(
    serve: Callable[..., Any], proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "*")
    await check(await serve(proxy=proxy.url))
    assert proxy.seen == [("POST", f"{URL}{CHAT}")] * 2


async def test_a_proxy_of_the_models_own_goes_for_loopback_too(
    serve: Callable[..., Any], proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    await check(await serve(base_url=upstream.base_url, proxy=proxy.url))
    assert len(proxy.seen) == 2


async def test_a_proxy_that_wants_credentials(serve: Callable[..., Any], hosts: dict[str, int]) -> None:
    async with proxying(hosts, credentials="me:se cret") as proxy:
        api = await serve(proxy=proxy.url.replace("//", "//me:se%20cret@"))
        await check(api)
        stranger = await serve(proxy=proxy.url)
        error = await stranger.refused("POST", CHAT, asking(), status=502)
        assert "proxy" in error["message"]


async def test_each_server_has_its_own_proxy(
    serve: Callable[..., Any], proxy: Proxy, hosts: dict[str, int], upstream: ScriptedUpstream
) -> None:
    async with proxying(hosts) as second:
        upstreams = [
            {"base_url": URL, "proxy": proxy.url},
            {"base_url": URL, "proxy": second.url},
            {"base_url": upstream.base_url},
        ]
        api = await serve(upstreams=upstreams, base_url=None)
        for _ in range(3):
            await api.post(CHAT, asking())
        assert (len(proxy.seen), len(second.seen), len(upstream.requests)) == (1, 1, 3)


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy", "ALL_PROXY"])
async def test_the_environments_proxy(
    serve: Callable[..., Any], proxy: Proxy, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, proxy.url)
    await check(await serve())
    assert proxy.seen == [("POST", f"{URL}{CHAT}")] * 2


async def test_a_proxy_may_be_named_without_its_scheme(
    serve: Callable[..., Any], proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url.removeprefix("http://"))
    await check(await serve())


@pytest.mark.parametrize("excepted", ["model.test", ".test", "other.example,model.test:80", "*"])
async def test_no_proxy(
    serve: Callable[..., Any], proxy: Proxy, monkeypatch: pytest.MonkeyPatch, excepted: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_proxy", excepted)
    # Without the proxy nobody knows the way.
    api = await serve(base_url="http://model.test:80/v1")
    error = await api.refused("POST", CHAT, asking(), status=502)
    assert "cannot be reached" in error["message"]
    assert proxy.seen == []


@pytest.mark.parametrize("excepted", ["other.test", "model.test:81"])
async def test_no_proxy_for_others(
    serve: Callable[..., Any], proxy: Proxy, monkeypatch: pytest.MonkeyPatch, excepted: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_proxy", excepted)
    await check(await serve(base_url="http://model.test:80/v1"))


async def test_an_empty_proxy_is_none(serve: Callable[..., Any], proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", proxy.url)
    await (await serve(proxy="")).refused("POST", CHAT, asking(), status=502)
    assert proxy.seen == []


async def test_loopback_is_never_behind_the_environments_proxy(
    serve: Callable[..., Any], proxy: Proxy, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url)
    await check(await serve(base_url=upstream.base_url))
    assert proxy.seen == []


async def test_other_kinds_of_proxies_are_not_used(
    serve: Callable[..., Any], proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", proxy.url.replace("http:", "socks5:"))
    await (await serve()).refused("POST", CHAT, asking(), status=502)
    assert proxy.seen == []


async def test_a_proxy_that_does_not_know_the_way(serve: Callable[..., Any], proxy: Proxy) -> None:
    for scheme in ("http", "https"):
        api = await serve(base_url=f"{scheme}://elsewhere.test/v1", proxy=proxy.url)
        error = await api.refused("POST", CHAT, asking(), status=502)
        assert "502" in error["message"]
    assert proxy.seen == [("POST", f"http://elsewhere.test/v1{CHAT}"), ("CONNECT", "elsewhere.test:443")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("proxy", "socks5://127.0.0.1:1080"),
        ("proxy", "127.0.0.1:3128"),
        ("proxy", "http://"),
        ("base_url", "model.test/v1"),
        ("base_url", "http:///v1"),
        ("base_url", "http://me:secret@model.test/v1"),
        ("base_url", "unix:///tmp/socket"),
        ("api_key", "two words"),
        ("api_key", "line\nbreak"),
        ("api_key", "schlüssel"),
    ],
)
def test_what_cannot_be_used_is_no_setting(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        UpstreamSettings.model_validate({name: value})


@pytest.mark.parametrize(
    "url", ["http://model.test/v1", "https://127.0.0.1:8443/v1/", "http://[::1]:9/api/v1", "http://localhost:11434/v1"]
)
def test_what_can_be_used_is_a_setting(url: str) -> None:
    assert (
        UpstreamSettings.model_validate({"base_url": url, "proxy": "http://me:s%40@proxy.test:3128/"}).base_url == url
    )
