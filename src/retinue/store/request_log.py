"""The log of requests as rows: written in batches, listed, and forgotten."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from ..errors import InvalidRequest, NotFound
from ..wire.common import ObjectList
from ..wire.request_log import RequestError, RequestLog
from .database import Database, Row
from .objects import PageQuery

#: What is kept of a request, as columns.
_COLUMNS = """
    id, at, project_id, key_id, user_id, by_page, method, route, path, model, called_model, assistant_id, thread_id,
    run_id, status, error_type, error_code, first_ms, total_ms, bytes
"""
#: As JSON, which costs a server less to write than an array for each column. A batch may come again.
_ADD = f"""
    insert into request_log ({_COLUMNS})
    select (row ->> 0)::uuid, to_timestamp((row ->> 1)::float8), row ->> 2, row ->> 3, row ->> 4, (row ->> 5)::boolean,
        row ->> 6, row ->> 7, row ->> 8, row ->> 9, (row ->> 10)::boolean, row ->> 11, row ->> 12, row ->> 13,
        (row ->> 14)::smallint, row ->> 15, row ->> 16, (row ->> 17)::integer, (row ->> 18)::integer,
        (row ->> 19)::bigint
    from jsonb_array_elements(%(rows)s::jsonb) as row
    on conflict (id) do nothing
"""  # noqa: S608

_SHOWN = """
    id, floor(extract(epoch from at))::bigint, project_id, key_id, user_id, by_page, method, route, path, model,
    assistant_id, thread_id, run_id, status, error_type, error_code, first_ms, total_ms, bytes
"""
#: Whose requests: a project's, or everybody's.
_SCOPE = "(%(project)s::text is null or project_id = %(project)s)"
_GET = f"select {_SHOWN} from request_log where id = %(id)s and {_SCOPE}"  # noqa: S608
_POSITION = f"select position from request_log where id = %(id)s and {_SCOPE}"  # noqa: S608

_OLD = """
    (at < now() - %(days)s * interval '1 day'
        or position <= (select max(position) from request_log) - %(most)s)
"""
#: The oldest rows come first, so that only these need be looked at; and mostly the very first only.
_FORGET = f"""
    with oldest as (
        select position from request_log where (select {_OLD} from request_log order by position limit 1)
        order by position limit %(limit)s
    )
    delete from request_log where position in (select position from oldest) and {_OLD}
"""  # noqa: S608
#: Takes a person's requests out of the log, some at a time.
FORGET_REQUESTS = """
    delete from request_log where position in (
        select position from request_log
        where user_id = %(person)s and (%(project)s::text is null or project_id = %(project)s) limit {limit}
    )
