"""Attacks from inside of a session, each with real code: refused, and the host as before."""

from __future__ import annotations

import secrets
import socket
import textwrap
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from retinue.sandbox import cgroups
from retinue.sandbox.local import LocalSession
from retinue.sandbox.process import Limits
from retinue.sandbox.session import FileRefused, Logs, Result

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMITS = Limits(memory=1024**3, disk=32 * 1024**2, processes=48, cpu=60)


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of the host."""
    folder = tmp_path_factory.mktemp("private")
    (folder / "api_key").write_text("secret")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(private: Path) -> AsyncIterator[LocalSession]:
    session = await LocalSession.start(LIMITS, [private], 10_000)
    yield session
    await session.close()


@pytest_asyncio.fixture(loop_scope="module")
async def victim() -> AsyncIterator[LocalSession]:
    """A session to be broken."""
    session = await LocalSession.start(LIMITS, [], 10_000)
    yield session
    await session.close()


async def run(session: LocalSession, code: str, timeout: float = 30) -> Result:  # noqa: ASYNC109
    return await session.run(textwrap.dedent(code), lambda _: None, timeout=timeout)


async def printed(session: LocalSession, code: str) -> str:
    result = await run(session, code)
    assert result.status == "ok", result
    return "".join(output.text for output in result.outputs if isinstance(output, Logs)).strip()


#: Defined in the session: what an attempt ends with.
ATTEMPT = """
import ctypes, errno, os, socket, subprocess, sys
def attempt(what, *arguments):
    try:
        return f"done {what(*arguments)}"
    except (OSError, ImportError) as error:
        return errno.errorcode.get(error.errno, repr(error))
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if libc.syscall(number, *arguments) == -1:
        raise OSError(ctypes.get_errno(), "")
