"""Copies of GPTs."""

from __future__ import annotations

import contextlib

from ..accounts.keys import Caller
from ..errors import Forbidden, NotFound
from ..store.store import Store
from ..wire.gpts import Gpt, GptContent, GptCreate
from ..wire.gpts_archive import GptDuplicate
from .registry import Gpts, may_edit


async def duplicate(store: Store, gpts: Gpts, caller: Caller, name: str, body: GptDuplicate) -> Gpt:
    """Make a copy that is the caller's: of the draft for those who may edit it, else of what was published.

    Its knowledge is the same files, which count as the caller's from then on: whoever lets others copy a GPT gives its
    files away with it. Files and connections that are gone are left out.

    Args:
        store: where everything is.
        gpts: all GPTs.
        caller: who copies.
        name: the id or slug of the original.
        body: how the copy differs.

    Raises:
        NotFound: there is no such GPT that the caller may use.
        Forbidden: it is somebody else's who does not allow copies.
    """
    row = await gpts.row(caller, name)
    if may_edit(caller, row):
        content = row.state.draft
    elif row.state.allow_duplicate and row.published:
        content = row.published.content
    else:
        raise Forbidden("The owner of this GPT does not allow copies. Ask them to.", code="not_your_gpt")
    content = await _still_there(store, caller.project, content)
    wanted = GptCreate.model_validate({**content.model_dump(), "name": body.name or content.name})
    given = [*content.knowledge, *([content.picture] if content.picture else [])]
    return await gpts.create(caller, wanted, given)


async def _still_there(store: Store, project: str, content: GptContent) -> GptContent:
    """The content without files and connections that have been deleted."""
    pictures = [content.picture] if content.picture else []
    files = await store.files.find(project, [*content.knowledge, *pictures])
    connections: list[str] = []
    for one in content.connections:
        with contextlib.suppress(NotFound):
            connections.append((await store.connections.get(project, one)).id)
    update = {
        "knowledge": [one for one in content.knowledge if one in files],
        "picture": content.picture if content.picture in files else None,
        "connections": connections,
    }
    return content.model_copy(update=update)
