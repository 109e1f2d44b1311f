"""Sessions of the code interpreter with real kernels: what they do, and what they leave behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from retinue.sandbox import cgroups
from retinue.sandbox.local import LocalSession
from retinue.sandbox.manager import Sandboxes
from retinue.sandbox.process import Limits, Sandbox
from retinue.sandbox.session import Failure, Image, Logs, Output, Result, SandboxUnavailable, Session
from retinue.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMITS = Limits(memory=1024**3, disk=64 * 1024**2, processes=48, cpu=60)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session() -> AsyncIterator[LocalSession]:
    """One session for all tests that leave it usable."""
    session = await LocalSession.start(LIMITS, [], 10_000)
    yield session
    await session.close()


async def run(session: Session, code: str, timeout: float = 30) -> Result:  # noqa: ASYNC109
    return await session.run(textwrap.dedent(code), lambda _: None, timeout=timeout)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 (what the kernel does wakes nobody)
            await asyncio.sleep(0.02)


def text(result: Result) -> str:
    return "".join(output.text for output in result.outputs if isinstance(output, Logs))


async def printed(session: Session, code: str) -> str:
    result = await run(session, code)
    assert result.status == "ok", result
    return text(result).strip()


# --- what code can do


async def test_variables_live_on(session: LocalSession) -> None:
    assert (await run(session, "x = 1234567 ** 0.5")).outputs == ()
    assert await printed(session, "round(x, 3)") == "1111.111"


async def test_logs_come_while_the_code_runs(session: LocalSession) -> None:
    """The code waits for a file that the host writes only when it has seen the first line."""
    first = asyncio.Event()

    async def answer() -> None:
        await first.wait()
        await session.put("go", b"")

    answering = asyncio.create_task(answer())
    code = """
        import pathlib, time
        print("first", flush=True)
        while not pathlib.Path("go").exists():
            time.sleep(0.01)
        print("second")
    """
    seen: list[Output] = []

    def on_output(output: Output) -> None:
        seen.append(output)
        first.set()

    result = await session.run(textwrap.dedent(code), on_output, timeout=30)
    await answering
    assert result.status == "ok"
    assert result.outputs == tuple(seen)
    assert seen[0] == Logs("first\n")
    assert text(result) == "first\nsecond\n"


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
    assert text(result) == "done\n"


async def test_the_packages_are_there(session: LocalSession) -> None:
    code = "import numpy, pandas, scipy.stats, sympy, openpyxl, PIL.Image, pypdf, matplotlib; print('there')"
    assert await printed(session, code) == "there"


async def test_an_error_has_its_traceback(session: LocalSession) -> None:
    result = await run(session, "def f():\n    return 1 / 0\nprint('before')\nf()")
    assert result.status == "error"
    assert result.outputs[0] == Logs("before\n")
    failure = result.outputs[-1]
    assert isinstance(failure, Failure)
    assert failure.name == "ZeroDivisionError"
    assert "return 1 / 0" in failure.traceback
    assert failure.traceback.endswith("ZeroDivisionError: division by zero")


async def test_code_that_asks_for_input_or_is_no_python_fails(session: LocalSession) -> None:
    for code in ("input()", "this is no Python"):
        assert (await run(session, code)).status == "error"


async def test_files_go_in_and_out(session: LocalSession) -> None:
    await session.put("in.csv", b"a,b\n1,2\n")
    code = """
        import pandas, os
        os.makedirs("charts", exist_ok=True)
        pandas.read_csv("/mnt/data/in.csv").to_csv("charts/out.csv", index=False)
        open("in.csv", "a").write("3,4\\n")
    """
    assert (await run(session, code)).status == "ok"
    files = {file.name: file.size for file in await session.list()}
    assert files["charts/out.csv"] == 8
    assert files["in.csv"] == 12
    assert b"".join([piece async for piece in session.read("charts/out.csv", most=8)]) == b"a,b\n1,2\n"


async def test_strings_that_are_no_text_do_not_break_the_session(session: LocalSession) -> None:
    assert await printed(session, "print('\\ud800 \\x00 é')") == "? \ufffd é"


# --- stopping it


async def test_the_time_limit_interrupts_and_variables_stay(session: LocalSession) -> None:
    await run(session, "kept = 1")
    result = await run(session, "while True:\n    pass", timeout=0.3)
    assert result.status == "timeout"
    assert result.note == "The code was stopped after 0.3 seconds."
    assert await printed(session, "kept") == "1"


async def test_an_interrupt_ends_the_code_at_once(session: LocalSession) -> None:
    result = await session.run(
        "import time\nprint('x', flush=True)\ntime.sleep(60)", lambda _: session.interrupt(), timeout=30
    )
    assert (result.status, result.note) == ("interrupted", "The code was interrupted.")
    assert await printed(session, "'usable'") == "'usable'"


async def test_cancelling_interrupts_the_code(session: LocalSession) -> None:
    begun = asyncio.Event()
    code = "import time\nprint('x', flush=True)\ntime.sleep(60)"
    running = asyncio.create_task(session.run(code, lambda _: begun.set(), timeout=60))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await printed(session, "'usable'") == "'usable'"


async def test_endless_output_is_cut_and_stopped(session: LocalSession) -> None:
    result = await run(session, "while True:\n    print('y' * 10_000)", timeout=60)
    assert result.status == "flooded"
    assert result.note == "The code was stopped because it wrote without end."
    assert len(text(result)) < 10_200
    assert "the rest is left out" in text(result)
    assert await printed(session, "1") == "1"


async def test_one_huge_output_is_cut(session: LocalSession) -> None:
    result = await run(session, "print('z' * 50_000_000)")
    assert result.status in ("ok", "flooded")
    assert len(text(result)) < 10_200


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


async def test_twenty_sandboxes_leave_nothing() -> None:
    async def round_trip() -> None:
        sandbox = await Sandbox.start(LIMITS, [])
        await sandbox.folder.put("file", bytes(1000))
        await sandbox.close()

    def belongings() -> tuple[object, ...]:
        files = {path for folder in ("/tmp", "/dev/shm") for path in Path(folder).glob("*retinue*")}
        return (
            len(list(Path("/proc/self/fd").iterdir())),
            Path("/proc/self/mountinfo").read_text(),
            groups(os.getpid()),
            files,
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


async def test_a_killed_owner_leaves_no_process() -> None:
    owner = await asyncio.create_subprocess_exec(sys.executable, "-c", OWNER, stdout=subprocess.PIPE)
    assert owner.stdout
    assert await owner.stdout.readline() == b"running\n"
    orphans = descendants(owner.pid)
    assert len(orphans) >= 4  # two of bubblewrap, the kernel, sleep
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
