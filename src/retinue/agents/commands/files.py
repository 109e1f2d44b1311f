"""Files in the workspace."""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import InvalidRequest, NotFound
from ...inference.tokens import beginning
from ...store.workspaces import MOST_FILE_BYTES, too_large
from .command import Argument, Both, Command, Outcome, Place

#: Characters of a path, and folders in it.
_LONGEST_PATH, _DEEPEST = 200, 10
#: Bytes of a name, in file systems.
_LONGEST_NAME = 255
#: Files that a list names, and a note.
_MOST_LISTED, _MOST_TOLD = 200, 5
_NOT_OVERWRITTEN = (
    "Not overwritten, since others have written them: {files}. Write to other files, or use "
    '"write_to_file", which a person has to allow.'
)

FILE = Argument("file", Both("<file>", "<文件>"), most=_LONGEST_PATH)
_TEXT = Argument("text", Both("<text>", "<文本>"), most=100_000)


def clean(path: str) -> str:
    """A path in the workspace: relative, without ``..``, in one form.

    Raises:
        InvalidRequest: it leads elsewhere, is too long, or has characters that are not seen.
    """
    path = unicodedata.normalize("NFC", path.strip().replace("\\", "/"))
    for root in ("/mnt/data/", "./", "/"):
        path = path.removeprefix(root)
    path = path.lstrip("/")
    normal = posixpath.normpath(path) if path else ""
    parts = normal.split("/")
    if not path or normal == "." or ".." in parts or not normal.isprintable():
        raise InvalidRequest(f"'{path[:60]}' is no path in the workspace. Give one such as notes/plan.txt.")
    if (
        len(normal) > _LONGEST_PATH
        or len(parts) > _DEEPEST
        or max(len(part.encode()) for part in parts) > _LONGEST_NAME
    ):
        raise InvalidRequest(f"A path has at most {_LONGEST_PATH} characters and {_DEEPEST} parts; a part is short.")
    return normal


def as_text(content: bytes, path: str) -> str:
    """What is in a file of text. Raises `InvalidRequest` where it is none."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidRequest(f"'{path}' is no text; it has {len(content)} bytes. Read it by code.") from None


def _overwritten(args: Mapping[str, Any]) -> str:
    """The path that is written; "" where nothing is, since there is none, or no text."""
    try:
        return clean(args["file"]) if args["text"] else ""
    except InvalidRequest:
        return ""


async def sparing_others(place: Place, files: Mapping[str, bytes | None]) -> tuple[dict[str, bytes | None], list[str]]:
    """What a command writes along the way, but for what would overwrite files of others unasked, and a note of that."""
    if place.may_overwrite:
        return dict(files), []
    others = await place.store.agents.files_of_others(place.held.project, place.held.root, place.agent.id)
    left = {path: content for path, content in files.items() if not content or path not in others}
    spared = sorted(files.keys() - left.keys())
    return left, [_NOT_OVERWRITTEN.format(files=some(spared))] if spared else []


def some(paths: Sequence[str]) -> str:
    """The first of some paths, and whether there are more."""
    return ", ".join(paths[:_MOST_TOLD]) + (" …" if len(paths) > _MOST_TOLD else "")


async def _write(place: Place, args: Mapping[str, Any]) -> Outcome:
    path, content = clean(args["file"]), args["text"].encode("utf-8", "replace")
    if not content and not place.may_delete and await _has_content(place, path):
        raise InvalidRequest(f'Nothing was written: to empty {path} is to delete it. Use "delete_file" for that.')
    if len(content) > MOST_FILE_BYTES:
        raise too_large()
    return Outcome(f"{path} has {len(content)} bytes now.", files={path: content})


async def _has_content(place: Place, path: str) -> bool:
    try:
        return bool(await place.read(path))
    except NotFound:
        return False


async def _append(place: Place, args: Mapping[str, Any]) -> Outcome:
    path, content = clean(args["file"]), args["text"].encode("utf-8", "replace")
    try:
        had = len(await place.read(path))
    except NotFound:
        had = 0
    return Outcome(f"{len(content)} bytes are added to {path}, which had {had}.", appended={path: content})


async def _read(place: Place, args: Mapping[str, Any]) -> Outcome:
    path = clean(args["file"])
    text = as_text(await place.read(path), path)
    shown = beginning(text, place.scope.room)
    more = "" if shown == text else f"\n[{len(text) - len(shown)} more characters: read them by code]"
    return Outcome(f"{shown}{more}" if text else f"{path} is empty.")


async def _delete(place: Place, args: Mapping[str, Any]) -> Outcome:
    path = clean(args["file"])
    await place.read(path)
    return Outcome(f"{path} is deleted.", files={path: None})


async def _search(place: Place, args: Mapping[str, Any]) -> Outcome:
    wanted = args.get("directory", "").strip().strip("./\\")
    folder = f"{clean(wanted)}/" if wanted else ""
    files = await place.store.agents.files(place.held.project, place.held.root)
    found = [f"{file.path} ({file.bytes} bytes)" for file in files if file.path.startswith(folder)]
    if not found:
        return Outcome(f"There are no files in {folder or 'the workspace'}.")
    more = [f"… and {len(found) - _MOST_LISTED} more"] if len(found) > _MOST_LISTED else []
    return Outcome("\n".join([*found[:_MOST_LISTED], *more]))


WRITE = Command(
    "write_to_file",
    Both("Write a text of yours, such as a story or a summary, to a file", "把自己写的文章（故事、摘要等）写入文件"),
    (FILE, _TEXT),
    _write,
    overwrites=_overwritten,
)
#: Where a person is asked before these, code overwrites no files of others either, and deletes none.
OVERWRITE = replace(WRITE, risky=True)
DELETE = Command("delete_file", Both("Delete file", "删除文件"), (FILE,), _delete, risky=True)
COMMANDS = (
    WRITE,
    Command("read_file", Both("Read file", "读取文件"), (FILE,), _read),
    Command("append_to_file", Both("Append to file", "追加到文件"), (FILE, _TEXT), _append),
    DELETE,
    Command(
        "search_files",
        Both("Search files", "查找文件"),
        (Argument("directory", Both("<directory>", "<目录>"), most=_LONGEST_PATH, required=False),),
        _search,
    ),
)
