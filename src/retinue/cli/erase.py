"""`retinue erase`"""

from __future__ import annotations

from typing import Annotated

import typer

from ..accounts.erasing import Erasing
from ..store.store import Store
from ..wire.erasures import Erasure, ErasureCreate
from .common import DataOption, console, fail, load_settings
from .transfer import with_store


def erase(
    user: Annotated[str, typer.Option("--user", help="Who: what threads and runs have as `metadata.user`.")],
    project: Annotated[
        str | None, typer.Option("--project", help="In which project: its id. Default: in all of them.")
    ] = None,
    data: DataOption = None,
) -> None:
    """Erase everything that a person has left. It cannot be undone."""
    try:
        wanted = ErasureCreate(user=user, project_id=project)
    except ValueError:
        fail("--user takes 1 to 512 characters.")

    async def work(store: Store) -> Erasure:
        made = await store.erasures.add(wanted.project_id, wanted.user)
        await Erasing(store).erase(made.id)
        return await store.erasures.get(made.id)

    done = with_store(load_settings(data=data), work)
    for kind, count in done.counts.items():
        console.print(f"{kind}: {count}")
    console.print(f"{done.id} is {done.status}.")
