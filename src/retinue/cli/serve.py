"""`retinue serve` and `retinue worker`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import signal
import socket
from collections.abc import Callable, Generator
from typing import Annotated, cast

import psycopg
import structlog
import typer
import uvicorn
import uvloop
from fastapi import FastAPI

from .. import __version__
from ..accounts.people import first_link
from ..api.app import create_app
from ..logs import configure
from ..runs.engine import Engine
from ..service import running
from ..settings import Settings
from ..store.embedded import EmbeddedPostgresError
from ..store.people import People
from .common import DataOption, console, database, fail, first_key, key_file, load_settings, opened
from .weights import fetch_default

log = structlog.get_logger(__name__)


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. Default: RETINUE_HOST, else 127.0.0.1.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. Default: RETINUE_PORT, else 8000.")] = None,
    pages: Annotated[
        bool | None, typer.Option("--pages/--no-pages", help="Serve web pages to people, or the API only.")
    ] = None,
    data: DataOption = None,
) -> None:
    """Start the server: database, API, queue and local model."""
    settings = load_settings(host=host, port=port, pages=pages, data=data)
    configure(settings.log_level, settings.log_format)
    listening = _bind(settings)
    fetch_default(settings)
    _run(_serve(settings, listening))


def worker(data: DataOption = None) -> None:
    """Work on queued runs, beside a server or on another machine with the same DATABASE_URL."""
    settings = load_settings(data=data)
    configure(settings.log_level, settings.log_format)
    fetch_default(settings)
    _run(_work(settings))


def _run(work: object) -> None:
    try:
        uvloop.run(work)  # pyright: ignore[reportArgumentType] (a coroutine)
    except EmbeddedPostgresError as error:
        fail(str(error))
    except psycopg.OperationalError as error:
        fail(f"the database cannot be reached: {str(error).strip()}. Look at DATABASE_URL.")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _bind(settings: Settings) -> socket.socket:
    """Take the port before anything slow begins."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        fail(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
            "Another server may run there; choose another port with --port or RETINUE_PORT."
        )
    return listening


async def _serve(settings: Settings, listening: socket.socket) -> None:
    key = first_key(settings)
    async with database(settings) as conninfo:
        await _require_sign_in(settings, conninfo)
        host, port = listening.getsockname()[:2]
        settings = settings.model_copy(update={"port": port})
        base = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        app = create_app(settings, conninfo, key, _studio(base, settings))
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=5,
            backlog=2048,
        )
        server = _Server(config, app, lambda link: _greet(settings, base, key, link))
        await server.serve(sockets=[listening])
        if not server.started:
            raise typer.Exit(1)


def _studio(base: str, settings: Settings) -> Callable[[FastAPI], None]:
    """What adds the pages, which reach the API by the address on which this process listens."""
    reached = base.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")

    def add(app: FastAPI) -> None:
        # NiceGUI takes half a second and 40 MB, which other commands and servers without pages save.
        from ..studio.mount import mount

        mount(app, reached, settings.public_url, settings.chat_titles)

    return add


async def _require_sign_in(settings: Settings, conninfo: str) -> None:
    """Do not offer pages to a network where nobody can be asked who they are."""
    if not settings.pages or settings.oidc_issuer or _is_loopback(settings.host):
        return
    async with opened(conninfo) as pool:
        _, passwords = await People(pool).any()
    if not passwords:
        fail(
            f"nobody can sign in yet, and {settings.host} is open to others. Make the first owner with "
            "`retinue users create EMAIL --owner`, set oidc_issuer, or serve the API only: --no-pages."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Server(uvicorn.Server):
    """A server that says when it is ready, and ends in order."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, ready: Callable[[str | None], None]) -> None:
        super().__init__(config)
        self._app = app
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            _settle()
            state = self._app.state
            self._ready(await first_link(state.store, state.settings))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Streams end with their drives: stop these while the clients still listen.
        await cast(Engine, self._app.state.engine).stop()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        # uvicorn's own raises the signal again after it has stopped, which would cut short all that comes after it.
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _settle() -> None:
    """Take what start-up left out of the garbage collector's sight: a request makes no cycles that point there."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _greet(settings: Settings, base: str, key: str, link: str | None) -> None:
    """Say, on standard output, how to use what has just started."""
    pages = f"\n  Web pages  {base}/" if settings.pages else ""
    first = f"\n  Sign up    {base}{link}   (the first owner; good once, for an hour)" if link else ""
    shown = key if settings.api_key is None else "(your RETINUE_API_KEY)"
    print(
        f"""
Retinue {__version__} is ready.

  Base URL   {base}/v1
  API key    {shown}{f"   (kept in {key_file(settings)})" if settings.api_key is None else ""}{pages}{first}

Try it:

  export OPENAI_BASE_URL={base}/v1 OPENAI_API_KEY={shown if settings.api_key is None else "$RETINUE_API_KEY"}

  from openai import OpenAI; client = OpenAI()
  run = client.beta.threads.create_and_run_poll(assistant_id=client.beta.assistants.create(model="default").id, \
thread={{"messages": [{{"role": "user", "content": "Who are you?"}}]}})
  print(client.beta.threads.messages.list(run.thread_id).data[0].content[0].text.value)

Stop it with Ctrl-C.
""",
        flush=True,
    )


async def _work(settings: Settings) -> None:
    async with database(settings) as conninfo:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with running(settings, conninfo, work=True):
            console.print("The worker is ready. Stop it with Ctrl-C.")
            await stop.wait()
