"""What users say of the answers of GPTs, and how their runs went, as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InvalidRequest, NotFound
from ..wire.common import Deleted
from ..wire.gpts_feedback import (
    GptDayFigures,
    GptFeedback,
    GptFeedbackCreate,
    GptFigures,
    GptQuestion,
    GptRatings,
    GptVersionFigures,
)
from ..wire.runs import Amount
from .audit import PRINCIPAL, principal
from .database import Database, Row
from .ids import new_id
from .objects import Objects

#: Most characters of a question, and of an answer, that are shown.
_LONGEST = 8000
#: Most days and versions that are told apart; questions that are shown.
_MOST, _MOST_QUESTIONS = 10_000, 20
_NANO = 1_000_000_000

_QUESTION = f"""
    (
        select left(message_text(asked.body), {_LONGEST}) from messages as asked, messages as answered
        where answered.id = gpt_feedback.message_id and asked.thread_id = answered.thread_id
            and asked.position < answered.position and asked.body ->> 'role' = 'user'
        order by asked.position desc limit 1
    )
"""  # noqa: S608
_SHOWN = f"""
    jsonb_build_object(
        'id', gpt_feedback.id, 'created_at', gpt_feedback.created_at, 'gpt_id', gpt_feedback.gpt_id,
        'version', gpt_feedback.version, 'rating', gpt_feedback.rating, 'comment', gpt_feedback.comment,
        'share_conversation', gpt_feedback.shared,
        'thread_id', gpt_feedback.thread_id, 'message_id', gpt_feedback.message_id,
        'question', case when gpt_feedback.shared then {_QUESTION} end,
        'answer', case when gpt_feedback.shared then (
            select left(message_text(body), {_LONGEST}) from messages where messages.id = gpt_feedback.message_id
        ) end
    )
"""  # noqa: S608
#: Of an answer in a run of whoever acts, by one of the GPT's assistants.
_PUT = f"""
    insert into gpt_feedback (id, project_id, gpt_id, version, thread_id, message_id, run_id, principal, rating,
        comment, shared, created_at)
    select %(id)s, messages.project_id, assistants.gpt_id, (
            select number from gpt_versions
            where gpt_versions.gpt_id = assistants.gpt_id and gpt_versions.body ->> 'assistant_id' = assistants.id
        ),
        messages.thread_id, messages.id, runs.id, {PRINCIPAL}, %(rating)s, %(comment)s, %(share_conversation)s,
        extract(epoch from now())::bigint
    from messages join runs on runs.id = messages.run_id join assistants on assistants.id = runs.body ->> 'assistant_id'
    where messages.id = %(message_id)s and messages.thread_id = %(thread_id)s and messages.project_id = %(project)s
        and messages.body ->> 'role' = 'assistant'
        and assistants.gpt_id = %(gpt)s and run_principal(runs.body) = {PRINCIPAL}
    on conflict (message_id, principal) do update set rating = excluded.rating, comment = excluded.comment,
        shared = excluded.shared, created_at = excluded.created_at
    returning {_SHOWN}
"""  # noqa: S608
_TAKE_BACK = f"""
    delete from gpt_feedback where id = %(id)s and project_id = %(project)s and gpt_id = %(gpt)s
        and (%(all)s or principal = {PRINCIPAL}) returning id
"""  # noqa: S608
#: The condition of feedback that is one's own.
_OWN = f"principal = {PRINCIPAL}"
_RATINGS = """
    select version, count(*) filter (where rating = 'up'), count(*) filter (where rating = 'down')
    from gpt_feedback where project_id = %(project)s and gpt_id = %(gpt)s and {where}
    group by version order by version desc nulls last
"""

#: The runs that count, with what was said of their answers.
_NOTED = """
    with ratings as (
        select run_id, count(*) filter (where rating = 'up') as up, count(*) filter (where rating = 'down') as down
        from gpt_feedback where gpt_id = %(gpt)s group by run_id
    ), noted as (
        select gpt_runs.*, to_char(to_timestamp(created_at) at time zone 'UTC', 'YYYY-MM-DD') as day,
            coalesce(up, 0) as up, coalesce(down, 0) as down,
            case
                when status in ('failed', 'expired', 'incomplete') then 'failed'
                when coalesce(down, 0) > 0 then 'disliked'
                when found_nothing and coalesce(up, 0) = 0 then 'found_nothing'
            end as reason
        from gpt_runs left join ratings on ratings.run_id = gpt_runs.run_id
        where gpt_id = %(gpt)s and project_id = %(project)s and version is not null
            and created_at >= %(start)s and created_at < %(end)s
    )
"""
_FIGURES = f"""
    {_NOTED}
    select version, day, count(distinct thread_id), count(distinct principal), count(*), coalesce(sum(messages), 0),
        count(*) filter (where status in ('failed', 'expired', 'incomplete')), count(*) filter (where found_nothing),
        count(reason), coalesce(sum(up), 0), coalesce(sum(down), 0), coalesce(sum(input_tokens), 0),
        coalesce(sum(output_tokens), 0), coalesce(sum(cost), 0),
        percentile_cont(0.5) within group (order by seconds) filter (where status = 'completed')
    from noted group by grouping sets ((day, version), (version), ())
    order by day, version desc limit {_MOST + 1}
