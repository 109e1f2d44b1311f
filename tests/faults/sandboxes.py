"""What the tests of attacks on sandboxes share: sessions' limits, and code that tries things and prints how it ends."""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from pathlib import Path

import pytest

from retinue.sandbox.local import LocalSession
from retinue.sandbox.process import Limits
from retinue.sandbox.session import Logs, Result

LIMITS = Limits(memory=1024**3, disk=32 * 1024**2, processes=48, cpu=60)

#: Defined in the session: what an attempt ends with, and system calls by number.
_ATTEMPT = """
import ctypes, errno, os, platform, signal, socket, subprocess, sys, time
def attempt(what, *arguments):
    try:
        return f"done {what(*arguments)}"
    except (OSError, ImportError) as error:
        return errno.errorcode.get(error.errno, repr(error))
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if (result := libc.syscall(number, *arguments)) == -1:
        raise OSError(ctypes.get_errno(), "")
    return result
x86 = platform.machine() == "x86_64"
"""


def files_of_sandboxes() -> set[Path]:
    """What Retinue and gVisor have on the machine, outside data folders.

    Without the folders of sockets of databases and local models, which other tests make and remove at the same time.
    """
    places = [Path(place) for place in ("/tmp", "/dev/shm", "/run", "/var/run")]
    found = {path for place in places for pattern in ("*retinue*", "*runsc*") for path in place.glob(pattern)}
    sockets = re.compile(r"/tmp/retinue-(\d+-)?[0-9a-f]{16}")
    return {path for path in found if not sockets.fullmatch(str(path))}


async def run(session: LocalSession, code: str, timeout: float = 30) -> Result:  # noqa: ASYNC109
    """What comes of code."""
    return await session.run(textwrap.dedent(code), lambda _: None, timeout=timeout)


def text(result: Result) -> str:
    """All that it printed."""
    return "".join(output.text for output in result.outputs if isinstance(output, Logs)).strip()


async def printed(session: LocalSession, code: str) -> str:
    """What code prints that must not fail."""
    result = await run(session, code)
    assert result.status == "ok", result
    return text(result)


async def attempts(session: LocalSession, code: str) -> list[str]:
    """The words that code prints which has `attempt(what, *arguments)`, `call(number, ...)`, `libc` and `x86`."""
    return (await printed(session, _ATTEMPT + textwrap.dedent(code))).split()


def require_runsc() -> None:
    """Skip the test where gVisor cannot be used."""
    if os.geteuid() != 0 or not shutil.which("runsc"):
        pytest.skip("gVisor is not tried: this needs root, and runsc (apt install runsc)")
