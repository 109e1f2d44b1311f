"""What people say of GPTs, what administrators decide, and what is counted, as rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..errors import NotFound
from ..wire.common import ObjectList
from ..wire.gpts import GptStatistics
from ..wire.gpts_store import GptReport, GptReview
from .audit import PRINCIPAL, Act, perform, principal
from .database import Database, Row
from .ids import new_id
from .objects import Objects, PageQuery

_STATISTICS = """
    select gpt_id, conversations, users, reviews, rating, ratings from gpt_statistics where gpt_id = any(%(gpts)s)
"""

_NAME = """
    coalesce((select name from people where people.id = {by}),
        (select name from service_accounts where service_accounts.id = {by}))
"""
_AT = "floor(extract(epoch from {column}))::bigint"

#: The review as the API shows it.
_REVIEW = f"""
    jsonb_build_object(
        'id', gpt_reviews.id, 'gpt_id', gpt_id, 'rating', rating, 'text', text, 'version', version,
        'author', {_NAME.format(by="gpt_reviews.principal")},
        'mine', coalesce(gpt_reviews.principal = {PRINCIPAL}, false),
        'created_at', {_AT.format(column="created_at")}, 'updated_at', {_AT.format(column="updated_at")}
    )
"""
_PUT_REVIEW = f"""
    with gpt as materialized (
        select id, version from gpts where id = %(gpt)s and project_id = %(project)s for key share
    )
    insert into gpt_reviews (id, project_id, gpt_id, principal, rating, text, version)
    select %(id)s, %(project)s, gpt.id, {PRINCIPAL}, %(rating)s, %(text)s, gpt.version from gpt
    on conflict (gpt_id, principal) do update
        set rating = excluded.rating, text = excluded.text, version = excluded.version, updated_at = now()
    returning {_REVIEW}
"""  # noqa: S608
_DELETE_REVIEW = f"""
    delete from gpt_reviews where id = %(id)s and gpt_id = %(gpt)s and project_id = %(project)s
        and (%(any)s or principal = {PRINCIPAL})
    returning coalesce(principal = {PRINCIPAL}, false)
