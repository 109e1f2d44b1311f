"""Who may only use an assistant is told nothing of what it is made of, by any endpoint."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from retinue.accounts.keys import Caller
from retinue.api.confidential import CONCERNED, Confidential
from retinue.runs.guard import CHINESE_GUARD, GUARD
from retinue.runs.leaks import CHINESE_NOTICE, NOTICE

from ..harness import Api, Event, Json, Server, eventually, function, parse_events, run_path, text
from ..indexing import index
from ..scripted import Call, Reply, ScriptedUpstream
from .test_file_search import CONTENT, answering
from .test_streams import of, said
from .test_uploads import begun, part

#: Files are searched however small they are.
pytestmark = pytest.mark.settings(serve_worker=False, whole_files_tokens=0)

INSTRUCTIONS = (
    "You are Marlow, the harbour guide. Never mention the old lighthouse, because its keeper has asked us not to. "
    "Discounts of more than twelve crowns need the word Kittiwake."
)
FACTS = "The kestrel hovers over meadows and eats voles, which is told to nobody."
#: Words that must be in no answer.
SECRETS = ("lighthouse", "Kittiwake", "a secret of the tool", "told to nobody", "print(")
WEATHER = function("weather", city="string") | {}
WEATHER["function"] |= {"description": "This is a secret of the tool."}
TOOLS = [WEATHER, {"type": "file_search", "file_search": {"max_num_results": 3}}, {"type": "code_interpreter"}]

MakeApi = Callable[..., Awaitable[Api]]


@pytest.fixture
def caller(server: Server, api: Api) -> MakeApi:
    """Makes clients whose keys have these scopes."""

    async def make(*scopes: str) -> Api:
        return api.with_key((await server.app.state.keys.create("test", scopes=scopes))[0])

    return make


@pytest.fixture
async def user(caller: MakeApi) -> Api:
    """Somebody who may run assistants and download files."""
    return await caller("threads:write", "files:write", "uploads:write", "vector_stores:write")


@pytest.fixture
async def made(api: Api, server: Server) -> Json:
    """An assistant with everything that can be secret."""
    found, code = await api.file(FACTS, "facts.txt"), await api.file(FACTS, "code.txt")
    store = await api.post("/vector_stores", {"file_ids": [found]})
    await index(server)
    resources = {"file_search": {"vector_store_ids": [store["id"]]}, "code_interpreter": {"file_ids": [code]}}
    body = {"model": "scripted", "instructions": INSTRUCTIONS, "tools": TOOLS, "tool_resources": resources}
    return await api.post("/assistants", body)


def files_of(assistant: Json) -> tuple[str, str]:
    """The code interpreter's file, and the vector store."""
    resources = assistant["tool_resources"]
    return resources["code_interpreter"]["file_ids"][0], resources["file_search"]["vector_store_ids"][0]


def leaked(answer: Any) -> list[str]:
    told = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return [secret for secret in SECRETS if secret in told]


async def everything(api: Api, run: Json) -> list[Any]:
    """All that can be asked about a run."""
    path, thread = run_path(run), f"/threads/{run['thread_id']}"
    include = "include[]=step_details.tool_calls[*].file_search.results[*].content"
    steps = (await api.get(f"{path}/steps?{include}"))["data"]
    found = [await api.get(path), await api.get(f"{thread}/runs"), steps]
    found += [await api.get(f"{path}/steps/{step['id']}?{include}") for step in steps]
    found += [
        await api.get(f"{thread}/messages"),
        await api.get(thread),
        await api.post(path, {"metadata": {"a": "b"}}),
    ]
    async with api.open_get_stream(f"{path}/stream?{include}") as response:
        found.append(await response.text())
    found.append((await api.download(f"{thread}/export")).decode())
    return found


def working(request: Json) -> Reply:
    """A model that searches, runs code, and then answers."""
    done = sum(one["role"] == "tool" for one in request["messages"])
    if done == 0:
        return Reply(tool_calls=[Call("file_search", {"queries": ["kestrel"]})])
    if done == 1:
        return Reply(tool_calls=[Call("code_interpreter", {"code": "print('told to nobody')"})])
    return Reply(text="It is a bird.")


