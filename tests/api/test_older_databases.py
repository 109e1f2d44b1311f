"""What a database of an older version has keeps its meaning."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from retinue.store import migrate
from retinue.tools.connections.people import named, whose_consent


@pytest.fixture
def older(postgres: str) -> Iterator[str]:
    """A database of its own, without migrations."""
    name = sql.Identifier("older")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(name))
        yield make_conninfo(postgres, dbname="older")
        connection.execute(sql.SQL("drop database {} with (force)").format(name))


async def test_grants_consents_and_files_from_before_ownership(older: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = migrate.available()
    with monkeypatch.context() as before:
        before.setattr(migrate, "available", lambda: [one for one in known if one[0] < 20])
        await migrate.migrate(older)
    with psycopg.connect(older, autocommit=True) as connection:
        connection.execute("insert into connections (id, project_id, body) values ('conn_a', 'proj_a', '{}')")
        connection.execute(
            "insert into grants (connection_id, person, tokens) values ('conn_a', 'ann', ''), ('conn_a', '', '')"
        )
        connection.execute("insert into consents (project_id, key) values ('proj_a', 'conn_a.call')")
        connection.execute(
            """insert into files (id, project_id, body) values ('file-a', 'proj_a', '{"purpose": "x"}')"""
        )
        await migrate.migrate(older)
        assert connection.execute("select person from grants order by person").fetchall() == [
            (named(""),),
            (named("ann"),),
        ]
        assert connection.execute("select key, person from consents").fetchall() == [
            ("conn_a.call", whose_consent(named("ann")))
        ]
        assert connection.execute("select uploaded_by from files").fetchall() == [(None,)]


async def test_sessions_and_workspaces_from_before_agents_were_on_the_books(
    older: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = migrate.available()
    with monkeypatch.context() as before:
        before.setattr(migrate, "available", lambda: [one for one in known if one[0] < 30])
        await migrate.migrate(older)
    with psycopg.connect(older, autocommit=True) as connection:
        connection.execute("insert into threads (id, project_id, body) values ('thread_a', 'proj_a', '{}')")
        connection.execute("insert into code_sessions (thread_id, begun_at) values ('thread_a', now())")
        connection.execute(
            """insert into agents (id, project_id, root_id, key_id, user_id, body)
            values ('agent_a', 'proj_a', 'agent_a', '', '', '{"status": "paused"}')"""
        )
        connection.execute(
            "insert into agent_files (project_id, agent_id, path, content) values ('proj_a', 'agent_a', 'a', '')"
        )
        await migrate.migrate(older)
        assert connection.execute("select thread_id, agent_id from code_sessions").fetchall() == [("thread_a", None)]
        # Nobody knows who has written it: it counts as given.
        assert connection.execute("select made_by from agent_files").fetchall() == [("",)]
        connection.execute("delete from threads")
        assert connection.execute("select from code_sessions").fetchall() == []
