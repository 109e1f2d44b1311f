"""The text of files."""

from __future__ import annotations

from typing import Literal

#: Formats that are written in text without being it.
_MARKUP = {"%PDF-": "PDF", "{\\rtf": "RTF"}


class Unreadable(Exception):
    """A file has no text that can be searched.

    Attributes:
        code: as in `last_error`.
        message: why, and what to do, for people.
    """

    def __init__(self, code: Literal["unsupported_file", "invalid_file"], message: str) -> None:
        super().__init__(message)
        self.code: Literal["unsupported_file", "invalid_file"] = code
        self.message = message


def read(content: bytes) -> str:
    """The text of a file.

    Args:
        content: all that is in the file.

    Raises:
        Unreadable: it is not text in UTF-8, or there is none.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unsupported() from error
    if "\x00" in text:
        raise _unsupported()
    for beginning, name in _MARKUP.items():
        if text.startswith(beginning):
            raise Unreadable(
                "unsupported_file", f"{name} files cannot be searched yet. Upload the text of it, encoded in UTF-8."
            )
    if not text.strip():
        raise Unreadable("invalid_file", "There is no text in this file.")
    return text


def _unsupported() -> Unreadable:
    return Unreadable(
        "unsupported_file",
        "This file is not text in UTF-8: only text (plain, Markdown, HTML, JSON, CSV, source code and the like) can be "
        "searched yet.",
    )
