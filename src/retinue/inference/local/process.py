"""A local model as a child process that is watched, and started again when it dies."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import aiohttp
import structlog

from .child import ServerConfig

log = structlog.get_logger(__name__)

State = Literal["stopped", "loading", "ready", "failed"]

#: Starts in a row that end before the model was ready, after which it counts as failed.
_ATTEMPTS = 3
#: Seconds before a dead child is started again; doubled each time, up to the longest.
_PAUSE, _LONGEST_PAUSE = 0.25, 30.0
#: A child that lived this many seconds starts the pauses afresh.
_STEADY = 60.0
#: Seconds between two looks at whether a loading model is ready.
_LOOK_EVERY = 0.05
#: Seconds that a child gets to end before it is killed.
_GRACE = 5.0
#: Bytes kept of what a child wrote last.
_TAIL = 8192
#: The longest path of a Unix socket, in bytes (`sun_path` of unix(7), without its final zero).
_LONGEST_SOCKET_PATH = 107


class LocalModel:
    """One GGUF file, served over OpenAI-compatible HTTP on a Unix socket by a child process.

    The child dies with the thread that called `start`, so call it from one that lives as long as the program: the
    event loop's.

    Attributes:
        name: the model's name.
        api_key: the bearer token that the socket asks for.
        socket_path: where the model answers when it is ready; the same for the life of this object.
        reason: why the child last died, or None.
    """

    def __init__(self, name: str, weights: Path, *, context_length: int, slots: int, threads: int) -> None:
        """Describe the model; nothing is started or written yet.

        Args:
            name: what to call it.
            weights: the GGUF file.
            context_length: tokens that prompt and answer of one request may fill together.
            slots: requests worked on side by side.
            threads: CPU threads; 0 means one for each core that this process may use.
        """
        self.name = name
        self.api_key = secrets.token_urlsafe(24)
        self.socket_path = _private_socket_path()
        self.reason: str | None = None
        self._weights = weights
        self._context_length = context_length
        self._slots = slots
        self._threads = threads or len(os.sched_getaffinity(0))
        self._state: State = "stopped"
        self._settled = asyncio.Event()
        self._settled.set()
        self._child: Process | None = None
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def state(self) -> State:
        """`stopped` before `start` and after `stop`; `failed` when loading was given up (see `reason`)."""
        return self._state

    @property
    def pid(self) -> int | None:
        """The child's process id, while there is one."""
        return self._child.pid if self._child else None

    async def start(self) -> None:
        """Begin to load the model and return; after `failed`, try again. Does nothing if it is loading or ready.

        Raises:
            OSError: the private folder of the socket cannot be made.
        """
        if self._state in ("loading", "ready"):
            return
        self.socket_path.parent.mkdir(mode=0o700, exist_ok=self._state == "failed")
        self._become("loading")
        self._supervisor = asyncio.create_task(self._supervise())

    async def wait_ready(self, timeout: float) -> bool:  # noqa: ASYNC109 (running out of time is an answer here)
        """Wait at most `timeout` seconds until loading has come to an end, and say whether the model is ready."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._settled.wait()
        return self._state == "ready"

    async def stop(self) -> None:
        """End the child and remove the socket."""
        if self._supervisor:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            self._supervisor = None
        shutil.rmtree(self.socket_path.parent, ignore_errors=True)
        self._become("stopped")

    def _become(self, state: State) -> None:
        self._state = state
        if state == "loading":
            self._settled.clear()
        else:
            self._settled.set()

    async def _supervise(self) -> None:
        """Run children, one after another, until loading fails for good."""
        failures = 0
        pause = _PAUSE
        while True:
            began = time.monotonic()
            try:
                self.reason = await self._run_child()
            except OSError as error:
                self.reason = str(error)
            failures = 0 if self._state == "ready" else failures + 1
            log.warning("local model died", model=self.name, state=self._state, reason=self.reason)
            if failures == _ATTEMPTS:
                self._become("failed")
                return
            self._become("loading")
            if time.monotonic() - began > _STEADY:
                pause = _PAUSE
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _run_child(self) -> str:
        """Start a child, say so when it is ready, and return why it ended.

        Raises:
            OSError: it could not be started.
        """
        self.socket_path.unlink(missing_ok=True)
        with self._weights.open("rb"):
            pass  # a missing or unreadable file is told better here than by llama.cpp
        # In a session of its own, so that Ctrl-C reaches only us; -P keeps the current folder out of its imports.
        child = self._child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "retinue.inference.local.child"),
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=PIPE,
            start_new_session=True,
        )
        ready_check = asyncio.create_task(self._await_health())
        try:
            assert child.stdin  # noqa: S101 (both are pipes)
            assert child.stderr  # noqa: S101
            child.stdin.write(json.dumps(asdict(self._config())).encode())
            child.stdin.close()
            tail = b""
            while piece := await child.stderr.read(_TAIL):
                tail = (tail + piece)[-_TAIL:]
            return why(await child.wait(), tail.decode(errors="replace"))
        finally:
            ready_check.cancel()
            await end(child)
            self._child = None

    def _config(self) -> ServerConfig:
        return ServerConfig(
            name=self.name,
            weights=str(self._weights),
            socket=str(self.socket_path),
            api_key=self.api_key,
            context_length=self._context_length,
            slots=self._slots,
            threads=self._threads,
            parent=os.getpid(),
        )

    async def _await_health(self) -> None:
        began = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=_GRACE)
        connector = aiohttp.UnixConnector(str(self.socket_path), force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while True:
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get("http://local/health") as response:
                        if response.status == 200:
                            break
                await asyncio.sleep(_LOOK_EVERY)
        self._become("ready")
        log.info("local model ready", model=self.name, seconds=round(time.monotonic() - began, 1))


def _private_socket_path() -> Path:
    """A path in a folder that does not exist yet and whose name nobody can guess."""
    folder = f"retinue-{secrets.token_hex(8)}"
    path = Path(tempfile.gettempdir(), folder, "model.sock")
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        path = Path("/tmp", folder, "model.sock")  # noqa: S108 (made with mode 0700, and never if it exists)
    return path


async def end(child: Process) -> None:
    """End a child: asked first, killed if it takes more than 5 seconds."""
    with suppress(ProcessLookupError):
        child.terminate()
    try:
        async with asyncio.timeout(_GRACE):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()


def why(status: int, output: str) -> str:
    """Why a child ended, from its exit status (negative: a signal) and the end of what it wrote."""
    lines = [line for line in output.splitlines() if line.strip()]
    # llama.cpp's errors read `0.00.005.739 E gguf_init: invalid magic`; the first one is the cause of the others.
    errors = [found[1] for line in lines if (found := re.match(r"[\d.]+ E (.+)", line))]
    said = errors[0].strip() if errors else lines[-1] if lines else ""
    how = f"ended with status {status}"
    if status < 0:
        how = f"was killed by {signal.Signals(-status).name}"
        if status == -signal.SIGKILL:
            how += ", perhaps because memory ran out"
    return f"the process {how}" + (f": {said}" if said else "")
