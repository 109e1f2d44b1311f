"""What several parts of the tests share: the database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import settings

from retinue.store.embedded import EmbeddedPostgres
from retinue.store.migrate import migrate

from .harness import in_thread

# A machine under load makes an example slow, and says nothing about the example.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of an embedded PostgreSQL that has been migrated; one for all tests."""
    with in_thread(EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))) as server:
        asyncio.run(migrate(server.conninfo))
        with psycopg.connect(server.conninfo, autocommit=True) as connection:
            # What the tests write need not outlive the machine.
            connection.execute("alter system set fsync = off")
            connection.execute("select pg_reload_conf()")
        yield server.conninfo