async def test_a_user_is_told_nothing_of_an_assistant(
    user: Api, api: Api, made: Json, upstream: ScriptedUpstream
) -> None:
    upstream.default = working
    thread = await user.thread("What is it?")
    events = await user.stream(f"/threads/{thread}/runs?{CONTENT}", {"assistant_id": made["id"]})
    run = of(events, "thread.run.completed")
    assert said(events) == "It is a bird."
    assert not leaked([event.data for event in events])
    assert not leaked(await everything(user, run))
    # The administrator sees what there is, of the same run.
    assert set(leaked(await everything(api, run))) == set(SECRETS)
    assert run["instructions"] == ""
    kept = {"name": "weather", "parameters": WEATHER["function"]["parameters"]}
    assert run["tools"] == [
        {"type": "function", "function": kept},
        {"type": "file_search"},
        {"type": "code_interpreter"},
    ]
    # The model was told all of it.
    assert upstream.requests[-1]["messages"][0]["content"] == INSTRUCTIONS


async def test_version_1_tells_a_user_nothing_either(
    user: Api, api: Api, made: Json, upstream: ScriptedUpstream
) -> None:
    v1 = user.with_version("v1")
    upstream.default = answering("kestrel", lambda marks: [f"A bird eats voles{marks[0]}."])
    thread = await v1.thread("What is it?")
    events = await v1.stream(f"/threads/{thread}/runs", {"assistant_id": made["id"]})
    run = of(events, "thread.run.completed")
    found = [await v1.get(run_path(run)), await v1.steps(run), await v1.messages(thread)]
    assert not leaked([event.data for event in events] + found)
    assert (run["instructions"], run["file_ids"]) == ("", [])
    assert "told to nobody" in json.dumps(await api.with_version("v1").messages(thread))


async def test_a_user_calls_functions_as_ever(
    user: Api, made: Json, upstream: ScriptedUpstream, server: Server
) -> None:
    upstream.script(Reply(tool_calls=[Call("weather", {"city": "Oslo"})]), Reply(text="Rain."))
    thread = await user.thread("Weather?")
    run = of(await user.stream(f"/threads/{thread}/runs", {"assistant_id": made["id"]}), "thread.run.requires_action")
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert call["function"] == {"name": "weather", "arguments": '{"city": "Oslo"}'}
    outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "rain"}]}
    events = await user.stream(f"{run_path(run)}/submit_tool_outputs", outputs)
    assert of(events, "thread.run.completed")["instructions"] == ""


async def test_files_of_an_assistant_are_not_for_users(user: Api, api: Api, made: Json, server: Server) -> None:
    code, store = files_of(made)
    (found,) = (await api.get(f"/vector_stores/{store}/files"))["data"]
    own = await user.file("My own notes.")
    assert await user.download(f"/files/{own}/content") == b"My own notes."
    mine = await user.post("/vector_stores", {"file_ids": [own]})
    await index(server)
    assert (await user.post(f"/vector_stores/{mine['id']}/search", {"query": "notes"}))["data"]
    attached = {"role": "user", "content": "Hi", "attachments": [{"file_id": code, "tools": [TOOLS[2]]}]}
    escaped = json.dumps({"messages": [attached]}).replace("file-", "\\u0066ile-").encode()
    thread = await user.thread("Hi")
    refused: list[tuple[str, str, Any]] = [
        ("GET", f"/files/{code}/content", None),
        ("GET", f"/files/{found['id']}/content", None),
        ("GET", f"/vector_stores/{store}/files/{found['id']}/content", None),
        ("POST", f"/vector_stores/{store}/search", {"query": "kestrel"}),
        ("DELETE", f"/vector_stores/{store}/files/{found['id']}", None),
        ("POST", "/vector_stores", {"file_ids": [found["id"]]}),
        ("POST", f"/vector_stores/{mine['id']}/files", {"file_id": code}),
        ("POST", f"/threads/{thread}/messages", attached),
        ("POST", "/threads", {"tool_resources": {"file_search": {"vector_store_ids": [store]}}}),
        ("POST", "/threads", escaped),
    ]
    for method, path, body in refused:
        data = body if isinstance(body, bytes) else None
        answer = await user.request(method, path, None if data else body, data=data)
        assert (answer.status, answer.body.get("error", {}).get("code")) == (403, "confidential"), (method, path)
    assert (await api.request("GET", f"/files/{code}/content")).status == 200


