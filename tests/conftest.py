"""What several parts of the tests share: the database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from retinue.store.embedded import EmbeddedPostgres
from retinue.store.migrate import migrate

from .harness import in_thread


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of an embedded PostgreSQL that has been migrated; one for all tests."""
    with in_thread(EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))) as server:
        asyncio.run(migrate(server.conninfo))
        yield server.conninfo
