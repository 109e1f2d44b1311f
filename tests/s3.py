"""An object store that speaks the S3 protocol: moto's server, as a process of its own on loopback."""

from __future__ import annotations

import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .clients import environments

#: The bucket that is there.
BUCKET = "blobs"
_PATIENCE = 60


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """A running object store."""

    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """What tells a client of it."""
        credentials = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
        return {"AWS_ENDPOINT": self.endpoint, **credentials}

    def keys(self) -> list[str]:
        """The keys of all objects."""
        return re.findall("<Key>(.*?)</Key>", self._asked("GET", "?list-type=2"))

    def unfinished(self) -> list[str]:
        """The keys of uploads in parts, S3's own, that were begun and have not ended."""
        return re.findall("<Key>(.*?)</Key>", self._asked("GET", "?uploads"))

    def make(self) -> None:
        """Make the bucket."""
        self._asked("PUT", "")

    def _asked(self, method: str, query: str) -> str:
        request = urllib.request.Request(f"{self.endpoint}/{BUCKET}{query}", method=method)
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """An object store with the empty bucket `BUCKET`; what its server says goes into the folder.

    Raises:
        environments.Unavailable: it cannot be installed here.
    """
    command = [str(environments.python_with("moto")), "-m", "moto.server", "--host", "127.0.0.1", "--port", "0"]
    with (folder / "moto.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
    try:
        store = ObjectStore(_endpoint(process, folder / "moto.log"))
        store.make()
        yield store
    finally:
        process.kill()
        process.wait()


def _endpoint(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where the server says that it listens."""
    deadline = time.monotonic() + _PATIENCE
    while not (found := re.search(r"Running on (http://127\.0\.0\.1:\d+)", said := log.read_text(encoding="utf-8"))):
        assert process.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    return found[1]