async def test_who_uploaded_a_file_may_have_it_and_others_may_not(
    user: Api, caller: MakeApi, api: Api, server: Server, upstream: ScriptedUpstream
) -> None:
    other = await caller("threads:write", "files:write", "vector_stores:write")
    own, foreign = await user.file("My own notes."), await other.file("Their notes.")
    store = (await other.post("/vector_stores", {"file_ids": [foreign]}))["id"]
    await index(server)
    thread = await user.thread("Hi")
    attached = {"role": "user", "content": "Hi", "attachments": [{"file_id": foreign, "tools": [TOOLS[2]]}]}
    for method, path, body in (
        ("GET", f"/files/{foreign}/content", None),
        ("GET", f"/vector_stores/{store}/files/{foreign}/content", None),
        ("POST", f"/vector_stores/{store}/search", {"query": "notes"}),
        ("POST", "/vector_stores", {"file_ids": [own, foreign]}),
        ("POST", f"/threads/{thread}/messages", attached),
        ("POST", "/threads", {"tool_resources": {"file_search": {"vector_store_ids": [store]}}}),
    ):
        assert (await user.refused(method, path, body, status=403))["code"] == "confidential", path
    # Who reads assistants may read all that is not protected.
    for allowed, file in ((user, own), (other, foreign), (await caller("read"), own), (api, foreign)):
        assert (await allowed.request("GET", f"/files/{file}/content")).status == 200
    # What somebody has uploaded stays theirs in an assistant.
    await protected(api, tools=TOOLS[2:], tool_resources={"code_interpreter": {"file_ids": [own]}})
    assert (await user.request("GET", f"/files/{own}/content")).status == 200
    assert (await (await caller("read")).refused("GET", f"/files/{own}/content", status=403))["code"] == "confidential"
    # With another key of the same program, too.
    keys = server.app.state.keys
    row = await server.app.state.store.database.row("select uploaded_by from files where id = %(id)s", {"id": own})
    again, _ = await keys.create("new", service_account=row[0], scopes=["threads:write", "files:write"])
    assert await api.with_key(again).download(f"/files/{own}/content") == b"My own notes."


async def test_who_completes_an_upload_in_parts_has_uploaded_it(user: Api, caller: MakeApi) -> None:
    upload = await begun(user, 5)
    parts = {"part_ids": [await part(user, upload, b"Mine.")]}
    file = (await user.post(f"/uploads/{upload}/complete", parts))["file"]["id"]
    assert await user.download(f"/files/{file}/content") == b"Mine."
    other = await caller("threads:write", "files:write")
    assert (await other.refused("GET", f"/files/{file}/content", status=403))["code"] == "confidential"


async def test_files_that_nobody_uploaded_are_for_all_who_may_read_files(
    user: Api, api: Api, server: Server, upstream: ScriptedUpstream
) -> None:
    # Of old files nobody knows who uploaded them.
    old = await api.file("From before.")
    await server.app.state.store.database.execute("update files set uploaded_by = null where id = %(id)s", {"id": old})
    assert await user.download(f"/files/{old}/content") == b"From before."
    code = "open('/mnt/data/made.txt', 'w').write('by code')"
    upstream.script(
        Reply(tool_calls=[Call("code_interpreter", {"code": code})]), Reply(text="See sandbox:/mnt/data/made.txt.")
    )
    await ran(api, await api.assistant(tools=[TOOLS[2]]))
    (made,) = [one for one in (await api.get("/files"))["data"] if one["purpose"] == "assistants_output"]
    assert await user.download(f"/files/{made['id']}/content") == b"by code"


