"""Projects: what one project has, another cannot see, change or use."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from ..harness import Api, Server, eventually, function
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
    "report_gpt": {"reason": "spam"},
    "review_gpt": {"rating": 5},
    "approve_command": {"decision": "once"},
    "tell_agent": {"text": "x"},
    "create_gpt_feedback": {"thread_id": "{thread_id}", "message_id": "{message_id}", "rating": "up"},
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


async def published_gpt(api: Api, reader: Api) -> dict[str, str]:
    """The ids of a GPT in the store, of a link to it, and of what `reader`, another key, has said of it."""

    async def post(client: Api, path: str, body: Any) -> dict[str, Any]:
        return await client.call("POST", path, body, extension=True)

    gpt = await post(api, "/gpts", {"name": "Ours"})
    path = f"/gpts/{gpt['id']}"
    await post(api, f"{path}/publish", {"visibility": "store"})
    link = await post(api, f"{path}/links", {"name": "Guests"})
    thread = await reader.thread("Hello")
    run = await reader.post(f"/threads/{thread}/runs", {"assistant_id": f"gpt:{gpt['slug']}"})
    assert (await reader.until(run))["status"] == "completed"
    answer = (await reader.messages(thread))[-1]["id"]
    said = {"thread_id": thread, "message_id": answer, "rating": "up"}
    feedback = await post(reader, f"{path}/feedback", said)
    review = await post(reader, f"{path}/reviews", {"rating": 4})
    report = await post(reader, f"{path}/reports", {"reason": "spam"})
    return {
        "gpt_id": gpt["id"],
        "number": "1",
        "link_id": link["id"],
        "feedback_id": feedback["id"],
        "review_id": review["id"],
        "report_id": report["id"],
    }


async def delivered(api: Api, endpoint: str) -> str:
    """The id of a delivery to a webhook endpoint that is told of files."""
    path = f"/webhook_endpoints/{endpoint}"
    await api.file()
    found = await eventually(
        lambda: api.call("GET", f"{path}/deliveries", extension=True), lambda deliveries: deliveries["data"]
    )
    return found["data"][0]["event"]["id"]


@pytest.mark.settings(egress_allow=["127.0.0.1"])
async def test_another_project_sees_404_everywhere(
    server: Server, api: Api, other: Api, upstream: ScriptedUpstream
) -> None:
    upstream.script(Reply(text="Hello"))
    body = {"model": "scripted", "messages": [{"role": "user", "content": "Hi"}], "store": True}
    completion = await api.request("POST", "/chat/completions", body)
    kept = {"completion_id": completion.body["id"], "request_id": completion.headers["x-request-id"]}
    noted = f"/request_logs/{kept['request_id']}"
    await eventually(lambda: api.request("GET", noted, extension=True), lambda answer: answer.status == 200)
    connection = await api.call(
        "POST", "/connections", {"type": "mcp", "url": "http://127.0.0.1:9999/mcp"}, extension=True
    )
    kept["connection_id"] = connection["id"]
    hook = {"name": "x", "url": "http://127.0.0.1:9999/", "event_types": ["*"]}
    endpoint = await api.call("POST", "/webhook_endpoints", hook, extension=True)
    kept |= {"webhook_endpoint_id": endpoint["id"], "delivery_id": await delivered(api, endpoint["id"])}
    reader, _ = await server.app.state.keys.create("reader")
    kept |= await published_gpt(api, api.with_key(reader))
    ids = {**await waiting_run(api, upstream), **await store_of_files(api), **kept}
    share = await api.call("POST", f"/threads/{ids['thread_id']}/shares", extension=True)
    ids["share_id"] = share["id"]
    agent = await api.call("POST", "/agents", {"goals": ["x"], "limits": {"cycles": 1}}, extension=True)
    ids |= {"agent_id": agent["id"], "name": "tool"}
    # What is the organization's is of no project: test_access.py. Links are for everybody: test_shares.py.
    named = [
        route
        for route in routes(server.app)
        if ("_id}" in route[1] or route[2] in BODIES)
        and not route[1].startswith(("/v1/organization/", "/v1/shares/", "/v1/guest/"))
        # Templates are everybody's.
        and route[2] != "install_gpt_template"
    ]
    assert len(named) >= 46
    for method, path, name in named:
        body = BODIES.get(name, {} if method == "POST" else None)
        if body and "assistant_id" in body:
            body = {"assistant_id": ids["assistant_id"]}
        error = await other.refused(method, path.removeprefix("/v1").format(**ids), body, status=404)
        assert error["message"].startswith("No "), (method, path)
    # What the others could not touch is there for its own.
    gpt, hook = f"/gpts/{ids['gpt_id']}", f"/webhook_endpoints/{ids['webhook_endpoint_id']}"
    for path, key in ((f"{gpt}/links", "link_id"), (f"{gpt}/feedback", "feedback_id"), (f"{gpt}/reviews", "review_id")):
        listed = await api.call("GET", path, extension=True)
        assert ids[key] in [one["id"] for one in listed["data"]], path
    (report,) = (await api.call("GET", "/gpts/reports", extension=True))["data"]
    assert (report["id"], report["status"]) == (ids["report_id"], "open")
    assert ids["delivery_id"] in str(await api.call("GET", f"{hook}/deliveries", extension=True))
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
    for route in all_routes(server.app.routes):
        path, method = route.path, min(route.methods)
        if not path.startswith("/v1/") or (route.openapi_extra or {}).get("security") == []:
            continue  # what needs no key says so: test_access.py
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
