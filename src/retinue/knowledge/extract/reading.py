"""Reading files of every kind."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from .archive import Archive
from .document import Document, Limits, TooLarge, Unreadable, Writer, broken
from .encodings import decode
from .epub import read_epub
from .html import read_html
from .kinds import kind, refuse_binary, unsupported
from .opendocument import read_opendocument
from .plain import read_csv, read_json, read_markdown, read_text
from .rtf import read_rtf
from .slides import read_slides
from .word import read_word

_READERS: dict[str, Callable[[BinaryIO, Writer], None]] = {
    "docx": read_word,
    "epub": read_epub,
    "opendocument": read_opendocument,
    "pptx": read_slides,
    "rtf": read_rtf,
}
#: The readers of text by the end of a file's name, which is all that tells these formats apart.
_TEXT_READERS: dict[str, Callable[[str, Writer], None]] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".tab": read_csv,
    ".htm": read_html,
    ".html": read_html,
    ".xhtml": read_html,
    ".json": read_json,
    ".jsonl": read_json,
    ".ndjson": read_json,
    ".md": read_markdown,
    ".markdown": read_markdown,
}
_HTML = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.I | re.S)
_HTML_WITHIN = 2_000
#: Bytes of a character at most, in any encoding.
_CHARACTER = 4
#: What systems put into archives beside the files.
_NOT_FILES = re.compile(r"(?:^|/)(?:__MACOSX/|\.DS_Store$|Thumbs\.db$|desktop\.ini$)")
#: In the flags of an archive's file: its name is UTF-8.
_UTF8_NAME = 0x800


def extract(
    path: Path,
    filename: str,
    limits: Limits = Limits(),  # noqa: B008 - it is frozen
    *,
    ocr: bool = False,
) -> Document:
    """Read the text of a file.

    Takes as much time and memory as the file wants, within the limits; a file may also crash a library that reads it.
    So this is for a process of its own that can be killed.

    Args:
        path: the file.
        filename: its name to people; tells text formats apart.
        limits: what is read at most.
        ocr: whether to recognize the text of pictures, and of PDF pages that have none of their own.

    Raises:
        Unreadable: it has no text that can be searched; the message says why, and what to do.
        OSError: the file is not there.
    """
    with path.open("rb") as file:
        return extract_from(file, filename, limits, ocr=ocr)


def extract_from(
    file: BinaryIO,
    filename: str,
    limits: Limits = Limits(),  # noqa: B008 - it is frozen
    *,
    ocr: bool = False,
) -> Document:
    """As `extract`, of a file that is open, or in memory."""
    writer = Writer(limits, ocr)
    _read(file, filename, writer)
    document = writer.document()
    if not document.text:
        raise Unreadable("invalid_file", "There is no text in this file.")
    return document


def _read(file: BinaryIO, name: str, writer: Writer) -> None:
    try:
        found = kind(file)
        if found == "zip":
            _read_zip(file, writer)
        elif found:
            _reader(found)(file, writer)
        else:
            _read_any_text(file, name, writer)
    except (Unreadable, KeyboardInterrupt, SystemExit):
        raise
    except MemoryError as error:
        raise TooLarge("Reading this file takes too much memory. Divide it into several files.") from error
    except BaseException as error:
        # Libraries fail in their own ways on files that are made to; those in Rust panic beyond `Exception`.
        raise broken("file") from error


def _reader(kind: str) -> Callable[[BinaryIO, Writer], None]:
    if kind in _READERS:
        return _READERS[kind]
    # The libraries of these are native code, which no process should load but the one that reads.
    from . import pdf, pictures, sheets

    return {
        "pdf": pdf.read_pdf,
        "picture": pictures.read_picture,
        "xls": sheets.read_xls,
        "xlsx": sheets.read_xlsx,
    }[kind]


def _read_any_text(file: BinaryIO, name: str, writer: Writer) -> None:
    most = writer.limits.characters * _CHARACTER
    data = file.read(most + 1)
    if len(data) > most:
        raise TooLarge(
            f"This file has more than {writer.limits.characters:,} characters of text. Divide it into several files."
        )
    try:
        text = decode(data)
    except Unreadable:
        refuse_binary(data)
        raise
    reader = _TEXT_READERS.get(PurePosixPath(name.lower()).suffix, read_text)
    if reader is read_text and _HTML.match(text[:_HTML_WITHIN]):
        reader = read_html
    reader(text, writer)


def _read_zip(file: BinaryIO, writer: Writer) -> None:
    """Add the text of every file of an archive that can be read, each under its name.

    Raises:
        Unreadable: none of them can, or a limit is passed.
    """
    archive = Archive(file, "ZIP archive", writer)
    refused: Unreadable | None = None
    read = 0
    for info in archive.members:
        if _NOT_FILES.search(info.filename):
            continue
        name = _name(info)
        writer.member(name)
        try:
            member = io.BytesIO(archive.read(info.filename))
            if kind(member) == "zip":
                raise unsupported("an archive in an archive", "Upload it by itself, or the files in it.")
            _read(member, name, writer)
            read += 1
        except TooLarge:
            raise
        except Unreadable as error:
            refused = refused or Unreadable(
                error.code, f"No file in this archive can be read. Of {name!r}: {error.message}"
            )
    if refused and not read:
        raise refused


def _name(info: zipfile.ZipInfo) -> str:
    """The name of an archive's file; older programs write it in the encoding of their system and do not say so."""
    if info.flag_bits & _UTF8_NAME or info.filename.isascii():
        return info.filename
    try:
        return decode(info.filename.encode("cp437"))
    except (UnicodeEncodeError, Unreadable):
        return info.filename
