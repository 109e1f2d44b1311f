"""What files are cut into. By itself, so that the processes that cut need not load a database's driver."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a file's text."""

    #: Of its first character in the file's text, from 0.
    start: int
    tokens: int
    text: str
    #: Of the document, from 1, where it has pages.
    page: int | None = None
    #: The heading that it stands under.
    section: str | None = None
