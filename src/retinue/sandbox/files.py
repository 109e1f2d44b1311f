"""Files in a session's `/mnt/data`, reached from the host through the folder's descriptor.

The sandbox can change everything in the folder at any moment, so a name is walked part by part, never following a
link (openat(2) with O_NOFOLLOW), and what was opened is looked at, not what was listed. The folder is a file system of
its own: a hard link cannot lead out of it either.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from retinue.sandbox.session import FileInfo, FileRefused

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Generator

#: Bytes read at once. The files lie in memory, so this is done in well under a millisecond, and not in a thread.
_PIECE = 256 * 1024
#: Most files that are listed.
MOST_FILES = 1000
#: Most folders that are looked into, and depth of folders.
_MOST_FOLDERS, _MOST_DEPTH = 1000, 16
#: Bytes of a part of a name (NAME_MAX), and of a whole one.
_PART_BYTES, _NAME_BYTES = 255, 1024

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK opening a FIFO would wait for its other end.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Folder:
    """The folder that `descriptor` has open; `owner` is the account that files and folders made here belong to."""

    def __init__(self, descriptor: int, owner: int) -> None:
        self._descriptor = descriptor
        self._owner = owner

    def close(self) -> None:
        """Let go of the folder; what is asked afterwards is refused."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def list(self) -> list[FileInfo]:
        """The regular files, by name, as far as the limits go; links and other things are left out."""
        found: list[FileInfo] = []
        waiting = [""]
        looked_at = 0
        while waiting and looked_at < _MOST_FOLDERS and len(found) < MOST_FILES:
            looked_at += 1
            # A folder may be gone by now, or be a link.
            with suppress(FileRefused, OSError):
                waiting += self._list_one(waiting.pop(), found)
        return sorted(found, key=lambda file: file.name)

    def _list_one(self, prefix: str, found: list[FileInfo]) -> list[str]:
        """Add the files of one folder to `found`; returns the folders in it."""
        folders: list[str] = []
        with self._walked(prefix.split("/")[:-1]) as folder, os.scandir(folder) as entries:
            for entry in entries:
                if len(found) == MOST_FILES:
                    break
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        if len(folders) < _MOST_FOLDERS and prefix.count("/") < _MOST_DEPTH:
                            folders.append(f"{prefix}{entry.name}/")
                    elif entry.is_file(follow_symlinks=False) and _printable(entry.name):
                        status = entry.stat(follow_symlinks=False)
                        found.append(FileInfo(prefix + entry.name, status.st_size, status.st_mtime_ns))
        return folders

    async def put(self, name: str, content: bytes | AsyncIterable[bytes]) -> None:
        """Write a file, in place of whatever has that name; folders in it are made.

        It appears whole or not at all. Raises FileRefused.
        """
        *folders, last = parts(name)
        with self._walked(folders, make=True) as folder:
            # A name of its own first: writing into what is there could write through a hard link.
            unfinished = f".{secrets.token_hex(8)}"
            with refusing(name):
                descriptor = os.open(unfinished, _WRITE, 0o600, dir_fd=folder)
            try:
                async for piece in pieces(content):
                    with refusing(name):
                        _write_all(descriptor, piece)
                with refusing(name):
                    os.fchown(descriptor, self._owner, -1)
                    os.rename(unfinished, last, src_dir_fd=folder, dst_dir_fd=folder)
            finally:
                os.close(descriptor)
                with suppress(OSError):
                    os.unlink(unfinished, dir_fd=folder)

    async def read(self, name: str, *, most: int) -> AsyncIterator[bytes]:
        """A regular file in pieces, of at most `most` bytes. Raises FileRefused."""
        *folders, last = parts(name)
        with self._walked(folders) as folder, refusing(name):
            descriptor = os.open(last, _READ, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FileRefused(f"`{name}` is not a regular file.")
            left = most
            while piece := os.read(descriptor, _PIECE):
                left -= len(piece)
                # The size that the file had at first says nothing: it may grow while it is read.
                if left < 0:
                    raise FileRefused(f"`{name}` is longer than {most} bytes.")
                yield piece
        finally:
            os.close(descriptor)

    @contextmanager
    def _walked(self, parts: list[str], *, make: bool = False) -> Generator[int]:
        """The descriptor of a folder below this one. Raises FileRefused where a part is missing or a link."""
        if self._descriptor < 0:
            raise FileRefused("The session has ended.")
        current = os.dup(self._descriptor)
        try:
            with refusing("/".join(parts)):
                for part in parts:
                    if make:
                        with suppress(FileExistsError):
                            os.mkdir(part, 0o700, dir_fd=current)
                            os.chown(part, self._owner, -1, dir_fd=current, follow_symlinks=False)
                    following = os.open(part, _FOLDER, dir_fd=current)
                    os.close(current)
                    current = following
            yield current
        finally:
            os.close(current)


def parts(name: str) -> list[str]:
    """The parts of a name below the folder. Raises FileRefused for names that are none or lead elsewhere."""
    parts = name.split("/")
    if (
        any(part in ("", ".", "..") or len(os.fsencode(part)) > _PART_BYTES for part in parts)
        or len(parts) > _MOST_DEPTH + 1
        or len(os.fsencode(name)) > _NAME_BYTES
        or not _printable(name)
    ):
        raise FileRefused(f"`{ascii(name)[1:-1][:100]}` is not the name of a file in /mnt/data.")
    return parts


def _printable(name: str) -> bool:
    """Whether a name is text (bytes that are not UTF-8 become surrogates) and can be stored."""
    try:
        return b"\0" not in name.encode()
    except UnicodeEncodeError:
        return False


async def pieces(content: bytes | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The pieces of what may be whole."""
    if isinstance(content, bytes):
        yield content
        return
    async for piece in content:
        yield piece


def _write_all(descriptor: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view[:_PIECE]) :]


@contextmanager
def refusing(name: str) -> Generator[None]:
    """Says in words why the file system refused something about a file."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise FileRefused(f"There is no room left in /mnt/data for `{name}`.") from error
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise FileRefused(f"`{name}` is a link, or leads through one.") from error
        if error.errno == errno.ENOENT:
            raise FileRefused(f"There is no file `{name}` in /mnt/data.") from error
        raise FileRefused(f"`{name}` cannot be used: {error.strerror}.") from error
