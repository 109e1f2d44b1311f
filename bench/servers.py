"""What the benchmarks start and end: the model-free upstream, Retinue, and whatever else is measured beside it."""

import argparse
import asyncio
import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from retinue.store.embedded_cluster import Cluster, Postmaster

HERE = Path(__file__).parent
KEY = "sk-bench"
MODEL = "mock-t0-i0-n16"
#: Seconds for a server to answer its health check; Retinue makes a database in them.
START_PATIENCE = 60
#: Seconds for a process to end after it was asked to.
END_PATIENCE = 15


class ServerFailed(Exception):
    """A server does not start. The message says which, and ends with the end of its log."""


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def running(log: Path, *command: str, cwd: Path = HERE, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process with its output in `log`, ended on the way out. It sees no settings of whoever runs the benchmark."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RETINUE_", "DATABASE_"))}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=cwd, env=inherited | env, stdout=output, stderr=output, stdin=asyncio.subprocess.DEVNULL
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
                try:
                    async with asyncio.timeout(END_PATIENCE):
                        await process.wait()
                except TimeoutError:
                    process.kill()
                    await process.wait()


async def until_healthy(
    process: asyncio.subprocess.Process, url: str, log: Path, patience: float = START_PATIENCE
) -> None:
    """Return when `url` answers 200. Raises ServerFailed when it does not within `patience` seconds."""
    end = asyncio.create_task(process.wait())
    try:
        async with aiohttp.ClientSession() as http, asyncio.timeout(patience):
            while not end.done():
                try:
                    async with http.get(url) as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.wait([end], timeout=0.1)
    except TimeoutError:
        pass
    finally:
        end.cancel()
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
    raise ServerFailed(f"{url} does not answer. The end of its log:\n{tail}")


def postmaster(data: Path) -> Postmaster:
    """The embedded PostgreSQL server of a data folder. Raises ServerFailed where none runs."""
    server = Cluster(data).postmaster()
    if server is None:
        raise ServerFailed(f"no PostgreSQL server runs on {data}")
    return server


async def start_upstream(stack: AsyncExitStack, work: Path) -> tuple[str, int]:
    """The base URL and the process id of the model-free upstream. Raises ServerFailed where there is no node."""
    node = shutil.which("node")
    if node is None:
        raise ServerFailed("The upstream needs node on the PATH. Debian, Ubuntu: sudo apt-get install nodejs")
    port, log = free_port(), work / "upstream.log"
    process = await stack.enter_async_context(running(log, node, "upstream.mjs", "--port", str(port)))
    await until_healthy(process, f"http://127.0.0.1:{port}/health", log)
    return f"http://127.0.0.1:{port}/v1", process.pid


async def serve_retinue(stack: AsyncExitStack, work: Path, settings: str, **env: str) -> tuple[str, int]:
    """The base URL and the process id of a `retinue serve` on a new data folder, `work/retinue`, with `settings`.

    Args:
        stack: ends it.
        work: where its data folder and its log are made.
        settings: the text of its settings file.
        env: further settings, as environment variables.
    """
    data, port, log = work / "retinue", free_port(), work / "retinue.log"
    data.mkdir()
    (data / "retinue.toml").write_text(settings)
    program = str(Path(sys.executable).with_name("retinue"))
    command = (program, "serve", "--host", "127.0.0.1", "--port", str(port), "--data", str(data))
    env = {"RETINUE_API_KEY": KEY, "RETINUE_LOG_LEVEL": "warning", **env}
    process = await stack.enter_async_context(running(log, *command, **env))
    await until_healthy(process, f"http://127.0.0.1:{port}/healthz", log)
    return f"http://127.0.0.1:{port}/v1", process.pid


async def start_retinue(stack: AsyncExitStack, work: Path, upstream: str) -> str:
    """A Retinue whose models are the upstream's, as bench.py takes a target: its processes and PostgreSQL's."""
    settings = f'default_model = "{MODEL}"\n\n[models."mock-*"]\nbase_url = "{upstream}"\n'
    url, pid = await serve_retinue(stack, work, settings)
    return f"retinue={url},key={KEY},pid={pid}+{postmaster(work / 'retinue').pid}"


def machine() -> str:
    """What it ran on, without names."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores ({model}), {memory:.0f} GiB, {system}, Python {platform.python_version()}"


async def limited(measure: Callable[[argparse.Namespace, Path], Awaitable[None]], options: argparse.Namespace) -> None:
    """Call `measure` with the options and a folder to work in, for at most `options.limit` seconds.

    Raises:
        SystemExit: it took longer, or a server did not start.
    """
    with tempfile.TemporaryDirectory(prefix="retinue-bench-") as work:
        try:
            async with asyncio.timeout(options.limit):
                await measure(options, Path(work))
        except TimeoutError:
            raise SystemExit(f"not done after {options.limit:g} s") from None
        except ServerFailed as error:
            raise SystemExit(str(error)) from None
