"""What people say of GPTs in the store, and what administrators decide of them."""

from __future__ import annotations

from ..accounts.keys import Caller
from ..errors import Forbidden, InvalidRequest
from ..store.objects import PageQuery
from ..store.store import Store
from ..wire.common import Deleted, ObjectList
from ..wire.gpts import Gpt
from ..wire.gpts_store import GptModerate, GptReport, GptReportCreate, GptReview, GptReviewPut
from .registry import Gpts, administers, require_administrator


class Storefront:
    """Reviews, reports and decisions."""

    def __init__(self, store: Store, gpts: Gpts) -> None:
        self._store = store.gpt_store
        self._gpts = gpts

    async def review(self, caller: Caller, name: str, body: GptReviewPut) -> GptReview:
        """Keep what the caller thinks of a GPT, in place of what they thought before.

        Raises:
            NotFound: there is none that the caller may use.
            Forbidden: it is the caller's own.
            InvalidRequest: nothing is published of it.
        """
        row = await self._gpts.row(caller, name)
        if row.mine:
            raise Forbidden("Nobody may review a GPT of their own.", code="own_gpt")
        if row.published is None:
            raise InvalidRequest("What was never published cannot be reviewed.")
        return await self._store.put_review(caller.project, row.id, body.rating, body.text)

    async def reviews(self, caller: Caller, name: str, query: PageQuery, *, mine: bool) -> ObjectList[GptReview]:
        """A page of what people think of a GPT; only what the caller thinks, if so wanted. Raises `NotFound`."""
        row = await self._gpts.row(caller, name)
        return await self._store.reviews(caller.project, row.id, query, mine=mine)

    async def delete_review(self, caller: Caller, name: str, review: str) -> Deleted:
        """Delete the caller's review; administrators delete anybody's.

        Raises:
            NotFound: there is no such GPT, or no such review that the caller may delete.
        """
        row = await self._gpts.row(caller, name)
        await self._store.delete_review(caller.project, row.id, review, everybodys=administers(caller))
        return Deleted(id=review, object="gpt.review.deleted")

    async def report(self, caller: Caller, name: str, body: GptReportCreate) -> GptReport:
        """Tell the administrators of a GPT. Raises `NotFound`."""
        row = await self._gpts.row(caller, name)
        return await self._store.report(caller.project, row.id, body.reason, body.text)

    async def reports(
        self, caller: Caller, query: PageQuery, status: str | None, gpt: str | None
    ) -> ObjectList[GptReport]:
        """A page of what was reported in the project. Raises `Forbidden` unless the caller administers."""
        require_administrator(caller)
        return await self._store.reports(caller.project, query, status, gpt)

    async def resolve(self, caller: Caller, report: str, resolution: str) -> GptReport:
        """Close a report.

        Raises:
            NotFound: there is no open one of this id.
            Forbidden: the caller does not administer.
        """
        require_administrator(caller)
        return await self._store.resolve(caller.project, report, resolution)

    async def moderate(self, caller: Caller, name: str, body: GptModerate) -> Gpt:
        """Feature, hide or approve a GPT, or the opposite.

        Raises:
            NotFound: there is none.
            Forbidden: the caller does not administer.
            InvalidRequest: a reason without hiding.
        """
        require_administrator(caller)
        row = await self._gpts.row(caller, name)
        given = {"featured": body.featured, "hidden": body.hidden, "approved": body.approved}
        decided = {key: value for key, value in given.items() if value is not None}
        if body.reason is not None and body.hidden is not True:
            raise InvalidRequest("Invalid 'reason': give it with 'hidden': true.", param="reason")
        if decided:
            await self._store.moderate(caller.project, row.id, decided, body.reason)
        return await self._gpts.get(caller, row.id)
