"""ZIP archives, and the documents that are archives inside, within limits."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, BinaryIO
from xml.parsers import expat

from . import xml
from .document import TooLarge, Writer, broken, encrypted

#: An archive may unpack to this many bytes whatever the ratio.
_SMALL = 10_000_000
#: In the flags of an archive's file.
_ENCRYPTED = 0x1


class Archive:
    """A ZIP archive that is being read. What is unpacked of it counts towards the limits."""

    def __init__(self, file: BinaryIO, what: str, writer: Writer) -> None:
        """Open an archive.

        Args:
            file: the archive.
            what: what it is to people, such as "Word document".
            writer: has the limits.

        Raises:
            Unreadable: it is damaged, or has more files than the limit.
        """
        self._what = what
        self._writer = writer
        self._size = file.seek(0, io.SEEK_END)
        self._unpacked = 0
        try:
            self._zip = zipfile.ZipFile(file)
            self.members = [info for info in self._zip.infolist() if not info.is_dir()]
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, UnicodeError) as error:
            raise broken(what) from error
        if len(self.members) > writer.limits.members:
            raise TooLarge(
                f"This {what} has more than {writer.limits.members:,} files in it. Divide it into several files."
            )
        self.names = {info.filename for info in self.members}

    @contextmanager
    def open(self, name: str) -> Generator[IO[bytes]]:
        """The content of one of its files, unpacked as it is read.

        Raises:
            Unreadable: it is not there, damaged or encrypted, or unpacks to more than the limits.
        """
        try:
            info = self._zip.getinfo(name)
            if info.flag_bits & _ENCRYPTED:
                raise encrypted(self._what)
            self._count(info.file_size)
            # What is read never is more than the size that was counted: zipfile stops there.
            with self._zip.open(info) as stream:
                yield stream
        except (KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, OSError) as error:
            raise broken(self._what) from error

    def read(self, name: str) -> bytes:
        """All of one of its files.

        Raises:
            Unreadable: as `open`.
        """
        with self.open(name) as stream:
            return stream.read()

    def parse(self, name: str, handler: xml.Handler) -> None:
        """Read one of its files, which is XML.

        Raises:
            Unreadable: as `open`, or it is not XML that a document may have.
        """
        with self.open(name) as stream:
            try:
                xml.parse(stream, handler)
            except (expat.ExpatError, xml.Entities, LookupError) as error:
                raise broken(self._what) from error

    def _count(self, size: int) -> None:
        self._unpacked += size
        self._writer.count_unpacked(size)
        if self._unpacked > max(_SMALL, self._size * self._writer.limits.ratio):
            raise TooLarge(
                f"This {self._what} unpacks to more than {self._writer.limits.ratio} times its size, as files do "
                "that are made to exhaust memory. Upload what is in it by itself.",
            )
