"""`retinue export` and `retinue import`"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import psycopg
import typer
import uvloop

from ..accounts.keys import Caller
from ..errors import ApiError
from ..settings import Settings
from ..store.accounts import DEFAULT_PROJECT
from ..store.embedded import EmbeddedPostgresError
from ..store.store import Store
from ..transfer.export import export
from ..transfer.load import Imported, load
from .common import DataOption, acting_here, console, database, fail, load_settings

T = TypeVar("T")

#: Bytes that are read from a file at once.
_PIECE = 256 * 1024


def export_file(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write; what is there is replaced.")],
    data: DataOption = None,
) -> None:
    """Write everything that the project has into a file, as JSON lines."""
    draft = path.with_name(path.name + ".part")

    async def work(store: Store) -> None:
        with draft.open("wb") as file:
            async for part in export(store, DEFAULT_PROJECT):
                file.write(part)

    try:
        with_store(load_settings(data=data), work)
        draft.replace(path)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}.")
    finally:
        draft.unlink(missing_ok=True)
    console.print(f"{path}: {path.stat().st_size} bytes.")


def import_file(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="An export.")],
    keep_ids: Annotated[bool, typer.Option("--keep-ids", help="Keep all ids. None of them may be taken.")] = False,
    data: DataOption = None,
) -> None:
    """Take an export into the project, all of it or nothing."""
    settings = load_settings(data=data)

    async def work(store: Store) -> Imported:
        return await load(store, settings, Caller(DEFAULT_PROJECT), _pieces(path), keep_ids=keep_ids)

    try:
        imported = with_store(settings, work)
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}.")
    for kind, count in imported.counts.items():
        console.print(f"{kind}: {count}")


async def _pieces(path: Path) -> AsyncGenerator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def with_store(settings: Settings, work: Callable[[Store], Awaitable[T]]) -> T:
    """What `work` makes of the store, with the database running; ends with a clear message if that fails."""

    async def opened() -> T:
        acting_here()
        async with database(settings) as conninfo:
            store = Store(conninfo, settings)
            await store.open()
            try:
                return await work(store)
            finally:
                await store.close()

    try:
        return uvloop.run(opened())
    except (EmbeddedPostgresError, psycopg.OperationalError) as error:
        fail(str(error))
    except ApiError as error:
        fail(error.message)
