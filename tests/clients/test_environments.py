"""Environments of clients are made once, anew where they are not whole, and their lack is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import environments
from .environments import Unavailable, made, python_with


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(environments, "CACHE", tmp_path)
    return tmp_path


class Maker:
    """Counts how often it is asked, and leaves a file behind."""

    def __init__(self) -> None:
        self.times = 0
        self.fails = False

    def __call__(self, folder: Path) -> None:
        self.times += 1
        assert list(folder.iterdir()) == []
        (folder / "part").touch()
        if self.fails:
            raise Unavailable("no registry")


def test_made_once_for_one_recipe() -> None:
    make = Maker()
    assert made("client", "1.0", make) == made("client", "1.0", make)
    assert make.times == 1
    made("client", "1.1", make)
    assert make.times == 2


def test_half_made_is_made_anew() -> None:
    make = Maker()
    make.fails = True
    with pytest.raises(Unavailable):
        made("client", "1.0", make)
    make.fails = False
    assert (made("client", "1.0", make) / "part").exists()
    assert make.times == 2


def test_without_a_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(Unavailable, match=r"openai-2 cannot be made: .*No matching distribution found for"):
        python_with("openai-2")