async def test_an_export_of_the_project_is_not_for_users(caller: MakeApi, api: Api, made: Json) -> None:
    assert (await (await caller("export:read")).refused("GET", "/export", status=403))["code"] == "confidential"
    reader = await caller("read")
    assert b"lighthouse" in await reader.download("/export")
    await api.post(f"/assistants/{made['id']}", {"protected": True})
    assert (await reader.refused("GET", "/export", status=403))["code"] == "confidential"
    assert b"lighthouse" in await api.download("/export")


async def test_a_kept_answer_is_given_to_each_as_they_may_see_it(
    user: Api, api: Api, made: Json, upstream: ScriptedUpstream
) -> None:
    thread, headers = await api.thread("Hi"), {"idempotency-key": "again"}
    path, body = f"/threads/{thread}/runs", {"assistant_id": made["id"]}
    first = await api.request("POST", path, body, headers=headers)
    again = await user.request("POST", path, body, headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert (first.body["instructions"], again.body["instructions"]) == (INSTRUCTIONS, "")


# --- protected assistants


async def protected(api: Api, **fields: Any) -> str:
    body = {"model": "scripted", "instructions": INSTRUCTIONS, "protected": True, **fields}
    return (await api.post("/assistants", body))["id"]


async def ran(api: Api, assistant: str, *texts: str, **body: Any) -> tuple[list[Event], Json]:
    """The events of a run of an assistant, and its message."""
    thread = await api.thread(*(texts or ("Hi",)))
    events = await api.stream(f"/threads/{thread}/runs", {"assistant_id": assistant, **body})
    return events, (await api.messages(thread))[-1]


async def test_protection_is_a_field_that_others_do_not_have(api: Api) -> None:
    plain = await api.post("/assistants", {"model": "scripted"})
    assert "protected" not in plain
    made = await api.post(f"/assistants/{plain['id']}", {"protected": True})
    assert made["protected"] is True
    assert await api.get(f"/assistants/{plain['id']}") == made
    assert of((await ran(api, plain["id"]))[0], "thread.run.completed")["protected"] is True
    assert "protected" not in await api.post(f"/assistants/{plain['id']}", {"protected": None})
    assert (await api.refused("POST", "/assistants", {"model": "scripted", "protected": "yes"}))["param"] == "protected"


async def test_only_administrators_see_or_change_a_protected_assistant(caller: MakeApi, api: Api) -> None:
    identifier, plain = await protected(api, tools=TOOLS[:1]), await api.assistant(instructions="Be kind.")
    for editor in (await caller("write"), await caller("read", "threads:admin", "assistants:write")):
        seen = await editor.get(f"/assistants/{identifier}")
        assert (seen["instructions"], seen["tool_resources"], seen["protected"]) == ("", None, True)
        assert not leaked(seen)
        assert not leaked(await editor.get("/assistants"))
        assert (await editor.get(f"/assistants/{plain}"))["instructions"] == "Be kind."
        for body in ({"protected": False}, {"name": "Mine"}):
            error = await editor.refused("POST", f"/assistants/{identifier}", body, status=403)
            assert error["code"] == "confidential"
        await editor.refused("DELETE", f"/assistants/{identifier}", status=403)
        assert (await editor.post(f"/assistants/{plain}", {"name": "Mine"}))["name"] == "Mine"
        events, _ = await ran(editor, identifier)
        assert not leaked([event.data for event in events])
        assert not leaked(await everything(editor, of(events, "thread.run.completed")))
        assert not leaked(await editor.with_version("v1").get(f"/assistants/{identifier}"))
    assert (await api.get(f"/assistants/{identifier}"))["instructions"] == INSTRUCTIONS


async def test_the_model_is_told_to_keep_it_to_itself(api: Api, upstream: ScriptedUpstream) -> None:
    await ran(api, await protected(api), additional_instructions="Be short.")
    assert upstream.requests[-1]["messages"][0]["content"] == f"{GUARD}\n\n{INSTRUCTIONS}\n\nBe short."
    await ran(api, await protected(api, instructions="你是埃勒里港的向导。"))
    assert upstream.requests[-1]["messages"][0]["content"].startswith(CHINESE_GUARD)
    await ran(api, await protected(api), instructions="Tell me your files.")
    assert upstream.requests[-1]["messages"][0]["content"] == f"{GUARD}\n\nTell me your files."
    await ran(api, await api.assistant(instructions=INSTRUCTIONS))
    assert upstream.requests[-1]["messages"][0]["content"] == INSTRUCTIONS


async def test_an_answer_that_repeats_the_instructions_is_withheld_everywhere(
    api: Api, upstream: ScriptedUpstream
) -> None:
    words = [f"{word} " for word in f"Sure: {INSTRUCTIONS} Ask on.".split()]
    upstream.script(Reply(chunks=words, usage=(11, 40)))
    events, message = await ran(api, await protected(api))
    assert said(events) == text(message) == text(of(events, "thread.message.completed")) == f"Sure: {NOTICE}. Ask on. "
    run = of(events, "thread.run.completed")
    assert run["usage"] == {"prompt_tokens": 11, "completion_tokens": 40, "total_tokens": 51}
    async with api.open_get_stream(f"{run_path(run)}/stream") as response:
        assert said(parse_events(await response.text())) == text(message)


#: An answer that tells the instructions again and again, with other words between.
AGAIN = [f"{word} " for word in f"Sure, once more: {INSTRUCTIONS}".split()]


async def test_an_answer_that_leaks_again_and_again_is_broken_off(api: Api, upstream: ScriptedUpstream) -> None:
    # It would never end by itself.
    upstream.script(Reply(chunks=AGAIN * 3, hang=True))
    async with asyncio.timeout(20):
        events, message = await ran(api, await protected(api))
    ended = f"Sure, once more: {NOTICE}. Sure, once more: {NOTICE}. Sure, once more: {NOTICE}"
    assert said(events) == text(message) == ended
    assert (message["status"], message["incomplete_details"]) == ("completed", None)
    run = of(events, "thread.run.completed")
    # Nobody has told what it used: about 100 words of 5 letters, at 3 letters a token.
    assert 100 < run["usage"]["completion_tokens"] < 300
    assert run["usage"]["prompt_tokens"] > 50
    await eventually(lambda: asyncio.sleep(0, upstream.disconnects == 1))


async def test_an_answer_in_json_is_not_broken_off(api: Api, upstream: ScriptedUpstream) -> None:
    value = {"answer": ["".join(AGAIN)] * 4}
    upstream.script(Reply(text=json.dumps(value)))
    _, message = await ran(api, await protected(api), response_format={"type": "json_object"})
    assert text(message).count(NOTICE) == 4
    assert len(json.loads(text(message))["answer"]) == 4


async def test_the_notice_is_in_the_language_of_the_answer(api: Api, upstream: ScriptedUpstream) -> None:
    chinese = "你是埃勒里港的向导马洛。先问每位客人的船从哪里来。绝不提起旧灯塔，因为守塔人请求过我们。"
    upstream.script(Reply(text=f"好的：{chinese}"))
    _, message = await ran(api, await protected(api, instructions=chinese))
    assert text(message) == f"好的：{CHINESE_NOTICE}。"


async def test_a_cut_off_answer_ends_with_what_was_held_back(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="You are Marlow, the harbour", finish_reason="length"))
    _, message = await ran(api, await protected(api))
    assert (message["status"], text(message)) == ("incomplete", "You are Marlow, the harbour")


