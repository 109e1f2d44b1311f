"""`retinue keys`"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.table import Column, Table

from ..accounts.keys import Keys
from ..accounts.scopes import EVERYTHING
from ..settings import Settings
from ..store.accounts import DEFAULT_PROJECT, Accounts
from ..wire.organization import SCOPE
from .common import DataOption, console, fail, load_settings, moment, output, with_database

app = typer.Typer(help="API keys: make, list and revoke them.", no_args_is_help=True)

T = TypeVar("T")


ProjectOption = Annotated[str, typer.Option("--project", help="Whose key: the id of a project.")]
AdminOption = Annotated[bool, typer.Option("--admin", help="A key that administers the organization, of no project.")]
#: The most days that a key can be good for.
_MOST_DAYS = 3650


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    project: ProjectOption = DEFAULT_PROJECT,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="What it may do: read, write, admin, or one of these for a resource: files:read."),
    ] = None,
    days: Annotated[int | None, typer.Option("--days", min=1, max=_MOST_DAYS, help="Days that it is good for.")] = None,
    admin: AdminOption = False,
    data: DataOption = None,
) -> None:
    """Make a key. It is shown once."""
    if unknown := [one for one in scope or () if not re.fullmatch(SCOPE, one)]:
        fail(f"{unknown[0]} is no scope. Scopes are read, write and admin, and those for a resource: files:read.")
    if admin and scope:
        fail("an admin key has no scopes.")

    async def work(accounts: Accounts) -> str:
        whose = None if admin else project
        expires_in = days * 86_400 if days else None
        return (await Keys(accounts).create(name, project=whose, scopes=scope or EVERYTHING, expires_in=expires_in))[0]

    print(_with_accounts(load_settings(data=data), work))
    console.print("Keep this key: it is not shown again.")


@app.command("list")
def list_keys(project: ProjectOption = DEFAULT_PROJECT, admin: AdminOption = False, data: DataOption = None) -> None:
    """List the keys of a project, or the admin keys."""
    whose = None if admin else project
    page = _with_accounts(load_settings(data=data), lambda accounts: accounts.keys(whose, revoked=True))
    columns = (Column("id", no_wrap=True), "name", Column("key", no_wrap=True), "scopes")
    table = Table(*columns, "made", "last used", "expires", "revoked", box=None)
    for row in page.rows:
        moments = (row.created_at, row.last_used_at, row.expires_at, row.revoked_at)
        table.add_row(row.id, row.name, row.hint, " ".join(row.scopes), *map(moment, moments))
    output.print(table)


@app.command()
def revoke(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `keys list` shows it.")],
    project: ProjectOption = DEFAULT_PROJECT,
    admin: AdminOption = False,
    data: DataOption = None,
) -> None:
    """End a key. Servers accept it no more, at once."""
    whose = None if admin else project
    if not _with_accounts(load_settings(data=data), lambda accounts: accounts.revoke(whose, identifier)):
        fail(f"there is no live key with the id {identifier}. `retinue keys list` shows them.")
    console.print(f"{identifier} is revoked.")


def _with_accounts(settings: Settings, work: Callable[[Accounts], Awaitable[T]]) -> T:
    return with_database(settings, lambda pool: work(Accounts(pool)))
