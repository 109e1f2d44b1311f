"""The process that reads files, each in a fork of its own, which may take so much time and memory and no more.

Run by `Worker`, with ``{"timeout", "memory_bytes", "most_tokens", "ocr"}``. What reading takes is loaded once; a fork
has it at once, and whatever a file does to its fork, the next file finds a new one.

A file is asked for by ``{"path", "filename", "size", "overlap"}``. The answer is ``{"unreadable", "message"}``,
``{"defect"}``, or ``{"chunks", "words", "slices", "tables"}``: how many chunks, how many words in all of them, and in
how many further frames they come. Each further question, ``{}``, brings one of these: first slices of the chunks,
``{"chunks": [[start, tokens, page, section, bytes]]}`` with their texts one after the other as the part; then tables of
the words, ``{"words": [[word, bytes]]}`` with their postings in the same way.
"""

from __future__ import annotations

import gc
import math
import os
import resource
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TypeVar

from ..inference.frames import Frame, read
from ..inference.local.child import live_under
from ..inference.tokenizers import token_ends
from ..inference.working import step_back, work
from .chunks import ENCODING, cut
from .extract import Unreadable, extract, recognition
from .words import postings

T = TypeVar("T")

#: Entries and bytes of a frame: what the server can take in within a millisecond or two.
_ENTRIES, _BYTES = 500, 256 * 1024
#: Reading gives way to whatever answers somebody who waits.
_NICE = 10
#: Descriptors that a fork may have; and one above all that it inherits.
_DESCRIPTORS = 64
_ABOVE_ALL = 1024
#: Characters of a traceback that are told.
_TRACEBACK = 4000


class Forks:
    """The fork that reads a file now, and what it sends."""

    def __init__(self, config: dict[str, Any]) -> None:
        """Load what all forks use; `config` is as above."""
        self._config = config
        self._child = 0
        self._frames: BinaryIO | None = None
        postings(["words, 词语"])
        token_ends(ENCODING, "words")
        if config["ocr"]:
            # Where it is not installed, each file that needs it says so.
            with suppress(Unreadable):
                recognition.load()
        # Else the first collection in a fork would copy all that it shares with this process.
        gc.freeze()

    def answer(self, question: Frame) -> Frame:
        """The next frame about a file: of the one that the question names, or the one before."""
        if question.head:
            self._end()
            self._begin(question.head)
        assert self._frames is not None  # noqa: S101 (the first question names a file)
        return read(self._frames) or self._broken_off()

    def _begin(self, job: dict[str, Any]) -> None:
        source, sink = os.pipe()
        parent = os.getpid()
        self._child = os.fork()
        if not self._child:
            _apart(parent, sink, lambda: _frames(job, self._config), self._config)
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


def _apart(parent: int, sink: int, frames: Callable[[], Iterable[Frame]], config: dict[str, Any]) -> NoReturn:
    """Write frames to `sink` within the limits, and end this process."""
    try:
        _confine(parent, sink, config)
        with os.fdopen(sink, "wb") as out:
            for frame in frames():
                out.write(frame.encoded())
        os._exit(0)
    finally:
        os._exit(1)


def _confine(parent: int, sink: int, config: dict[str, Any]) -> None:
    """Leave this process nothing but `sink`, standard error and the limits of `config`."""
    live_under(parent)
    os.setsid()
    step_back(_NICE)
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


def _frames(job: dict[str, Any], config: dict[str, Any]) -> Iterator[Frame]:
    """All frames about a file."""
    try:
        frames = list(_read(job, config))
    except Unreadable as error:
        frames = [_unreadable(error.message, error.code)]
    except MemoryError:
        frames = [_unreadable(f"Reading this file takes more than {_megabytes(config)} MB of memory. Divide it.")]
    except Exception:
        frames = [Frame({"defect": traceback.format_exc()[-_TRACEBACK:]})]
    # Only reading is limited in time: whoever takes the frames may have to wait for the database.
    signal.setitimer(signal.ITIMER_REAL, 0)
    yield from frames


def _read(job: dict[str, Any], config: dict[str, Any]) -> Iterator[Frame]:
    document = extract(Path(job["path"]), job["filename"], ocr=config["ocr"])
    ends = token_ends(ENCODING, document.text)
    if len(ends) > config["most_tokens"]:
        most = config["most_tokens"]
        raise Unreadable("invalid_file", f"The file has more than {most} tokens. Divide it into several files.")
    chunks = cut(document, ends, job["size"], job["overlap"])
    table, words = postings([chunk.text for chunk in chunks])
    slices = [
        Frame({"chunks": [[*entry, len(text)] for entry, text in part]}, [b"".join(text for _, text in part)])
        for part in _parts(((c.start, c.tokens, c.page, c.section), c.text.encode()) for c in chunks)
    ]
    tables = [
        Frame({"words": [[word, len(content)] for word, content in part]}, [b"".join(content for _, content in part)])
        for part in _parts(table.items())
    ]
    yield Frame({"chunks": len(chunks), "words": words, "slices": len(slices), "tables": len(tables)})
    yield from slices
    yield from tables


def _parts(entries: Iterable[tuple[T, bytes]]) -> Iterator[list[tuple[T, bytes]]]:
    """The entries in parts that a frame can hold."""
    part: list[tuple[T, bytes]] = []
    size = 0
    for entry in entries:
        if part and (len(part) == _ENTRIES or size + len(entry[1]) > _BYTES):
            yield part
            part, size = [], 0
        part.append(entry)
        size += len(entry[1])
    if part:
        yield part


def _unreadable(message: str, code: str = "invalid_file") -> Frame:
    return Frame({"unreadable": code, "message": message})


def _megabytes(config: dict[str, Any]) -> int:
    return config["memory_bytes"] // 10**6


def _load(config: dict[str, Any]) -> Callable[[Frame], Frame]:
    return Forks(config).answer


if __name__ == "__main__":
    work(_load)
