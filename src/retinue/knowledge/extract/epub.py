"""EPUB books: EPUB 3.3, and 2."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import BinaryIO
from urllib.parse import unquote

from . import xml
from .archive import Archive
from .document import Writer, broken, encrypted
from .encodings import decode
from .html import read_html

_WHAT = "EPUB book"
#: Fonts may be obfuscated in a book that anybody can read; what else is encrypted asks for a key.
_FONTS_ONLY = (b"http://www.idpf.org/2008/embedding", b"http://ns.adobe.com/pdf/enc#RC")


def read_epub(file: BinaryIO, writer: Writer) -> None:
    """Add the text of a book in reading order; chapters stand under their titles in the table of contents.

    Raises:
        Unreadable: it is damaged, encrypted or passes a limit.
    """
    archive = Archive(file, _WHAT, writer)
    _refuse_encrypted(archive)
    container = _Container()
    archive.parse("META-INF/container.xml", container)
    package = _Package(posixpath.dirname(container.package))
    archive.parse(container.package, package)
    contents = _Contents(posixpath.dirname(package.contents))
    if package.contents in archive.names:
        archive.parse(package.contents, contents)
    if not package.chapters:
        raise broken(_WHAT)
    for chapter in package.chapters:
        if chapter in archive.names:
            if title := contents.titles.get(chapter):
                writer.section(title)
            read_html(decode(archive.read(chapter)), writer)


def _refuse_encrypted(archive: Archive) -> None:
    if "META-INF/encryption.xml" in archive.names:
        said = archive.read("META-INF/encryption.xml")
        methods = re.findall(rb"EncryptionMethod[^>]*Algorithm\s*=\s*[\"']([^\"']*)", said)
        if any(method not in _FONTS_ONLY for method in methods):
            raise encrypted(_WHAT)


class _Container(xml.Handler):
    """Says where the package document is."""

    package = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "rootfile" and not self.package:
            self.package = attributes.get("full-path", "")


class _Package(xml.Handler):
    """Says which files are the chapters, in order, and which the table of contents."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._items: dict[str, str] = {}
        self._navigation = ""
        self.contents = ""
        self.chapters: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "item":
            path = _resolve(self._folder, attributes.get("href", ""))
            self._items[attributes.get("id", "")] = path
            if "nav" in attributes.get("properties", "").split():
                self._navigation = path
                self.contents = self.contents or path
            elif attributes.get("media-type") == "application/x-dtbncx+xml":
                self.contents = path
        elif name == "itemref":
            path = self._items.get(attributes.get("idref", ""), "")
            if path and path != self._navigation:
                self.chapters.append(path)


class _Contents(xml.Handler):
    """The titles of chapters, by their files: from the older form (NCX) or the newer one, which is XHTML."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._pieces: list[str] = []
        self._file = ""
        self.titles: dict[str, str] = {}

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name in ("navLabel", "a"):
            self._pieces.clear()
        if name in ("content", "a"):
            self._file = _resolve(self._folder, attributes.get("src") or attributes.get("href") or "")
        if name == "content":
            self._keep()

    def data(self, text: str) -> None:
        self._pieces.append(text)

    def end(self, name: str) -> None:
        if name == "a":
            self._keep()

    def _keep(self) -> None:
        if title := "".join(self._pieces).strip():
            self.titles.setdefault(self._file, title)


def _resolve(folder: str, reference: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(reference.partition("#")[0])))
