"""What one may do with GPTs: make, change, publish, find and use them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..accounts.keys import Caller
from ..accounts.scopes import Need, allowed
from ..errors import Forbidden, InvalidRequest, NotFound, Unavailable
from ..inference.models import Models
from ..knowledge import stores
from ..store.gpts import ASSISTANT_PREFIX, Change, GptRow, GptState, Listing, new_assistant_id
from ..store.ids import new_id
from ..store.objects import PageQuery
from ..store.store import Store
from ..wire.assistants import Assistant
from ..wire.common import Deleted, ObjectList
from ..wire.connections import Connection
from ..wire.gpts import SHARING, Gpt, GptContent, GptCreate, GptDraft, GptModeration, GptModify, GptPublish, GptVersion
from . import content as contents
from . import pictures

#: How a model or assistant is named that is a GPT: by its slug or id.
NAMED = "gpt:"
_ID = "gpt_"
#: How often a change begins anew. Each time that it must, somebody else has got theirs through.
_MOST_TRIES = 20


class Gpts:
    """The GPTs of projects."""

    def __init__(self, store: Store, models: Models) -> None:
        self._store = store
        self._models = models

    async def create(self, caller: Caller, body: GptCreate, given: Sequence[str] = ()) -> Gpt:
        """Make a GPT: a draft that only its maker knows, unless the request says otherwise.

        Args:
            caller: its maker.
            body: what it is made of.
            given: files that become the maker's with it, as if they had uploaded them.

        Raises:
            NotFound: there is no such model, file or connection.
            InvalidRequest: the project has a GPT of this slug; or it is shared with nobody.
        """
        project, now = caller.project, int(time.time())
        content = GptContent(**body.model_dump(exclude=set(SHARING)))
        connections = await self._check(project, content)
        await self._store.groups.require(project, body.shared_with or [])
        contents.require_free(body.slug)
        slug = body.slug or await self._free_slug(project, content.name)
        identifier, vector_store = new_id(_ID), await self._new_store(project, content)
        state = GptState(
            created_at=now,
            updated_at=now,
            visibility=body.visibility or "private",
            shared_with=body.shared_with or [],
            allow_duplicate=body.allow_duplicate is True,
            draft=content,
            draft_assistant_id=new_assistant_id(),
            vector_store_id=vector_store,
            given=list(given),
        )
        try:
            assistant = _assistant(state.draft_assistant_id, state, connections)
            await self._store.gpts.add(project, identifier, slug, state, assistant)
        except BaseException:
            await self._drop(project, vector_store)
            raise
        return await self.get(caller, identifier)

    async def get(self, caller: Caller, name: str) -> Gpt:
        """A GPT that the caller may use.

        Args:
            caller: who asks.
            name: its id or slug, with or without `gpt:` before it, or the id of an assistant of it.

        Raises:
            NotFound: there is none.
        """
        return (await self._shown(caller, [await self.row(caller, name)]))[0]

    async def page(self, caller: Caller, query: PageQuery, listing: Listing) -> ObjectList[Gpt]:
        """A page of a list of GPTs.

        Raises:
            Forbidden: it is for administrators, and the caller is none.
            InvalidRequest: a cursor names no GPT.
        """
        if listing.scope in ("hidden", "waiting"):
            require_administrator(caller)
        rows, more = await self._store.gpts.page(caller.project, query, listing)
        data = await self._shown(caller, rows)
        ends = (data[0].id, data[-1].id) if data else ("", "")
        return ObjectList[Gpt](data=data, first_id=ends[0], last_id=ends[1], has_more=more)

    async def modify(self, caller: Caller, name: str, body: GptModify) -> Gpt:
        """Change the draft, or who may use the GPT. What was published stays as it is.

        Raises:
            NotFound: there is no such GPT, model, file or connection.
            Forbidden: it is somebody else's.
            InvalidRequest: the project has another GPT of this slug; or it is shared with nobody.
        """
        wanted = body.model_dump(exclude_unset=True)
        sharing = {key: wanted.pop(key) for key in list(wanted) if key in SHARING}
        slug: str | None = sharing.pop("slug", None)
        contents.require_free(slug)
        kept = {key: value for key, value in sharing.items() if value is not None}

        async def prepare(row: GptRow) -> _Prepared:
            # Whom it was shared with may be gone.
            added = [one for one in kept.get("shared_with", []) if one not in row.state.shared_with]
            await self._store.groups.require(caller.project, added)
            draft = GptContent.model_validate({**row.state.draft.model_dump(), **_filled(wanted)})
            state = row.state.model_copy(update={"draft": draft, "updated_at": int(time.time()), **kept})
            if not wanted:
                return _Prepared(state, slug=slug)
            connections = await self._check(caller.project, draft)
            if draft.knowledge != row.state.draft.knowledge:
                state = await self._with_store(caller.project, row.state, state)
            return _Prepared(state, _assistant(state.draft_assistant_id, state, connections), slug)

        row, _ = await self._revise(caller, name, prepare)
        return await self.get(caller, row.id)

    async def publish(self, caller: Caller, name: str, body: GptPublish) -> GptVersion:
        """Make a version of the draft, which is used from now on.

        Raises:
            NotFound: there is no such GPT; or no more a file, model or connection of the draft.
            Forbidden: it is somebody else's.
        """

        async def prepare(row: GptRow) -> _Prepared:
            connections = await self._check(caller.project, row.state.draft)
            frozen: dict[str, Any] = {"store_published": row.state.vector_store_id is not None}
            if body.visibility:
                frozen["visibility"] = body.visibility
            state = row.state.model_copy(update=frozen)
            assistant = _assistant(new_assistant_id(), state, connections)
            version = GptVersion(
                id=new_id("gptv_"),
                gpt_id=row.id,
                number=0,
                created_at=int(time.time()),
                notes=body.notes,
                published_by=None,
                assistant_id=assistant.id,
                content=state.draft,
            )
            return _Prepared(state, assistant, version=version)

        _, version = await self._revise(caller, name, prepare)
        assert version is not None  # noqa: S101 (prepared above)
        return version

    async def restore(self, caller: Caller, name: str, number: int) -> Gpt:
        """Take what was published once as the draft again. Publishing it then rolls back.

        Raises:
            NotFound: there is no such GPT or version.
            Forbidden: it is somebody else's.
        """

        async def prepare(row: GptRow) -> _Prepared:
            version = await self._store.gpt_versions.numbered(caller.project, row.id, number)
            frozen = await self._store.assistants.get(caller.project, version.assistant_id)
            ids = _vector_stores(frozen)
            update = {
                "draft": version.content,
                "updated_at": int(time.time()),
                "vector_store_id": ids[0] if ids else None,
                "store_published": bool(ids),
            }
            state = row.state.model_copy(update=update)
            return _Prepared(state, frozen.model_copy(update={"id": state.draft_assistant_id}))

        row, _ = await self._revise(caller, name, prepare)
        return await self.get(caller, row.id)

    async def versions(self, caller: Caller, name: str, query: PageQuery) -> ObjectList[GptVersion]:
        """What was published, newest first unless the query says otherwise. Raises as `publish`."""
        row = await self.editable(caller, name)
        return await self._store.gpt_versions.page(caller.project, query, row.id)

    async def version(self, caller: Caller, name: str, number: int) -> GptVersion:
        """One version. Raises as `publish`."""
        row = await self.editable(caller, name)
        return await self._store.gpt_versions.numbered(caller.project, row.id, number)

    async def delete(self, caller: Caller, name: str) -> Deleted:
        """Delete a GPT with its versions. Conversations stay, and so do files that somebody uploaded.

        Raises as `publish`.
        """
        row = await self.editable(caller, name)
        kept = {row.state.vector_store_id, *await self._store.gpt_versions.vector_stores(caller.project, row.id)}
        await self._store.gpts.delete(caller.project, row.id)
        for vector_store in kept:
            await self._drop(caller.project, vector_store)
        return Deleted(id=row.id, object="gpt.deleted")

    async def assistant_of(self, caller: Caller, name: str) -> str:
        """The id of the assistant that a request names: a GPT's, where it names one; else what it says.

        Args:
            caller: who asks.
            name: the `assistant_id` of a request: an assistant's id, `gpt:` and a slug, or a GPT's id.

        Raises:
            NotFound: it names a GPT that the caller may not use, or that is not published.
        """
        if not name.startswith((NAMED, _ID, ASSISTANT_PREFIX)):
            return name
        row = await self.row(caller, name)
        if name.startswith(ASSISTANT_PREFIX):
            return name
        return row.published.assistant_id if row.published else row.state.draft_assistant_id

    async def row(self, caller: Caller, name: str) -> GptRow:
        """A GPT that the caller may use. Arguments and errors as of `get`."""
        return await self._store.gpts.find(caller.project, name.removeprefix(NAMED), everything=administers(caller))

    async def editable(self, caller: Caller, name: str) -> GptRow:
        """A GPT that the caller may change. Arguments as of `get`.

        Raises:
            NotFound: there is none that the caller knows of.
            Forbidden: it is somebody else's.
        """
        row = await self.row(caller, name)
        if not may_edit(caller, row):
            raise Forbidden("Only the owner of a GPT and administrators may do this.", code="not_your_gpt")
        return row

    # --- the parts

    async def _revise(
        self, caller: Caller, name: str, prepare: Callable[[GptRow], Awaitable[_Prepared]]
    ) -> tuple[GptRow, GptVersion | None]:
        """Change a GPT by what follows from how it is; returns how it was, and the version that was made.

        Asked again when others have changed it in between. A vector store that is not needed then is deleted.
        """
        project, row = caller.project, await self.editable(caller, name)
        for _ in range(_MOST_TRIES):
            before, prepared, kept, version = row.state, await prepare(row), False, None
            after = prepared.state
            try:
                async with self._store.gpts.changing(project, row.id) as change:
                    if still := change.state == before:
                        version = await prepared.put(change)
                        await self._exchange(change, project, before, after)
                kept = still
            finally:
                loose = before if kept else after
                if before.vector_store_id != after.vector_store_id and not loose.store_published:
                    await self._drop(project, loose.vector_store_id)
            if kept:
                return row, version
            row = await self.editable(caller, row.id)
        raise Unavailable(f"The GPT '{row.id}' is being changed by others. Please try again.")

    async def _check(self, project: str, content: GptContent) -> list[Connection]:
        """See to it that all is there that a GPT is to be made of; returns the connections."""
        self._models.resolve(content.model)
        await self._store.files.require(project, content.knowledge)
        if content.picture:
            await pictures.require(self._store, project, content.picture)
        return [await self._store.connections.get(project, one) for one in content.connections]

    async def _new_store(self, project: str, content: GptContent) -> str | None:
        if not content.knowledge:
            return None
        return (await stores.create(self._store, project, content.knowledge, name=content.name)).id

    async def _with_store(self, project: str, before: GptState, after: GptState) -> GptState:
        """The state with a vector store for its draft: the one that it has, if that may change, or a new one.

        One that was published does not change, and one that has expired, or that somebody has deleted, cannot.
        """
        given = before.vector_store_id
        if given and after.draft.knowledge and not before.store_published:
            with contextlib.suppress(NotFound):
                if (await self._store.vector_stores.get(project, given)).status != "expired":
                    return after
        made = await self._new_store(project, after.draft)
        return after.model_copy(update={"vector_store_id": made, "store_published": False})

    async def _exchange(self, change: Change, project: str, before: GptState, after: GptState) -> None:
        """Where a draft keeps its vector store, change the files in it with the draft, in one transaction.

        The GPT is locked for a few statements only: jobs read the files later.
        """
        there, wanted, kept = before.draft.knowledge, after.draft.knowledge, after.vector_store_id
        if kept and kept == before.vector_store_id and there != wanted:
            come = [file for file in wanted if file not in there]
            leave = [file for file in there if file not in wanted]
            await stores.exchange(self._store, change.connection, project, kept, come, leave)

    async def _drop(self, project: str, vector_store: str | None) -> None:
        if vector_store:
            with contextlib.suppress(NotFound):
                await self._store.vector_stores.delete(project, vector_store, "vector_store.deleted")

    async def _free_slug(self, project: str, name: str) -> str:
        slug = contents.slug_of(name)
        if slug not in contents.RESERVED and not await self._store.gpts.has_slug(project, slug):
            return slug
        return f"{slug}-{new_id('', 6).lower()}"

    async def _shown(self, caller: Caller, rows: Sequence[GptRow]) -> list[Gpt]:
        """GPTs as the caller may see them, with what is counted of them."""
        counted = await self._store.gpt_store.statistics([row.id for row in rows])
        shown = [self._seen(caller, row) for row in rows]
        return [gpt.model_copy(update={"statistics": counted.get(gpt.id, gpt.statistics)}) for gpt in shown]

    def _seen(self, caller: Caller, row: GptRow) -> Gpt:
        """A GPT as the caller may see it."""
        state, mine = row.state, may_edit(caller, row)
        shown = row.published.content if row.published else state.draft
        gpt = Gpt(
            id=row.id,
            created_at=state.created_at,
            updated_at=state.updated_at,
            slug=row.slug,
            name=shown.name,
            description=shown.description,
            picture_url=f"/v1/gpts/{row.id}/picture",
            conversation_starters=shown.conversation_starters,
            category=shown.category,
            tags=shown.tags,
            language=shown.language,
            capabilities=contents.can(shown),
            privacy_policy_url=shown.privacy_policy_url,
            version=row.published.number if row.published else None,
            assistant_id=row.published.assistant_id if row.published else None,
            owner=row.owner,
            author=row.author,
            visibility=state.visibility,
            allow_duplicate=state.allow_duplicate,
            featured=row.featured,
            may_edit=mine,
        )
        if mine:
            gpt.shared_with = state.shared_with
            gpt.draft = GptDraft(
                **state.draft.model_dump(),
                assistant_id=state.draft_assistant_id,
                vector_store_id=state.vector_store_id,
            )
            waits = self._store.gpts.approval and state.visibility == "store" and not row.approved
            gpt.moderation = GptModeration(
                hidden=row.hidden is not None, reason=row.hidden or "", approved=row.approved, waits=waits
            )
            gpt.unpublished_changes = not row.published or row.published.content != state.draft
        return gpt


def administers(caller: Caller) -> bool:
    """Whether the caller may do with all GPTs of the project what their owners may."""
    return allowed(caller.scopes, Need("gpts", "admin"))


def require_administrator(caller: Caller) -> None:
    """See to it that the caller administers the project's GPTs.

    Raises:
        Forbidden: they do not.
    """
    if not administers(caller):
        needed = "Missing scopes: gpts:admin."
        raise Forbidden(f"You have insufficient permissions for this operation. {needed}", code="missing_scope")


def may_edit(caller: Caller, row: GptRow) -> bool:
    """Whether the caller may change a GPT."""
    return row.mine or administers(caller)


def _assistant(identifier: str, state: GptState, connections: Sequence[Connection]) -> Assistant:
    return contents.assistant(identifier, state.draft, state.vector_store_id, connections)


def _vector_stores(assistant: Assistant) -> list[str]:
    resources = assistant.tool_resources
    return resources.file_search.vector_store_ids if resources and resources.file_search else []


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A change that is ready to be kept."""

    state: GptState
    #: Of the draft, or of the version.
    assistant: Assistant | None = None
    slug: str | None = None
    version: GptVersion | None = None

    async def put(self, change: Change) -> GptVersion | None:
        """Keep it; returns the version as it was kept."""
        if self.version and self.assistant:
            await change.keep(self.state)
            return await change.publish(self.version, self.assistant)
        await change.keep(self.state, self.assistant, self.slug)
        return None


def _filled(wanted: dict[str, Any]) -> dict[str, Any]:
    if "name" in wanted and wanted["name"] is None:
        message = "Invalid type for 'name': expected a string, but got null instead."
        raise InvalidRequest(message, param="name", code="invalid_type")
    return {name: _default(name) if value is None else value for name, value in wanted.items()}


def _default(name: str) -> Any:
    """What a null in a modification stands for."""
    return GptContent.model_fields[name].get_default(call_default_factory=True)
