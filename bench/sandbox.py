"""Measures the code interpreter: how soon code runs, what a session takes, what sessions leave behind.

    python bench/sandbox.py [--rounds 10] [--calls 200] [--leaks 200] [--quick]

Beside `python -c pass` and a bare Jupyter kernel (jupyter_client and ipykernel, no sandbox) in the same minutes: a
session of Retinue from nothing, from those that wait, and further calls in it; then the same through `retinue serve`,
from the moment when a model has said its tool call to the event with the output at the client. `--leaks` starts and
ends so many sessions with files, processes and charts in them and compares what the process and the machine hold before
and after. Writes its section of RESULTS.md; with --quick, a short run, it prints what it would write.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager

import bench
from results import circumstances, write_section
from retinue.sandbox.manager import Sandboxes
from retinue.sandbox.session import Output, Session
from retinue.settings import Settings
from servers import KEY, limited, serve_retinue

PROJECT = "proj_bench"
CODE = "print(1)"
#: Sessions that wait in the server that is measured, one for each of its runs on a new thread.
WAITING = 5
#: What the sessions do that are to leave nothing behind.
WORK = """
import subprocess, matplotlib.pyplot as plt
subprocess.Popen(["sh", "-c", "trap '' 1 2 15; sleep 1000"], start_new_session=True)
open("/mnt/data/file", "wb").write(bytes(2**20))
plt.plot([1, 2]); plt.show()
"""

Times = list[float]


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.1)


# --- beside it


async def python(times: Times) -> None:
    """`python -c pass`, from start to end."""
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "pass")
    await process.wait()
    times.append(time.perf_counter() - begun)


async def ask_kernel(client: AsyncKernelClient) -> tuple[float, float]:
    """Have a bare kernel run code: when its output came, and when it was done with all."""
    begun, first = time.perf_counter(), 0.0
    identifier = client.execute(CODE)
    while True:
        message = await client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != identifier:
            continue
        if message["msg_type"] == "stream":
            first = time.perf_counter() - begun
        elif message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            await client.get_shell_msg(timeout=60)
            return first, time.perf_counter() - begun


async def bare_kernel(starts: Times, firsts: Times, wholes: Times, calls: int) -> None:
    """A bare kernel from its start to its first output, and further calls in it."""
    begun = time.perf_counter()
    manager = AsyncKernelManager()
    await manager.start_kernel(stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    await ask_kernel(client)
    starts.append(time.perf_counter() - begun)
    for _ in range(calls):
        first, whole = await ask_kernel(client)
        firsts.append(first)
        wholes.append(whole)
    client.stop_channels()
    await manager.shutdown_kernel(now=True)


# --- sessions


def sandboxes(**settings: int) -> Sandboxes:
    return Sandboxes(Settings.model_validate({"sandbox_warm_sessions": 0, "sandbox_max_sessions": 100, **settings}))


async def ask_session(session: Session, begun: float) -> tuple[float, float]:
    """Have a session run code: when its output came, and when it was done with all, since `begun`."""
    came: Times = []

    def on_output(_: Output) -> None:
        came.append(time.perf_counter() - begun)

    result = await session.run(CODE, on_output, timeout=60)
    assert result.status == "ok", result
    return came[0], time.perf_counter() - begun


async def new_session(manager: Sandboxes, name: str, firsts: Times, ends: Times) -> None:
    """The first output of a thread that has no session, and the end of that session."""
    begun = time.perf_counter()
    async with manager.session(PROJECT, name) as session:
        firsts.append((await ask_session(session, begun))[0])
    begun = time.perf_counter()
    await manager.forget(PROJECT, name)
    ends.append(time.perf_counter() - begun)


async def further_calls(manager: Sandboxes, firsts: Times, wholes: Times, calls: int) -> None:
    """Calls in a session that has had one, each taking the session anew, as the tool does."""
    for number in range(calls + 1):
        begun = time.perf_counter()
        async with manager.session(PROJECT, "thread") as session:
            first, whole = await ask_session(session, begun)
        if number:
            firsts.append(first)
            wholes.append(whole)
    await manager.forget(PROJECT, "thread")


async def memory() -> tuple[float, float]:
    """MiB of one session that waits: what is its own alone, and its part of what is shared."""
    manager = sandboxes()
    assert await manager.why_not() is None
    own, share = 0, 0
    for pid in bench.process_tree([os.getpid()]) - {os.getpid()}:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, value, *_ = line.split()
            own += int(value) if name.startswith("Private_") else 0
            share += int(value) if name == "Pss:" else 0
    await manager.close()
    return own / 1024, share / 1024


# --- through the server


class Model:
    """A model that calls the code interpreter once in each run; `called` is when it last had done so."""

    def __init__(self) -> None:
        self.called = 0.0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        asked = (await request.json())["messages"][-1]["role"] != "tool"
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        call = {"name": "code_interpreter", "arguments": json.dumps({"code": CODE})}
        said = {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": call}]}
        for delta, reason in ((said if asked else {"content": "Done."}, None), ({}, "tool_calls" if asked else "stop")):
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        if asked:
            self.called = time.perf_counter()
        await response.write_eof()
        return response


@asynccontextmanager
async def serving(model: Model) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post("/v1/chat/completions", model.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    await runner.cleanup()


async def until_idle(pid: int) -> None:
    """Return when the sessions that the server keeps ready are, and nothing else goes on in it."""

    def kernels() -> int:
        count = 0
        for one in bench.process_tree([pid]):
            try:
                command = Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue  # it has just ended
            count += b"/opt/retinue/inside.py" in command[:4]
        return count

    await until(lambda: kernels() >= WAITING)
    while True:
        before = bench.cpu_seconds([pid])
        await asyncio.sleep(2)
        if bench.cpu_seconds([pid]) - before < 0.1:
            return


async def through_http(work: Path, rounds: int) -> tuple[Times, Times]:
    """From the model's tool call to the event with the output: on new threads, and in threads that have a session."""
    news: Times = []
    agains: Times = []
    model = Model()
    async with AsyncExitStack() as stack:
        base_url = await stack.enter_async_context(serving(model))
        settings = f'default_model = "m"\nsandbox_warm_sessions = {WAITING}\n\n[models."*"]\nbase_url = "{base_url}"\n'
        url, pid = await serve_retinue(stack, work, settings)
        headers = {"authorization": f"Bearer {KEY}", "openai-beta": "assistants=v2"}
        http = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))

        async def made(path: str, body: object) -> str:
            async with http.post(url + path, json=body) as response:
                return (await response.json())["id"]

        async def first_output(path: str, body: object) -> float:
            came = 0.0
            async with http.post(url + path, json=body) as response:
                async for line in response.content:
                    if not came and line.startswith(b"data:") and b'"logs":"1' in line:
                        came = time.perf_counter() - model.called
            assert came
            return came

        assistant = await made("/assistants", {"model": "m", "tools": [{"type": "code_interpreter"}]})
        for number in range(rounds):
            message = {"role": "user", "content": "Go."}
            thread = await made("/threads", {"messages": [message]})
            run = {"assistant_id": assistant, "stream": True}
            if number == 0:  # the first begins to keep sessions ready
                await first_output(f"/threads/{thread}/runs", run)
            elif number % (WAITING - 1) == 1:
                await until_idle(pid)
            news.append(await first_output(f"/threads/{thread}/runs", run))
            for _ in range(5):
                await made(f"/threads/{thread}/messages", message)
                agains.append(await first_output(f"/threads/{thread}/runs", run))
            async with http.delete(f"{url}/threads/{thread}") as response:
                assert response.status == 200
    return news[1:], agains


