"""What commands share: settings, the console, the database, the first key."""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import psycopg
import typer
import uvloop
from pydantic import ValidationError
from rich.console import Console

from ..accounts.keys import new_key
from ..errors import ApiError
from ..settings import Settings, config_file, default_data_folder
from ..settings_file import write_private
from ..store.audit import Actor, acting
from ..store.database import Database
from ..store.embedded import EmbeddedPostgres, EmbeddedPostgresError
from ..store.migrate import NewerDatabase, NoVectors, migrate

T = TypeVar("T")

#: What is said to people while a command works.
console = Console(stderr=True, highlight=False)
#: What a command was asked for: on standard output, and in a pipe not cut to the width of a terminal.
output = Console(highlight=False, width=None if sys.stdout.isatty() else 250)

DataOption = Annotated[
    Path | None, typer.Option("--data", help="Data folder. Default: RETINUE_DATA, else ~/.local/share/retinue.")
]


def fail(message: str) -> NoReturn:
    """End with a message and exit status 1."""
    console.print(f"[bold red]error:[/] {message}", soft_wrap=True)
    raise typer.Exit(1)


def load_settings(**overrides: Any) -> Settings:
    """The settings, with what the command line says on top; ends with a clear message if they are not valid."""
    try:
        settings = Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        lines = [f"  {'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
        fail("the settings are not valid:\n" + "\n".join(lines) + "\nSee docs/settings.md.")
    except ValueError as error:
        data = overrides.get("data") or os.environ.get("RETINUE_DATA") or default_data_folder()
        fail(f"the settings file {config_file(Path(data).expanduser())} cannot be read: {error}")
    try:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        fail(f"the data folder {settings.data} cannot be made: {error.strerror}. Choose another with --data.")
    return settings


@contextlib.asynccontextmanager
async def database(settings: Settings) -> AsyncGenerator[str, None]:
    """A migrated database while the context lasts: the configured server, else the embedded one.

    Yields:
        A psycopg connection string.
    """
    if settings.database_url is not None:
        conninfo = settings.database_url.get_secret_value()
        await _migrate(conninfo)
        yield conninfo
        return
    async with EmbeddedPostgres(settings.data) as embedded:
        await _migrate(embedded.conninfo)
        yield embedded.conninfo


def acting_here() -> None:
    """What is done from now on was done by command line, by this account of the machine: so says the audit log."""
    try:
        account = getpass.getuser()
    except (OSError, KeyError):
        account = str(os.getuid())
    acting(Actor(user=f"command_line:{account}"))


async def _migrate(conninfo: str) -> None:
    try:
        await migrate(conninfo)
    except (NewerDatabase, NoVectors) as error:
        fail(str(error))


def with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    """What `work` answers, given an open pool; ends with a clear message if the API would answer with an error."""

    async def connected() -> T:
        acting_here()
        async with database(settings) as conninfo, opened(conninfo) as pool:
            return await work(pool)

    try:
        return uvloop.run(connected())
    except (EmbeddedPostgresError, psycopg.OperationalError) as error:
        fail(str(error))
    except ApiError as error:
        fail(error.message)


@contextlib.asynccontextmanager
async def opened(conninfo: str) -> AsyncGenerator[Database, None]:
    """A small pool of connections while the context lasts."""
    pool = Database(conninfo, connections=2)
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


def moment(seconds: int | None) -> str:
    """A moment in Unix seconds, as tables show it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}" if seconds else ""


def first_key(settings: Settings) -> str:
    """The key that opens the server from the start: the configured one, else one made once and kept with mode 0600."""
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    path = key_file(settings)
    with contextlib.suppress(FileNotFoundError):
        if key := path.read_text(encoding="utf-8").strip():
            return key
    key = new_key()
    try:
        write_private(path, key + "\n")
    except OSError as error:
        fail(f"the data folder {settings.data} cannot be written: {error.strerror}. Choose another with --data.")
    return key


def key_file(settings: Settings) -> Path:
    """Where the generated key is kept."""
    return settings.data / "api_key"
