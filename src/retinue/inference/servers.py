"""From settings to servers: the upstreams of a model, local or remote."""

from __future__ import annotations

import ipaddress
from functools import partial
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # pyright: ignore[reportAttributeAccessIssue]

import aiohttp
import structlog

from ..errors import ModelError
from ..model_settings import ModelSettings, UpstreamSettings
from ..settings import Settings
from ..store.secretbox import SecretUnreadable
from .chat import Json
from .local.process import LocalModel
from .native import CHAT, COMPLETIONS
from .route import Route, Server
from .slots import FairSlots
from .upstream import Upstream
from .upstream_keys import opened

log = structlog.get_logger(__name__)

#: Calls at once to a remote server that no setting limits.
_CONCURRENCY = 256


def remote(name: str, model: ModelSettings, settings: Settings) -> Route:
    """The way to the servers of a model with backend `openai`; to none for the other backends."""
    urls = [(server, server.base_url) for server in model.servers()]
    return Route(
        name,
        [Server(_remote(server, url, settings), server.weight, server.tier) for server, url in urls if url],
        retries=model.retries,
    )


def local(name: str, model: ModelSettings, process: LocalModel, settings: Settings, root: str = "/v1") -> Route:
    """The way to a local model's process, which is started by the first call.

    `root`: what all addresses begin with; `""` for llama.cpp's own, such as ``/tokenize``.
    """

    async def ready() -> None:
        await process.start()
        if process.state == "loading":
            await process.wait_ready(settings.local_load_wait)
        if process.state == "failed":
            raise ModelError(f"The local model could not be started: {process.reason}")
        if process.state != "ready":
            raise ModelError("The local model is still being loaded. Please try again.", retriable=True, retry_after=2)

    upstream = Upstream(
        f"http://local{root}",
        slots=_slots(model, settings.local_slots),
        api_key=process.api_key,
        # llama.cpp's server closes every connection after its answer.
        connector=lambda: aiohttp.UnixConnector(str(process.socket_path), limit=0, force_close=True),
        read_timeout=model.read_timeout,
        extra=_llama(model),
        prepare=ready,
    )
    return Route(name, [Server(upstream)], retries=model.retries)


def _llama(model: ModelSettings) -> dict[str, Json]:
    """What llama.cpp does otherwise than OpenAI unless told, by path."""
    # Penalties would look at the last 64 tokens only; and unless it reports while it reads the prompt, it notices a
    # hang-up only when it has read all of it.
    told: Json = {"repeat_last_n": model.context_length, "return_progress": True}
    return {CHAT: told, COMPLETIONS: told}


def _remote(server: UpstreamSettings, base_url: str, settings: Settings) -> Upstream:
    api_key, prepare = None, None
    try:
        api_key = opened(server.api_key, settings)
    except SecretUnreadable as error:
        # The model is configured all the same: its calls say what is wrong, and another server may answer them.
        prepare = partial(_refuse, f"The model's server cannot be asked: {error}.")
    return Upstream(
        base_url,
        slots=_slots(server, _CONCURRENCY),
        served_name=server.served_name,
        api_key=api_key,
        proxy=proxy_for(server, base_url),
        connect_timeout=server.connect_timeout,
        read_timeout=server.read_timeout,
        prepare=prepare,
    )


async def _refuse(why: str) -> None:
    raise ModelError(why)


def _slots(server: UpstreamSettings, otherwise: int) -> FairSlots:
    return FairSlots(server.max_concurrency or otherwise, waiting=server.max_waiting, timeout=server.wait_timeout)


def proxy_for(server: UpstreamSettings, base_url: str) -> str | None:
    """The URL of the proxy on the way to a server: its own, else the environment's; None if there is none."""
    if server.proxy is not None:
        return server.proxy.get_secret_value() or None
    parts = urlsplit(base_url)
    proxies = getproxies_environment()
    # `no_proxy` may name ports too.
    if _is_loopback(parts.hostname or "") or proxy_bypass_environment(parts.netloc.rpartition("@")[2], proxies):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy and "://" not in proxy:
        return f"http://{proxy}"
    if proxy and urlsplit(proxy).scheme not in ("http", "https"):
        log.warning("the environment's proxy is not used: it is not an HTTP proxy", server=base_url)
        return None
    return proxy


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