"""  # noqa: S608
_QUESTIONS = f"""
    {_NOTED}
    select noted.created_at, noted.version, noted.reason, {_QUESTION}, gpt_feedback.comment
    from noted join gpt_feedback on gpt_feedback.run_id = noted.run_id
    where noted.reason is not null and gpt_feedback.shared
    order by noted.created_at desc, gpt_feedback.position desc limit {_MOST_QUESTIONS}
"""  # noqa: S608


class GptFeedbackRows(Objects[GptFeedback]):
    """What was said of the answers of GPTs. Whoever acts is known from the context (`audit.acting`)."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "gpt_feedback", GptFeedback, "feedback", parent="gpt_id", shown=_SHOWN)

    async def put(self, project: str, gpt: str, body: GptFeedbackCreate) -> GptFeedback:
        """Keep what whoever acts says of an answer, instead of what they said before.

        Raises:
            NotFound: the GPT has answered nothing to them by this message.
        """
        values = {"id": new_id("gptf_"), "project": project, "gpt": gpt, **body.model_dump(), **principal()}
        row = await self._database.row(_PUT, values)
        if row is None:
            raise NotFound(f"No answer of this GPT to you found with id '{body.message_id}'.", param="message_id")
        return GptFeedback.model_validate_json(row[0])

    async def take_back(self, project: str, gpt: str, identifier: str, *, everything: bool) -> Deleted:
        """Forget what was said.

        Args:
            project: the caller's project.
            gpt: the GPT's id.
            identifier: of the feedback.
            everything: whether others' feedback may be taken away, too.

        Raises:
            NotFound: there is none.
        """
        values = {"id": identifier, "project": project, "gpt": gpt, "all": everything, **principal()}
        if await self._database.row(_TAKE_BACK, values) is None:
            raise self.not_found(identifier)
        return Deleted(id=identifier, object="gpt.feedback.deleted")

    async def ratings(self, project: str, gpt: str, *, own: bool, thread: str | None = None) -> list[GptRatings]:
        """Counts by version, newest first: of all feedback, or of one's own, in one thread. As `filters`."""
        where, values = filters(own=own, thread=thread)
        rows = await self._database.rows(
            _RATINGS.format(where=where or "true"), {"project": project, "gpt": gpt, **values}
        )
        return [GptRatings(version=version, up=up, down=down) for version, up, down in rows]


def filters(*, own: bool, thread: str | None) -> tuple[str, dict[str, Any]]:
    """A condition on feedback for `Objects.page`, and its parameters: one's own, and in one thread."""
    conditions = [_OWN] if own else []
    values: dict[str, Any] = dict(principal()) if own else {}
    if thread is not None:
        conditions.append("thread_id = %(thread)s")
        values["thread"] = thread
    return " and ".join(conditions), values


class GptRuns:
    """How the runs of GPTs ended: `note_gpt_run` in the database keeps them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def figures(
        self, project: str, gpt: str, start: int, end: int
    ) -> tuple[GptFigures, list[GptVersionFigures], list[GptDayFigures]]:
        """How published versions were used.

        Args:
            project: the caller's project.
            gpt: the GPT's id.
            start: Unix seconds from which on runs count.
            end: Unix seconds before which.

        Returns:
            In all; by version, newest first; by day and version, oldest first.

        Raises:
            InvalidRequest: that is more than can be told at once.
        """
        values = {"project": project, "gpt": gpt, "start": start, "end": end}
        rows = await self._database.rows(_FIGURES, values)
        if len(rows) > _MOST:
            raise InvalidRequest("This is too much to be told at once. Ask for fewer days.", param="from")
        total = next(_figures(row) for row in rows if row[0] is None)
        versions = [
            GptVersionFigures(version=row[0], **_fields(row)) for row in rows if row[0] is not None and row[1] is None
        ]
        days = [GptDayFigures(version=row[0], date=row[1], **_fields(row)) for row in rows if row[1] is not None]
        return total, versions, days

    async def questions(self, project: str, gpt: str, start: int, end: int) -> list[GptQuestion]:
        """The latest questions without a good answer whose users share them. Arguments as of `figures`."""
        values = {"project": project, "gpt": gpt, "start": start, "end": end}
        return [
            GptQuestion(asked_at=at, version=version, reason=reason, question=question, comment=comment)
            for at, version, reason, question, comment in await self._database.rows(_QUESTIONS, values)
        ]


def _figures(row: Row) -> GptFigures:
    return GptFigures(**_fields(row))


def _fields(row: Row) -> Mapping[str, Any]:
    names = ("conversations", "users", "runs", "messages", "errors", "found_nothing", "unanswered")
    more = ("thumbs_up", "thumbs_down", "input_tokens", "output_tokens")
    counts = dict(zip((*names, *more), map(int, row[2:13]), strict=True))
    amount = Amount(value=int(row[13]) / _NANO)
    return {**counts, "cost": amount, "median_seconds": row[14]}
