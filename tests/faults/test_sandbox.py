"""Sessions of the code interpreter in sandboxes on this machine: how threads get them, and what they leave behind.

What sessions have in common, wherever they run, is in `test_sessions`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from retinue.sandbox import cgroups
from retinue.sandbox.local import LocalSession
from retinue.sandbox.manager import Sandboxes
from retinue.sandbox.process import Limits, Sandbox
from retinue.sandbox.session import Image, SandboxUnavailable
from retinue.settings import Settings

from .sandboxes import files_of_sandboxes, printed, require_runsc, run, text

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMITS = Limits(memory=1024**3, disk=64 * 1024**2, processes=48, cpu=60)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session() -> AsyncIterator[LocalSession]:
    """One session for all tests that leave it usable."""
    session = await LocalSession.start(LIMITS, [], 10_000)
    yield session
    await session.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 (what the kernel does wakes nobody)
            await asyncio.sleep(0.02)


# --- what is drawn


async def test_charts_come_as_png_with_chinese_letters(session: LocalSession) -> None:
    code = """
        import warnings
        warnings.simplefilter("error")  # a missing letter is a warning
        import matplotlib.pyplot as plt
        for font in ("DejaVu Sans", "SimHei"):
            plt.rcParams["font.sans-serif"] = [font]
            plt.figure()
            plt.title("每日销售额 daily sales")
            plt.plot([1, 2, 3])
        plt.show()
        print("done")
    """
    result = await run(session, code)
    assert result.status == "ok", result
    images = [output for output in result.outputs if isinstance(output, Image)]
    assert len(images) == 2
    assert all(image.png.startswith(b"\x89PNG") for image in images)
    assert text(result) == "done"


# --- sessions of threads


def sandboxes(**settings: object) -> Sandboxes:
    return Sandboxes(Settings.model_validate({"sandbox_warm_sessions": 0, **settings}))


async def test_a_session_that_ends_itself_is_replaced_and_keeps_its_files() -> None:
    manager = sandboxes()
    async with manager.session("project", "thread") as first:
        await first.put("sub/kept.txt", b"kept")
        result = await run(first, "import os\nprint('last words', flush=True)\nos._exit(3)")
        assert result.status == "died"
        assert result.note == "The Python process ended with status 3: its variables are lost."
        assert not first.alive
        assert (await run(first, "1")).status == "died"
    async with manager.session("project", "thread") as second:
        assert second.id != first.id
        assert await printed(second, "print(open('sub/kept.txt').read())") == "kept"
    async with manager.session("project", "thread") as third:
        assert third is second
    await manager.close()
    assert not second.alive


async def test_a_new_thread_gets_the_session_that_waits_and_others_are_closed_for_room() -> None:
    manager = sandboxes(sandbox_warm_sessions=1, sandbox_max_sessions=1, sandbox_idle=3600)
    await manager.start()
    async with manager.session("project", "one") as one:
        assert await printed(one, "secret = 1; 'ran'") == "'ran'"
        with pytest.raises(SandboxUnavailable, match="in use"):
            async with manager.session("project", "two"):
                pass
    async with manager.session("project", "two") as two:
        assert not one.alive
        assert (await run(two, "secret")).status == "error"
    await manager.forget("project", "two")
    assert not two.alive
    await manager.close()


async def test_an_idle_session_is_closed() -> None:
    manager = sandboxes(sandbox_idle=0.2)
    await manager.start()
    async with manager.session("project", "thread") as session:
        pass
    await until(lambda: not session.alive)
    await manager.close()


@pytest.fixture
def broken_bubblewrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho no namespaces >&2\nexit 1\n")
    program.chmod(0o755)
    tmp_path.chmod(0o755)
    monkeypatch.setattr("retinue.sandbox.command.bubblewrap", lambda: (str(tmp_path), "bwrap"))


@pytest.mark.usefixtures("broken_bubblewrap")
async def test_where_isolation_fails_the_reason_is_told() -> None:
    manager = sandboxes()
    why = await manager.why_not()
    assert why is not None
    assert "no namespaces" in why
    with pytest.raises(SandboxUnavailable, match="no namespaces"):
        async with manager.session("project", "thread"):
            pass
    await manager.close()


# --- what is left


def descendants(of: int) -> set[int]:
    """Ids of all processes that a process has started, directly or not."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {of}
    while new := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= new
    return found - {of}


def groups(owner: int) -> set[str]:
    """The control groups that a process has made."""
    return {str(path) for path in Path("/sys/fs/cgroup").rglob(f"retinue-sandbox-{owner}-*")}


async def test_sandboxes_leave_nothing() -> None:
    """20 that are ended while they start; whole sessions, and more of them: bench/sandbox.py."""

    async def round_trip() -> None:
        sandbox = await Sandbox.start(LIMITS, [])
        await sandbox.folder.put("file", bytes(1000))
        await sandbox.close()

    def belongings() -> tuple[object, ...]:
        return (
            len(list(Path("/proc/self/fd").iterdir())),
            len(asyncio.all_tasks()),
            Path("/proc/self/mountinfo").read_text(),
            groups(os.getpid()),
            files_of_sandboxes(),
        )

    await round_trip()
    processes, before = descendants(os.getpid()), belongings()
    for _ in range(10):
        await asyncio.gather(round_trip(), round_trip())
    assert belongings() == before
    await until(lambda: descendants(os.getpid()) <= processes)


OWNER = """
import asyncio
from retinue.sandbox.manager import Sandboxes
from retinue.settings import Settings

def nobody(output):
    pass

async def main():
    sandboxes = Sandboxes(Settings(sandbox_warm_sessions=0))
    async with sandboxes.session("project", "thread") as session:
        await session.run("import subprocess; subprocess.Popen(['sleep', '1000'])", nobody, timeout=30)
        print("running", flush=True)
        await session.run("while True: pass", nobody, timeout=1000)
    await sandboxes.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("runtime", ["bubblewrap", "runsc"])
async def test_a_killed_owner_leaves_no_process(runtime: str) -> None:
    if runtime == "runsc":
        require_runsc()
    environment = {**os.environ, "RETINUE_SANDBOX_RUNTIME": runtime}
    owner = await asyncio.create_subprocess_exec(sys.executable, "-c", OWNER, stdout=subprocess.PIPE, env=environment)
    assert owner.stdout
    assert await owner.stdout.readline() == b"running\n"
    orphans = descendants(owner.pid)
    assert len(orphans) >= 4  # of bubblewrap: two, the kernel, sleep
    owner.send_signal(signal.SIGKILL)
    await owner.wait()
    await until(lambda: not any(Path("/proc", str(pid)).exists() for pid in orphans))

    def swept() -> bool:
        cgroups.sweep()
        return not groups(owner.pid)

    await until(swept)


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary account already")
async def test_an_ordinary_account_can_have_sandboxes_too() -> None:
    """In a user namespace where root is called 1000 and has no rights over anything else."""
    program = OWNER.replace("while True: pass", "").replace("print(", "print(__import__('os').geteuid(), ")
    ordinary = ("unshare", "-U", "--map-user=1000", "--map-group=1000", sys.executable, "-c", program)
    ran = await asyncio.create_subprocess_exec(*ordinary, stdout=subprocess.PIPE)
    output, _ = await ran.communicate()
    assert (ran.returncode, output) == (0, b"1000 running\n")
