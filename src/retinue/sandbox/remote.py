"""What a session does inside a kernel at a Jupyter gateway: its source is sent there and becomes a module.

It imports nothing of Retinue, which is not there, and keeps to Python 3.8. Its functions return an `Answer`.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import json
import os
import shutil
import signal
import stat
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DATA = Path("/mnt/data")
#: The mode that `/mnt/data` has while it is a session's, and after: what lies in such a folder, a session has left.
_MODE = stat.S_ISVTX | 0o700
#: Characters of text that are sent at once, and that may be on the way until code that prints more has to wait.
_MOST_TEXT, _MOST_ON_THE_WAY = 256 * 1024, 4 * 1024 * 1024
#: Seconds that it waits for the session to take something; a gateway may have dropped what is on the way.
_PATIENCE = 1.0
#: How often in its time the watch looks. Counting looks and not seconds, it is not misled when Python is held up.
_LOOKS = 10

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class Answer:
    """What is shown of it is an object in JSON: `value`, or `errno` and `text`."""

    def __init__(self, shown: dict[str, Any]) -> None:
        self._shown = shown

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"application/json": self._shown}


def _answering(function: Callable[..., Any]) -> Callable[..., Answer]:
    def answer(*arguments: Any) -> Answer:
        try:
            return Answer({"value": function(*arguments)})
        except OSError as error:
            return Answer({"errno": error.errno, "text": error.strerror})

    return answer


@_answering
def begin(kernel: Any, silence: float, step: int) -> None:
    """Make `/mnt/data` this kernel's own and its working folder, and end the kernel when its session is no more.

    The session asks on the control channel how the kernel is, at least every `silence` seconds and for every `step`
    bytes that it has received.

    Raises OSError: the folder cannot be made, belongs to another kernel, or holds something that is not a session's.
    """
    _DATA.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Held until the kernel ends, whatever ends it.
    folder = os.open(_DATA, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError(errno.EBUSY, "it belongs to another kernel") from None
    found = list(_DATA.iterdir())
    if found and stat.S_IMODE(os.fstat(folder).st_mode) != _MODE:
        raise OSError(errno.ENOTEMPTY, "it is not empty")
    for path in found:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    with suppress(PermissionError):  # it is another account's, open to all: then nothing is cleared away
        os.fchmod(folder, _MODE)
    os.chdir(_DATA)
    _mend(kernel.session)
    signs = _Signs(silence, step)
    signs.hear_in(kernel.control_handlers)
    for stream in (sys.stdout, sys.stderr):
        signs.bound(stream)
    threading.Thread(target=signs.watch, name="retinue-watch", daemon=True).start()


@_answering
def listed(most: int) -> list[list[Any]]:
    """Name, size and time of change of the regular files, at most so many."""
    found: list[list[Any]] = []
    for path in _paths():
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and len(found) < most:
            found.append([str(path.relative_to(_DATA)), status.st_size, status.st_mtime_ns])
    return found


@_answering
def read(name: str, at: int, most: int) -> str:
    """A piece of a regular file, in base64."""
    descriptor = os.open(_DATA / name, _READ)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file")
        return base64.b64encode(os.pread(descriptor, most, at)).decode()
    finally:
        os.close(descriptor)


@_answering
def write(unfinished: str, piece: str) -> None:
    """Add a piece, in base64, to a file that is being written."""
    descriptor = os.open(_DATA / unfinished, _WRITE, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        file.write(base64.b64decode(piece))


@_answering
def keep(unfinished: str, name: str) -> None:
    """Give a file that has been written its name."""
    path = _DATA / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (_DATA / unfinished).replace(path)


@_answering
def drop(unfinished: str) -> None:
    """Remove a file that has not been written to its end."""
    (_DATA / unfinished).unlink()


def _paths() -> Iterator[Path]:
    for folder, _, names in os.walk(_DATA):
        yield from (Path(folder, name) for name in names)


class _Signs:
    """The signs of life that the session gives, and what depends on them."""

    def __init__(self, silence: float, step: int) -> None:
        self._silence = silence
        self._step = step
        self._heard = threading.Condition()
        self._recently = False
        #: Characters that have been written and not received, as far as can be told.
        self._on_the_way = 0

    def hear_in(self, handlers: dict[str, Any]) -> None:
        """Be told of the signs, which are requests on the control channel."""
        original = handlers["kernel_info_request"]

        def hear(*arguments: Any) -> Any:
            with self._heard:
                self._recently = True
                self._on_the_way = max(0, self._on_the_way - self._step)
                self._heard.notify_all()
            return original(*arguments)

        handlers["kernel_info_request"] = hear

    def watch(self) -> None:
        """End the kernel, and what it has started, after a silence."""
        left = _LOOKS
        while left:
            time.sleep(self._silence / _LOOKS)
            left = _LOOKS if self._recently else left - 1
            self._recently = False
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    def bound(self, stream: Any) -> None:
        """Have a stream send what is written to it in messages of limited size, no faster than they are received."""
        original = stream.write
        unsent = 0

        def write_bounded(text: str) -> int:
            nonlocal unsent
            if not isinstance(text, str):
                return original(text)
            for start in range(0, len(text), _MOST_TEXT):
                piece = text[start : start + _MOST_TEXT]
                original(piece)
                unsent += len(piece)
                if unsent >= _MOST_TEXT:
                    stream.flush()
                    self._wait_for_room(unsent)
                    unsent = 0
            return len(text)

        stream.write = write_bounded

    def _wait_for_room(self, written: int) -> None:
        with self._heard:
            self._on_the_way += written
            if not self._heard.wait_for(lambda: self._on_the_way <= _MOST_ON_THE_WAY, _PATIENCE):
                self._on_the_way = 0


def _mend(session: Any) -> None:
    """Have messages sent that hold half a surrogate pair, which Python's strings may and UTF-8 may not."""
    original = session.pack

    def pack(message: Any) -> bytes:
        try:
            return original(message)
        except UnicodeEncodeError:
            return json.dumps(message, default=str, ensure_ascii=False).encode(errors="replace")

    session.pack = pack
