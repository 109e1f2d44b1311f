"""What users say of a GPT's answers, and what its owner learns of how it is used."""

from __future__ import annotations

from datetime import UTC, date, datetime

from ..accounts.keys import Caller
from ..errors import InvalidRequest
from ..store.gpt_feedback import filters
from ..store.objects import PageQuery
from ..store.store import Store
from ..wire.common import Deleted
from ..wire.gpts_feedback import GptAnalytics, GptFeedback, GptFeedbackCreate, GptFeedbackList
from .registry import Gpts, administers

#: Days of analytics at most, and unless the request says otherwise.
MOST_DAYS, DAYS = 366, 30


class GptFeedbacks:
    """Feedback and analytics of GPTs."""

    def __init__(self, store: Store, gpts: Gpts) -> None:
        """`gpts`: knows who may use and edit which."""
        self._store = store
        self._gpts = gpts

    async def put(self, caller: Caller, name: str, body: GptFeedbackCreate) -> GptFeedback:
        """Keep what the caller says of an answer that they were given, instead of what they said before.

        Raises:
            NotFound: there is no such GPT, or it has not answered the caller by this message.
        """
        row = await self._gpts.row(caller, name)
        return await self._store.gpt_feedback.put(caller.project, row.id, body)

    async def page(
        self, caller: Caller, name: str, query: PageQuery, *, own: bool, thread: str | None = None
    ) -> GptFeedbackList:
        """What was said of a GPT's answers, newest first unless the query says otherwise, with counts.

        Args:
            caller: who asks.
            name: the GPT's id or slug.
            query: which page.
            own: only what the caller said, which needs no right to edit the GPT.
            thread: only of this thread, where it is one's own.

        Raises:
            NotFound: there is no such GPT.
            Forbidden: it is somebody else's, and the caller asks for what others said.
            InvalidRequest: a cursor names no feedback, or what others said is asked for by thread.
        """
        if thread is not None and not own:
            raise InvalidRequest("Feedback of one thread is one's own: add scope=mine.", param="thread_id")
        row = await (self._gpts.row if own else self._gpts.editable)(caller, name)
        where, values = filters(own=own, thread=thread)
        page = await self._store.gpt_feedback.page(caller.project, query, row.id, where, **values)
        ratings = await self._store.gpt_feedback.ratings(caller.project, row.id, own=own, thread=thread)
        if not own:
            # Who reads threads of the project would know from these whose it is, and more than was shared.
            hidden = {"thread_id": None, "message_id": None}
            page.data = [one.model_copy(update=hidden) for one in page.data]
        return GptFeedbackList(**dict(page), ratings=ratings)

    async def take_back(self, caller: Caller, name: str, identifier: str) -> Deleted:
        """Forget what the caller said; administrators may take away what others said.

        Raises:
            NotFound: there is no such GPT or feedback.
        """
        row = await self._gpts.row(caller, name)
        everything = administers(caller)
        return await self._store.gpt_feedback.take_back(caller.project, row.id, identifier, everything=everything)

    async def analytics(self, caller: Caller, name: str, first: date | None, last: date | None) -> GptAnalytics:
        """How a GPT's published versions were used, for who may edit it.

        Args:
            caller: who asks.
            name: the GPT's id or slug.
            first: a day of UTC; None: 29 days before the last.
            last: likewise, inclusive; None: today.

        Raises:
            NotFound: there is no such GPT.
            Forbidden: it is somebody else's.
            InvalidRequest: the days make no sense, or are more than 366.
        """
        row = await self._gpts.editable(caller, name)
        last = last or datetime.now(UTC).date()
        first = first or date.fromordinal(max(1, last.toordinal() - DAYS + 1))
        if not 0 <= (last - first).days < MOST_DAYS:
            raise InvalidRequest(f"Invalid 'from': give a day before 'to', {MOST_DAYS} days at most.", param="from")
        period = _seconds(first), _seconds(last) + 86_400
        days = {"from": first.isoformat(), "to": last.isoformat()}
        total, versions, by_day = await self._store.gpt_runs.figures(caller.project, row.id, *period)
        questions = await self._store.gpt_runs.questions(caller.project, row.id, *period)
        found = {"total": total, "versions": versions, "days": by_day, "questions": questions}
        return GptAnalytics.model_validate({"gpt_id": row.id, **days, **found})


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
