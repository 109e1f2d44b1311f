"""Versioned migrations: numbered SQL files, each applied once, in order, in a transaction of its own."""

from __future__ import annotations

import re
from importlib import resources
from typing import LiteralString, cast

import psycopg
import structlog
from procrastinate import App, PsycopgConnector

log = structlog.get_logger(__name__)

#: Any number that no other program locks on: migrations of two processes wait for each other.
_LOCK = 4_713_846_001
#: Seconds to wait for the server; psycopg would wait for minutes.
_CONNECT_TIMEOUT = 10
_NAME = re.compile(r"^(\d{4})_\w+\.sql$")


class NewerDatabase(Exception):
    """The database was migrated by a newer Retinue than this one."""


class NoVectors(Exception):
    """The server has no pgvector, or this account may not switch it on."""


def available() -> list[tuple[int, str, str]]:
    """The migrations that come with this version, in order: number, file name, SQL."""
    found: list[tuple[int, str, str]] = []
    for entry in resources.files("retinue.store").joinpath("migrations").iterdir():
        if match := _NAME.match(entry.name):
            found.append((int(match[1]), entry.name, entry.read_text(encoding="utf-8")))
    return sorted(found)


async def migrate(conninfo: str) -> list[str]:
    """Bring the database up to this version.

    Args:
        conninfo: a psycopg connection string.

    Returns:
        The names of the migrations that were applied now.

    Raises:
        NewerDatabase: see there.
        NoVectors: see there.
        psycopg.Error: the database refused.
    """
    applied: list[str] = []
    async with await psycopg.AsyncConnection.connect(
        conninfo, autocommit=True, connect_timeout=_CONNECT_TIMEOUT
    ) as connection:
        await connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
        await connection.execute(
            "create table if not exists schema_migrations "
            "(version int primary key, name text not null, applied_at timestamptz not null default now())"
        )
        rows = await (await connection.execute("select version from schema_migrations")).fetchall()
        done = {int(row[0]) for row in rows}
        migrations = available()
        if done and max(done) > migrations[-1][0]:
            raise NewerDatabase(
                f"the database is at version {max(done)}, this Retinue knows {migrations[-1][0]}: "
                "start the newer Retinue that migrated it"
            )
        for version, name, sql in migrations:
            if version in done:
                continue
            async with connection.transaction():
                await _apply(connection, sql)
                await connection.execute(
                    "insert into schema_migrations (version, name) values (%s, %s)", (version, name)
                )
            applied.append(name)
            log.info("migrated", migration=name)
        if await _lacks_queue(connection):
            await _make_queue(conninfo)
            applied.append("procrastinate")
        await connection.execute("select pg_advisory_unlock(%s)", (_LOCK,))
    return applied


async def _apply(connection: psycopg.AsyncConnection, sql: str) -> None:
    try:
        await connection.execute(cast(LiteralString, sql))
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile) as error:
        raise NoVectors("the PostgreSQL server has no pgvector: install version 0.8 or newer there") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise NoVectors(
            "this account may not switch pgvector on: let an administrator run `create extension vector` there"
        ) from error


async def _lacks_queue(connection: psycopg.AsyncConnection) -> bool:
    row = await (await connection.execute("select to_regclass('procrastinate_jobs') is null")).fetchone()
    return bool(row and row[0])


async def _make_queue(conninfo: str) -> None:
    queue = App(connector=PsycopgConnector(conninfo=conninfo))
    async with queue.open_async():
        await queue.schema_manager.apply_schema_async()
