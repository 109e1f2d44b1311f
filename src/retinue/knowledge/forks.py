"""Work on what strangers have made: each piece in a fork of its own, which may take so much time and memory, no more.

What the work takes is loaded once, in a process that a `Worker` runs; a fork has it at once, and whatever a piece does
to its fork, the next one finds a new one.
"""

from __future__ import annotations

import gc
import math
import os
import resource
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from ..inference.frames import Frame, read
from ..inference.local.child import live_under
from ..inference.working import step_back
from .extract import Unreadable

#: From a job and the configuration, makes the frames of its answer. May raise `Unreadable`.
Read = Callable[[Frame, dict[str, Any]], Iterable[Frame]]

#: Descriptors that a fork may have; and one above all that it inherits.
_DESCRIPTORS = 64
_ABOVE_ALL = 1024
#: Characters of a traceback that are told.
_TRACEBACK = 4000


class Forks:
    """The fork that works now, and what it sends.

    A job is a frame whose head is not empty. The answer is its first frame, or ``{"unreadable", "message"}``, or
    ``{"defect"}``; each further question, ``{}``, brings its next one.
    """

    def __init__(self, config: dict[str, Any], read: Read, *, nice: int) -> None:
        """What all forks use has been loaded.

        Args:
            config: what `read` is given; its ``timeout`` (seconds, of the clock and of CPU time) and ``memory_bytes``
                (beside those of this process) are the limits of a fork.
            read: works on a job; runs in the fork.
            nice: how far forks step back behind other processes, 0 to 19.
        """
        self._config = config
        self._read = read
        self._nice = nice
        self._child = 0
        self._frames: BinaryIO | None = None
        # Else the first collection in a fork would copy all that it shares with this process.
        gc.freeze()

    def answer(self, question: Frame) -> Frame:
        """The next frame: of the job that the question is, or the one before."""
        if question.head:
            self._end()
            self._begin(question)
        assert self._frames is not None  # noqa: S101 (the first question is a job)
        return read(self._frames) or self._broken_off()

    def _begin(self, job: Frame) -> None:
        source, sink = os.pipe()
        parent = os.getpid()
        self._child = os.fork()
        if not self._child:
            _apart(parent, sink, lambda: _frames(self._read, job, self._config), self._config, self._nice)
        os.close(sink)
        self._frames = os.fdopen(source, "rb")

    def _end(self) -> None:
        if self._frames:
            self._frames.close()
            self._frames = None
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)

    def _broken_off(self) -> Frame:
        """Why the fork sends no more."""
        assert self._frames is not None  # noqa: S101
        self._frames.close()
        self._frames = None
        number = os.WTERMSIG(os.waitpid(self._child, 0)[1])
        if number in (signal.SIGALRM, signal.SIGXCPU):
            return _unreadable(f"Reading this file took more than {self._config['timeout']:g} seconds. Divide it.")
        name = signal.Signals(number).name if number else "without a signal"
        return _unreadable(
            f"Reading this file broke off ({name}): it is damaged, or takes more than "
            f"{_megabytes(self._config)} MB of memory. Save it anew, or divide it."
        )


def _apart(
    parent: int, sink: int, frames: Callable[[], Iterable[Frame]], config: dict[str, Any], nice: int
) -> NoReturn:
    """Write frames to `sink` within the limits, and end this process."""
    try:
        _confine(parent, sink, config, nice)
        with os.fdopen(sink, "wb") as out:
            for frame in frames():
                out.write(frame.encoded())
        os._exit(0)
    finally:
        os._exit(1)


def _confine(parent: int, sink: int, config: dict[str, Any], nice: int) -> None:
    """Leave this process nothing but `sink`, standard error and the limits of `config`."""
    live_under(parent)
    os.setsid()
    step_back(nice)
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.closerange(3, sink)
    os.closerange(sink + 1, _ABOVE_ALL)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    seconds = math.ceil(config["timeout"])
    for limit, most in (
        (resource.RLIMIT_AS, taken + config["memory_bytes"]),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
    ):
        resource.setrlimit(limit, (most, most))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, config["timeout"])


def _frames(work: Read, job: Frame, config: dict[str, Any]) -> Iterator[Frame]:
    """All frames about a job."""
    try:
        frames = list(work(job, config))
    except Unreadable as error:
        frames = [_unreadable(error.message, error.code)]
    except MemoryError:
        frames = [_unreadable(f"Reading this file takes more than {_megabytes(config)} MB of memory. Divide it.")]
    except Exception:
        frames = [Frame({"defect": traceback.format_exc()[-_TRACEBACK:]})]
    # Only reading is limited in time: whoever takes the frames may have to wait for the database.
    signal.setitimer(signal.ITIMER_REAL, 0)
    yield from frames


def _unreadable(message: str, code: str = "invalid_file") -> Frame:
    return Frame({"unreadable": code, "message": message})


def _megabytes(config: dict[str, Any]) -> int:
    return config["memory_bytes"] // 10**6