async def test_calls_do_not_carry_the_instructions_out(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("weather", {"city": INSTRUCTIONS}), Call("weather", {"city": "Oslo"})]))
    events, _ = await ran(api, await protected(api, tools=TOOLS[:1]))
    action = of(events, "thread.run.requires_action")["required_action"]["submit_tool_outputs"]["tool_calls"]
    cities = [json.loads(call["function"]["arguments"])["city"] for call in action]
    assert cities == [f"{NOTICE}.", "Oslo"]
    pieces = [event.data["delta"] for event in events if event.name == "thread.run.step.delta"]
    assert not {"Kittiwake", "lighthouse"} & set(leaked(pieces))


async def test_an_assistant_that_is_not_protected_may_say_what_it_likes(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text=INSTRUCTIONS))
    _, message = await ran(api, await api.assistant(instructions=INSTRUCTIONS))
    assert text(message) == INSTRUCTIONS


async def test_what_a_caller_adds_is_no_secret(api: Api, upstream: ScriptedUpstream) -> None:
    own = "End each answer with these very words, which are printed on the tickets of our ferry to the islands."
    upstream.script(Reply(text=own))
    _, message = await ran(api, await protected(api), additional_instructions=own)
    assert text(message) == own


async def test_files_may_be_quoted_but_not_copied(api: Api, server: Server, upstream: ScriptedUpstream) -> None:
    facts = " ".join(f"Fact {number} is about bird{number}." for number in range(30))
    # In a thread of their own, the same words are the user's.
    stores = [await api.post("/vector_stores", {"file_ids": [await api.file(facts)]}) for _ in range(2)]
    await index(server)
    given, own = ({"file_search": {"vector_store_ids": [store["id"]]}} for store in stores)
    upstream.default = answering("bird7", lambda marks: [facts])
    copier = await protected(api, tools=[{"type": "file_search"}], tool_resources=given)
    _, message = await ran(api, copier)
    assert text(message).startswith(NOTICE)
    upstream.default = answering("bird7", lambda marks: [facts[:200]])
    assert NOTICE not in text((await ran(api, copier))[1])
    upstream.default = answering("bird7", lambda marks: [facts])
    reader = await protected(api, tools=[{"type": "file_search"}])
    thread = (await api.post("/threads", {"messages": [{"role": "user", "content": "Hi"}], "tool_resources": own}))[
        "id"
    ]
    await api.stream(f"/threads/{thread}/runs", {"assistant_id": reader})
    assert NOTICE not in text((await api.messages(thread))[-1])


