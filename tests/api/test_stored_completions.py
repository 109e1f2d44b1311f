"""Chat completions with `store`: kept as they were answered, listed, found, changed, deleted, forgotten."""

from __future__ import annotations

from typing import Any

import openai
import psycopg
import pytest

from ..harness import KEY, Api, Json, Server, eventually, function
from ..scripted import Call, Reply, ScriptedUpstream

HELLO: Json = {"model": "scripted", "messages": [{"role": "user", "content": "Hello"}], "store": True}


async def store(api: Api, **fields: Any) -> Json:
    """A completion that is stored."""
    return await api.post("/chat/completions", {**HELLO, **fields})


async def ids(api: Api, query: str = "") -> list[str]:
    """The ids of a list."""
    return [one["id"] for one in (await api.get("/chat/completions" + query))["data"]]


async def test_what_is_stored_is_what_was_answered(api: Api) -> None:
    made = await store(api, metadata={"colour": "blue"})
    kept = await api.get(f"/chat/completions/{made['id']}")
    assert kept == {**made, "metadata": {"colour": "blue"}}
    assert kept["choices"][0]["message"]["content"] == "Hello"


async def test_only_what_is_to_be_stored_is_stored(api: Api) -> None:
    for sent in ({}, {"store": False}, {"store": None}):
        made = await api.post("/chat/completions", {**HELLO, "store": None, **sent})
        assert (await api.refused("GET", f"/chat/completions/{made['id']}", status=404))["param"] is None
    assert await api.get("/chat/completions") == {
        "object": "list",
        "data": [],
        "first_id": "",
        "last_id": "",
        "has_more": False,
    }


async def test_a_stream_is_stored_as_one_answer(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="Let us see.", tool_calls=[Call("look", {"at": "moon"}), Call("look", {"at": "sun"})]))
    tools = [function("look", at="string")]
    options = {"include_usage": True, "include_obfuscation": True}
    chunks = await api.chunks("/chat/completions", {**HELLO, "n": 2, "tools": tools, "stream_options": options})
    kept = await api.get(f"/chat/completions/{chunks[0]['id']}")
    calls = [
        {"id": f"call_{number}", "type": "function", "function": {"name": "look", "arguments": f'{{"at": "{place}"}}'}}
        for number, place in ((1, "moon"), (2, "sun"))
    ]
    message = {"role": "assistant", "content": "Let us see.", "refusal": None, "tool_calls": calls}
    choice = {"message": message, "logprobs": None, "finish_reason": "tool_calls"}
    assert kept == {
        "id": chunks[0]["id"],
        "object": "chat.completion",
        "created": chunks[0]["created"],
        "model": "scripted",
        "choices": [{"index": index, **choice} for index in range(2)],
        "usage": chunks[-1]["usage"],
        "metadata": {},
    }


async def test_an_answer_that_broke_off_is_not_stored(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="a b c", break_after=2), Reply(status=400))
    async with api.open_stream("/chat/completions", HELLO) as response:
        assert "error" in await response.text()
    await api.refused("POST", "/chat/completions", HELLO)
    assert await ids(api) == []


async def test_the_older_function_call_is_stored(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("look", {"at": "moon"})]), Reply(tool_calls=[Call("look", {"at": "moon"})]))
    body = {**HELLO, "functions": [function("look", at="string")["function"]]}
    whole = await api.post("/chat/completions", body)
    chunks = await api.chunks("/chat/completions", body)
    for identifier in (whole["id"], chunks[0]["id"]):
        choice = (await api.get(f"/chat/completions/{identifier}"))["choices"][0]
        assert choice["finish_reason"] == "function_call"
        assert choice["message"]["function_call"] == {"name": "look", "arguments": '{"at": "moon"}'}
        assert "tool_calls" not in choice["message"]


async def test_text_that_the_database_does_not_keep(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="a\x00b \\u0000 \\\x00"))
    made = await store(api)
    assert made["choices"][0]["message"]["content"] == "a\x00b \\u0000 \\\x00"
    kept = await api.get(f"/chat/completions/{made['id']}")
    assert kept["choices"][0]["message"]["content"] == "a\ufffdb \\u0000 \\\ufffd"


