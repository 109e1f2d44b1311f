"""Names and the servers behind them: what they share, and what changes with the settings file."""

from __future__ import annotations

from pathlib import Path

import pytest

from retinue.inference.models import Models
from retinue.settings import Settings

CONFIG = '[models."w-*"]\nbase_url = "http://127.0.0.1:9/v1"\n[models.one]\nbase_url = "http://127.0.0.1:9/v1"\n'


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Models:
    monkeypatch.setattr("retinue.inference.models._LOOK_EVERY", 0)
    (tmp_path / "retinue.toml").write_text(CONFIG)
    return Models(Settings(data=tmp_path))


def test_all_names_of_a_pattern_share_its_servers(models: Models) -> None:
    """Their limits and their health; and more names than the table holds cost nothing."""
    shared = models.resolve("w-a").route.servers
    for number in range(10_100):
        route = models.resolve(f"w-{number}").route
        assert route.servers is shared
        assert route.name == f"w-{number}"
    assert models.resolve("one").route.servers is not shared


def test_servers_outlive_changes_of_other_models(models: Models, tmp_path: Path) -> None:
    """With the calls that they count and the failures that they remember."""
    before = {name: models.resolve(name).route.servers for name in ("w-a", "one")}
    (tmp_path / "retinue.toml").write_text(CONFIG + "weight = 2\n[models.new]\nbase_url = 'http://127.0.0.1:9/v1'\n")
    assert models.resolve("new").name == "new"
    assert models.resolve("w-a").route.servers is before["w-a"]
    assert models.resolve("one").route.servers is not before["one"]
    assert models.resolve("one").route.servers[0].weight == 2
