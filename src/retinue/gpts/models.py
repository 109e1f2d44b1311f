"""GPTs as `/v1/models` tells of them."""

from __future__ import annotations

from ..accounts.keys import Caller
from ..errors import ModelNotFound, NotFound
from ..inference.listing import describe
from ..inference.models import Models
from ..store.gpts import GptRow, Listing
from ..store.objects import PageQuery
from ..store.store import Store
from ..wire.models import Model
from .registry import NAMED, Gpts

#: Most GPTs that are listed, the newest ones.
_MOST = 100


class GptModels:
    """GPTs under the names by which chat completions know them."""

    def __init__(self, store: Store, gpts: Gpts, models: Models) -> None:
        self._store = store
        self._gpts = gpts
        self._models = models

    async def listed(self, caller: Caller) -> list[Model]:
        """The GPTs in the store of the caller's project, and the caller's own that are published; newest first."""
        rows: dict[str, GptRow] = {}
        for scope in ("store", "mine"):
            page, _ = await self._store.gpts.page(caller.project, PageQuery(limit=_MOST), Listing(scope))
            rows |= {row.id: row for row in page if row.published}
        found = sorted(rows.values(), key=lambda row: row.state.created_at, reverse=True)[:_MOST]
        return [self._model(row) for row in found if row.published and self._models.knows(row.published.content.model)]

    async def get(self, caller: Caller, name: str) -> Model:
        """One, by `gpt:` and its slug, or by its id.

        Raises:
            ModelNotFound: the caller may use none of this name that is published.
        """
        try:
            row = await self._gpts.row(caller, name)
        except NotFound:
            raise ModelNotFound(name) from None
        if row.published is None:
            raise ModelNotFound(name)
        return self._model(row)

    def _model(self, row: GptRow) -> Model:
        assert row.published  # noqa: S101 (looked for by both)
        found = describe(self._models, row.published.content.model)
        update = {"id": NAMED + row.slug, "created": row.published.created_at, "owned_by": row.author or "retinue"}
        return found.model_copy(update=update)
