"""Sandboxes by gVisor: what is theirs alone. What sessions have in common is in `test_sessions`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from retinue.sandbox import runsc
from retinue.sandbox.local import LocalSession
from retinue.sandbox.manager import Sandboxes
from retinue.sandbox.process import Sandbox
from retinue.sandbox.session import FileRefused
from retinue.settings import Settings

from .sandboxes import LIMITS, attempts, files_of_sandboxes, printed, require_runsc, run
from .test_sandbox import descendants, groups, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of the host."""
    folder = tmp_path_factory.mktemp("private")
    (folder / "api_key").write_text("secret")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(private: Path) -> AsyncIterator[LocalSession]:
    require_runsc()
    session = await LocalSession.start(LIMITS, [private], 10_000, "runsc")
    yield session
    await session.close()


async def test_the_kernel_is_not_the_hosts(session: LocalSession) -> None:
    assert await printed(session, "import os; print(os.uname().release)") != os.uname().release


async def test_there_is_no_way_out(session: LocalSession) -> None:
    found = await attempts(
        session,
        """
        def unix(address):
            socket.socket(socket.AF_UNIX).connect(address)
        def udp():
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))
        print(attempt(udp), attempt(unix, "/run/dbus/system_bus_socket"), attempt(socket.socket, 17, 3))
        print(*(name for _, name in socket.if_nameindex()))
        """,
    )
    assert found[0] in ("ENETUNREACH", "EHOSTUNREACH")
    assert found[1:3] == ["ENOENT", "EPERM"]
    assert set(found[3:]) <= {"lo"}


async def test_files_of_the_host_are_not_there_and_nothing_else_can_be_written(
    session: LocalSession, private: Path
) -> None:
    found = await attempts(
        session,
        f"""
        for path in ("/etc/shadow", "/etc/passwd", "{private}/api_key", "{__file__}"):
            print(attempt(open, path))
        for folder in ("/", "/usr", "/etc", "/dev", "/opt/retinue", sys.prefix, os.path.dirname(os.__file__)):
            print(attempt(open, folder + "/new", "w"))
        print(attempt(open, sys.executable, "ab"))
        """,
    )
    assert len(found) == 12
    assert set(found) <= {"ENOENT", "EROFS", "EACCES", "EPERM"}


async def test_it_has_no_rights_and_few_descriptors(session: LocalSession) -> None:
    status = await printed(session, "print(open('/proc/self/status').read())")
    rights = [line.split()[1] for line in status.splitlines() if line.startswith("Cap")]
    assert rights
    assert set(rights) == {"0" * 16}
    assert "RETINUE" not in await printed(session, "import os; print(dict(os.environ))")
    assert await printed(session, "import subprocess; subprocess.run('cat', stdout=-1).stdout") == "b''"


async def test_processes_memory_and_disk_have_limits(session: LocalSession) -> None:
    code = """
        import threading, time
        end = threading.Event()
        try:
            for _ in range(200):
                threading.Thread(target=end.wait, daemon=True).start()
        except RuntimeError:
            print("no more")
        end.set()
    """
    assert await printed(session, code) == "no more"
    assert "MemoryError" in str((await run(session, "bytearray(2 * 1024**3)")).outputs)
    full = await run(session, "for n in range(100): open(f'big{n}', 'wb').write(bytes(1024**2))")
    assert "No space left" in str(full.outputs)
    with pytest.raises(FileRefused, match="no room"):
        await session.put("more", bytes(LIMITS.disk))
    await run(session, "import os; [os.remove(name) for name in os.listdir()]")
    assert "No space left" in str((await run(session, "for n in range(5000): open(f'f{n}', 'w')")).outputs)
    await run(session, "[os.remove(name) for name in os.listdir()]")


async def test_links_lead_nowhere(session: LocalSession, private: Path) -> None:
    await run(session, f"import os; os.symlink('{private}/api_key', 'link'); os.mkfifo('fifo')")
    assert not {"link", "fifo"} & {file.name for file in await session.list()}
    for name in ("link", "fifo"):
        with pytest.raises(FileRefused):
            _ = [piece async for piece in session.read(name, most=100)]


async def test_sandboxes_leave_nothing() -> None:
    require_runsc()

    async def round_trip() -> None:
        sandbox = await Sandbox.start(LIMITS, [], "runsc")
        await sandbox.folder.put("file", bytes(1000))
        await sandbox.close()

    def belongings() -> tuple[object, ...]:
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        return descriptors, Path("/proc/self/mountinfo").read_text(), groups(os.getpid()), files_of_sandboxes()

    await round_trip()
    processes, before = descendants(os.getpid()), belongings()
    await asyncio.gather(*(round_trip() for _ in range(4)))
    assert belongings() == before
    await until(lambda: descendants(os.getpid()) <= processes)


async def test_a_session_that_is_closed_leaves_no_process() -> None:
    require_runsc()
    before = descendants(os.getpid())
    session = await LocalSession.start(LIMITS, [], 10_000, "runsc")
    await run(session, "import subprocess; subprocess.Popen(['sleep', '1000'])")
    own = descendants(os.getpid()) - before
    assert len(own) >= 4  # the launcher, runsc three times
    await session.close()
    await until(lambda: not any(Path("/proc", str(pid)).exists() for pid in own))


async def why_not() -> str | None:
    manager = Sandboxes(Settings(sandbox_runtime="runsc", sandbox_warm_sessions=0))
    try:
        return await manager.why_not()
    finally:
        await manager.close()


async def test_without_gvisor_there_is_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """bubblewrap, which is there, does not take its place."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(runsc, "program", lambda: None)
    assert "runsc, which is missing" in str(await why_not())


async def test_gvisor_is_for_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "needs Retinue to be run by root" in str(await why_not())


async def test_where_gvisor_fails_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("gVisor is for root")
    (tmp_path / "runsc").write_text("#!/bin/sh\necho no platform >&2\nexit 1\n")
    (tmp_path / "runsc").chmod(0o755)
    monkeypatch.setattr(runsc, "program", lambda: (str(tmp_path), "runsc"))
    assert "no platform" in str(await why_not())
