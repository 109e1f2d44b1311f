"""The files of assistants: version 1 has one list of them, version 2 gives them to the tools.

A file is with the code interpreter, in the assistant's vector store, or in both. Version 1 reads what is in either,
and writes to where the assistant's tools look: nothing but the version 2 object remembers it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from typing import Any

from ...errors import InvalidRequest, NotFound
from ...knowledge import stores
from ...store.store import Store
from ...wire import v1
from ...wire.assistants import Assistant
from ...wire.tools import CodeInterpreterResources, FileSearchResources, ToolResources
from .views import unique


async def of(store: Store, project: str, assistant: Assistant) -> list[str]:
    """The ids of an assistant's files, the code interpreter's first; as many as version 1 shows."""
    return (await of_all(store, project, [assistant]))[assistant.id]


async def of_all(store: Store, project: str, assistants: Sequence[Assistant]) -> dict[str, list[str]]:
    """As `of`, by the ids of the assistants."""
    of_stores = {one.id: found for one in assistants if (found := _vector_store(one))}
    searched: dict[str, list[str]] = {}
    if of_stores:
        searched = await store.vector_stores.file_ids_of(project, list(of_stores.values()), v1.ASSISTANT_FILES)
    return {
        one.id: unique([*_code_files(one), *searched.get(of_stores.get(one.id, ""), ())])[: v1.ASSISTANT_FILES]
        for one in assistants
    }


async def of_id(store: Store, project: str, assistant_id: str) -> list[str]:
    """As `of`; no files where there is no such assistant any more."""
    try:
        return await of(store, project, await store.assistants.get(project, assistant_id))
    except NotFound:
        return []


async def modify(
    store: Store, project: str, assistant_id: str, patch: dict[str, Any], file_ids: Sequence[str] | None
) -> Assistant:
    """Modify an assistant, and replace the files that version 1 shows if others are given.

    Without others, tools that the modification adds get the files that the assistant has.

    Args:
        store: where everything is.
        project: the caller's project.
        assistant_id: the assistant's id.
        patch: the fields to replace, as version 2 has them.
        file_ids: its files from now on; None leaves them.

    Raises:
        NotFound: there is no such assistant or file.
    """
    before = await store.assistants.get(project, assistant_id)
    kinds = {tool["type"] for tool in patch["tools"]} if "tools" in patch else _kinds(before)
    if file_ids is None and not (kinds - _kinds(before)) & {"code_interpreter", "file_search"}:
        return await store.assistants.patch(project, assistant_id, patch)
    shown = await of(store, project, before)
    if file_ids is None:
        wanted = list(await store.files.find(project, shown))
        return await _arrange(store, project, before, patch, kinds, wanted, ())
    await store.files.require(project, file_ids)
    return await _arrange(store, project, before, patch, kinds, unique(file_ids), shown)


async def add(store: Store, project: str, assistant: Assistant, file_id: str) -> None:
    """Give a further file, which exists, to an assistant's tools.

    Raises:
        InvalidRequest: the assistant has as many files as it may have.
    """
    _check_number({*await of(store, project, assistant), file_id})
    await _arrange(store, project, assistant, {}, _kinds(assistant), [file_id], ())


async def remove(store: Store, project: str, assistant: Assistant, file_id: str) -> None:
    """Take a file from an assistant's tools."""
    await _arrange(store, project, assistant, {}, _kinds(assistant), [], [file_id])


async def _arrange(
    store: Store,
    project: str,
    before: Assistant,
    patch: dict[str, Any],
    kinds: Collection[str],
    wanted: Sequence[str],
    replaced: Collection[str],
) -> Assistant:
    """Give files to tools of these kinds, in place of others, and replace fields, whatever others change meanwhile."""
    given = _vector_store(before)
    searched = bool(wanted) and "file_search" in kinds
    ours = await stores.ensure(store, project, given, wanted) if searched else given
    code = wanted if "code_interpreter" in kinds or "file_search" not in kinds else []

    def change(now: Assistant) -> dict[str, Any]:
        files = unique([*(file for file in _code_files(now) if file not in replaced), *code])
        _check_number(files)
        found = _vector_store(now)
        return {**patch, "tool_resources": _resources(files, ours if found == given else found).model_dump()}

    after = await store.assistants.revise(project, before.id, change)
    kept = _vector_store(after)
    if searched and ours and kept and kept != ours:
        # Another request gave the assistant a store meanwhile.
        await stores.ensure(store, project, kept, wanted)
        if ours != given:
            await store.vector_stores.delete(project, ours, "vector_store.deleted")
    for file in replaced:
        if kept and file not in wanted:
            with contextlib.suppress(NotFound):
                await stores.detach(store, project, kept, file)
    return after


def _check_number(files: Collection[str]) -> None:
    if len(files) > v1.ASSISTANT_FILES:
        message = f"An assistant has at most {v1.ASSISTANT_FILES} files. Take one from it before you add another."
        raise InvalidRequest(message, param="file_id", code="array_above_max_length")


def _kinds(assistant: Assistant) -> set[str]:
    return {tool.type for tool in assistant.tools}


def _resources(code: list[str], vector_store: str | None) -> ToolResources:
    return ToolResources(
        code_interpreter=CodeInterpreterResources(file_ids=code),
        file_search=FileSearchResources(vector_store_ids=[vector_store]) if vector_store else None,
    )


def _code_files(assistant: Assistant) -> list[str]:
    resources = assistant.tool_resources
    return resources.code_interpreter.file_ids if resources and resources.code_interpreter else []


def _vector_store(assistant: Assistant) -> str | None:
    resources = assistant.tool_resources
    ids = resources.file_search.vector_store_ids if resources and resources.file_search else []
    return ids[0] if ids else None
