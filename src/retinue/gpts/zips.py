"""Archives of files (ZIP) from people who may mean no good: what is in them, read within limits.

Nothing of an archive is written to a path that it names. Source: APPNOTE.TXT 6.3.10 of PKWARE.
"""

from __future__ import annotations

import asyncio
import struct
import zipfile
import zlib
from collections.abc import AsyncGenerator
from typing import IO

from ..errors import InvalidRequest, TooLarge

#: Most files in an archive, and most bytes of their list.
MOST_ENTRIES, _MOST_LIST_BYTES = 256, 512 * 1024
#: Most bytes that all files have together, unpacked.
MOST_UNPACKED = 256 * 1024 * 1024
#: Bytes that are unpacked at once.
_PIECE = 256 * 1024
_END = struct.Struct("<4s4H2LH")
_LOCATOR_BYTES = 20
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


class Unpacked:
    """An archive that was found harmless."""

    def __init__(self, archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]) -> None:
        """See `opened`."""
        self._archive = archive
        self._entries = entries

    def size(self, path: str) -> int | None:
        """Bytes of a file, unpacked; None: there is none."""
        entry = self._entries.get(path)
        return entry.file_size if entry else None

    async def pieces(self, path: str) -> AsyncGenerator[bytes]:
        """What is in a file, piece by piece: never more than its size.

        Raises:
            InvalidRequest: there is no such file, or it is broken.
        """
        entry = self._entries.get(path)
        if entry is None:
            raise refused(f"'{path}' is missing")
        try:
            with await asyncio.to_thread(self._archive.open, entry) as file:
                while piece := await asyncio.to_thread(file.read, _PIECE):
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError) as error:
            raise refused(f"'{path}' is broken") from error

    async def whole(self, path: str, most: int) -> bytes:
        """What is in a small file. Raises as `pieces`; `InvalidRequest` too where it has more than `most` bytes."""
        if (self.size(path) or 0) > most:
            raise refused(f"'{path}' is larger than {most} bytes")
        return b"".join([piece async for piece in self.pieces(path)])


def opened(file: IO[bytes]) -> Unpacked:
    """Look at an archive, without unpacking anything. Not to be called on the event loop.

    Raises:
        InvalidRequest: it is none, or not one that may be unpacked.
        TooLarge: it is too large unpacked.
    """
    _check_end(file)
    try:
        archive = zipfile.ZipFile(file)
        infos = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
        raise refused("it is no ZIP file, or broken") from error
    if len(infos) > MOST_ENTRIES:
        raise refused(f"it has more than {MOST_ENTRIES} files")
    entries: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = info.filename
        parts = name.split("/")
        if name.startswith("/") or "\\" in info.orig_filename or ".." in parts or ":" in parts[0] or "\0" in name:
            raise refused("a path in it leads out of it")
        if name in entries:
            raise refused("two files in it have the same path")
        if info.flag_bits & _ENCRYPTED or info.compress_type not in _PACKED:
            raise refused("it is encrypted, or packed in a way that is not taken")
        if not info.is_dir():
            entries[name] = info
    if sum(info.file_size for info in infos) > MOST_UNPACKED:
        raise TooLarge(f"The archive has more than {MOST_UNPACKED} bytes unpacked.", param="file")
    return Unpacked(archive, entries)


def _check_end(file: IO[bytes]) -> None:
    """See how many files the archive says that it has, before anything makes a list of them."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END.size - _LOCATOR_BYTES))
    tail = file.read()
    if len(tail) < _END.size:
        raise refused("it is no ZIP file, or broken")
    mark, *_, entries, list_bytes, _, comment = _END.unpack(tail[-_END.size :])
    if mark != b"PK\x05\x06" or comment or tail[: -_END.size].startswith(b"PK\x06\x07"):
        raise refused("it is no ZIP file, is broken, or has a comment")
    if entries > MOST_ENTRIES or list_bytes > _MOST_LIST_BYTES:
        raise refused(f"it has more than {MOST_ENTRIES} files")


def refused(reason: str) -> InvalidRequest:
    """The error for an archive that is not taken."""
    return InvalidRequest(
        f"Invalid 'file': {reason}. Send a file that was exported from a GPT.", param="file", code="invalid_archive"
    )