"""  # noqa: S608

#: The report as the API shows it.
_REPORT = f"""
    jsonb_build_object(
        'id', gpt_reports.id, 'gpt_id', gpt_id, 'gpt_name', coalesce((
            select coalesce(gpt_versions.body #>> '{{content,name}}', gpts.body #>> '{{draft,name}}') from gpts
                left join gpt_versions on gpt_versions.gpt_id = gpts.id and gpt_versions.number = gpts.version
            where gpts.id = gpt_reports.gpt_id
        ), ''), 'reason', reason, 'text', text,
        'status', case when resolved_at is null then 'open' else 'resolved' end,
        'author', {_NAME.format(by="gpt_reports.principal")},
        'created_at', {_AT.format(column="created_at")}, 'resolved_at', {_AT.format(column="resolved_at")},
        'resolution', resolution
    )
"""  # noqa: S608
_ADD_REPORT = f"""
    with gpt as materialized (
        select id from gpts where id = %(gpt)s and project_id = %(project)s for key share
    )
    insert into gpt_reports (id, project_id, gpt_id, principal, reason, text)
    select %(id)s, %(project)s, gpt.id, {PRINCIPAL}, %(reason)s, %(text)s from gpt
    on conflict (gpt_id, principal) where resolved_at is null do update
        set reason = excluded.reason, text = excluded.text, created_at = now()
    returning {_REPORT}
"""  # noqa: S608
_RESOLVE = f"""
    update gpt_reports set resolved_at = now(), resolved_by = {PRINCIPAL}, resolution = %(resolution)s
    where id = %(id)s and project_id = %(project)s and resolved_at is null
    returning {_REPORT}, gpt_id
"""  # noqa: S608

#: The columns by what is decided. To feature what is featured already does not put it first again.
_DECISIONS = {
    "featured": "featured_at = case when %(featured)s then coalesce(featured_at, now()) end",
    "hidden": "hidden = case when %(hidden)s then coalesce(%(reason)s, hidden, '') end",
    "approved": "approved = %(approved)s",
}


class GptStore:
    """Reviews, reports and decisions. Whoever acts is known from the context (`audit.acting`)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reviews = Objects(database, "gpt_reviews", GptReview, "review", parent="gpt_id", shown=_REVIEW)
        self._reports = Objects(database, "gpt_reports", GptReport, "report", shown=_REPORT)

    async def statistics(self, gpts: Collection[str]) -> Mapping[str, GptStatistics]:
        """What is counted of some GPTs, by their ids."""
        if not gpts:
            return {}
        found: dict[str, GptStatistics] = {}
        for gpt, conversations, users, reviews, rating, ratings in await self._database.rows(
            _STATISTICS, {"gpts": list(gpts)}
        ):
            mean = None if rating is None else float(rating)
            found[gpt] = GptStatistics(
                conversations=conversations, users=users, reviews=reviews, rating=mean, ratings=ratings
            )
        return found

    async def moderate(self, project: str, gpt: str, decided: Mapping[str, bool], reason: str | None) -> None:
        """Keep what an administrator decides of a GPT.

        Args:
            project: the caller's project.
            gpt: the GPT's id.
            decided: any of `featured`, `hidden` and `approved`.
            reason: why it is hidden.

        Raises:
            NotFound: it is gone.
        """
        sets = ", ".join(_DECISIONS[name] for name in sorted(decided))
        sql = f"update gpts set {sets} where id = %(gpt)s and project_id = %(project)s returning id"  # noqa: S608
        told = {**decided, **({"reason": reason} if reason else {})}
        act = Act("gpt.moderated", gpt, project, told)
        values = {"gpt": gpt, "project": project, "reason": reason, **decided}
        if await perform(self._database, sql, values, lambda _: act) is None:
            raise _gone(gpt)

    # --- reviews

    async def put_review(self, project: str, gpt: str, rating: int, text: str) -> GptReview:
        """Keep the review of whoever acts, in place of their last one. Raises `NotFound`."""
        values = {"id": new_id("gptr_"), "project": project, "gpt": gpt, "rating": rating, "text": text}
        row = await self._database.row(_PUT_REVIEW, {**values, **principal()})
        if row is None:
            raise _gone(gpt)
        return GptReview.model_validate_json(row[0])

    async def reviews(self, project: str, gpt: str, query: PageQuery, *, mine: bool) -> ObjectList[GptReview]:
        """A page of the reviews of a GPT; only that of whoever acts, if so wanted.

        Raises:
            InvalidRequest: a cursor names no review of it.
        """
        values: Mapping[str, Any] = principal()
        return await self._reviews.page(project, query, gpt, f"principal = {PRINCIPAL}" if mine else "", **values)

    async def delete_review(self, project: str, gpt: str, identifier: str, *, everybodys: bool) -> None:
        """Delete a review of whoever acts, or anybody's.

        Raises:
            NotFound: there is none of this id that may be deleted.
        """
        values = {"id": identifier, "gpt": gpt, "project": project, "any": everybodys, **principal()}

        def act(row: Row) -> Act | None:
            return None if row[0] else Act("gpt.review_deleted", gpt, project, {"review": identifier})

        if await perform(self._database, _DELETE_REVIEW, values, act) is None:
            raise NotFound(f"No review found with id '{identifier}' that you may delete.")

    # --- reports

    async def report(self, project: str, gpt: str, reason: str, text: str) -> GptReport:
        """Keep a report of whoever acts, in place of one that is still open. Raises `NotFound`."""
        values = {"id": new_id("gptrep_"), "project": project, "gpt": gpt, "reason": reason, "text": text}
        row = await self._database.row(_ADD_REPORT, {**values, **principal()})
        if row is None:
            raise _gone(gpt)
        return GptReport.model_validate_json(row[0])

    async def reports(
        self, project: str, query: PageQuery, status: str | None, gpt: str | None
    ) -> ObjectList[GptReport]:
        """A page of the reports of a project; only those that are open or resolved, or of one GPT, if so wanted.

        Raises:
            InvalidRequest: a cursor names no report.
        """
        where = {None: "true", "open": "resolved_at is null", "resolved": "resolved_at is not null"}[status]
        where += " and gpt_id = %(gpt)s" if gpt else ""
        values: Mapping[str, Any] = {"gpt": gpt}
        return await self._reports.page(project, query, None, where, **values)

    async def resolve(self, project: str, identifier: str, resolution: str) -> GptReport:
        """Close a report.

        Raises:
            NotFound: there is no open one of this id.
        """
        values = {"id": identifier, "project": project, "resolution": resolution, **principal()}
        row = await perform(
            self._database,
            _RESOLVE,
            values,
            lambda row: Act("gpt.report_resolved", row[1], project, {"report": identifier, "resolution": resolution}),
        )
        if row is None:
            raise NotFound(f"No open report found with id '{identifier}'.")
        return GptReport.model_validate_json(row[0])


def _gone(gpt: str) -> NotFound:
    return NotFound(f"No GPT found with id '{gpt}'.")
