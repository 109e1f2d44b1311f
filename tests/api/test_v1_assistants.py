"""Assistants and their files through version 1, of what either version made."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ..harness import Api, Json, function, run_path

CODE, RETRIEVAL, SEARCH = {"type": "code_interpreter"}, {"type": "retrieval"}, {"type": "file_search"}


async def upload(api: Api, count: int) -> list[str]:
    """The ids of new files."""
    return [await api.file() for _ in range(count)]


def code_files(stored: Json) -> list[str]:
    """The files that a version 2 assistant gives to the code interpreter."""
    return ((stored["tool_resources"] or {}).get("code_interpreter") or {}).get("file_ids", [])


async def searched_files(api: Api, stored: Json) -> list[str]:
    """The files in the vector store of a version 2 assistant."""
    stores = ((stored["tool_resources"] or {}).get("file_search") or {}).get("vector_store_ids", [])
    found = [await api.get(f"/vector_stores/{store}/files?order=asc&limit=100") for store in stores]
    return [file["id"] for listed in found for file in listed["data"]]


async def where(api: Api, assistant: str) -> tuple[list[str], list[str]]:
    """The files that version 2 shows of an assistant: for the code interpreter, and for file search."""
    stored = await api.get(f"/assistants/{assistant}")
    return code_files(stored), await searched_files(api, stored)


async def test_an_assistant_from_its_creation_to_its_end(v1: Api, api: Api) -> None:
    fields = {
        "name": "Tutor",
        "description": "Teaches.",
        "instructions": "Be kind.",
        "tools": [CODE, RETRIEVAL, function("f", a="string")],
        "metadata": {"a": "b"},
    }
    options = {"temperature": 0.5, "top_p": 0.5, "response_format": {"type": "json_object"}}
    made = await v1.post("/assistants", {"model": "gpt-4", **fields, **options})
    assert {name: made[name] for name in fields} == fields
    assert (made["model"], made["file_ids"]) == ("gpt-4", [])
    path = f"/assistants/{made['id']}"
    stored = await api.get(path)
    assert {name: stored[name] for name in options} == options
    assert stored["tools"] == [CODE, SEARCH, fields["tools"][2]]
    changed = await v1.post(path, {"name": None, "tools": [RETRIEVAL], "model": "scripted"})
    assert changed == {**made, "name": None, "tools": [RETRIEVAL], "model": "scripted"}
    assert await v1.get(path) == changed
    assert (await v1.get("/assistants"))["data"] == [changed]
    assert (await v1.delete(path))["object"] == "assistant.deleted"
    await v1.refused("GET", path, status=404)


@pytest.mark.parametrize(
    ("tools", "with_code", "searched"),
    [([], True, False), ([CODE], True, False), ([RETRIEVAL], False, True), ([CODE, RETRIEVAL], True, True)],
)
async def test_files_go_to_the_tools(v1: Api, api: Api, tools: list[Json], with_code: bool, searched: bool) -> None:
    files = await upload(api, 2)
    made = await v1.post("/assistants", {"model": "scripted", "tools": tools, "file_ids": files})
    assert made["file_ids"] == files
    assert await v1.get(f"/assistants/{made['id']}") == made
    assert (await v1.get("/assistants"))["data"] == [made]
    assert await where(api, made["id"]) == (files if with_code else [], files if searched else [])
    run = await v1.run(assistant={"tools": tools, "file_ids": files})
    assert (await v1.get(run_path(run)))["file_ids"] == files
    assert [one["file_ids"] for one in (await v1.get(f"/threads/{run['thread_id']}/runs"))["data"]] == [files]


async def test_an_assistant_of_version_2_shows_the_files_of_both_tools(v1: Api, api: Api) -> None:
    code, both, search = await upload(api, 3)
    store = await api.post("/vector_stores", {"file_ids": [both, search]})
    resources = {
        "code_interpreter": {"file_ids": [code, both]},
        "file_search": {"vector_store_ids": [store["id"]]},
    }
    made = await api.assistant(tools=[CODE, SEARCH], tool_resources=resources)
    shown = await v1.get(f"/assistants/{made}")
    assert (shown["file_ids"], shown["tools"]) == ([code, both, search], [CODE, RETRIEVAL])
    # What version 1 does not touch stays as version 2 made it.
    await v1.post(f"/assistants/{made}", {"name": "New", "tools": [CODE, RETRIEVAL]})
    assert (await api.get(f"/assistants/{made}"))["tool_resources"] == resources


async def test_a_modification_replaces_the_files(v1: Api, api: Api) -> None:
    one, two, three = await upload(api, 3)
    made = await v1.assistant(tools=[CODE, RETRIEVAL], file_ids=[one, two])
    changed = await v1.post(f"/assistants/{made}", {"file_ids": [three, two]})
    assert changed["file_ids"] == [three, two]
    assert await where(api, made) == ([three, two], [two, three])
    await v1.post(f"/assistants/{made}", {"file_ids": []})
    assert await where(api, made) == ([], [])
    await v1.post(f"/assistants/{made}", {"file_ids": [one], "tools": [RETRIEVAL]})
    assert await where(api, made) == ([], [one])


async def test_tools_that_are_added_get_the_files(v1: Api, api: Api) -> None:
    files = await upload(api, 2)
    made = await v1.assistant(file_ids=files)
    assert (await v1.post(f"/assistants/{made}", {"tools": [RETRIEVAL]}))["file_ids"] == files
    assert await searched_files(api, await api.get(f"/assistants/{made}")) == files
    assert (await v1.post(f"/assistants/{made}", {"tools": []}))["file_ids"] == files
    found = await v1.assistant(tools=[RETRIEVAL], file_ids=files)
    assert (await v1.post(f"/assistants/{found}", {"tools": [RETRIEVAL, CODE]}))["file_ids"] == files
    assert await where(api, found) == (files, files)


async def test_files_beyond_those_that_version_1_shows_stay(v1: Api, api: Api) -> None:
    files = await upload(api, 22)
    store = await api.post("/vector_stores", {"file_ids": files})
    resources = {"file_search": {"vector_store_ids": [store["id"]]}}
    made = await api.assistant(tools=[SEARCH], tool_resources=resources)
    assert (await v1.get(f"/assistants/{made}"))["file_ids"] == files[:20]
    await v1.post(f"/assistants/{made}", {"file_ids": files[:1]})
    assert (await where(api, made))[1] == [files[0], *files[20:]]


@pytest.mark.parametrize("tools", [[], [CODE], [RETRIEVAL], [CODE, RETRIEVAL]])
async def test_files_come_and_go_one_by_one(v1: Api, api: Api, tools: list[Json]) -> None:
    one, two = await upload(api, 2)
    made = await v1.assistant(tools=tools, file_ids=[one])
    path = f"/assistants/{made}/files"
    added = await v1.post(path, {"file_id": two})
    assert (added["id"], added["object"], added["assistant_id"]) == (two, "assistant.file", made)
    assert await v1.post(path, {"file_id": two}) == added
    assert await v1.get(f"{path}/{two}") == added
    assert [file["id"] for file in (await v1.get(path))["data"]] == [two, one]
    page = await v1.get(f"{path}?order=asc&limit=1")
    assert ([file["id"] for file in page["data"]], page["has_more"]) == ([one], True)
    assert (await v1.get(f"{path}?order=asc&after={one}"))["data"] == [added]
    deleted = await v1.delete(f"{path}/{one}")
    assert deleted == {"id": one, "object": "assistant.file.deleted", "deleted": True}
    assert (await v1.get(f"/assistants/{made}"))["file_ids"] == [two]
    code, searched = await where(api, made)
    assert {*code, *searched} == {two}
    await v1.refused("GET", f"{path}/{one}", status=404)
    await v1.refused("DELETE", f"{path}/{one}", status=404)
    assert (await api.get(f"/files/{one}"))["id"] == one


async def test_files_that_come_at_once_all_count(v1: Api, api: Api) -> None:
    files = await upload(api, 8)
    made = await v1.assistant(tools=[CODE, RETRIEVAL])
    await asyncio.gather(*(v1.post(f"/assistants/{made}/files", {"file_id": file}) for file in files))
    assert {*(await v1.get(f"/assistants/{made}"))["file_ids"]} == {*files}
    code, searched = await where(api, made)
    assert ({*code}, {*searched}) == ({*files}, {*files})
    assert len((await api.get("/vector_stores"))["data"]) == 1


async def test_an_assistant_has_twenty_files_at_most(v1: Api, api: Api) -> None:
    files = await upload(api, 21)
    made = await v1.assistant(tools=[RETRIEVAL], file_ids=files[:20])
    error = await v1.refused("POST", f"/assistants/{made}/files", {"file_id": files[20]})
    assert error["code"] == "array_above_max_length"
    await v1.post(f"/assistants/{made}/files", {"file_id": files[0]})
    error = await v1.refused("POST", "/assistants", {"model": "scripted", "file_ids": files})
    assert (error["code"], error["param"]) == ("array_above_max_length", "file_ids")


async def test_a_file_that_is_gone_is_no_assistant_file(v1: Api, api: Api) -> None:
    kept, gone = await upload(api, 2)
    made = await v1.assistant(tools=[CODE, RETRIEVAL], file_ids=[kept, gone])
    await api.delete(f"/files/{gone}")
    path = f"/assistants/{made}/files"
    assert [file["id"] for file in (await v1.get(path))["data"]] == [kept]
    await v1.refused("GET", f"{path}/{gone}", status=404)
    await v1.delete(f"{path}/{gone}")
    assert (await v1.get(f"/assistants/{made}"))["file_ids"] == [kept]


async def test_a_vector_store_that_is_gone_is_made_anew(v1: Api, api: Api) -> None:
    one, two = await upload(api, 2)
    made = await v1.assistant(tools=[RETRIEVAL], file_ids=[one])
    (store,) = (await api.get("/vector_stores"))["data"]
    await api.delete(f"/vector_stores/{store['id']}")
    assert (await v1.get(f"/assistants/{made}"))["file_ids"] == []
    await v1.post(f"/assistants/{made}/files", {"file_id": two})
    assert await where(api, made) == ([], [two])


async def test_files_of_messages(v1: Api, api: Api) -> None:
    files = await upload(api, 2)
    thread = await v1.thread()
    path = f"/threads/{thread}/messages"
    message = await v1.post(path, {"role": "user", "content": "See", "file_ids": files})
    assert message["file_ids"] == files
    stored = await api.get(f"{path}/{message['id']}")
    assert [one["file_id"] for one in stored["attachments"]] == files
    of_thread = await api.get(f"/threads/{thread}")
    assert (code_files(of_thread), await searched_files(api, of_thread)) == (files, files)
    listed = await v1.get(f"{path}/{message['id']}/files?order=asc")
    assert [(file["id"], file["created_at"]) for file in listed["data"]] == [
        (file, message["created_at"]) for file in files
    ]
    assert await v1.get(f"{path}/{message['id']}/files/{files[0]}") == listed["data"][0]
    await v1.refused("GET", f"{path}/{message['id']}/files/file-none", status=404)
    attachments = [{"file_id": files[1], "tools": [SEARCH]}]
    new = await api.post(path, {"role": "user", "content": "a", "attachments": attachments})
    assert (await v1.get(f"{path}/{new['id']}"))["file_ids"] == files[1:]
    body = {"assistant_id": await v1.assistant(), "thread": {"messages": [{"role": "user", "content": "a"}]}}
    body["thread"]["messages"][0]["file_ids"] = files
    run = await v1.until(await v1.post("/threads/runs", body))
    assert (await v1.messages(run["thread_id"]))[0]["file_ids"] == files
    body = {**body, "additional_messages": [{"role": "user", "content": "a", "file_ids": files[:1]}]}
    del body["thread"]
    run = await v1.until(await v1.post(f"/threads/{run['thread_id']}/runs", body))
    assert files[:1] in [one["file_ids"] for one in await v1.messages(run["thread_id"])]


async def test_streams_show_the_files_of_the_assistant(v1: Api, api: Api) -> None:
    files = await upload(api, 1)
    made, thread = await v1.assistant(tools=[RETRIEVAL], file_ids=files), await v1.thread("Hi")
    events = await v1.stream(f"/threads/{thread}/runs", {"assistant_id": made})
    runs = [event.data for event in events if event.name.startswith("thread.run.") and ".step." not in event.name]
    assert [run["file_ids"] for run in runs] == [files] * 4


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("tool_resources", {}, "unknown_parameter"),
        ("reasoning_effort", "low", "unknown_parameter"),
        ("tools", [SEARCH], "invalid_value"),
        ("tools", [{**RETRIEVAL, "file_search": {}}], "unknown_parameter"),
        ("tools", [{"type": "function", "function": {"name": "f", "strict": True}}], "unknown_parameter"),
        ("file_ids", "file-1", "invalid_type"),
        ("file_ids", ["file-1"] * 21, "array_above_max_length"),
        ("name", "x" * 257, "string_above_max_length"),
    ],
)
async def test_what_version_1_refuses(v1: Api, field: str, value: Any, code: str) -> None:
    for path in ("/assistants", f"/assistants/{await v1.assistant()}"):
        error = await v1.refused("POST", path, {"model": "scripted", field: value})
        assert error["code"] == code
        assert error["param"].startswith(field)


async def test_files_that_are_not_there(v1: Api) -> None:
    made = await v1.assistant()
    for tools in ([], [RETRIEVAL]):
        body = {"model": "scripted", "tools": tools, "file_ids": ["file-none"]}
        for path in ("/assistants", f"/assistants/{made}"):
            error = await v1.refused("POST", path, body, status=404)
            assert error["message"] == "No file found with id 'file-none'."
    await v1.refused("POST", f"/assistants/{made}/files", {"file_id": "file-none"}, status=404)
    await v1.refused("POST", f"/assistants/{made}/files", {})
    thread = await v1.thread()
    body = {"role": "user", "content": "a", "file_ids": ["file-none"]}
    await v1.refused("POST", f"/threads/{thread}/messages", body, status=404)
    assert (await v1.get(f"/assistants/{made}"))["tools"] == []
    await v1.refused("POST", f"/assistants/{made}", {"model": "none"}, status=404)


async def test_other_projects_assistants_are_not_found(v1: Api, other: Api) -> None:
    stranger = other.with_version("v1")
    (own,) = await upload(v1, 1)
    made = await v1.assistant(file_ids=[own])
    for method, path, body in (
        ("GET", "", None),
        ("POST", "", {}),
        ("DELETE", "", None),
        ("GET", "/files", None),
        ("POST", "/files", {"file_id": own}),
        ("GET", f"/files/{own}", None),
        ("DELETE", f"/files/{own}", None),
    ):
        await stranger.refused(method, f"/assistants/{made}{path}", body, status=404)
    await stranger.refused("POST", "/assistants", {"model": "scripted", "file_ids": [own]}, status=404)
    assert (await stranger.get("/assistants"))["data"] == []
