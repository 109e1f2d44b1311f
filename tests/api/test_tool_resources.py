"""`tool_resources` of assistants and threads, and the attachments of messages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ..harness import Api, Json, Server, run_path

CODE: Json = {"type": "code_interpreter"}
SEARCH: Json = {"type": "file_search"}


def code(*files: str) -> Json:
    return {"code_interpreter": {"file_ids": list(files)}}


def search(*stores: str) -> Json:
    return {"file_search": {"vector_store_ids": list(stores)}}


def message(*attachments: tuple[str, list[Json]]) -> Json:
    """A message with attachments."""
    given = [{"file_id": file, "tools": tools} for file, tools in attachments]
    return {"role": "user", "content": "Look.", "attachments": given}


async def files_of(api: Api, store: str) -> list[str]:
    """The ids of the files in a vector store, in the order in which they came."""
    return [file["id"] for file in (await api.get(f"/vector_stores/{store}/files?order=asc"))["data"]]


async def store_of(api: Api, thread: str) -> str:
    """The id of a thread's vector store."""
    [store] = (await api.get(f"/threads/{thread}"))["tool_resources"]["file_search"]["vector_store_ids"]
    return store


@pytest.fixture(params=["/assistants", "/threads"])
def path(request: pytest.FixtureRequest) -> str:
    """Where objects with `tool_resources` are made."""
    return request.param


def body_of(path: str, **fields: Any) -> Json:
    return {"model": "scripted", **fields} if path == "/assistants" else fields


async def test_what_exists_is_kept(api: Api, path: str) -> None:
    resources = {**code(await api.file()), **search((await api.post("/vector_stores"))["id"])}
    made = await api.post(path, body_of(path, tool_resources=resources))
    assert made["tool_resources"] == resources
    changed = await api.post(f"{path}/{made['id']}", {"tool_resources": code()})
    assert changed["tool_resources"] == code()
    assert await api.get(f"{path}/{made['id']}") == changed
    assert (await api.post(f"{path}/{made['id']}", {"tool_resources": None}))["tool_resources"] is None


async def test_what_does_not_exist_is_refused(api: Api, other: Api, path: str) -> None:
    foreign = await other.file()
    made = (await api.post(path, body_of(path)))["id"]
    for resources, text in (
        (code(await api.file(), foreign), f"No file found with id '{foreign}'."),
        (search("vs_x"), "No vector store found with id 'vs_x'."),
        ({"file_search": {"vector_stores": [{"file_ids": [foreign]}]}}, f"No file found with id '{foreign}'."),
    ):
        for where, fields in ((path, body_of(path)), (f"{path}/{made}", {})):
            error = await api.refused("POST", where, {**fields, "tool_resources": resources}, status=404)
            assert error["message"] == text
    assert (await api.get("/vector_stores"))["data"] == []


@pytest.mark.parametrize(
    ("resources", "param"),
    [
        (code(*map(str, range(21))), "tool_resources.code_interpreter.file_ids"),
        (search("vs_1", "vs_2"), "tool_resources.file_search.vector_store_ids"),
        ({"file_search": {"vector_stores": [{}, {}]}}, "tool_resources.file_search.vector_stores"),
        ({"file_search": {"vector_store_ids": ["vs_1"], "vector_stores": [{}]}}, "tool_resources.file_search"),
        ({"file_search": {"vector_stores": [{"name": "x"}]}}, "tool_resources.file_search.vector_stores[0].name"),
    ],
)
async def test_limits(api: Api, path: str, resources: Json, param: str) -> None:
    assert (await api.refused("POST", path, body_of(path, tool_resources=resources)))["param"] == param


async def test_a_store_that_is_described_is_made(api: Api, path: str) -> None:
    files = [await api.file(), await api.file()]
    strategy = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}
    described = {"file_ids": files, "chunking_strategy": strategy, "metadata": {"a": "1"}}
    made = await api.post(path, body_of(path, tool_resources={"file_search": {"vector_stores": [described]}}))
    [store] = made["tool_resources"]["file_search"]["vector_store_ids"]
    assert made["tool_resources"] == search(store)
    assert (await api.settled(f"/vector_stores/{store}"))["metadata"] == {"a": "1"}
    listed = (await api.get(f"/vector_stores/{store}/files?order=asc"))["data"]
    assert [(file["id"], file["chunking_strategy"]) for file in listed] == [(file, strategy) for file in files]


async def test_a_modification_of_nothing_makes_no_store(api: Api, path: str) -> None:
    described = {"file_search": {"vector_stores": [{}]}}
    await api.refused("POST", f"{path}/none", {"tool_resources": described}, status=404)
    assert (await api.get("/vector_stores"))["data"] == []


# --- attachments


async def test_attachments_of_a_message(api: Api) -> None:
    thread = await api.thread()
    files = [await api.file() for _ in range(3)]
    sent = message((files[0], [CODE]), (files[1], [SEARCH]), (files[2], [CODE, SEARCH]))
    made = await api.post(f"/threads/{thread}/messages", sent)
    assert made["attachments"] == sent["attachments"]
    resources = (await api.get(f"/threads/{thread}"))["tool_resources"]
    store = await store_of(api, thread)
    assert resources == {**code(files[0], files[2]), **search(store)}
    found = await api.settled(f"/vector_stores/{store}")
    assert found["expires_after"] == {"anchor": "last_active_at", "days": 7}
    assert await files_of(api, store) == [files[1], files[2]]


