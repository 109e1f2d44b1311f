"""Secrets at rest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from retinue.settings import Settings
from retinue.store.secretbox import SecretBox, SecretUnreadable


def test_what_is_sealed_can_be_opened_by_the_next_process(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    sealed = SecretBox(Settings(data=data)).seal(b"whsec_\xff")
    assert b"whsec" not in sealed
    assert SecretBox(Settings(data=data)).open(sealed) == b"whsec_\xff"
    assert [path.name for path in data.iterdir()] == ["secret_key"]
    assert (data / "secret_key").stat().st_mode & 0o777 == 0o600


def test_processes_that_make_the_key_at_once_agree(tmp_path: Path) -> None:
    boxes = [SecretBox(Settings(data=tmp_path)) for _ in range(16)]
    with ThreadPoolExecutor(16) as threads:
        sealed = list(threads.map(lambda box: box.seal(b"secret"), boxes))
    assert {SecretBox(Settings(data=tmp_path)).open(one) for one in sealed} == {b"secret"}
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


def test_a_configured_key_writes_no_file(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, secret_key="k" * 32)
    assert SecretBox(settings).open(SecretBox(settings).seal(b"secret")) == b"secret"
    assert list(tmp_path.iterdir()) == []


def test_another_key_and_damage(tmp_path: Path) -> None:
    box = SecretBox(Settings(data=tmp_path, secret_key="k" * 32))
    sealed = box.seal(b"secret")
    with pytest.raises(SecretUnreadable):
        SecretBox(Settings(data=tmp_path, secret_key="l" * 32)).open(sealed)
    with pytest.raises(SecretUnreadable):
        box.open(sealed[:-4] + b"AAA=")


def test_a_key_that_is_too_short(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        Settings(data=tmp_path, secret_key="short")


def test_signatures_are_of_a_key_a_purpose_and_a_message(tmp_path: Path) -> None:
    box = SecretBox(Settings(data=tmp_path))
    signature = box.signature("link", "a")
    assert signature == SecretBox(Settings(data=tmp_path)).signature("link", "a")
    other = SecretBox(Settings(data=tmp_path / "other"))
    others = {box.signature("link", "b"), box.signature("lin", "ka"), other.signature("link", "a")}
    assert len({signature, *others}) == 4