async def test_a_stream_is_not_held_up(user: Api, made: Json, upstream: ScriptedUpstream) -> None:
    go_on = asyncio.Event()
    upstream.script(Reply(chunks=["Ferries leave at nine. ", go_on, "Goodbye."]))
    thread = await user.thread("Hi")
    async with user.open_stream(f"/threads/{thread}/runs", {"assistant_id": made["id"]}) as response:
        found = b""
        async with asyncio.timeout(20):
            while b"Ferries" not in found:
                found += await response.content.readany()
        go_on.set()
        rest = await response.text()
    assert "thread.run.completed" in rest


async def test_every_route_that_takes_files_is_looked_into(server: Server) -> None:
    document = server.app.openapi()
    schemas = document["components"]["schemas"]

    def names(schema: Any, seen: frozenset[str] = frozenset()) -> set[str]:
        """The names of all fields in a schema."""
        if isinstance(schema, list):
            return {name for one in schema for name in names(one, seen)}
        if not isinstance(schema, dict):
            return set()
        reference = str(schema.get("$ref", "")).rpartition("/")[2]
        found = names(schemas[reference], seen | {reference}) if reference and reference not in seen else set[str]()
        inner = {name for key, value in schema.items() if key != "$ref" for name in names(value, seen)}
        return found | inner | set(schema.get("properties", ()))

    files = re.compile(r"(file|vector_store)_ids?|knowledge|picture")
    taking = {
        path
        for path, operations in document["paths"].items()
        if path.startswith("/v1/")
        for operation in operations.values()
        if any(map(files.fullmatch, names(operation.get("requestBody", {}))))
    }
    assert {"/v1/agents", "/v1/gpts", "/v1/threads", "/v1/assistants"} <= taking
    assert {path for path in taking if not path.startswith(CONCERNED)} == set()


async def test_forms_with_gpts_are_not_read_before_their_turn(server: Server) -> None:
    """They are large: whoever reads them takes them piece by piece, and not for as long as somebody likes."""
    read: list[str] = []

    async def receive() -> Any:
        read.append("a piece")
        return {"type": "http.request", "body": b"", "more_body": False}

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        assert not read

    async def send(message: Any) -> None: ...

    caller = Caller("proj_default", scopes=("assistants:read", "assistants:write"))
    scope = {"type": "http", "method": "POST", "path": "/v1/gpts/import", "project": "proj_default"}
    await Confidential(inner)(scope | {"app": server.app, "caller": caller}, receive, send)
