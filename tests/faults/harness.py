"""Retinue as real processes on a folder and a database of the test: started, awaited, killed, and cleaned up."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

Json = dict[str, Any]

#: The key of every server here.
KEY = "sk-faults-0123456789abcdef"
#: Seconds of the leases here, and the seconds within which a run that lost its driver must go on: the lease, the
#: sweep's period, and what a busy machine needs.
LEASE = 1
TAKEN_OVER = 30
TERMINAL = {"completed", "failed", "cancelled", "expired", "incomplete"}


def environment(data: Path, **settings: object) -> dict[str, str]:
    """The environment of a Retinue that shares no setting with whoever runs the tests."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("RETINUE_", "DATABASE_"))}
    defaults: dict[str, object] = {
        "RETINUE_DATA": data,
        "RETINUE_PORT": 0,
        "RETINUE_API_KEY": KEY,
        "RETINUE_RUN_LEASE": LEASE,
        "COLUMNS": "200",
    }
    return mine | {name: str(value) for name, value in (defaults | settings).items() if value is not None}


def retinue(data: Path, *arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """One command, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "retinue", *arguments],
        env=environment(data, **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = TAKEN_OVER) -> Any:
    """Wait until a condition gives something true; returns that."""
    deadline = time.monotonic() + seconds
    while not (value := await condition()):
        assert time.monotonic() < deadline, f"it did not come about within {seconds} s"
        await asyncio.sleep(0.05)
    return value


class Process:
    """One `retinue serve` or `retinue worker`."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self.base_url = ""
        #: Where the first owner signs up; "" where there is one.
        self.link = ""

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has said on standard error."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    async def ready(self, seconds: float = 60) -> None:
        """Wait until it says that it is ready; fails with its log if it ends instead."""

        async def said() -> bool:
            assert self._process.returncode is None, f"it ended with {self._process.returncode}:\n{self.log}"
            text = self._log.with_suffix(".out").read_text(encoding="utf-8")
            if match := re.search(r"Base URL\s+(\S+)", text):
                self.base_url = match[1]
                self.link = invited[1] if (invited := re.search(r"Sign up\s+(\S+)", text)) else ""
            return bool(match) or "The worker is ready" in self.log

        await until(said, seconds)

    def send(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def kill(self) -> None:
        """`kill -9`."""
        self.send(signal.SIGKILL)
        await self._process.wait()

    async def end(self, seconds: float = 30) -> int:
        """SIGTERM; returns the exit status."""
        self.send(signal.SIGTERM)
        return await asyncio.wait_for(self._process.wait(), seconds)


class Site:
    """The processes of one installation: a data folder, a database, a model's server."""

    def __init__(self, data: Path, **settings: object) -> None:
        """`settings`: environment variables of all its processes."""
        self.data = data
        self._settings = settings
        self._started: list[Process] = []
        self._numbers = itertools.count()

    def configure(self, base_url: str, **model: object) -> None:
        """Write a `retinue.toml` whose default model is on the server at `base_url`."""
        values = {"base_url": base_url, "retries": 0, **model}
        lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
        self.data.mkdir(parents=True, exist_ok=True)
        toml = 'default_model = "m"\n[models.m]\n' + "\n".join(lines) + "\n"
        (self.data / "retinue.toml").write_text(toml, encoding="utf-8")

    async def start(self, command: str = "serve", **settings: object) -> Process:
        """Start a process; returns at once."""
        log = self.data.parent / f"{next(self._numbers)}-{command}.log"
        with log.open("wb") as errors, log.with_suffix(".out").open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "retinue", command),
                env=environment(self.data, **(self._settings | settings)),
                stdout=output,
                stderr=errors,
            )
        self._started.append(Process(process, log))
        return self._started[-1]

    async def serve(self, **settings: object) -> Process:
        """A server that is ready."""
        process = await self.start("serve", **settings)
        await process.ready()
        return process

    async def worker(self, **settings: object) -> Process:
        """A worker that is ready."""
        process = await self.start("worker", **settings)
        await process.ready()
        return process

    async def close(self) -> None:
        """Kill whatever is left."""
        for process in self._started:
            process.send(signal.SIGCONT)
            await process.kill()


class Answer:
    """A response, read whole."""

    def __init__(self, status: int, headers: Any, body: Json) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Client:
    """A client that hides nothing: no retries, no typed objects."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self.session = session
        self.base_url = base_url

    async def ask(self, method: str, path: str, body: Json | None = None) -> Answer:
        """One request, answered with JSON."""
        async with self.session.request(method, self.base_url + path, json=body) as response:
            return Answer(response.status, response.headers, await response.json())

    async def get(self, path: str) -> Json:
        """GET, which must be answered 200."""
        answer = await self.ask("GET", path)
        assert answer.status == 200, (path, answer.status, answer.body)
        return answer.body

    async def post(self, path: str, body: Json | None = None) -> Json:
        """POST, which must be answered 200."""
        answer = await self.ask("POST", path, body or {})
        assert answer.status == 200, (path, answer.status, answer.body)
        return answer.body

    async def assistant(self, **fields: object) -> str:
        """A new assistant's id."""
        return (await self.post("/assistants", {"model": "m", **fields}))["id"]

    async def run(self, assistant: str, text: str = "Hello", **fields: object) -> Json:
        """A new thread with one message, and a run on it."""
        thread = {"messages": [{"role": "user", "content": text}]}
        return await self.post("/threads/runs", {"assistant_id": assistant, "thread": thread, **fields})

    @asynccontextmanager
    async def stream(self, path: str, body: Json) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
        """The events of a streamed run, as name and data."""
        async with self.session.post(self.base_url + path, json=body | {"stream": True}) as response:
            assert response.status == 200, await response.text()
            yield _events(response)

    async def look(self, run: Json) -> Json:
        """The run as it is now."""
        return await self.get(f"/threads/{run['thread_id']}/runs/{run['id']}")

    async def becomes(self, run: Json, *statuses: str, seconds: float = TAKEN_OVER) -> Json:
        """Wait until the run has one of these statuses; returns it."""

        async def there() -> Json | None:
            now = await self.look(run)
            assert now["status"] in statuses or now["status"] not in TERMINAL, now
            return now if now["status"] in statuses else None

        return await until(there, seconds)

    async def messages(self, run: Json) -> list[Json]:
        """The thread's messages, oldest first."""
        return (await self.get(f"/threads/{run['thread_id']}/messages?order=asc&limit=100"))["data"]

    async def answers(self, run: Json) -> list[tuple[str, str]]:
        """Status and text of what the assistant has said on the run's thread."""
        said = [message for message in await self.messages(run) if message["role"] == "assistant"]
        return [(one["status"], "".join(part["text"]["value"] for part in one["content"])) for one in said]

    async def steps(self, run: Json) -> list[Json]:
        """The run's steps, oldest first."""
        return (await self.get(f"/threads/{run['thread_id']}/runs/{run['id']}/steps?order=asc"))["data"]

    async def unlocked(self, run: Json) -> None:
        """Check that the run's thread takes messages again."""
        await self.post(f"/threads/{run['thread_id']}/messages", {"role": "user", "content": "And now?"})


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    name = ""
    async for line in response.content:
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, value if value == "[DONE]" else json.loads(value)


@asynccontextmanager
async def client_of(process: Process) -> AsyncIterator[Client]:
    """A client of this server. No request may take more than 20 seconds without a byte."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=20)
    headers = {"authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        yield Client(session, process.base_url)
