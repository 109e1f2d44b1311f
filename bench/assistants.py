"""Measures runs of assistants: Retinue beside a floor, on the same machine, in the same minutes.

    python bench/assistants.py [--rounds 3] [--seconds 4] [--concurrency 1,8,32]

Starts a model-free upstream (upstream.mjs, needs node), a Retinue on a fresh data folder, and the floor
(floor_runs.py: the same flow with nothing around it) on a PostgreSQL of the same kind; drives both with bench.py and
writes RESULTS.md. Everything it starts ends with it, after at most --limit seconds.
"""

import argparse
import asyncio
import datetime
import importlib.metadata
import json
import math
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

from retinue.store.embedded import EmbeddedPostgres
from retinue.store.embedded_cluster import Cluster

HERE = Path(__file__).parent
KEY = "sk-bench"
MODEL = "mock-t0-i0-n16"
#: Seconds for a server to answer its health check; Retinue makes a database in them.
START_PATIENCE = 60
#: Seconds for a process to end after it was asked to.
END_PATIENCE = 15

#: Metric of bench.py, heading, factor to the heading's unit, digits.
METRICS = (
    ("flow_p50_ms", "flow p50 (ms)", 1, 1),
    ("flow_p99_ms", "flow p99 (ms)", 1, 1),
    ("first_delta_p50_ms", "first delta p50 (ms)", 1, 1),
    ("runs_per_s", "runs/s", 1, 0),
    ("cpu_s_per_run", "CPU per run (ms)", 1e3, 1),
    ("memory_mib", "memory (MiB)", 1, 0),
    ("failures", "failures", 1, 0),
)


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def running(log: Path, *command: str, cwd: Path = HERE, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process with its output in `log`, ended on the way out."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=cwd, env=os.environ | env, stdout=output, stderr=output, stdin=asyncio.subprocess.DEVNULL
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


async def until_healthy(process: asyncio.subprocess.Process, url: str, log: Path) -> None:
    """Return when `url` answers 200. Raises SystemExit with the end of the log when it does not in time."""
    end = asyncio.create_task(process.wait())
    try:
        async with aiohttp.ClientSession() as http, asyncio.timeout(START_PATIENCE):
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
    raise SystemExit(f"{url} does not answer. The end of its log:\n{tail}")


def postgres_pid(data: Path) -> int:
    """The process id of the embedded server of a data folder."""
    server = Cluster(data).postmaster()
    if server is None:
        raise SystemExit(f"no PostgreSQL server runs on {data}")
    return server.pid


async def start_upstream(stack: AsyncExitStack, work: Path, node: str) -> tuple[str, int]:
    """The base URL and the process id of the model-free upstream."""
    port, log = free_port(), work / "upstream.log"
    process = await stack.enter_async_context(running(log, node, "upstream.mjs", "--port", str(port)))
    await until_healthy(process, f"http://127.0.0.1:{port}/health", log)
    return f"http://127.0.0.1:{port}/v1", process.pid


async def start_retinue(stack: AsyncExitStack, work: Path, upstream: str) -> str:
    """Retinue as bench.py takes a target."""
    data, port, log = work / "retinue", free_port(), work / "retinue.log"
    data.mkdir()
    (data / "retinue.toml").write_text(f'default_model = "{MODEL}"\n\n[models."mock-*"]\nbase_url = "{upstream}"\n')
    program = str(Path(sys.executable).with_name("retinue"))
    command = (program, "serve", "--host", "127.0.0.1", "--port", str(port), "--data", str(data))
    process = await stack.enter_async_context(running(log, *command, RETINUE_API_KEY=KEY, RETINUE_LOG_LEVEL="warning"))
    await until_healthy(process, f"http://127.0.0.1:{port}/healthz", log)
    return f"retinue=http://127.0.0.1:{port}/v1,key={KEY},pid={process.pid}+{postgres_pid(data)}"


async def start_floor(stack: AsyncExitStack, work: Path, upstream: str) -> str:
    """The floor as bench.py takes a target."""
    data, port, log = work / "floor", free_port(), work / "floor.log"
    data.mkdir()
    server = await stack.enter_async_context(EmbeddedPostgres(data))
    command = f"-m uvicorn floor_runs:app --port {port} --loop uvloop --http httptools --no-access-log".split()
    process = await stack.enter_async_context(
        running(log, sys.executable, *command, PGDSN=server.conninfo, UPSTREAM=upstream)
    )
    await until_healthy(process, f"http://127.0.0.1:{port}/healthz", log)
    return f"floor=http://127.0.0.1:{port}/v1,pid={process.pid}+{postgres_pid(data)}"


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


def ratio(mine: float, floor: float) -> str:
    """`mine` as a multiple of `floor`."""
    return f"x{mine / floor:.2f}" if floor and math.isfinite(floor) and math.isfinite(mine) else "-"


def table(medians: dict, scenario: str) -> list[str]:
    """One scenario as lines of Markdown: floor, Retinue and their ratio."""
    floor, mine = medians["floor"][scenario], medians["retinue"][scenario]
    lines = [f"### {scenario}", "", "| | floor | Retinue | ratio |", "|---|---|---|---|"]
    for metric, heading, factor, digits in METRICS:
        pair = floor.get(metric, math.nan) * factor, mine.get(metric, math.nan) * factor
        if math.isnan(pair[0]) and math.isnan(pair[1]):
            continue
        shown = " | ".join(f"{value:.{digits}f}" for value in pair)
        lines.append(f"| {heading} | {shown} | {ratio(pair[1], pair[0])} |")
    return [*lines, ""]


def results(measured: dict, options: argparse.Namespace) -> str:
    """The whole of RESULTS.md."""
    medians, rounds = measured["medians"], measured["rounds"]
    noise = max(
        sample.get("strangers", 0) for each in rounds.values() for samples in each for sample in samples.values()
    )
    lines = [
        "# Results",
        "",
        f"Written by `make bench` on {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, "
        f"Retinue {importlib.metadata.version('retinue')}: medians of {options.rounds} rounds of "
        f"{options.seconds:g} s for each line, both servers measured in turn in every round.",
        "",
        f"Machine: {machine()}. The load generator and the upstream share its cores. Other processes took up to "
        f"{noise:.2f} cores{'; too noisy to compare with other runs' if noise > 0.5 else ''}.",
        "",
        "The flow: create a thread, add a message, run the assistant until it has completed. Its time is that of all "
        "three; the first delta counts from the request for the run. The model answers "
        f"{MODEL.rpartition('n')[2]} tokens at once. The floor (`floor_runs.py`) writes the same rows with nothing "
        "around them: no queue, no lease, no tools, no validation, no authentication. CPU and "
        "memory are those of the server with its PostgreSQL.",
        "",
    ]
    for scenario in medians["floor"]:
        if "run" in scenario:
            lines += table(medians, scenario)
    rest = [f"{name} {scenarios['rest']['memory_mib']:.0f} MiB" for name, scenarios in medians.items()]
    return "\n".join([*lines, f"At rest: {', '.join(rest)}.", ""])


async def measure(options: argparse.Namespace, work: Path, node: str) -> None:
    """Start everything, run bench.py, write RESULTS.md."""
    async with AsyncExitStack() as stack:
        upstream, upstream_pid = await start_upstream(stack, work, node)
        targets = [await start_floor(stack, work, upstream), await start_retinue(stack, work, upstream)]
        samples = work / "samples.json"
        command = [sys.executable, str(HERE / "bench.py"), "assistants", "--known", str(upstream_pid)]
        for target in targets:
            command += ["--target", target]
        command += ["--rounds", str(options.rounds), "--seconds", str(options.seconds), "--model", MODEL]
        command += ["--concurrency", options.concurrency, "--json", str(samples)]
        process = await asyncio.create_subprocess_exec(*command)
        try:
            if await process.wait() != 0:
                raise SystemExit("bench.py has failed")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = results(json.loads(samples.read_text()), options)
    (HERE / "RESULTS.md").write_text(text)
    print(f"\n{text}\nWritten to {HERE / 'RESULTS.md'}")


async def limited(
    measure: Callable[[argparse.Namespace, Path, str], Awaitable[None]], options: argparse.Namespace
) -> None:
    """Call `measure` with the options, a folder to work in and the path of node, for `options.limit` seconds."""
    node = shutil.which("node")
    if node is None:
        raise SystemExit("The upstream needs node on the PATH. Debian, Ubuntu: sudo apt-get install nodejs")
    with tempfile.TemporaryDirectory(prefix="retinue-bench-") as work:
        try:
            async with asyncio.timeout(options.limit):
                await measure(options, Path(work), node)
        except TimeoutError:
            raise SystemExit(f"not done after {options.limit:g} s") from None


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="length of one closed loop")
    parser.add_argument("--concurrency", default="1,8,32")
    parser.add_argument("--limit", type=float, default=900, help="seconds after which everything is ended")
    await limited(measure, parser.parse_args())


if __name__ == "__main__":
    asyncio.run(main())
