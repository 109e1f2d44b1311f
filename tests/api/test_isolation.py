"""Projects: what one project has, another cannot see, change or use."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from ..harness import Api, Server, function
from ..scripted import Call, Reply, ScriptedUpstream

#: Bodies of the routes that need one to get as far as the object.
BODIES: dict[str, dict[str, Any]] = {
    "create_message": {"role": "user", "content": "x"},
    "create_run": {"assistant_id": "{assistant_id}"},
    "create_thread_and_run": {"assistant_id": "{assistant_id}"},
    "submit_tool_outputs": {"tool_outputs": [{"tool_call_id": "call_1", "output": "x"}]},
    "create_vector_store_file": {"file_id": "{file_id}"},
    "modify_vector_store_file": {"attributes": {}},
    "create_file_batch": {"file_ids": ["{file_id}"]},
    "search_vector_store": {"query": "x"},
    "complete_upload": {"part_ids": ["part_x"]},
    "modify_chat_completion": {"metadata": {}},
    "test_webhook_endpoint": {"event_type": "file.created"},
    "modify_webhook_endpoint_status": {"enabled": False},
}


def routes(app: FastAPI) -> list[tuple[str, str, str]]:
    """Method, path and name of each route under `/v1`."""
    found: list[tuple[str, str, str]] = []
    for route in all_routes(app.routes):
        if route.path.startswith("/v1/"):
            found += [(method, route.path, route.name) for method in sorted(route.methods)]
    return found


def all_routes(routes: Any) -> list[APIRoute]:
    """The routes of an application, those of its routers included."""
    found: list[APIRoute] = []
    for route in routes:
        if isinstance(route, APIRoute):
            found.append(route)
        elif hasattr(route, "original_router"):
            found += all_routes(route.original_router.routes)
    return found


async def waiting_run(api: Api, upstream: ScriptedUpstream) -> dict[str, str]:
    """The ids of one object of each kind; the run waits for tool outputs."""
    upstream.script(Reply(text="Let me see.", tool_calls=[Call("weather", id="call_1")]))
    run = await api.run("Hello", assistant={"tools": [function("weather")]})
    return {
        "assistant_id": run["assistant_id"],
        "thread_id": run["thread_id"],
        "run_id": run["id"],
        "message_id": (await api.messages(run["thread_id"]))[0]["id"],
        "step_id": (await api.steps(run))[0]["id"],
    }


async def store_of_files(api: Api) -> dict[str, str]:
    """The ids of a file, of a vector store that it is in, of the batch that brought it there, and of an upload."""
    file, store = await api.file(), (await api.post("/vector_stores"))["id"]
    batch = await api.post(f"/vector_stores/{store}/file_batches", {"file_ids": [file]})
    body = {"filename": "a.txt", "purpose": "assistants", "bytes": 2, "mime_type": "text/plain"}
    upload = await api.post("/uploads", body)
    return {"file_id": file, "vector_store_id": store, "batch_id": batch["id"], "upload_id": upload["id"]}


async def test_another_project_sees_404_everywhere(
    server: Server, api: Api, other: Api, upstream: ScriptedUpstream
) -> None:
    upstream.script(Reply(text="Hello"))
    body = {"model": "scripted", "messages": [{"role": "user", "content": "Hi"}], "store": True}
    kept = {"completion_id": (await api.post("/chat/completions", body))["id"]}
    connection = await api.call("POST", "/connections", {"type": "mcp", "url": "http://8.8.8.8/mcp"}, extension=True)
    kept["connection_id"] = connection["id"]
    hook = {"name": "x", "url": "https://8.8.8.8/", "event_types": ["*"]}
    endpoint = await api.call("POST", "/webhook_endpoints", hook, extension=True)
    kept |= {"webhook_endpoint_id": endpoint["id"], "delivery_id": "evt_x"}
    ids = {**await waiting_run(api, upstream), **await store_of_files(api), **kept}
    # What is the organization's is of no project: test_access.py.
    named = [
        route
        for route in routes(server.app)
        if ("_id}" in route[1] or route[2] in BODIES) and not route[1].startswith("/v1/organization/")
    ]
    assert len(named) >= 46
    for method, path, name in named:
        body = BODIES.get(name, {} if method == "POST" else None)
        if body and "assistant_id" in body:
            body = {"assistant_id": ids["assistant_id"]}
        error = await other.refused(method, path.removeprefix("/v1").format(**ids), body, status=404)
        assert error["message"].startswith("No "), (method, path)
    unharmed = await api.get(f"/threads/{ids['thread_id']}/runs/{ids['run_id']}")
    assert unharmed["status"] == "requires_action"


async def test_an_assistant_of_another_project_cannot_run(api: Api, other: Api) -> None:
    assistant, thread = await api.assistant(), await other.thread("Hello")
    error = await other.refused("POST", f"/threads/{thread}/runs", {"assistant_id": assistant}, status=404)
    assert error["message"] == f"No assistant found with id '{assistant}'."
    assistant = await other.assistant()
    thread = await api.thread("Hello")
    error = await other.refused("POST", f"/threads/{thread}/runs", {"assistant_id": assistant}, status=404)
    assert error["message"] == f"No thread found with id '{thread}'."


async def test_lists_and_cursors_stay_within_the_project(api: Api, other: Api) -> None:
    mine, theirs = await api.assistant(), await other.assistant()
    assert [item["id"] for item in (await api.get("/assistants"))["data"]] == [mine]
    assert [item["id"] for item in (await other.get("/assistants"))["data"]] == [theirs]
    await api.refused("GET", f"/assistants?after={theirs}")


async def test_paths_that_mix_objects_are_404(api: Api, upstream: ScriptedUpstream) -> None:
    first, second = await waiting_run(api, upstream), await waiting_run(api, upstream)
    for path in (
        f"/threads/{first['thread_id']}/runs/{second['run_id']}",
        f"/threads/{first['thread_id']}/runs/{second['run_id']}/steps",
        f"/threads/{first['thread_id']}/runs/{first['run_id']}/steps/{second['step_id']}",
        f"/threads/{first['thread_id']}/runs/{second['run_id']}/steps/{second['step_id']}",
        f"/threads/{first['thread_id']}/messages/{second['message_id']}",
    ):
        await api.refused("GET", path, status=404)
    for action, body in (("cancel", None), ("submit_tool_outputs", BODIES["submit_tool_outputs"])):
        path = f"/threads/{first['thread_id']}/runs/{second['run_id']}/{action}"
        await api.refused("POST", path, body, status=404)


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer wrong", "Basic sk-test-first-key", "sk-test-first-key", "Bearer \u00e9\u00ff"],
)
async def test_every_route_needs_a_key(server: Server, api: Api, authorization: str) -> None:
    for method, path, name in routes(server.app):
        if name == "finish_sign_in":
            continue  # people's browsers have no key: test_access.py
        path = path.removeprefix("/v1").replace("{model:path}", "scripted").replace("{", "").replace("}", "")
        answer = await api.request(method, path, data=b"not json", headers={"authorization": authorization})
        assert answer.status == 401, (method, path)
        assert answer.body["error"]["type"] == "invalid_request_error"
    for path in ("/nothing", "/threads/x/nothing"):
        assert (await api.request("GET", path, headers={"authorization": authorization})).status == 401


async def test_a_wrong_key_is_not_told_in_full(api: Api) -> None:
    wrong = "sk-retinue-" + "x" * 48
    answer = await api.with_key(wrong).request("GET", "/assistants")
    assert answer.body["error"]["code"] == "invalid_api_key"
    assert wrong not in answer.body["error"]["message"]
