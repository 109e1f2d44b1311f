"""What a file is, by what is in it."""

from __future__ import annotations

import re
import zipfile
from typing import BinaryIO

from .document import Unreadable, broken, encrypted

_HEAD = 4_096
#: The kinds that are read, by how their files begin.
_READ = ((b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"), (b"{\\rtf", "rtf"))
_PICTURES = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|II\*\x00|MM\x00\*|RIFF....WEBP", re.S)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
#: Kinds that are not, with what to say of them.
_PICTURE, _SOUND, _FILM = "a picture", "a sound recording", "a film"
_ARCHIVE, _PROGRAM, _DATABASE = "an archive other than ZIP", "a program", "a database"
_OTHERS = (
    (rb"GIF8[79]a|\x00\x00\x01\x00|8BPS|....ftyp(?:hei|avif|mif)", _PICTURE),
    (rb"ID3[\x02-\x04]|OggS\x00|fLaC|RIFF....WAVE|\xff[\xfb\xf3\xf2]|MThd|....ftypM4A", _SOUND),
    (rb"....ftyp|\x1a\x45\xdf\xa3|RIFF....AVI |\x00\x00\x01[\xba\xb3]|FLV\x01", _FILM),
    (rb"\x1f\x8b|BZh[1-9]1AY|\xfd7zXZ\x00|7z\xbc\xaf\x27\x1c|Rar!\x1a\x07|\x28\xb5\x2f\xfd|.{257}ustar", _ARCHIVE),
    (rb"\x7fELF|\xca\xfe\xba\xbe|\xcf\xfa\xed\xfe|\xfe\xed\xfa[\xce\xcf]|\x00asm|dex\n", _PROGRAM),
    (rb"SQLite format 3\x00", _DATABASE),
    (rb"PAR1|ARROW1|\x93NUMPY|\x89HDF|GGUF", "a file of numbers"),
    (rb"wOF[F2]|\x00\x01\x00\x00\x00|OTTO\x00", "a font"),
)
_UNREADABLE = tuple((re.compile(pattern, re.S), what) for pattern, what in _OTHERS)
#: As before, with signatures so short that text might have them: for files that are not text.
_SHORT = ((b"MZ", _PROGRAM), (b"BM", _PICTURE), (b"\x80", "a file of objects of a program"))
#: OpenDocument and EPUB say what they are in a file of this name.
_MIMETYPE = "mimetype"
_MIMETYPES = {"application/epub+zip": "epub", "application/vnd.oasis.opendocument.": "opendocument"}
_PACKAGES = {"word/": "docx", "ppt/": "pptx", "xl/": "xlsx"}
#: Streams of the older Office files, by name.
_STREAMS = (("EncryptedPackage", "encrypted"), ("Workbook", "xls"), ("Book", "xls"))
_OLD_OFFICE = (("WordDocument", "Word", "docx"), ("PowerPoint Document", "PowerPoint", "pptx"))


def kind(file: BinaryIO) -> str | None:
    """The kind of a file that is not text.

    Args:
        file: the file, to be read from its beginning.

    Returns:
        `pdf`, `docx`, `pptx`, `xlsx`, `xls`, `opendocument`, `epub`, `rtf`, `picture` or `zip`; None: it should be
        text.

    Raises:
        Unreadable: it is of a kind that is not read, or damaged.
    """
    head = file.read(_HEAD)
    file.seek(0)
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(_OLE):
        return _old_office(file)
    for beginning, name in _READ:
        if head.startswith(beginning):
            return _in_zip(file) if name == "zip" else name
    if _PICTURES.match(head):
        return "picture"
    for pattern, what in _UNREADABLE:
        if pattern.match(head):
            raise unsupported(what)
    return None


def refuse_binary(head: bytes) -> None:
    """Say what a file is that proved not to be text, if that can be said.

    Raises:
        Unreadable: that can be said.
    """
    for beginning, what in _SHORT:
        if head.startswith(beginning):
            raise unsupported(what)


def unsupported(what: str, advice: str = "") -> Unreadable:
    """The failure of a file of a known kind that has no text that is read."""
    advice = (
        advice
        or "Upload text, HTML, JSON, CSV, PDF, Office or OpenDocument files, RTF, EPUB, or a ZIP archive of these."
    )
    return Unreadable("unsupported_file", f"This file is {what}, which cannot be searched. {advice}")


def _in_zip(file: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if _MIMETYPE in names and archive.getinfo(_MIMETYPE).file_size < 200:
                said = archive.read(_MIMETYPE).decode("ascii", "replace").strip()
                for beginning, name in _MIMETYPES.items():
                    if said.startswith(beginning):
                        return name
    except Exception as error:
        # Whatever zipfile finds wrong: it has many exceptions for that.
        raise broken("ZIP archive") from error
    finally:
        file.seek(0)
    if "[Content_Types].xml" in names:
        for folder, name in _PACKAGES.items():
            if any(member.startswith(folder) for member in names):
                if f"{folder}workbook.bin" in names:
                    raise unsupported("a binary Excel workbook (.xlsb)", "Save it as .xlsx and upload that.")
                return name
    return "zip"


def _old_office(file: BinaryIO) -> str:
    """The kind of a compound file, in which names of streams are UTF-16."""
    data = file.read()
    file.seek(0)
    for stream, name in _STREAMS:
        if f"{stream}\0".encode("utf-16-le") in data:
            if name == "encrypted":
                raise encrypted("Office document")
            return name
    for stream, program, modern in _OLD_OFFICE:
        if f"{stream}\0".encode("utf-16-le") in data:
            raise unsupported(f"an older {program} document", f"Save it as .{modern} or PDF and upload that.")
    raise unsupported("of an older Office format")