# --- what is left


def held() -> dict[str, int]:
    """How much this process and its children hold."""
    sockets = Path("/proc/net/unix").read_text().count("\n")
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "processes": len(bench.process_tree([os.getpid()])),
        "threads of this process": int(status["Threads"]),
        "asyncio tasks": len(asyncio.all_tasks()),
        "open files of this process": len(os.listdir("/proc/self/fd")),
        "mounts": Path("/proc/self/mountinfo").read_text().count("\n"),
        "Unix sockets of the machine, with those of others": sockets,
        "control groups": len(list(Path("/sys/fs/cgroup").rglob(f"retinue-sandbox-{os.getpid()}-*"))),
        "files in /tmp and /dev/shm, with those of others": len(os.listdir("/tmp")) + len(os.listdir("/dev/shm")),
        "memory of this process (MiB)": int(status["VmRSS"].split()[0]) // 1024,
    }


async def leaks(count: int) -> list[str]:
    """Start and end sessions, two at a time; what is held before and after, as a table."""
    manager = sandboxes()

    async def one(number: int) -> None:
        async with manager.session(PROJECT, str(number)) as session:
            result = await session.run(WORK, lambda _: None, timeout=60)
            assert len(result.outputs) == 1, result
        await manager.forget(PROJECT, str(number))

    for number in range(4):
        await one(number)
    before = held()
    for number in range(0, count, 2):
        await asyncio.gather(one(number), one(number + 1))
    after = held()
    await manager.close()
    rows = [f"| {name} | {before[name]} | {after[name]} |" for name in before]
    return [f"| held | before | after {count} sessions |", "|---|---|---|", *rows]


