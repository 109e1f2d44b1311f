"""Commands that administer stand in the audit log; `retinue erase`."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from retinue.cli import app

from ..dump import tables_with
from ..harness import empty


@pytest.fixture
def command(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command on the tests' database."""
    empty(postgres)
    monkeypatch.setenv("DATABASE_URL", postgres)

    def run(*arguments: str, status: int = 0) -> Result:
        result = CliRunner().invoke(app, [*arguments, "--data", str(tmp_path)])
        assert result.exit_code == status, result.output
        return result

    return run


def log(conninfo: str) -> list[tuple[str, str]]:
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute("select coalesce(act, type), user_id from audit_log order by position")
        return [(row[0], row[1]) for row in rows.fetchall()]


def test_keys_by_command_line(command: Any, postgres: str, tmp_path: Path) -> None:
    me = f"command_line:{getpass.getuser()}"
    key = command("keys", "create", "laptop", "--scope", "read").stdout.strip()
    with psycopg.connect(postgres) as connection:
        row = connection.execute("select id from api_keys").fetchone()
        assert row
    command("keys", "revoke", row[0])
    command("keys", "revoke", row[0], status=1)
    command("export", str(tmp_path / "all.jsonl"))
    command("import", str(tmp_path / "all.jsonl"))
    assert log(postgres) == [
        (kind, me)
        for kind in (
            *("project.created", "service_account.created", "api_key.created", "api_key.deleted"),
            *("export.created", "import.created"),
        )
    ]
    assert key.startswith("sk-retinue-")
    assert tables_with(postgres, key) == set()


def test_erasing_by_command_line(command: Any, postgres: str) -> None:
    command("keys", "create", "laptop")
    with psycopg.connect(postgres) as connection:
        connection.execute(
            "insert into threads (id, project_id, body) values ('thread_x', 'proj_default', "
            """'{"id": "thread_x", "metadata": {"user": "jabberwock"}}')"""
        )
    command("erase", "--user", "jabberwock", "--project", "proj_x", status=1)
    command("erase", "--user", "", status=1)
    result = command("erase", "--user", "jabberwock")
    assert "threads: 1" in result.output
    assert tables_with(postgres, "jabberwock") == set()
    assert log(postgres)[-1] == ("erasure.created", f"command_line:{getpass.getuser()}")