"""


async def attempts(session: LocalSession, code: str) -> list[str]:
    return (await printed(session, ATTEMPT + textwrap.dedent(code))).split()


# --- the network


@pytest.fixture
def listeners() -> Iterator[tuple[int, str, str]]:
    """What the host has open: a TCP port, an abstract Unix socket, one in a file."""
    name = f"retinue-test-{secrets.token_hex(8)}"
    path = f"/tmp/{name}"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX) as file,
    ):
        abstract.bind(f"\0{name}")
        file.bind(path)
        abstract.listen()
        file.listen()
        yield tcp.getsockname()[1], name, path
        Path(path).unlink()


async def test_there_is_no_network(session: LocalSession, listeners: tuple[int, str, str]) -> None:
    port, name, path = listeners
    found = await attempts(
        session,
        f"""
        def tcp(host, port):
            socket.create_connection((host, port), timeout=2)
        def unix(address):
            socket.socket(socket.AF_UNIX).connect(address)
        def udp():
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))
        print(attempt(tcp, "127.0.0.1", {port}), attempt(tcp, "192.0.2.1", 80), attempt(udp))
        print(attempt(unix, "\\0{name}"), attempt(unix, "{path}"))
        print(attempt(socket.socket, 40, 1), attempt(socket.socket, 38, 5), attempt(socket.socket, 17, 3))
        """,
    )
    assert found == [
        *("ECONNREFUSED", "ENETUNREACH", "ENETUNREACH"),
        *("ECONNREFUSED", "ENOENT"),
        *("EAFNOSUPPORT", "EAFNOSUPPORT", "EAFNOSUPPORT"),
    ]
    assert await printed(session, "try: socket.getaddrinfo('example.com', 80)\nexcept OSError: print('no name')")


# --- files of the host


async def test_files_of_the_host_are_not_there(session: LocalSession, private: Path) -> None:
    paths = ["/etc/shadow", "/etc/passwd", f"{private}/api_key", f"/proc/1/root{private}", __file__, "/proc/kcore"]
    found = await attempts(session, f"for path in {paths}: print(attempt(open, path))")
    assert len(found) == len(paths)
    assert set(found) <= {"ENOENT", "EACCES", "EPERM"}


async def test_nothing_but_its_own_folders_can_be_written(session: LocalSession) -> None:
    found = await attempts(
        session,
        """
        for folder in ("/", "/usr", "/etc", "/dev", "/proc", "/opt/retinue", sys.prefix, os.path.dirname(os.__file__)):
            print(attempt(open, folder + "/new", "w"))
        print(attempt(open, "/proc/sys/kernel/core_pattern", "w"), attempt(open, "/proc/sysrq-trigger", "w"))
        print(attempt(open, sys.executable, "ab"), attempt(os.mknod, "/tmp/disk", 0o60600, os.makedev(254, 0)))
        """,
    )
    assert len(found) == 12
    assert set(found) <= {"EROFS", "EACCES", "EPERM", "ENOENT"}


async def test_nothing_of_the_host_shows(session: LocalSession, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "RETINUE" not in await printed(session, "import os; print(dict(os.environ))")
    processes = await printed(session, "print(*[name for name in os.listdir('/proc') if name.isdigit()])")
    assert set(processes.split()) <= {"1", "2", "3", "4"}
    assert await printed(session, "print(os.getuid(), socket.gethostname())") == "1000 sandbox"


async def test_files_of_another_session_are_not_there(session: LocalSession, victim: LocalSession) -> None:
    await victim.put("mine.txt", b"private")
    code = (
        "import glob; print(glob.glob('/mnt/data/*') + glob.glob('/tmp/*/mine.txt') + glob.glob('/proc/*/cwd/mine*'))"
    )
    assert "mine" not in await printed(session, code)


async def test_links_made_inside_lead_nowhere(session: LocalSession) -> None:
    code = """
        import os
        os.symlink("/etc/passwd", "link.txt")
        os.symlink("/", "folder")
        os.mkfifo("fifo")
        try:
            os.link("/etc/localtime", "hard.txt")
        except OSError as error:
            print(error.strerror)
    """
    assert await printed(session, code) in ("Invalid cross-device link", "Operation not permitted")
    listed = {file.name for file in await session.list()}
    assert not listed & {"link.txt", "folder", "fifo", "hard.txt"}
    for name in ("link.txt", "folder/etc/passwd", "fifo", "../../etc/passwd"):
        with pytest.raises(FileRefused):
            _ = [piece async for piece in session.read(name, most=1000)]
    with pytest.raises(FileRefused):
        await session.put("folder/tmp/written", b"")


# --- rights


async def test_calls_that_reach_into_the_kernel_are_refused(session: LocalSession) -> None:
    found = await attempts(
        session,
        """
        import platform
        x86 = platform.machine() == "x86_64"
        mount, ptrace, unshare, setns, bpf, keyctl, memfd, clone3, io_uring = (
            (165, 101, 272, 308, 321, 250, 319, 435, 425) if x86 else (40, 117, 97, 268, 280, 219, 279, 435, 425)
        )
        print(attempt(call, mount, b"none", b"/tmp", b"tmpfs", 0, None), attempt(call, ptrace, 16, 1, 0, 0))
        print(attempt(call, unshare, 0x10000000), attempt(call, setns, 0, 0), attempt(call, bpf, 0, 0, 0))
        print(attempt(call, keyctl, 0, 0), attempt(call, memfd, b"x", 0), attempt(call, clone3, 0, 0))
        print(attempt(call, io_uring, 1, 0), attempt(os.setuid, 0), attempt(os.chroot, "/tmp"))
        """,
    )
    assert found == ["EPERM"] * 6 + ["ENOSYS"] * 3 + ["EINVAL", "EPERM"]
    status = await printed(session, "print(open('/proc/self/status').read())")
    for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
        assert line in status


async def test_limits_cannot_be_raised(session: LocalSession) -> None:
    code = """
        import resource
        for name in ("AS", "NPROC", "FSIZE", "CPU", "NOFILE"):
            kind = getattr(resource, f"RLIMIT_{name}")
            try:
                resource.setrlimit(kind, (resource.getrlimit(kind)[1] * 2,) * 2)
                print(name)
            except (ValueError, OSError):
                pass
    """
    assert await printed(session, code) == ""


# --- taking all there is


async def test_memory_is_limited(session: LocalSession) -> None:
    result = await run(session, "hoard = []\nwhile True: hoard.append(bytearray(64 * 2**20))")
    assert result.status == "error"
    assert "MemoryError" in str(result.outputs)
    assert await printed(session, "hoard = None; print('lives')") == "lives"


async def test_the_disk_is_limited(session: LocalSession) -> None:
    code = """
        for folder in ("/mnt/data", "/tmp", "/dev/shm"):
            try:
                with open(f"{folder}/fill", "wb") as file:
                    for _ in range(100):
                        file.write(bytes(2**20))
            except OSError as error:
                print(error.strerror)
            os.unlink(f"{folder}/fill")
        try:
            for number in range(10**6):
                open(f"/tmp/{number}", "w").close()
        except OSError as error:
            print(error.strerror)
        for number in range(number):
            os.unlink(f"/tmp/{number}")
    """
    lines = (await printed(session, code)).splitlines()
    assert len(lines) == 4
    assert set(lines) <= {"No space left on device", "File too large"}
    with pytest.raises(FileRefused, match="no room"):
        await session.put("large", bytes(LIMITS.disk + 1))
    assert "large" not in [file.name for file in await session.list()]


async def test_a_fork_bomb_ends_at_the_limit(victim: LocalSession) -> None:
    code = """
        import os, time
        children = 0
        try:
            while True:
                if os.fork() == 0:
                    time.sleep(1000)
                    os._exit(0)
                children += 1
        except OSError as error:
            print(children, error.strerror)
    """
    children, _, reason = (await printed(victim, code)).partition(" ")
    assert 0 < int(children) < LIMITS.processes
    assert reason == "Resource temporarily unavailable"


async def test_memory_of_all_processes_together_is_limited(victim: LocalSession) -> None:
    if not cgroups_can_be_had():
        pytest.skip("no control groups here")
    code = """
        import os, time
        for _ in range(8):
            if os.fork() == 0:
                hoard = bytearray(200 * 2**20)
                for at in range(0, len(hoard), 4096):
                    hoard[at] = 1
                time.sleep(1000)
        print(os.waitstatus_to_exitcode(os.wait()[1]))
    """
    result = await run(victim, code)
    assert result.status == "died" or "-9" in str(result.outputs)


def cgroups_can_be_had() -> bool:
    group = cgroups.make(LIMITS.memory, LIMITS.processes)
    group.remove()
    return any("memory" in str(folder) or (folder / "memory.max").exists() for folder in group.folders)


# --- lies


async def test_a_kernel_that_lies_ends_its_own_session_only(victim: LocalSession) -> None:
    """Code that writes to the host's socket itself: nonsense, then a message without end."""
    code = """
        import os, socket, struct
        for name in os.listdir("/proc/self/fd"):
            try:
                found = socket.socket(fileno=os.dup(int(name)))
                if found.family == socket.AF_UNIX and found.type == socket.SOCK_STREAM and not found.getsockname():
                    found.sendall(struct.pack("!I", 2**31) + b"x")
            except OSError:
                pass
        while True: pass
    """
    result = await run(victim, code)
    assert result.status == "died"
    assert result.note == "The Python process stopped answering: its variables are lost."
    assert not victim.alive


async def test_signals_reach_nobody_else(victim: LocalSession) -> None:
    code = "import os, signal\nos.kill(-1, signal.SIGKILL)"
    await run(victim, code)
    assert not victim.alive or await printed(victim, "1") == "1"
