"""What the tests of the run engine stand on: databases of their own, a scripted model, processes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from retinue.store.migrate import migrate
from tests.clients.environments import Unavailable
from tests.faults.harness import Site
from tests.gateway import RunningGateway, kernel_gateway
from tests.scripted import ScriptedUpstream

_numbers = itertools.count()


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """The connection string of a migrated database that nobody uses, to copy."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("create database template")
    conninfo = make_conninfo(postgres, dbname="template")
    asyncio.run(migrate(conninfo))
    return conninfo


@pytest.fixture
def database(postgres: str, template: str) -> str:
    """The connection string of a migrated database, all the test's own."""
    name = f"faults_{next(_numbers)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {} template template").format(sql.Identifier(name)))
    return make_conninfo(postgres, dbname=name)


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
async def site(tmp_path: Path, database: str, upstream: ScriptedUpstream) -> AsyncIterator[Site]:
    """An installation on a database that outlives its processes."""
    site = Site(tmp_path / "data", DATABASE_URL=database, RETINUE_DEFAULT_EMBEDDING_MODEL="m")
    site.configure(upstream.base_url)
    yield site
    await site.close()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A Jupyter gateway; one for all tests that leave it running."""
    try:
        with kernel_gateway(tmp_path_factory.mktemp("gateway")) as running:
            yield running
    except Unavailable as error:
        pytest.skip(str(error))
