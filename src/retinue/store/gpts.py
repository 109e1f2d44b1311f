"""GPTs and their versions, as rows; and the assistants that they are when they run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg.errors import UniqueViolation
from pydantic import BaseModel

from ..errors import InvalidRequest, NotFound
from ..wire.assistants import Assistant
from ..wire.gpts import GptContent, GptVersion, Scope, Sort, Visibility
from .audit import PRINCIPAL, Act, principal, record
from .database import Connection, Database, Row
from .ids import new_id
from .objects import Objects, PageQuery

#: How the ids of GPTs' assistants begin. Those of others have no second underscore.
ASSISTANT_PREFIX = "asst_gpt_"

#: Whether a GPT is in the store. Hidden ones are nowhere, and some stores show only what was approved.
_IN_STORE = """
    gpts.version is not null and gpts.hidden is null
        and gpts.body ->> 'visibility' = 'store' and (gpts.approved or not %(approval)s)
"""
#: Whether whoever acts may use a GPT without being its owner. Knowing the id is as good as having the link.
_SHARED = f"""
    gpts.version is not null and gpts.hidden is null and (
        gpts.body ->> 'visibility' = 'link'
        or gpts.body ->> 'visibility' = 'store' and (gpts.approved or not %(approval)s)
        or gpts.body ->> 'visibility' = 'people' and (
            gpts.body -> 'shared_with' ? {PRINCIPAL}
            or gpts.body -> 'shared_with' ?| array(
                select group_id from group_members where person_id = %(by_user)s::text
            )
        )
    )
"""  # noqa: S608
_MINE = f"coalesce(gpts.owner = {PRINCIPAL}, false)"
#: In SQL, the name of the owner.
AUTHOR: LiteralString = """
    coalesce((select name from people where people.id = gpts.owner),
        (select name from service_accounts where service_accounts.id = gpts.owner))
"""
_GPT = f"""
    gpts.id, gpts.slug, gpts.owner, {AUTHOR}, {_MINE}, gpts.body, gpt_versions.body,
    gpts.featured_at is not null, gpts.hidden, gpts.approved
"""
_FROM = "gpts left join gpt_versions on gpt_versions.gpt_id = gpts.id and gpt_versions.number = gpts.version"
#: With what is counted, by which GPTs are ordered.
_RANKED = f"{_FROM} join gpt_statistics on gpt_statistics.gpt_id = gpts.id"
#: What a GPT is found by: what was published, or else the draft.
_CONTENT = "coalesce(gpt_versions.body -> 'content', gpts.body -> 'draft')"
#: Which GPTs a list has.
_SCOPES: Mapping[Scope, str] = {
    "store": _IN_STORE,
    "mine": _MINE,
    "hidden": "gpts.hidden is not null",
    "waiting": "gpts.version is not null and gpts.body ->> 'visibility' = 'store' and not gpts.approved",
}
#: What a list is ordered by, highest first; those that are equal by when they were made.
_RANKS: Mapping[Sort, str] = {
    "newest": "0::integer",
    "most_used": "gpt_statistics.conversations",
    "top_rated": "gpt_statistics.score",
    "featured": "coalesce(extract(epoch from gpts.featured_at), 0)",
}
#: Conditions on the list, by the field.
_FILTERS = {
    "q": f"gpt_words({_CONTENT}, {AUTHOR}) @@ search_query(%(q)s)",
    "category": f"{_CONTENT} ->> 'category' = %(category)s",
    "tag": f"""exists (
        select from jsonb_array_elements_text({_CONTENT} -> 'tags') as tag where lower(tag) = lower(%(tag)s)
    )""",
    # Those without a language are for everybody.
    "language": f"lower(split_part(coalesce({_CONTENT} ->> 'language', %(language)s), '-', 1)) "
    "= lower(split_part(%(language)s, '-', 1))",
}
#: By id, or by slug: what everybody may know, and therefore not what only has a link.
_FIND = f"""
    select {_GPT} from {_FROM}
    where gpts.project_id = %(project)s and (%(all)s or {_MINE} or ({_SHARED})) and (
        gpts.id = %(name)s
        or gpts.slug = %(name)s and (%(all)s or {_MINE} or gpts.body ->> 'visibility' <> 'link')
    )
"""  # noqa: S608
#: By an assistant of it: the draft's is for those who may edit only.
_FIND_BY_ASSISTANT = f"""
    select {_GPT} from {_FROM} join assistants on assistants.gpt_id = gpts.id
    where gpts.project_id = %(project)s and assistants.id = %(name)s and assistants.project_id = %(project)s
        and (%(all)s or {_MINE} or ({_SHARED} and gpts.body ->> 'draft_assistant_id' <> assistants.id))