async def test_later_attachments_join_earlier_ones(api: Api) -> None:
    thread = await api.thread()
    first, second = await api.file(), await api.file()
    await api.post(f"/threads/{thread}/messages", message((first, [CODE, SEARCH])))
    store = await store_of(api, thread)
    await api.post(f"/threads/{thread}/messages", message((first, [CODE]), (second, [CODE, SEARCH])))
    resources = (await api.get(f"/threads/{thread}"))["tool_resources"]
    assert resources == {**code(first, second), **search(store)}
    assert await files_of(api, store) == [first, second]


async def test_messages_at_once_share_one_store(api: Api) -> None:
    thread = await api.thread()
    files = [await api.file() for _ in range(6)]
    await asyncio.gather(*(api.post(f"/threads/{thread}/messages", message((file, [CODE, SEARCH]))) for file in files))
    resources = (await api.get(f"/threads/{thread}"))["tool_resources"]
    store = await store_of(api, thread)
    assert sorted(resources["code_interpreter"]["file_ids"]) == sorted(files)
    assert sorted(await files_of(api, store)) == sorted(files)
    assert len((await api.get("/vector_stores"))["data"]) == 1


async def test_attachments_of_a_new_thread(api: Api) -> None:
    files = [await api.file() for _ in range(3)]
    messages = [message((files[1], [CODE, SEARCH])), message((files[2], [SEARCH]))]
    thread = await api.post("/threads", {"messages": messages, "tool_resources": code(files[0])})
    store = await store_of(api, thread["id"])
    assert thread["tool_resources"] == {**code(files[0], files[1]), **search(store)}
    assert await files_of(api, store) == files[1:]


async def test_attachments_go_into_the_store_that_the_thread_is_given(api: Api) -> None:
    files = [await api.file(), await api.file()]
    described = {"file_search": {"vector_stores": [{"file_ids": files[:1]}]}}
    thread = await api.post("/threads", {"messages": [message((files[1], [SEARCH]))], "tool_resources": described})
    store = await store_of(api, thread["id"])
    assert await files_of(api, store) == files
    assert "expires_after" not in await api.get(f"/vector_stores/{store}")


async def test_attachments_of_runs(api: Api) -> None:
    files = [await api.file(), await api.file()]
    assistant = await api.assistant()
    run = await api.post(
        "/threads/runs", {"assistant_id": assistant, "thread": {"messages": [message((files[0], [SEARCH]))]}}
    )
    store = await store_of(api, run["thread_id"])
    await api.until(run, "completed")
    added = {"assistant_id": assistant, "additional_messages": [message((files[1], [CODE, SEARCH]))]}
    run = await api.post(f"/threads/{run['thread_id']}/runs", added)
    thread = await api.get(f"/threads/{run['thread_id']}")
    assert thread["tool_resources"] == {**code(files[1]), **search(store)}
    assert await files_of(api, store) == files
    await api.until(await api.get(run_path(run)), "completed")


async def test_attachments_that_do_not_exist(api: Api) -> None:
    thread, assistant = await api.thread(), await api.assistant()
    lost = message(("file-x", [SEARCH]))
    for path, body in (
        (f"/threads/{thread}/messages", lost),
        ("/threads", {"messages": [lost]}),
        ("/threads/runs", {"assistant_id": assistant, "thread": {"messages": [lost]}}),
        (f"/threads/{thread}/runs", {"assistant_id": assistant, "additional_messages": [lost]}),
    ):
        assert (await api.refused("POST", path, body, status=404))["message"] == "No file found with id 'file-x'."
    assert await api.messages(thread) == []
    assert (await api.get("/vector_stores"))["data"] == []


async def test_the_code_interpreter_takes_so_many_files(api: Api) -> None:
    files = [await api.file() for _ in range(21)]
    thread = (await api.post("/threads", {"tool_resources": code(*files[:20])}))["id"]
    await api.post(f"/threads/{thread}/messages", message((files[0], [CODE])))
    error = await api.refused("POST", f"/threads/{thread}/messages", message((files[20], [CODE, SEARCH])))
    assert error["param"] == "attachments"
    await api.refused("POST", "/threads", {"messages": [message(*((file, [CODE]) for file in files))]})
    assert (await api.get("/vector_stores"))["data"] == []


@pytest.mark.parametrize("fate", ["expired", "deleted"])
async def test_a_store_that_is_no_longer_usable_is_replaced(api: Api, server: Server, fate: str) -> None:
    thread = await api.thread()
    first, second = await api.file(), await api.file()
    await api.post(f"/threads/{thread}/messages", message((first, [SEARCH])))
    before = await store_of(api, thread)
    if fate == "expired":
        await server.app.state.store.vector_stores.patch("proj_default", before, {"expires_at": 1})
    else:
        await api.delete(f"/vector_stores/{before}")
    await api.post(f"/threads/{thread}/messages", message((second, [SEARCH])))
    after = await store_of(api, thread)
    assert after != before
    assert await files_of(api, after) == ([first, second] if fate == "expired" else [second])


async def test_pictures_that_are_not_there(api: Api) -> None:
    message = {"role": "user", "content": [{"type": "image_file", "image_file": {"file_id": "file-none"}}]}
    thread, assistant = await api.thread(), await api.assistant()
    for path, body in (
        (f"/threads/{thread}/messages", message),
        ("/threads", {"messages": [message]}),
        (f"/threads/{thread}/runs", {"assistant_id": assistant, "additional_messages": [message]}),
        ("/threads/runs", {"assistant_id": assistant, "thread": {"messages": [message]}}),
    ):
        error = await api.refused("POST", path, body, status=404)
        assert "file-none" in error["message"]