"""

#: Rows that one statement of the sweep looks at, and how many such statements a sweep may take.
_OLDEST, _STATEMENTS = 5_000, 20
_ID = re.compile(r"req_([0-9a-f]{32})")
_CLASS = re.compile(r"([1-5])xx")


class RequestRow(NamedTuple):
    """A request, in the order of the columns."""

    #: 32 hexadecimal digits.
    id: str
    #: Unix seconds.
    at: float
    project: str
    key: str | None
    user: str | None
    by_page: bool
    method: str
    route: str | None
    path: str
    model: str | None
    called_model: bool
    assistant: str | None
    thread: str | None
    run: str | None
    status: int
    error_type: str | None
    error_code: str | None
    #: Milliseconds until the first byte of the answer's body, and until its end.
    first_ms: int | None
    total_ms: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RequestQuery:
    """Which requests: each condition that is set must hold."""

    #: Such as `404`, or `4xx` for a class.
    status: str | None = None
    method: str | None = None
    route: str | None = None
    model: str | None = None
    api_key_id: str | None = None
    user_id: str | None = None
    assistant_id: str | None = None
    by_page: bool | None = None
    #: Those of nobody whom the server knows and that failed, or only others.
    refused: bool | None = None
    #: Unix seconds: inclusive, and exclusive.
    start_time: int | None = None
    end_time: int | None = None


class RequestRows:
    """The log in the database."""

    def __init__(self, database: Database, *, keep_days: float, most: int) -> None:
        """`keep_days`: days after which rows are deleted; `most`: the most rows, about."""
        self._database = database
        self._values = {"days": keep_days, "most": most, "limit": _OLDEST}

    async def add(self, rows: Sequence[RequestRow]) -> None:
        """Write rows; those that are there already stay as they are."""
        await self._database.execute(_ADD, {"rows": orjson.dumps([tuple(row) for row in rows]).decode()})

    async def get(self, project: str | None, identifier: str) -> RequestLog:
        """One request, of a project or of all.

        Raises:
            NotFound: there is no such request, or it is another project's.
        """
        row = await self._database.row(_GET, {"id": _uuid(identifier), "project": project})
        if row is None:
            raise NotFound(
                f"No request found with id '{identifier}'. Requests are in the log a second after they have ended."
            )
        return _shown(row)

    async def page(
        self, project: str | None, query: RequestQuery, page: PageQuery, *, within: float
    ) -> ObjectList[RequestLog]:
        """One page of the requests that fit, in the order in which they were noted: when they had ended.

        Args:
            project: whose; None: everybody's.
            query: which.
            page: which page.
            within: seconds that it may take.

        Raises:
            InvalidRequest: a cursor names no request of these, or it took longer.
        """
        conditions, values = _conditions(query)
        values |= {"project": project, "limit": page.limit + 1}
        conditions += ["project_id = %(project)s"] if project is not None else []
        forward, backward = (">", "<") if page.order == "asc" else ("<", ">")
        for name, identifier, direction in (("after", page.after, forward), ("before", page.before, backward)):
            if identifier:
                values[name] = await self._cursor(project, name, identifier)
                conditions.append(f"position {direction} %({name})s")
        reverse = bool(page.before) and not page.after
        order = "asc" if (page.order == "asc") != reverse else "desc"
        where = " and ".join(["true", *conditions])
        sql = f"select {_SHOWN} from request_log where {where} order by position {order} limit %(limit)s"  # noqa: S608
        try:
            rows = await self._database.rows(sql, values, within)
        except TimeoutError as error:
            raise InvalidRequest(
                f"The search took longer than {within:g} seconds and was given up. Name a shorter time by "
                "'start_time' and 'end_time', or fewer conditions.",
                code="search_timeout",
            ) from error
        data = [_shown(row) for row in rows[: page.limit]]
        if reverse:
            data.reverse()
        first, last = (data[0].id, data[-1].id) if data else ("", "")
        return ObjectList[RequestLog](data=data, first_id=first, last_id=last, has_more=len(rows) > page.limit)

    async def sweep(self) -> None:
        """Delete rows that need no longer be kept."""
        for _ in range(_STATEMENTS):
            if await self._database.execute(_FORGET, self._values) < _OLDEST:
                return

    async def _cursor(self, project: str | None, name: str, identifier: str) -> int:
        row = await self._database.row(_POSITION, {"id": _uuid(identifier), "project": project})
        if row is None:
            raise InvalidRequest(f"Invalid '{name}': no request found with id '{identifier}'.", param=name)
        return int(row[0])


def _conditions(query: RequestQuery) -> tuple[list[str], dict[str, Any]]:
    """Conditions in SQL, and their values."""
    equal = {
        "method": query.method,
        "route": query.route,
        "model": query.model,
        "key_id": query.api_key_id,
        "user_id": query.user_id,
        "assistant_id": query.assistant_id,
        "by_page": query.by_page,
    }
    values: dict[str, Any] = {name: value for name, value in equal.items() if value is not None}
    conditions = [f"{name} = %({name})s" for name in values]
    if query.refused is not None:
        # Who reads by a link is not known, and not refused.
        known = "(project_id <> '' or key_id is not null or user_id is not null or status < 400)"
        conditions.append(f"not {known}" if query.refused else known)
    if query.status is not None:
        of_class = _CLASS.fullmatch(query.status)
        least = int(of_class[1]) * 100 if of_class else int(query.status)
        values |= {"least": least, "below": least + 100 if of_class else least + 1}
        conditions.append("status >= %(least)s and status < %(below)s")
    for name, moment, sign in (("start", query.start_time, ">="), ("end", query.end_time, "<")):
        if moment is not None:
            values[name] = moment
            conditions.append(f"at {sign} to_timestamp(%({name})s)")
    return conditions, values


def _uuid(identifier: str) -> uuid.UUID | None:
    """What is kept of an id; None if it is none of ours."""
    found = _ID.fullmatch(identifier)
    return uuid.UUID(found[1]) if found else None


def _shown(row: Row) -> RequestLog:
    identifier, at, project, key, user, by_page, method, route, path, model, *rest = row
    assistant, thread, run, status, error_type, error_code, first, total, size = rest
    return RequestLog(
        id=f"req_{identifier.hex}",
        created_at=at,
        project_id=project or None,
        api_key_id=key,
        user_id=user,
        by_page=by_page,
        method=method,
        route=route,
        path=path,
        model=model,
        assistant_id=assistant,
        thread_id=thread,
        run_id=run,
        status=status,
        error=RequestError(type=error_type, code=error_code) if error_type else None,
        first_byte_ms=first,
        duration_ms=total,
        response_bytes=size,
    )
