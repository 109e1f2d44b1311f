"""Kernels that lie to the host, overwhelm it or do not let go: what the host believes, takes and waits for."""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from retinue.sandbox.channels import ChannelClosed, SocketChannels
from retinue.sandbox.local import LocalSession
from retinue.sandbox.session import Failure, Image, Logs

from .sandboxes import LIMITS, printed, run, text

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Defined in the session: the relay's socket to the host, and messages over it as the relay would send them; a lock
#: keeps them whole.
FORGE = """
import gc, json, os, signal, struct, sys, threading, time
relay, = [found for found in gc.get_objects() if type(found).__name__ == "Relay"]
host, lock, tell = relay._host, threading.Lock(), relay._tell
def locked(*message):
    with lock:
        tell(*message)
relay._tell = locked
def forge(kind, content, picture=b"", channel="iopub", parent=None):
    parent = parent or get_ipython().kernel.get_parent()["header"]["msg_id"]
    parts = {"channel": channel, "header": {"msg_type": kind}, "parent_header": {"msg_id": parent}, "content": content}
    frame = json.dumps(parts).encode()
    with lock:
        host.sendall(struct.pack("!II", len(frame), len(picture)) + frame + picture)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session() -> AsyncIterator[LocalSession]:
    """A session that forges messages."""
    session = await LocalSession.start(LIMITS, [], 300_000)
    await run(session, FORGE)
    yield session
    await session.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def honest() -> AsyncIterator[LocalSession]:
    """A session that forges nothing."""
    session = await LocalSession.start(LIMITS, [], 300_000)
    await run(session, "import os, signal")
    yield session
    await session.close()


@pytest_asyncio.fixture(loop_scope="module")
async def victim(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalSession]:
    """A session to be broken, which gets less time to react than others."""
    monkeypatch.setattr("retinue.sandbox.kernel._GRACE", 0.3)
    session = await LocalSession.start(LIMITS, [], 10_000)
    await run(session, FORGE)
    yield session
    await session.close()


# --- messages that are not as they should be


async def test_messages_of_the_wrong_kind_say_nothing(session: LocalSession) -> None:
    code = """
        nested = []
        for _ in range(400):
            nested = [nested]
        for kind in ("comm_open", "clear_output", "update_display_data", "input_request", "x" * 9999):
            forge(kind, {"data": {"text/plain": "lie"}, "text": "lie", "nested": nested})
        for value in (None, 5, nested, {"a": nested}, 2**70, 1e300, ["lie"]):
            forge("stream", {"text": value})
            forge("display_data", {"data": value})
            forge("display_data", {"data": {"text/plain": value, "text/html": "<script>lie</script>"}})
            forge("display_data", {"data": {"image/png": value}})
            forge("status", {"execution_state": value})
        forge("stream", {"text": "lie"}, parent="of another run")
        forge("stream", {"text": "lie"}, channel="control")
        forge("execute_result", {"data": {"text/html": "<script>lie</script>", "image/svg+xml": "<svg>lie"}})
        forge("display_data", {}, picture=b"GIF89a lie")
        print("the end")
    """
    result = await run(session, code)
    assert (result.status, result.outputs) == ("ok", (Logs("the end\n"),))


async def test_a_kernel_may_say_it_is_done_and_go_on(session: LocalSession) -> None:
    code = """
        forge("status", {"execution_state": "idle"})
        forge("execute_reply", {}, channel="shell")
        while not os.path.exists("go"):
            time.sleep(0.01)
        print("late")
    """
    assert (await run(session, code)).outputs == ()
    await session.put("go", b"")
    assert text(await run(session, "print('next')")) == "next"


async def test_pictures_are_checked_by_their_beginning_and_never_opened(session: LocalSession) -> None:
    code = """
        forge("display_data", {}, picture=b"\\x89PNG\\r\\n\\x1a\\n" + b"\\xff" * 1000)
        forge("display_data", {}, picture=bytes(8 * 2**20))
    """
    result = await run(session, code)
    assert (result.status, result.outputs) == ("ok", (Image(b"\x89PNG\r\n\x1a\n" + b"\xff" * 1000),)), result.note


@pytest.mark.parametrize(
    "frame",
    [
        struct.pack("!II", 2**19 + 1, 0),
        struct.pack("!II", 2, 8 * 2**20 + 1),
        struct.pack("!II", 9, 0) + b'{"x":NaN}',
        struct.pack("!II", 40_000, 0) + b"[" * 40_000,
        struct.pack("!II", 100, 0) + b"{}",
        b"\0",
    ],
)
async def test_a_frame_that_is_none_closes_the_channel(frame: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        channels = await SocketChannels.over(ours)
    with theirs:
        theirs.sendall(frame)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(ChannelClosed):
            await channels.receive()
    channels.close()


async def test_a_frame_that_is_none_ends_the_session(victim: LocalSession) -> None:
    result = await run(victim, "host.sendall(struct.pack('!II', 2**19 + 1, 0))\nwhile True: pass")
    assert result.status == "died"
    assert result.note == "The Python process stopped answering: its variables are lost."
    assert not victim.alive


# --- taking its time


async def test_half_a_frame_does_not_hold_up_the_host(victim: LocalSession) -> None:
    code = "host.sendall(struct.pack('!II', 2**19, 8 * 2**20) + b'{')\nwhile True: pass"
    result = await run(victim, code, timeout=0.3)
    assert result.status == "timeout"
    assert "did not react and was ended" in result.note
    assert not victim.alive


async def test_a_stopped_kernel_that_is_sent_much_is_ended(victim: LocalSession) -> None:
    later = "threading.Thread(target=lambda: (time.sleep(0.2), os.kill(os.getpid(), signal.SIGSTOP))).start()"
    assert (await run(victim, later)).status == "ok"
    async with asyncio.timeout(30):
        result = await run(victim, f"while True: pass\n# {chr(0x1F600) * 90_000}", timeout=0.5)
    assert result.status == "timeout"
    assert not victim.alive


async def test_signals_that_are_ignored_end_the_session(victim: LocalSession) -> None:
    code = """
        import atexit
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        atexit.register(time.sleep, 1000)
        while True: pass
    """
    result = await run(victim, code, timeout=0.3)
    assert result.status == "timeout"
    assert "did not react and was ended" in result.note


# --- saying too much


async def test_tiny_outputs_without_end_are_stopped(honest: LocalSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before their texts reach the limit: each costs the host work."""
    monkeypatch.setattr("retinue.sandbox.outputs.FLOOD", 2**20)
    result = await run(honest, "while True: print('x', flush=True)")
    assert result.status == "flooded"
    assert len(text(result)) < 2**13
    assert await printed(honest, "print(1)") == "1"


