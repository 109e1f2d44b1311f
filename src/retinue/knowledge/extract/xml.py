"""XML as a stream of events: no tree, no entities, nothing fetched, whatever the depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, NoReturn
from xml.parsers import expat

_PIECE = 1 << 16


class Entities(Exception):
    """The XML declares entities, which documents do not need and attacks do."""


class Handler:
    """What is told of an XML document. Names of elements are without their namespace prefix."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins. Its attributes have their names with the prefix and without."""

    def end(self, name: str) -> None:
        """An element ends."""

    def data(self, text: str) -> None:
        """Text of the element that is open; one text may come in several calls."""


def parse(stream: IO[bytes], handler: Handler) -> None:
    """Read an XML document.

    Args:
        stream: the document, in any encoding that it declares.
        handler: what is told of it.

    Raises:
        expat.ExpatError: this is not XML, or not whole.
        Entities: it declares entities of its own.
        Unreadable: as the handler says.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.buffer_size = _PIECE
    parser.StartElementHandler = lambda name, given: handler.start(_local(name), _with_local(given))
    parser.EndElementHandler = lambda name: handler.end(_local(name))
    parser.CharacterDataHandler = handler.data
    parser.EntityDeclHandler = _refuse
    while piece := stream.read(_PIECE):
        parser.Parse(piece, False)
    parser.Parse(b"", True)


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _with_local(attributes: dict[str, str]) -> dict[str, str]:
    return {_local(name): value for name, value in attributes.items()} | attributes


def _refuse(*_: object) -> NoReturn:
    raise Entities
