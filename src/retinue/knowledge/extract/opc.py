"""Office documents as packages of parts that refer to each other: ECMA-376 part 2."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import NamedTuple

from . import xml
from .archive import Archive
from .document import broken


class Relation(NamedTuple):
    """A part refers to another one of its package."""

    #: What the part calls it.
    id: str
    #: The last word of its type, such as `styles`.
    kind: str
    #: The name of the other part in the archive.
    part: str


def main_part(archive: Archive) -> str:
    """The name of the part that has the document.

    Raises:
        Unreadable: there is none.
    """
    for relation in relations(archive, ""):
        if relation.kind == "officeDocument":
            return relation.part
    raise broken("Office document")


def relations(archive: Archive, part: str) -> list[Relation]:
    """What a part refers to, or the package itself if `part` is empty; only parts that are there.

    Raises:
        Unreadable: the package is damaged.
    """
    folder, name = posixpath.split(part)
    path = posixpath.join(folder, "_rels", name + ".rels")
    reader = _Relations(folder)
    if path in archive.names:
        archive.parse(path, reader)
    return [relation for relation in reader.found if relation.part in archive.names]


class _Relations(xml.Handler):
    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.found: list[Relation] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            part = posixpath.normpath(posixpath.join("/", self._folder, attributes.get("Target", ""))).lstrip("/")
            kind = attributes.get("Type", "").rpartition("/")[2]
            self.found.append(Relation(attributes.get("Id", ""), kind, part))