@pytest.mark.settings(max_stored_completion_bytes=1024)
async def test_what_is_too_long_is_answered_and_not_kept(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="x" * 1024))
    long = await store(api)
    assert len(long["choices"][0]["message"]["content"]) == 1024
    short = await store(api)
    assert await ids(api) == [short["id"]]


# --- lists


async def test_pages_go_from_the_oldest_to_the_newest(api: Api) -> None:
    made = [(await store(api))["id"] for _ in range(5)]
    assert await ids(api) == made
    assert await ids(api, "?order=desc") == made[::-1]
    assert await ids(api, f"?limit=2&after={made[0]}") == made[1:3]
    assert await ids(api, f"?limit=2&after={made[3]}&order=desc") == made[2:0:-1]
    page = await api.get("/chat/completions?limit=2")
    assert (page["first_id"], page["last_id"], page["has_more"]) == (made[0], made[1], True)
    assert (await api.get(f"/chat/completions?limit=2&after={made[2]}"))["has_more"] is False


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "order=up", "after=chatcmpl-none", "limit=x", "model="])
async def test_wrong_parameters_of_lists_are_refused(api: Api, query: str) -> None:
    assert (await api.refused("GET", f"/chat/completions?{query}"))["param"] == query.partition("=")[0]


async def test_lists_by_model_and_metadata(api: Api) -> None:
    red = (await store(api, metadata={"colour": "red", "size": "big"}))["id"]
    blue = (await store(api, metadata={"colour": "blue"}))["id"]
    plain = (await store(api))["id"]
    assert await ids(api, "?metadata[colour]=red") == [red]
    assert await ids(api, "?metadata[colour]=red&metadata[size]=big") == [red]
    assert await ids(api, "?metadata[colour]=red&metadata[size]=small") == []
    assert await ids(api, "?model=scripted&metadata[colour]=blue") == [blue]
    assert await ids(api, "?model=scripted") == [red, blue, plain]
    assert await ids(api, "?model=another") == []
    twice = await api.refused("GET", "/chat/completions?metadata[a]=1&metadata[a]=2")
    assert twice["param"] == "metadata"


# --- changing and deleting


async def test_metadata_is_replaced_and_found(api: Api) -> None:
    made = await store(api, metadata={"colour": "red"})
    path = f"/chat/completions/{made['id']}"
    assert await api.post(path, {"metadata": {"size": "big"}}) == {**made, "metadata": {"size": "big"}}
    assert await ids(api, "?metadata[colour]=red") == []
    assert await ids(api, "?metadata[size]=big") == [made["id"]]
    assert (await api.post(path, {"metadata": None}))["metadata"] == {}


@pytest.mark.parametrize("body", [{}, {"metadata": {"a": 1}}, {"metadata": {}, "model": "x"}, {"metadata": "x"}, []])
async def test_only_metadata_can_be_changed(api: Api, body: Any) -> None:
    path = f"/chat/completions/{(await store(api))['id']}"
    assert (await api.refused("POST", path, body))["type"] == "invalid_request_error"


async def test_deleted_is_gone_with_its_messages(api: Api, postgres: str) -> None:
    path = f"/chat/completions/{(made := await store(api))['id']}"
    assert await api.delete(path) == {"object": "chat.completion.deleted", "id": made["id"], "deleted": True}
    for method, where in (("GET", path), ("POST", path), ("DELETE", path), ("GET", path + "/messages")):
        await api.refused(method, where, {"metadata": {}} if method == "POST" else None, status=404)
    with psycopg.connect(postgres) as connection:
        assert connection.execute("select count(*) from chat_completion_messages").fetchone() == (0,)


@pytest.mark.settings(stored_completions_keep_days=30)
async def test_old_ones_are_forgotten(api: Api, postgres: str) -> None:
    old, new = (await store(api))["id"], (await store(api))["id"]
    with psycopg.connect(postgres) as connection:
        connection.execute("update chat_completions set created_at = now() - interval '31 days' where id = %s", (old,))
        connection.execute("update chat_completions set created_at = now() - interval '29 days' where id = %s", (new,))
    assert await eventually(lambda: ids(api), lambda found: old not in found) == [new]


