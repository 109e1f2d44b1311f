"""What the tools of assistants and threads work with: `tool_resources`, and the attachments of messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import InvalidRequest
from ..store.store import Store
from ..wire.messages import ImageFileContent, MessageCreate
from ..wire.threads import Thread, ThreadCreate
from ..wire.tools import CodeInterpreterResources, FileSearchResources, ToolResources
from ..wire.vector_stores import StoreExpiration
from . import stores

#: Most files of the code interpreter.
_MOST_CODE_FILES = 20
#: The store of a thread's attachments lives this many days after it was last active.
_IDLE_DAYS = 7


async def resolve(store: Store, project: str, wanted: ToolResources) -> ToolResources:
    """What an assistant or thread keeps of the `tool_resources` of a request: a store that it describes is made.

    Raises:
        NotFound: there is no such file or vector store.
        InvalidRequest: both a store's id and a store to be made are given.
    """
    if wanted.code_interpreter:
        await store.files.require(project, wanted.code_interpreter.file_ids)
    search = wanted.file_search
    if search is None:
        return wanted
    if search.vector_store_ids and search.vector_stores:
        raise InvalidRequest(
            "Invalid 'tool_resources.file_search': give either 'vector_store_ids' or 'vector_stores'.",
            param="tool_resources.file_search",
        )
    for identifier in search.vector_store_ids:
        await store.vector_stores.get(project, identifier)
    ids = list(search.vector_store_ids)
    for helper in search.vector_stores:
        made = await stores.create(
            store, project, helper.file_ids, chunking=helper.chunking_strategy, metadata=helper.metadata
        )
        ids.append(made.id)
    return wanted.model_copy(update={"file_search": FileSearchResources(vector_store_ids=ids)})


async def of_new_thread(store: Store, project: str, body: ThreadCreate) -> ToolResources | None:
    """What a new thread's tools work with: what the request says, and the attachments of its first messages.

    Raises:
        NotFound: there is no such file or vector store.
        InvalidRequest: the code interpreter would have too many files, or as `resolve`.
    """
    code, search = await _attached(store, project, body.messages)
    _with(body.tool_resources, code, None)
    resources = await resolve(store, project, body.tool_resources) if body.tool_resources else None
    if not code and not search:
        return resources
    given = _vector_store(resources)
    return _with(resources, code, await _store_with(store, project, given, search) if search else given)


async def attach(store: Store, project: str, thread_id: str, messages: Sequence[MessageCreate]) -> None:
    """Give the attachments of messages to the tools of their thread, before the messages are added to it.

    Doing so twice is doing so once, so a request that fails after this can be sent again.

    Raises:
        NotFound: there is no such thread or file.
        InvalidRequest: the code interpreter would have too many files, or the vector store.
    """
    code, search = await _attached(store, project, messages)
    if not code and not search:
        return
    before = (await store.threads.get(project, thread_id)).tool_resources
    _with(before, code, None)
    given = _vector_store(before)
    ours = await _store_with(store, project, given, search) if search else given

    def change(thread: Thread) -> dict[str, Any]:
        now = _vector_store(thread.tool_resources)
        return {"tool_resources": _with(thread.tool_resources, code, ours if now == given else now).model_dump()}

    kept = _vector_store((await store.threads.revise(project, thread_id, change)).tool_resources)
    if kept != ours and kept and ours and search:
        # Another request gave the thread a store meanwhile.
        await stores.attach(store, project, kept, search)
        if ours != given:
            await store.vector_stores.delete(project, ours, "vector_store.deleted")


async def _attached(store: Store, project: str, messages: Sequence[MessageCreate]) -> tuple[list[str], list[str]]:
    """The files that messages attach: for the code interpreter, and for file search. They exist, and pictures too."""
    attachments = [one for message in messages for one in message.attachments or ()]
    parts = [part for message in messages if not isinstance(message.content, str) for part in message.content]
    pictures = [part.image_file for part in parts if isinstance(part, ImageFileContent)]
    await store.files.require(project, [one.file_id for one in (*attachments, *pictures)])

    def of(tool: str) -> list[str]:
        named = [one.file_id for one in attachments if any(given.type == tool for given in one.tools)]
        return list(dict.fromkeys(named))

    return of("code_interpreter"), of("file_search")


def _vector_store(resources: ToolResources | None) -> str | None:
    ids = resources.file_search.vector_store_ids if resources and resources.file_search else []
    return ids[0] if ids else None


def _with(resources: ToolResources | None, code: Sequence[str], vector_store: str | None) -> ToolResources:
    """The resources with further files for the code interpreter, and with this vector store if one is given.

    Raises:
        InvalidRequest: the code interpreter would have too many files.
    """
    changed = (resources or ToolResources()).model_copy()
    if code:
        before = changed.code_interpreter.file_ids if changed.code_interpreter else []
        files = list(dict.fromkeys([*before, *code]))
        if len(files) > _MOST_CODE_FILES:
            raise InvalidRequest(
                f"The code interpreter takes at most {_MOST_CODE_FILES} files in a thread; "
                f"with the attachments there would be {len(files)}.",
                param="attachments",
            )
        changed.code_interpreter = CodeInterpreterResources(file_ids=files)
    if vector_store:
        changed.file_search = FileSearchResources(vector_store_ids=[vector_store])
    return changed


async def _store_with(store: Store, project: str, given: str | None, files: Sequence[str]) -> str:
    """The id of a vector store that holds these files; a new one lives as long as a thread's does."""
    expiry = StoreExpiration(anchor="last_active_at", days=_IDLE_DAYS)
    return await stores.ensure(store, project, given, files, expires_after=expiry)
