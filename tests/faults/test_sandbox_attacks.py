"""Attacks from inside of a session, each with real code: refused, and the host as before."""

from __future__ import annotations

import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from retinue.sandbox import cgroups
from retinue.sandbox.local import LocalSession
from retinue.sandbox.session import FileRefused

from .sandboxes import LIMITS, attempts, printed, run

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
        for family, kind, protocol in ((40, 1, 0), (38, 5, 0), (17, 3, 0), (16, 3, 12), (2, 3, 1), (2, 1, 262)):
            print(attempt(socket.socket, family, kind, protocol))  # vsock, algorithms, packets, netfilter, raw, MPTCP
        """,
    )
    assert found == [
        *("ECONNREFUSED", "ENETUNREACH", "ENETUNREACH"),
        *("ECONNREFUSED", "ENOENT"),
        *["EAFNOSUPPORT"] * 6,
    ]
    assert await printed(session, "try: socket.getaddrinfo('example.com', 80)\nexcept OSError: print('no name')")


# --- files of the host


async def test_files_of_the_host_are_not_there(session: LocalSession, private: Path) -> None:
    paths = ["/etc/shadow", "/etc/passwd", f"{private}/api_key", f"/proc/1/root{private}", __file__, "/proc/kcore"]
    paths += ["/proc/kmsg", "/dev/mem", "/dev/vda", "/dev/kmsg", "/sys/kernel", "/run", "/var", "/root/.ssh"]
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
        for path in ("/proc/self/exe", "/proc/1/exe", "/proc/1/oom_score_adj", "/proc/sys/vm/drop_caches"):
            print(attempt(open, path, "r+b"))
        """,
    )
    assert len(found) == 16
    assert set(found) <= {"EROFS", "EACCES", "EPERM", "ENOENT", "ETXTBSY"}


async def test_nothing_of_the_host_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment has keys, and shows in /proc for whatever was started with it."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    session = await LocalSession.start(LIMITS, [], 10_000)
    code = """
        import glob, os, socket
        for path in glob.glob("/proc/[0-9]*/*") + glob.glob("/proc/[0-9]*/task/*/*"):
            try:
                found = open(path, "rb").read(10**6) if path.endswith(("environ", "cmdline")) else b""
            except OSError:
                continue
            assert b"secret" not in found and b"RETINUE" not in found and b"bwrap" not in found, path
        assert not [name for name in os.environ if name.startswith(("OPENAI", "RETINUE"))]
        # The first process is bubblewrap's; the other is this one.
        assert [name for name in os.listdir("/proc") if name.isdigit()] == ["1", "2"]
        assert os.listdir("/proc/1") == []
        print(os.getuid(), socket.gethostname())
    """
    assert await printed(session, code) == "1000 sandbox"
    await session.close()


async def test_nothing_is_inherited_but_the_socket(session: LocalSession) -> None:
    code = """
        import os
        for name in os.listdir("/proc/self/fd"):
            try:
                target = os.readlink(f"/proc/self/fd/{name}")
            except OSError:
                continue
            if not target.startswith(("socket:", "pipe:", "anon_inode:", "/dev/null", "/proc/")):
                print(target)
    """
    assert all("/fonts/" in target for target in (await printed(session, code)).splitlines())


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
        mount, ptrace, unshare, setns, bpf, keyctl, memfd, clone3, io_uring = (
            (165, 101, 272, 308, 321, 250, 319, 435, 425) if x86 else (40, 117, 97, 268, 280, 219, 279, 435, 425)
        )
        print(attempt(call, mount, b"none", b"/tmp", b"tmpfs", 0, None), attempt(call, ptrace, 16, 1, 0, 0))
        print(attempt(call, unshare, 0x10000000), attempt(call, setns, 0, 0), attempt(call, bpf, 0, 0, 0))
        print(attempt(call, keyctl, 0, 0), attempt(call, memfd, b"x", 0), attempt(call, clone3, 0, 0))
        print(attempt(call, io_uring, 1, 0), attempt(os.setuid, 0), attempt(os.chroot, "/tmp"))
        userfault, fanotify, migrate, read_other, perf, kexec, io_setup, inotify, handle = (
            (323, 300, 256, 310, 298, 246, 206, 294, 304) if x86 else (282, 262, 238, 270, 241, 104, 0, 26, 265)
        )
        for number in (userfault, fanotify, migrate, read_other, perf, kexec, handle, io_setup, inotify, 451, 2**30):
            print(attempt(call, number, 1, 0, 0, 0, 0))
        """,
    )
    assert found == ["EPERM"] * 6 + ["ENOSYS"] * 3 + ["EINVAL", "EPERM"] + ["EPERM"] * 7 + ["ENOSYS"] * 4
    status = await printed(session, "print(open('/proc/self/status').read())")
    for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
        assert line in status


async def test_calls_in_the_convention_of_another_machine_end_the_process(session: LocalSession) -> None:
    """`getpid` of 32-bit programs, which has another number that no filter by number would know."""
    found = await attempts(
        session,
        """
        import mmap
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3")  # mov eax, 20; int 0x80; ret
        address = ctypes.addressof(ctypes.c_char.from_buffer(code))
        if x86 and os.fork() == 0:
            ctypes.CFUNCTYPE(ctypes.c_int)(address)()
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.wait()[1]) if x86 else -signal.SIGSYS)
        """,
    )
    assert found in (["-31"], ["-11"])  # SIGSYS; SIGSEGV where the kernel has no 32-bit calls


async def test_no_program_raises_rights(session: LocalSession) -> None:
    assert await printed(session, "print([line for line in open('/proc/self/mounts') if 'nosuid' not in line])") == "[]"


async def test_the_machine_cannot_be_administered(session: LocalSession) -> None:
    found = await attempts(
        session,
        """
        import fcntl
        terminal, other = os.openpty()
        print(attempt(time.clock_settime, time.CLOCK_REALTIME, 0), attempt(socket.sethostname, "x"))
        print(attempt(os.nice, -5), attempt(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1)))
        os.kill(1, signal.SIGKILL)
        with open("/dev/random", "wb") as file:
            print(attempt(fcntl.ioctl, file, 0x5204, 0))  # RNDZAPENTCNT
        print(attempt(open, "/dev/tty", "w"))
        os.close(terminal)
        os.close(other)
        """,
    )
    assert found == ["EPERM"] * 5 + ["ENXIO"]


async def test_limits_cannot_be_changed(session: LocalSession) -> None:
    code = """
        import resource
        for name in ("AS", "NPROC", "FSIZE", "CPU", "NOFILE", "SIGPENDING", "MSGQUEUE", "MEMLOCK", "RTPRIO", "NICE"):
            kind = getattr(resource, f"RLIMIT_{name}")
            try:
                resource.setrlimit(kind, (resource.getrlimit(kind)[1] * 2 + 1,) * 2)
                print(name)
            except (ValueError, OSError):
                pass
        # With 0 a crash starts the host's program for crashes.
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        except (ValueError, OSError):
            print(resource.getrlimit(resource.RLIMIT_CORE))
    """
    assert await printed(session, code) in ("(1, 1)", "(0, 0)")


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