# --- all of it


def cells(times: Times) -> str:
    return " | ".join(f"{1e3 * bench.percentile(times, share):.1f}" for share in (0.5, 0.95))


async def repeated(count: int, ask: Callable[[int], Awaitable[None]]) -> None:
    for number in range(count):
        await ask(number)


async def strangers() -> float:
    """Cores that others take now."""
    before = bench.machine_busy_seconds()
    await asyncio.sleep(3)
    return (bench.machine_busy_seconds() - before) / 3


async def measured(options: argparse.Namespace, work: Path) -> list[str]:
    """The table of times."""
    rounds, calls = options.rounds, options.calls
    rows: dict[str, Times] = {}

    def row(name: str) -> Times:
        return rows.setdefault(name, [])

    await repeated(2 * rounds, lambda _: python(row("`python -c pass`")))
    bare = (
        row("bare kernel: start to first output"),
        row("bare kernel, further call: output"),
        row("the same: all done"),
    )
    await repeated(3, lambda _: bare_kernel(*bare, calls // 3))
    manager = sandboxes()
    ends: Times = []
    cold = row("session from nothing: start to first output, libraries loaded")
    await repeated(max(3, rounds // 3), lambda number: new_session(manager, str(number), cold, ends))
    warm = row("session that waits: call to first output")

    async def from_waiting(number: int) -> None:
        assert await manager.why_not() is None
        await asyncio.sleep(0.5)
        await new_session(manager, str(number), warm, ends)

    await repeated(rounds, from_waiting)
    await further_calls(manager, row("session, further call: output"), row("the same, all done"), calls)
    await manager.close()
    rows["end of a session, all processes gone"] = ends
    new, again = await through_http(work, rounds)
    rows["HTTP, new thread: model's tool call to event with output"] = new
    rows["HTTP, further run of a thread: the same"] = again
    table = [f"| {name} | {cells(times)} | {len(times)} |" for name, times in rows.items()]
    more = bench.percentile(rows["the same, all done"], 0.5) - bench.percentile(rows["the same: all done"], 0.5)
    own, share = await memory()
    return [
        "| | p50 ms | p95 ms | times |",
        "|---|---|---|---|",
        *table,
        "",
        f"A further call takes {1e3 * more:+.1f} ms beside a bare kernel's (the goal is at most +10 ms). A session "
        f"that waits has {own:.0f} MiB to itself, {share:.0f} MiB with its part of what is shared.",
    ]


async def measure(options: argparse.Namespace, work: Path) -> None:
    """Measure everything and write or print the results."""
    noise = await strangers()
    lines = [circumstances(noise), "", *await measured(options, work)]
    if options.leaks:
        lines += ["", *await leaks(options.leaks)]
    if options.quick:
        print("\n".join(lines))
    else:
        write_section("Code interpreter", lines)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="sessions that are started for each line")
    parser.add_argument("--calls", type=int, default=200, help="further calls in a session")
    parser.add_argument("--leaks", type=int, default=200, help="sessions that are to leave nothing behind; 0 for none")
    parser.add_argument("--quick", action="store_true", help="a short run that only prints")
    parser.add_argument("--limit", type=float, default=3600, help="seconds after which everything is ended")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.calls, options.leaks = 4, 30, 0
    await limited(measure, options)


if __name__ == "__main__":
    asyncio.run(main())