"""  # noqa: S608
_IS_TRIAL = f"""
    select true from runs join assistants on assistants.id = runs.body ->> 'assistant_id'
    join gpts on gpts.id = assistants.gpt_id and gpts.body ->> 'draft_assistant_id' = assistants.id
    where runs.id = %(run)s and runs.project_id = %(project)s and gpts.project_id = %(project)s
        and {_MINE} and run_principal(runs.body) = gpts.owner
"""  # noqa: S608
_ADD = f"""
    insert into gpts (id, project_id, slug, owner, body)
    values (%(id)s, %(project)s, %(slug)s, {PRINCIPAL}, %(body)s::jsonb) returning id
"""  # noqa: S608
_LOCK = "select body, version from gpts where id = %(id)s and project_id = %(project)s for update"
_CHANGE = "update gpts set body = %(body)s::jsonb, slug = coalesce(%(slug)s, slug) where id = %(id)s returning id"
_GIVEN = f"""
    select file from unnest(%(files)s::text[]) as file where exists (
        select from gpts where project_id = %(project)s and {_MINE} and gpts.body -> 'given' ? file
    )
"""  # noqa: S608
_DELETE = "delete from gpts where id = %(id)s and project_id = %(project)s returning id"
_ADD_ASSISTANT = """
    insert into assistants (id, project_id, gpt_id, body) values (%(id)s, %(project)s, %(gpt)s, %(body)s::jsonb)
    on conflict (id) do update set body = excluded.body where assistants.gpt_id = excluded.gpt_id
"""
_ADD_VERSION = """
    insert into gpt_versions (id, project_id, gpt_id, number, body)
    values (%(version)s, %(project)s, %(id)s, %(number)s, %(body)s::jsonb)
"""
_SET_VERSION = "update gpts set version = %(number)s where id = %(id)s"
_STORES = """
    select distinct
        jsonb_path_query(assistants.body, '$.tool_resources.file_search.vector_store_ids[*]') #>> '{}'
    from gpt_versions join assistants on assistants.id = gpt_versions.body ->> 'assistant_id'
    where gpt_versions.gpt_id = %(gpt)s and gpt_versions.project_id = %(project)s
        and assistants.project_id = %(project)s
