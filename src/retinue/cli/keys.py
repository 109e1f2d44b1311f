"""`retinue keys`"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import psycopg
import typer
import uvloop
from rich.table import Column, Table

from ..accounts.keys import Keys
from ..settings import Settings
from ..store.accounts import DEFAULT_PROJECT, Accounts
from ..store.database import Database
from ..store.embedded import EmbeddedPostgresError
from .common import DataOption, console, database, fail, load_settings, output

app = typer.Typer(help="API keys: make, list and revoke them.", no_args_is_help=True)

T = TypeVar("T")


@app.command()
def create(name: Annotated[str, typer.Argument(help="What the key is for.")], data: DataOption = None) -> None:
    """Make a key. It is shown once."""

    async def work(accounts: Accounts) -> str:
        return await Keys(accounts).create(name)

    print(_with_accounts(load_settings(data=data), work))
    console.print("Keep this key: it is not shown again.")


@app.command("list")
def list_keys(data: DataOption = None) -> None:
    """List the keys."""
    rows = _with_accounts(load_settings(data=data), lambda accounts: accounts.keys(DEFAULT_PROJECT))
    table = Table(Column("id", no_wrap=True), "name", Column("key", no_wrap=True), "made", "revoked", box=None)
    for row in rows:
        revoked = f"{row.revoked_at:%Y-%m-%d %H:%M}" if row.revoked_at else ""
        table.add_row(row.id, row.name, row.hint, f"{row.created_at:%Y-%m-%d %H:%M}", revoked)
    output.print(table)


@app.command()
def revoke(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `keys list` shows it.")],
    data: DataOption = None,
) -> None:
    """End a key. Servers stop to accept it within five seconds."""
    if not _with_accounts(load_settings(data=data), lambda accounts: accounts.revoke(DEFAULT_PROJECT, identifier)):
        fail(f"there is no live key with the id {identifier}. `retinue keys list` shows them.")
    console.print(f"{identifier} is revoked.")


def _with_accounts(settings: Settings, work: Callable[[Accounts], Awaitable[T]]) -> T:
    async def connected() -> T:
        async with database(settings) as conninfo:
            pool = Database(conninfo, connections=2)
            await pool.open()
            try:
                return await work(Accounts(pool))
            finally:
                await pool.close()

    try:
        return uvloop.run(connected())
    except (EmbeddedPostgresError, psycopg.OperationalError) as error:
        fail(str(error))
