"""What every session of the code interpreter does, wherever its code runs."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from retinue.sandbox.gateway import Gateway
from retinue.sandbox.gateway_session import GatewaySession
from retinue.sandbox.local import LocalSession
from retinue.sandbox.session import Failure, Image, Logs, Output, Session
from tests.gateway import TOKEN, RunningGateway

from .sandboxes import LIMITS, printed, require_runsc, run, text

# On first use the gateway is fetched, perhaps slowly.
pytestmark = [pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module")]

MOST_OUTPUT = 10_000


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["bubblewrap", "runsc", "gateway"])
async def session(request: pytest.FixtureRequest) -> AsyncIterator[Session]:
    """One session for all tests; each leaves it usable."""
    if request.param != "gateway":
        if request.param == "runsc":
            require_runsc()
        session = await LocalSession.start(LIMITS, [], MOST_OUTPUT, request.param)
        yield session
        await session.close()
        return
    running: RunningGateway = request.getfixturevalue("gateway")
    place = Gateway(running.url, TOKEN, "alone")
    session = await GatewaySession.start(place, MOST_OUTPUT, LIMITS.disk)
    yield session
    await session.close()
    await place.close()


# --- what code can do


async def test_variables_live_on(session: Session) -> None:
    assert (await run(session, "x = 1234567 ** 0.5")).outputs == ()
    assert await printed(session, "round(x, 3)") == "1111.111"


async def test_logs_come_while_the_code_runs(session: Session) -> None:
    """The code goes on only when the host has seen the first line and interrupts it."""
    code = """
        import time
        try:
            print("first", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            print("second")
    """
    seen: list[Output] = []

    def on_output(output: Output) -> None:
        if not seen:
            session.interrupt()
        seen.append(output)

    result = await session.run(textwrap.dedent(code), on_output, timeout=30)
    assert result.outputs == tuple(seen)
    assert seen[0] == Logs("first\n")
    assert text(result) == "first\nsecond"


async def test_charts_come_as_png(session: Session) -> None:
    code = """
        import matplotlib.pyplot as plt
        for _ in range(2):
            plt.figure()
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


async def test_the_packages_are_there(session: Session) -> None:
    code = "import numpy, pandas, scipy.stats, sympy, openpyxl, PIL.Image, pypdf, matplotlib; print('there')"
    assert await printed(session, code) == "there"


async def test_an_error_has_its_traceback(session: Session) -> None:
    result = await run(session, "def f():\n    return 1 / 0\nprint('before')\nf()")
    assert result.status == "error"
    assert result.outputs[0] == Logs("before\n")
    failure = result.outputs[-1]
    assert isinstance(failure, Failure)
    assert failure.name == "ZeroDivisionError"
    assert "return 1 / 0" in failure.traceback
    assert failure.traceback.endswith("ZeroDivisionError: division by zero")


async def test_code_that_asks_for_input_or_is_no_python_fails(session: Session) -> None:
    for code in ("input()", "this is no Python"):
        assert (await run(session, code)).status == "error"


async def test_files_go_in_and_out(session: Session) -> None:
    await session.put("in.csv", b"a,b\n1,2\n")
    code = """
        import pandas, os
        os.makedirs("charts", exist_ok=True)
        pandas.read_csv("/mnt/data/in.csv").to_csv("charts/out.csv", index=False)
        open("in.csv", "a").write("3,4\\n")
    """
    assert (await run(session, code)).status == "ok"
    files = {file.name: file.size for file in await session.list()}
    assert files == {"charts/out.csv": 8, "in.csv": 12}
    assert b"".join([piece async for piece in session.read("charts/out.csv", most=8)]) == b"a,b\n1,2\n"


async def test_strings_that_are_no_text_do_not_break_the_session(session: Session) -> None:
    assert await printed(session, "print('\\ud800 \\x00 é')") == "? \ufffd é"
    assert (await run(session, "raise ValueError('\\ud800')")).status == "error"


# --- stopping it


async def test_the_time_limit_interrupts_and_variables_stay(session: Session) -> None:
    await run(session, "kept = 1")
    result = await run(session, "while True:\n    pass", timeout=0.3)
    assert result.status == "timeout"
    assert result.note == "The code was stopped after 0.3 seconds."
    assert await printed(session, "kept") == "1"


async def test_an_interrupt_ends_the_code_at_once(session: Session) -> None:
    result = await session.run(
        "import time\nprint('x', flush=True)\ntime.sleep(60)", lambda _: session.interrupt(), timeout=30
    )
    assert (result.status, result.note) == ("interrupted", "The code was interrupted.")
    assert await printed(session, "'usable'") == "'usable'"


async def test_cancelling_interrupts_the_code(session: Session) -> None:
    begun = asyncio.Event()
    code = "import time\nprint('x', flush=True)\ntime.sleep(60)"
    running = asyncio.create_task(session.run(code, lambda _: begun.set(), timeout=60))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await printed(session, "'usable'") == "'usable'"


async def test_endless_output_is_cut_and_stopped(session: Session) -> None:
    result = await run(session, "while True:\n    print('y' * 10_000)", timeout=60)
    assert result.status == "flooded"
    assert result.note == "The code was stopped because it wrote without end."
    assert len(text(result)) < MOST_OUTPUT + 200
    assert "the rest is left out" in text(result)
    assert await printed(session, "1") == "1"


async def test_one_huge_output_is_cut(session: Session) -> None:
    result = await run(session, "print('z' * 50_000_000)")
    assert result.status in ("ok", "flooded")
    assert len(text(result)) < MOST_OUTPUT + 200
    assert await printed(session, "1") == "1"