"""
_LAST_NUMBER = "select coalesce(max(number), 0) from gpt_versions where gpt_id = %(id)s"


class GptState(BaseModel):
    """What is kept of a GPT besides its id, slug, owner and versions."""

    created_at: int
    updated_at: int
    visibility: Visibility = "private"
    shared_with: list[str] = []
    allow_duplicate: bool = False
    draft: GptContent
    draft_assistant_id: str
    #: The vector store of the draft's knowledge.
    vector_store_id: str | None = None
    #: Whether a version has that store too, so that it must not change any more.
    store_published: bool = False
    #: Files that its owner has got with a copy: they are the owner's as if they had uploaded them.
    given: list[str] = []


@dataclass(frozen=True, slots=True)
class Listing:
    """Which GPTs a list has, and what they are ordered by. See `GET /v1/gpts`."""

    scope: Scope = "store"
    sort: Sort = "newest"
    q: str | None = None
    category: str | None = None
    tag: str | None = None
    language: str | None = None

    @property
    def rank(self) -> str:
        """In SQL, what they are ordered by."""
        return _RANKS[self.sort]

    @property
    def values(self) -> dict[str, str]:
        """What they are found by; the parameters of `conditions`."""
        return {name: value for name in _FILTERS if (value := getattr(self, name)) is not None}

    @property
    def conditions(self) -> list[str]:
        """In SQL, what must hold for each."""
        return [f"({_SCOPES[self.scope]})", *(f"({_FILTERS[name]})" for name in self.values)]


@dataclass(frozen=True, slots=True)
class GptRow:
    """A GPT, as whoever acts finds it."""

    id: str
    slug: str
    owner: str | None
    #: The owner's name.
    author: str | None
    #: Whether whoever acts is the owner.
    mine: bool
    state: GptState
    #: The version that is used.
    published: GptVersion | None
    featured: bool = False
    #: Why it is hidden; None: it is not.
    hidden: str | None = None
    approved: bool = False


class Gpts:
    """The GPTs of projects. Whoever acts is known from the context (`audit.acting`)."""

    def __init__(self, database: Database, *, approval: bool = False) -> None:
        """`approval`: whether only what administrators have approved is in the store."""
        self._database = database
        self.approval = approval

    async def find(self, project: str, name: str, *, everything: bool) -> GptRow:
        """The GPT with this id or slug that whoever acts may use.

        Args:
            project: the caller's project.
            name: its id, or its slug; or the id of an assistant of it.
            everything: whether the caller may use all GPTs of the project.

        Raises:
            NotFound: there is none.
        """
        sql = _FIND_BY_ASSISTANT if name.startswith(ASSISTANT_PREFIX) else _FIND
        values = {"project": project, "name": name, "all": everything, "approval": self.approval, **principal()}
        row = await self._database.row(sql, values)
        if row is None:
            raise NotFound(f"No GPT found with id '{name}'.")
        return _gpt(row)

    async def page(self, project: str, query: PageQuery, listing: Listing) -> tuple[list[GptRow], bool]:
        """A page of a list of GPTs, and whether there are more.

        Args:
            project: the caller's project.
            query: which page; cursors are ids. What comes last by `order` `desc` is what counts least.
            listing: which GPTs, and what they are ordered by.

        Raises:
            InvalidRequest: a cursor names no GPT.
        """
        rank = listing.rank
        conditions = ["gpts.project_id = %(project)s", *listing.conditions]
        parameters: dict[str, Any] = {"project": project, "limit": query.limit + 1, "approval": self.approval}
        parameters |= {**principal(), **listing.values}
        ascending = query.order == "asc"
        for name, identifier, onwards in (("after", query.after, ascending), ("before", query.before, not ascending)):
            if identifier:
                await self._require_cursor(project, name, identifier)
                parameters[name] = identifier
                cursor = f"select {rank}, gpts.position from {_RANKED} where gpts.id = %({name})s"  # noqa: S608
                conditions.append(f"({rank}, gpts.position) {'>' if onwards else '<'} ({cursor})")
        reverse = bool(query.before) and not query.after
        order = "asc" if ascending != reverse else "desc"
        sql = f"""
            select {_GPT} from {_RANKED} where {" and ".join(conditions)}
            order by {rank} {order}, gpts.position {order} limit %(limit)s
        """  # noqa: S608
        rows = [_gpt(row) for row in await self._database.rows(sql, parameters)]
        page = rows[: query.limit]
        return page[::-1] if reverse else page, len(rows) > query.limit

    async def add(self, project: str, identifier: str, slug: str, state: GptState, assistant: Assistant) -> None:
        """Keep a new GPT, of whoever acts, with the assistant of its draft.

        Raises:
            InvalidRequest: the project has a GPT of this slug.
        """
        values: dict[str, Any] = {"id": identifier, "project": project, "slug": slug, **principal()}
        async with self._unique(slug), self._database.transaction() as connection:
            await connection.execute(_ADD, {**values, "body": state.model_dump_json()})
            await _put_assistant(connection, project, identifier, assistant)
            await record(connection, Act("gpt.created", identifier, project, {"slug": slug}))

    @asynccontextmanager
    async def changing(self, project: str, identifier: str) -> AsyncGenerator[Change]:
        """Change a GPT, alone: what the block asks for is done when it ends, all or nothing.

        Raises:
            NotFound: it is gone.
            InvalidRequest: the project has another GPT of the new slug.
        """
        async with self._database.transaction() as connection:
            row = await (await connection.execute(_LOCK, {"id": identifier, "project": project})).fetchone()
            if row is None:
                raise NotFound(f"No GPT found with id '{identifier}'.")
            change = Change(connection, project, identifier, GptState.model_validate_json(row[0]), row[1])
            yield change

    async def delete(self, project: str, identifier: str) -> None:
        """Delete a GPT with its versions and assistants. Threads and runs stay. Raises `NotFound`."""
        values = {"id": identifier, "project": project}
        async with self._database.transaction() as connection:
            if await (await connection.execute(_DELETE, values)).fetchone() is None:
                raise NotFound(f"No GPT found with id '{identifier}'.")
            await record(connection, Act("gpt.deleted", identifier, project))

    async def given(self, project: str, files: Collection[str]) -> set[str]:
        """Those of some files that whoever acts has got with a copy of a GPT."""
        values = {"project": project, "files": list(files), **principal()}
        return {row[0] for row in await self._database.rows(_GIVEN, values)}

    async def has_slug(self, project: str, slug: str) -> bool:
        """Whether the project has a GPT of this slug, whoever may use it."""
        sql = "select true from gpts where project_id = %(project)s and slug = %(slug)s"
        return bool(await self._database.row(sql, {"project": project, "slug": slug}))

    async def is_trial(self, project: str, run: str) -> bool:
        """Whether whoever acts has made this run, and with the draft of a GPT of their own."""
        return bool(await self._database.row(_IS_TRIAL, {"project": project, "run": run, **principal()}))

    async def _require_cursor(self, project: str, name: str, identifier: str) -> None:
        sql = "select true from gpts where project_id = %(project)s and id = %(id)s"
        if await self._database.row(sql, {"project": project, "id": identifier}) is None:
            raise InvalidRequest(f"Invalid '{name}': no GPT found with id '{identifier}'.", param=name)

    @staticmethod
    @asynccontextmanager
    async def _unique(slug: str) -> AsyncGenerator[None]:
        try:
            yield
        except UniqueViolation as error:
            raise slug_taken(slug) from error


class Change:
    """A GPT that is being changed: its row is locked."""

    def __init__(
        self, connection: Connection, project: str, identifier: str, state: GptState, version: int | None
    ) -> None:
        #: The transaction.
        self.connection = connection
        self._project = project
        self._id = identifier
        self.state = state
        #: The number of the version that is used.
        self.version = version

    async def keep(self, state: GptState, assistant: Assistant | None = None, slug: str | None = None) -> None:
        """Keep another state, with the assistant of its draft if that differs, and another slug.

        Raises:
            InvalidRequest: the project has another GPT of this slug.
        """
        values = {"id": self._id, "body": state.model_dump_json(), "slug": slug}
        try:
            await self.connection.execute(_CHANGE, values)
        except UniqueViolation as error:
            raise slug_taken(slug or "") from error
        if assistant:
            await _put_assistant(self.connection, self._project, self._id, assistant)
        before, after = self.state.model_dump(), state.model_dump()
        fields = sorted(name for name in after if after[name] != before[name])
        await record(self.connection, Act("gpt.updated", self._id, self._project, {"fields": fields}))
        self.state = state

    async def publish(self, version: GptVersion, assistant: Assistant) -> GptVersion:
        """Keep a version with its assistant, as the one that is used from now on; returns it with its number."""
        values: dict[str, Any] = {"id": self._id, "project": self._project, "version": version.id}
        last = await (await self.connection.execute(_LAST_NUMBER, values)).fetchone()
        by = await (await self.connection.execute(f"select {PRINCIPAL}", principal())).fetchone()
        number = (last[0] if last else 0) + 1
        version = version.model_copy(update={"number": number, "published_by": by[0] if by else None})
        values |= {"number": number, "body": version.model_dump_json()}
        await _put_assistant(self.connection, self._project, self._id, assistant)
        await self.connection.execute(_ADD_VERSION, values)
        await self.connection.execute(_SET_VERSION, values)
        await record(self.connection, Act("gpt.published", self._id, self._project, {"number": number}))
        return version


class GptVersions(Objects[GptVersion]):
    """What was published of a GPT."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "gpt_versions", GptVersion, "version", parent="gpt_id")

    async def numbered(self, project: str, gpt: str, number: int) -> GptVersion:
        """One version. Raises `NotFound`."""
        sql = """
            select body from gpt_versions
            where project_id = %(project)s and gpt_id = %(gpt)s and number = %(number)s
        """
        row = await self._database.row(sql, {"project": project, "gpt": gpt, "number": number})
        if row is None:
            raise NotFound(f"No version found with number {number}.")
        return GptVersion.model_validate_json(row[0])

    async def vector_stores(self, project: str, gpt: str) -> set[str]:
        """The ids of the vector stores that the versions of a GPT have."""
        return {row[0] for row in await self._database.rows(_STORES, {"project": project, "gpt": gpt})}


def new_assistant_id() -> str:
    """An id for an assistant of a GPT."""
    return new_id(ASSISTANT_PREFIX)


def slug_taken(slug: str) -> InvalidRequest:
    """The error for a slug that another GPT has."""
    return InvalidRequest(f"Invalid 'slug': there is a GPT '{slug}' already.", param="slug", code="slug_taken")


async def _put_assistant(connection: Connection, project: str, gpt: str, assistant: Assistant) -> None:
    values: Mapping[str, Any] = {
        "id": assistant.id,
        "project": project,
        "gpt": gpt,
        "body": assistant.model_dump_json(),
    }
    await connection.execute(_ADD_ASSISTANT, values)


def _gpt(row: Row) -> GptRow:
    identifier, slug, owner, author, mine, state, version, *standing = row
    published = GptVersion.model_validate_json(version) if version else None
    return GptRow(identifier, slug, owner, author, mine, GptState.model_validate_json(state), published, *standing)
