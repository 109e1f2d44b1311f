"""What every table of API objects can do: get one, list a page, change it, delete it, always within a project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import orjson

from ..errors import InvalidRequest, NotFound, Unavailable
from ..wire.common import Deleted, ObjectList, WireObject
from .audit import Act, perform
from .database import Database, Row

T = TypeVar("T", bound=WireObject)

#: How often `revise` begins anew. Each time that it must, somebody else has got their change through.
_MOST_TRIES = 50

#: A condition for `Objects.page`: the object has these pairs, given as JSON.
HAS_METADATA = "body -> 'metadata' @> %(metadata)s::jsonb"


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which page of a list: the official list parameters."""

    #: 1 to 100.
    limit: int = 20
    order: Literal["asc", "desc"] = "desc"
    #: Id of the object that the page follows.
    after: str | None = None
    #: Id of the object that the page precedes.
    before: str | None = None


def gave_up(within: float) -> InvalidRequest:
    """The error for a search that took longer than this many seconds."""
    return InvalidRequest(
        f"The search took longer than {within:g} seconds and was given up. What is rarer is found faster.",
        code="search_timeout",
    )


class Objects(Generic[T]):
    """The objects of one kind. `parent` names the column (and the field) that the list hangs on, beside the project.

    Every method takes the caller's project first: there is no way to ask without one.
    """

    def __init__(
        self,
        database: Database,
        table: str,
        model: type[T],
        noun: str,
        parent: str | None = None,
        listed: str = "true",
        shown: str = "body",
        audited: str = "",
    ) -> None:
        """Describe the kind.

        Args:
            database: where the table is.
            table: the table.
            model: the type of the objects.
            noun: what an object is called in messages.
            parent: see the class.
            listed: a condition in SQL on objects that lists show; the others can be had by id only.
            shown: an expression in SQL: the object as clients see it, where that is more than its body.
            audited: where changes of the kind stand in the audit log: what its types of acts begin with.
        """
        self._database = database
        self._audited = audited
        self._table = table
        self._model = model
        self._noun = noun
        self._parent = parent
        self._shown = shown
        scope = "project_id = %(project)s" + (f" and {parent} = %(parent)s" if parent else "")
        # Names of tables and columns are ours; values go in as parameters.
        self._scope = scope
        self._listed = f"{scope} and {listed}"
        self._get = f"select {shown} from {table} where id = %(id)s and {scope}"  # noqa: S608
        self._get_body = f"select body from {table} where id = %(id)s and {scope}"  # noqa: S608
        self._position = f"select position from {table} where id = %(id)s and {self._listed}"  # noqa: S608
        self._delete = f"delete from {table} where id = %(id)s and {scope} returning id"  # noqa: S608
        update = f"update {table} set body = body || %(patch)s::jsonb where id = %(id)s and {scope}"  # noqa: S608
        self._patch = f"{update} returning {shown}"
        self._swap = f"{update} and body = %(seen)s::jsonb returning body"

    def not_found(self, identifier: str) -> NotFound:
        """The error for an id that the project does not have."""
        return NotFound(f"No {self._noun} found with id '{identifier}'.")

    async def get(self, project: str, identifier: str, parent: str | None = None) -> T:
        """One object.

        Raises:
            NotFound: the project (and the parent) has no such object.
        """
        row = await self._database.row(self._get, {"project": project, "id": identifier, "parent": parent})
        if row is None:
            raise self.not_found(identifier)
        return self._model.model_validate_json(row[0])

    async def patch(self, project: str, identifier: str, patch: dict[str, Any], parent: str | None = None) -> T:
        """Replace the given top-level fields of one object; returns it as it is then.

        Raises:
            NotFound: the project (and the parent) has no such object.
        """
        values = {"project": project, "id": identifier, "parent": parent, "patch": orjson.dumps(patch).decode()}
        row = await self._change(self._patch, values, "updated", {"fields": sorted(patch)})
        if row is None:
            raise self.not_found(identifier)
        return self._model.model_validate_json(row[0])

    async def revise(
        self, project: str, identifier: str, change: Callable[[T], dict[str, Any]], parent: str | None = None
    ) -> T:
        """Replace top-level fields of one object by what follows from the object as it is; returns it as it is then.

        Args:
            project: the caller's project.
            identifier: the object's id.
            change: from the object to the fields to replace. Asked again when the object was changed in between.
            parent: the parent's id, where the kind has one.

        Raises:
            NotFound: the project (and the parent) has no such object.
            Unavailable: others change the object all the time.
        """
        values: dict[str, Any] = {"project": project, "id": identifier, "parent": parent}
        for _ in range(_MOST_TRIES):
            row = await self._database.row(self._get_body, values)
            if row is None:
                raise self.not_found(identifier)
            new = change(self._model.model_validate_json(row[0]))
            swap = {**values, "patch": orjson.dumps(new).decode(), "seen": row[0].decode()}
            row = await self._change(self._swap, swap, "updated" if new else "", {"fields": sorted(new)})
            if row is not None:
                return self._model.model_validate_json(row[0])
        raise Unavailable(f"The {self._noun} '{identifier}' is being changed by others. Please try again.")

    async def delete(self, project: str, identifier: str, kind: str, parent: str | None = None) -> Deleted:
        """Delete one object and what hangs on it.

        Args:
            project: the caller's project.
            identifier: the object's id.
            kind: the `object` of the answer, such as ``assistant.deleted``.
            parent: the parent's id, where the kind has one.

        Raises:
            NotFound: the project (and the parent) has no such object.
        """
        values = {"project": project, "id": identifier, "parent": parent}
        if await self._change(self._delete, values, "deleted") is None:
            raise self.not_found(identifier)
        return Deleted(id=identifier, object=kind)

    async def page(
        self,
        project: str,
        query: PageQuery,
        parent: str | None = None,
        where: str = "",
        within: float | None = None,
        **values: str,
    ) -> ObjectList[T]:
        """One page of a list.

        With `before` and no `after` the page ends next to that object; in every other case it begins at the list's
        start or next to `after`.

        Args:
            project: the caller's project.
            query: which page.
            parent: the parent's id, where the kind has one.
            where: a further condition in SQL, ours, with `values` as its parameters.
            within: seconds that it may take, where the condition may be expensive.
            values: see `where`.

        Raises:
            InvalidRequest: a cursor names no object of this list, or the search took longer than `within`.
        """
        parameters: dict[str, Any] = {"project": project, "parent": parent, "limit": query.limit + 1, **values}
        conditions = [self._listed, *([where] if where else [])]
        forward = ">" if query.order == "asc" else "<"
        backward = "<" if query.order == "asc" else ">"
        for name, identifier, direction in (("after", query.after, forward), ("before", query.before, backward)):
            if identifier:
                parameters[name] = await self._cursor(project, name, identifier, parent)
                conditions.append(f"position {direction} %({name})s")
        reverse = bool(query.before) and not query.after
        ascending = (query.order == "asc") != reverse
        sql = (
            f"select {self._shown} from {self._table} where {' and '.join(conditions)} "  # noqa: S608
            f"order by position {'asc' if ascending else 'desc'} limit %(limit)s"
        )
        try:
            rows = await self._database.rows(sql, parameters, within)
        except TimeoutError as error:
            raise gave_up(within or 0) from error
        has_more = len(rows) > query.limit
        data = [self._model.model_validate_json(row[0]) for row in rows[: query.limit]]
        if reverse:
            data.reverse()
        ids: list[str] = [getattr(item, "id") for item in data]  # noqa: B009 (WireObject itself has no id)
        return ObjectList[T](
            data=data, first_id=ids[0] if ids else "", last_id=ids[-1] if ids else "", has_more=has_more
        )

    async def _change(
        self, sql: str, values: dict[str, Any], verb: str, details: dict[str, Any] | None = None
    ) -> Row | None:
        """The first row of a statement's result, and its entry in the audit log, where the kind has such.

        Args:
            sql: the statement; without a row it has done nothing.
            values: its parameters, among them the object's `id` and `project`.
            verb: what the entry's type ends with; none if nothing is changed.
            details: what else it says. Never a secret.
        """
        if not self._audited or not verb:
            return await self._database.row(sql, values)
        act = Act(f"{self._audited}.{verb}", values["id"], values["project"], details or {})
        return await perform(self._database, sql, values, lambda _: act)

    async def _cursor(self, project: str, name: str, identifier: str, parent: str | None) -> int:
        row = await self._database.row(self._position, {"project": project, "id": identifier, "parent": parent})
        if row is None:
            raise InvalidRequest(f"Invalid '{name}': no {self._noun} found with id '{identifier}'.", param=name)
        return int(row[0])
