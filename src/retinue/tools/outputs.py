"""Files that tools make for the user."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable
from dataclasses import dataclass

from ..inference.images import media_type
from ..store.store import Store
from ..wire.files import FileObject
from .user_files import FOLDER

_MOST_NAME = 100
#: What no name of a file has.
_NO_NAME = re.compile(r"[\x00-\x1f\x7f\"<>|?*:/{}\\]+")


@dataclass(frozen=True, slots=True)
class Answered:
    """A file that a server has answered with.

    Attributes:
        path: under which an answer may link to it.
        file: its id.
        picture: whether it is one, whatever it is said to be.
        words: what the model is told of it.
    """

    path: str
    file: str
    picture: bool
    words: str


async def keep_output(store: Store, project: str, name: str, content: bytes | AsyncIterable[bytes]) -> FileObject:
    """Make a file of purpose `assistants_output`.

    Args:
        store: where it is kept.
        project: whose it is.
        name: its name, without a folder.
        content: what is in it, whole or in pieces as they come. If these raise, there is no file.
    """
    return await store.files.keep(project, content, name.replace("\x00", "\ufffd"), "assistants_output")


async def keep_answer(store: Store, project: str, name: str, content: bytes, kind: str) -> Answered:
    """Make a file of what a server has answered.

    Args:
        store: where it is kept.
        project: whose it is.
        name: of the file, which no other file of the run has.
        content: what is in it.
        kind: its media type, as far as is known.
    """
    file = await keep_output(store, project, name, content)
    picture = media_type(content) is not None
    of_type = f" and type {kind}" if kind else ""
    words = f"A file came, of {file.bytes} bytes{of_type}: sandbox:{FOLDER}{name}."
    return Answered(FOLDER + name, file.id, picture, f"{words} The user sees it." if picture else words)


def file_name(wanted: str) -> str:
    """A name that others gave a file, fit to be one: its end, up to 100 characters; "" if nothing is left."""
    return _NO_NAME.sub("_", wanted.replace("\\", "/").rpartition("/")[2]).strip(". ")[-_MOST_NAME:]