async def test_nothing_is_seen_across_projects(api: Api, other: Api) -> None:
    path = f"/chat/completions/{(made := await store(api, metadata={'a': 'b'}))['id']}"
    assert await ids(other) == await ids(other, "?metadata[a]=b") == []
    assert (await other.refused("GET", f"/chat/completions?after={made['id']}"))["param"] == "after"
    for method, where in (("GET", path), ("POST", path), ("DELETE", path), ("GET", path + "/messages")):
        await other.refused(method, where, {"metadata": {}} if method == "POST" else None, status=404)
    assert await api.get(path) == {**made, "metadata": {"a": "b"}}


# --- messages

CALL: Json = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
TEXT: Json = {"type": "text", "text": "Look."}
IMAGE: Json = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}}
#: Messages of every role, and how each is stored.
MESSAGES: list[tuple[Json, Json]] = [
    ({"role": "system", "content": "Be brief."}, {}),
    ({"role": "developer", "content": [TEXT]}, {"content": None, "content_parts": [TEXT]}),
    ({"role": "user", "content": [TEXT, IMAGE], "name": "Ann"}, {"content": None, "content_parts": [TEXT, IMAGE]}),
    ({"role": "assistant", "tool_calls": [CALL]}, {"content": None}),
    ({"role": "tool", "tool_call_id": "call_1", "content": "The moon."}, {}),
    ({"role": "assistant", "content": None, "refusal": "No."}, {}),
    (
        {"role": "assistant", "content": [TEXT, {"type": "refusal", "refusal": "Never."}]},
        {"content": None, "content_parts": [TEXT], "refusal": "Never."},
    ),
    ({"role": "assistant", "function_call": {"name": "look", "arguments": "{}"}}, {"content": None}),
    ({"role": "function", "name": "look", "content": "The sun."}, {}),
    ({"role": "user", "content": "And now?"}, {}),
]


async def test_messages_of_every_role(api: Api) -> None:
    made = await store(api, messages=[sent for sent, _ in MESSAGES])
    listed = await api.get(f"/chat/completions/{made['id']}/messages")
    assert listed["data"] == [
        {"content_parts": None, "refusal": None, **sent, **kept, "id": f"{made['id']}-{number}"}
        for number, (sent, kept) in enumerate(MESSAGES)
    ]


async def test_pages_of_messages(api: Api) -> None:
    made = await store(api, messages=[{"role": "user", "content": str(number)} for number in range(12)])
    another = await store(api)
    path = f"/chat/completions/{made['id']}/messages"

    async def texts(query: str) -> str:
        return " ".join(message["content"] for message in (await api.get(path + query))["data"])

    assert await texts("") == "0 1 2 3 4 5 6 7 8 9 10 11"
    assert await texts("?order=desc&limit=3") == "11 10 9"
    assert await texts(f"?after={made['id']}-9") == "10 11"
    page = await api.get(f"{path}?limit=2&after={made['id']}-1")
    assert (page["first_id"], page["last_id"], page["has_more"]) == (f"{made['id']}-2", f"{made['id']}-3", True)
    assert (await api.refused("GET", f"{path}?after={another['id']}-0"))["param"] == "after"


# --- the official client


async def test_the_official_client(server: Server) -> None:
    async with openai.AsyncOpenAI(base_url=server.url + "/v1", api_key=KEY, max_retries=0) as client:
        completions = client.chat.completions
        made = [
            await completions.create(
                model="scripted",
                messages=[{"role": "system", "content": "Echo."}, {"role": "user", "content": f"Hello {number}"}],
                store=True,
                metadata={"number": str(number)},
            )
            for number in range(3)
        ]
        names = [one.id for one in made]
        assert [one.id async for one in completions.list(limit=1)] == names
        assert [one.id async for one in completions.list(metadata={"number": "1"})] == [names[1]]
        assert [one.id async for one in completions.list(order="desc", model="scripted")] == names[::-1]
        assert (await completions.retrieve(names[0])).choices == made[0].choices
        assert (await completions.update(names[0], metadata={"seen": "yes"})).metadata == {"seen": "yes"}
        said = [(one.id, one.content) async for one in completions.messages.list(names[2], limit=1)]
        assert said == [(f"{names[2]}-0", "Echo."), (f"{names[2]}-1", "Hello 2")]
        assert (await completions.delete(names[0])).deleted
        with pytest.raises(openai.NotFoundError):
            await completions.retrieve(names[0])