async def test_a_huge_error_message_is_cut(honest: LocalSession) -> None:
    result = await run(honest, "raise ValueError('x' * 2_000_000 + 'end')")
    assert result.status == "error"
    (failure,) = result.outputs
    assert isinstance(failure, Failure)
    assert failure.name == "ValueError"
    assert failure.traceback.endswith("xxx" + "end")
    assert len(failure.traceback) < 9_000


async def test_a_long_value_is_shown_whole(honest: LocalSession) -> None:
    for code in ("print('数' * 200_000)", "class C:\n  def __repr__(self): return '数' * 200_000\nC()"):
        assert text(await run(honest, code)) == "数" * 200_000


async def test_what_is_written_to_standard_error_without_end_reaches_nobody(victim: LocalSession) -> None:
    """To the descriptor that the kernel was started with, and has put away."""
    code = """
        found = {}
        for name in os.listdir("/proc/self/fd"):
            try:
                found[os.readlink(f"/proc/self/fd/{name}")] = int(name)
            except OSError:
                pass
        (error,) = (name for link, name in found.items() if link.startswith("pipe:") and
                    link not in (os.readlink("/proc/self/fd/1"), os.readlink("/proc/self/fd/2")))
        for _ in range(1000):
            os.write(error, b"flood" * 10_000)
        os._exit(5)
    """
    result = await run(victim, code)
    assert result.note == "The Python process ended with status 5: its variables are lost."
    sandbox = victim._sandbox  # pyright: ignore[reportPrivateUsage]
    assert sandbox.last_words == ("flood" * 1000)[-4096:]


# --- not letting go


async def test_what_goes_on_after_a_call_cannot_speak_in_the_next(session: LocalSession) -> None:
    code = """
        first = get_ipython().kernel.get_parent()["header"]["msg_id"]
        def go_on():
            while not os.path.exists("late"):
                time.sleep(0.01)
            forge("stream", {"text": "lie"}, parent=first)
            open("later", "w").close()
        threading.Thread(target=go_on).start()
    """
    result = await run(session, code)
    assert (result.status, result.outputs) == ("ok", ()), result
    waiting = """
        open("late", "w").close()
        while not os.path.exists("later"):
            time.sleep(0.01)
        print("mine")
    """
    result = await run(session, waiting)
    assert text(result) == "mine", result


async def test_signals_reach_nobody_else(honest: LocalSession) -> None:
    code = "for number in (signal.SIGTERM, signal.SIGKILL):\n    try: os.kill(-1, number)\n    except OSError: pass"
    assert (await run(honest, code)).status == "ok"
    assert await printed(honest, "print('lives')") == "lives"


async def test_daemons_end_with_the_session(victim: LocalSession) -> None:
    marker = secrets.token_hex(8)
    code = f"""
        import subprocess
        endless = "trap '' 1 2 3 15; echo > up; while :; do :; done"
        subprocess.run(["sh", "-c", f'(setsid sh -c "{{endless}}" {marker} &)'])
        while not os.path.exists("up"):
            time.sleep(0.01)
    """
    assert (await run(victim, code)).status == "ok"
    assert running(marker)
    await victim.close()
    assert not running(marker)


def running(marker: str) -> bool:
    """Whether a process of the machine has this in its command line."""
    found = False
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found = found or marker.encode() in (entry / "cmdline").read_bytes()
            except OSError:
                continue
    return found
