"""`file_search` in runs: what is found is told to the model, shown in steps, and cited at the right places."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from retinue.inference.tokens import estimate_tokens

from ..harness import Api, Event, Json, Server, run_path, text
from ..indexing import index
from ..scripted import Call, Reply, ScriptedUpstream
from .test_joined_streams import join, whole
from .test_streams import of, said, streamed

#: Files are searched however small they are, and by words alone.
pytestmark = pytest.mark.settings(serve_worker=False, whole_files_tokens=0)

SEARCH = [{"type": "file_search"}]
#: What a list of steps shows to those who ask for it.
CONTENT = "include[]=step_details.tool_calls[*].file_search.results[*].content"
QUERIES = "include[]=step_details.tool_calls[*].file_search.queries"
BIRDS = "The kestrel hovers over meadows. It eats voles."
POEM = "床前明月光，疑是地上霜。举头望明月，低头思故乡。"


@pytest.fixture
async def files(api: Api) -> dict[str, str]:
    """Two files, by name."""
    return {"birds.txt": await api.file(BIRDS, "birds.txt"), "诗 [1].txt": await api.file(POEM, "诗 [1].txt")}


@pytest.fixture
async def assistant(api: Api, server: Server, files: dict[str, str]) -> Json:
    """What an assistant is made of that searches these files."""
    store = await api.post("/vector_stores", {"file_ids": list(files.values())})
    await index(server)
    return {"tools": SEARCH, "tool_resources": {"file_search": {"vector_store_ids": [store["id"]]}}}


def told(upstream: ScriptedUpstream) -> str:
    """What the model was told last."""
    return [one["content"] for one in upstream.requests[-1]["messages"] if one["role"] == "tool"][-1]


def marks(output: str) -> list[str]:
    """The marks of passages, without the one of the example."""
    return re.findall(r"^【.*?】", output, re.MULTILINE)


async def ran(api: Api, assistant: Json, thread: str | None = None) -> Json:
    """A run of a new assistant that has ended. Streamed, for the process that is asked drives it then."""
    body = {"assistant_id": await api.assistant(**assistant)}
    events = await api.stream(f"/threads/{thread or await api.thread('Hello')}/runs", body)
    return await api.get(run_path(of(events, "thread.run.created")))


async def called(api: Api, run: Json, *includes: str) -> Json:
    """What the run's step shows of its search."""
    steps = (await api.get(f"/threads/{run['thread_id']}/runs/{run['id']}/steps?{'&'.join(includes)}"))["data"]
    (call,) = next(step for step in steps if step["type"] == "tool_calls")["step_details"]["tool_calls"]
    return call["file_search"]


def answering(query: str, answer: Any) -> Any:
    """A model that searches, and then says what `answer` makes of the marks it is shown."""

    def reply(request: Json) -> Reply:
        tools = [one for one in request["messages"] if one["role"] == "tool"]
        if not tools:
            return Reply(tool_calls=[Call("file_search", {"queries": [query]})])
        return Reply(chunks=list(answer(marks(tools[-1]["content"]))))

    return reply


def annotations(events: list[Event]) -> list[Json]:
    """The annotations that the deltas brought, in order of their index."""
    deltas = [event.data["delta"]["content"][0]["text"] for event in events if event.name == "thread.message.delta"]
    found = [one for delta in deltas for one in delta.get("annotations", [])]
    assert [one.pop("index") for one in found] == list(range(len(found)))
    return found


@pytest.mark.parametrize(
    ("query", "name", "passage"), [("kestrel food", "birds.txt", BIRDS), ("明月", "诗 [1].txt", POEM)]
)
async def test_what_is_found_is_cited(
    api: Api, upstream: ScriptedUpstream, assistant: Json, files: dict[str, str], query: str, name: str, passage: str
) -> None:
    # One letter a piece, so that marks are cut.
    upstream.default = answering(query, lambda shown: f"我 says {shown[0]} and {shown[0]}.")
    _, own = await streamed(api, assistant)
    message = of(own, "thread.message.completed")
    found = message["content"][0]["text"]
    assert found["value"] == said(own)
    for one in found["annotations"]:
        assert found["value"][one["start_index"] : one["end_index"]] == one["text"] == f"【0:0†{name}】"
        assert one["file_citation"] == {"file_id": files[name]}
    assert len(found["annotations"]) == 2
    assert annotations(own) == found["annotations"]
    run = of(own, "thread.run.completed")
    joined = await join(api, run)
    assert annotations(joined) == found["annotations"]
    assert whole(joined) == whole(own)
    for event in own:
        if event.name == "thread.message.delta":
            rest = await join(api, run, event.id)
            assert said(own[: own.index(event) + 1]) + said(rest) == found["value"]
    assert passage in told(upstream)
    (result, *_) = (await called(api, run, CONTENT))["results"]
    assert (result["file_id"], result["file_name"]) == (files[name], name)
    assert result["content"] == [{"type": "text", "text": passage}]
    assert 0 < result["score"] <= 1


async def test_marks_that_name_nothing_cite_nothing(
    api: Api, upstream: ScriptedUpstream, assistant: Json, files: Any
) -> None:
    upstream.default = answering("kestrel", lambda shown: ["【7:0†x】【0:99†y】【0:", "0†z", "】【no】【0:0】"])
    _, own = await streamed(api, assistant)
    found = of(own, "thread.message.completed")["content"][0]["text"]
    assert [one["file_citation"]["file_id"] for one in found["annotations"]] == [files["birds.txt"]] * 2
    assert annotations(own) == found["annotations"]


async def test_several_searches_are_told_apart(
    api: Api, upstream: ScriptedUpstream, assistant: Json, files: Any
) -> None:
    upstream.script(
        Reply(tool_calls=[Call("file_search", {"queries": ["voles"]}), Call("file_search", {"queries": ["故乡"]})]),
        Reply(tool_calls=[Call("file_search", {"queries": ["nothing has this"]})]),
        Reply(text="【0:0†a】 【1:0†b】 【2:0†c】"),
    )
    _, own = await streamed(api, assistant)
    assert marks(told(upstream)) == []
    found = of(own, "thread.message.completed")["content"][0]["text"]["annotations"]
    assert [one["file_citation"]["file_id"] for one in found] == list(files.values())


# --- what is searched


async def test_files_attached_to_a_message_are_searched(
    api: Api, server: Server, upstream: ScriptedUpstream, files: Any
) -> None:
    attachment = {"file_id": files["birds.txt"], "tools": SEARCH}
    upstream.default = answering("voles", lambda shown: ["It does ", *shown])
    thread = await api.thread()
    await api.post(f"/threads/{thread}/messages", {"role": "user", "content": "?", "attachments": [attachment]})
    (store,) = (await api.get(f"/threads/{thread}"))["tool_resources"]["file_search"]["vector_store_ids"]
    assert (await api.get(f"/vector_stores/{store}"))["expires_after"] == {"anchor": "last_active_at", "days": 7}
    await index(server)
    assert (await ran(api, {"tools": SEARCH}, thread))["status"] == "completed"
    message = (await api.messages(thread))[-1]
    assert text(message) == "It does 【0:0†birds.txt】"
    assert message["content"][0]["text"]["annotations"][0]["file_citation"]["file_id"] == files["birds.txt"]


async def test_the_stores_of_assistant_and_thread_are_searched_together(
    api: Api, server: Server, upstream: ScriptedUpstream, assistant: Json
) -> None:
    attachment = {"file_id": await api.file("Voles live in burrows.", "voles.txt"), "tools": SEARCH}
    message = {"role": "user", "content": "?", "attachments": [attachment]}
    thread = (await api.post("/threads", {"messages": [message]}))["id"]
    await index(server)
    upstream.default = answering("voles", lambda shown: ["Yes."])
    await ran(api, assistant, thread)
    assert sorted(one.partition("†")[2] for one in marks(told(upstream))) == ["birds.txt】", "voles.txt】"]


async def test_a_search_waits_for_files_that_are_being_read(
    api: Api, server: Server, upstream: ScriptedUpstream
) -> None:
    attachment = {"file_id": await api.file(BIRDS, "birds.txt"), "tools": SEARCH}
    message = {"role": "user", "content": "?", "attachments": [attachment]}
    thread = (await api.post("/threads", {"messages": [message]}))["id"]
    upstream.default = answering("voles", lambda shown: ["Yes."])
    running = asyncio.create_task(ran(api, {"tools": SEARCH}, thread))
    await upstream.wait_for_requests(1)
    await index(server)
    assert (await running)["status"] == "completed"
    assert marks(told(upstream)) == ["【0:0†birds.txt】"]


@pytest.mark.settings(ingest_wait=0)
async def test_a_search_does_not_wait_for_ever(api: Api, upstream: ScriptedUpstream, assistant: Json) -> None:
    store = assistant["tool_resources"]["file_search"]["vector_store_ids"][0]
    await api.post(f"/vector_stores/{store}/files", {"file_id": await api.file("More voles.", "late.txt")})
    upstream.default = answering("voles", lambda shown: ["Yes."])
    await ran(api, assistant)
    assert marks(told(upstream)) == ["【0:0†birds.txt】"]
    assert "still being read" in told(upstream)


@pytest.mark.parametrize("end", ["expired", "deleted"])
async def test_a_store_that_is_gone_holds_nothing(
    api: Api, server: Server, upstream: ScriptedUpstream, assistant: Json, end: str
) -> None:
    store = assistant["tool_resources"]["file_search"]["vector_store_ids"][0]
    made = await api.assistant(**assistant)
    if end == "expired":
        await server.app.state.store.vector_stores.patch("proj_default", store, {"expires_at": 1})
    else:
        await api.delete(f"/vector_stores/{store}")
    upstream.default = answering("voles", lambda shown: ["No."])
    events = await api.stream(f"/threads/{await api.thread('?')}/runs", {"assistant_id": made})
    assert of(events, "thread.run.completed")
    assert told(upstream).startswith("Nothing in the files")


async def test_files_of_other_projects_are_not_searched(
    api: Api, other: Api, upstream: ScriptedUpstream, assistant: Json
) -> None:
    await other.refused("POST", "/assistants", {"model": "scripted", **assistant}, status=404)


# --- how it is asked


@pytest.mark.parametrize(
    ("arguments", "queries"),
    [
        ({"queries": ["kestrel", "故乡", " kestrel "]}, ["kestrel", "故乡"]),
        ({"queries": "kestrel 故乡"}, ["kestrel 故乡"]),
        ({"query": "kestrel 故乡"}, ["kestrel 故乡"]),
        ({"query": ["kestrel", "故乡"]}, ["kestrel", "故乡"]),
        ({"queries": ["kestrel", "故乡", *map(str, range(30))]}, ["kestrel", "故乡", *map(str, range(14))]),
    ],
)
async def test_queries_however_they_are_written(
    api: Api, upstream: ScriptedUpstream, assistant: Json, arguments: Json, queries: list[str]
) -> None:
    upstream.script(Reply(tool_calls=[Call("file_search", arguments)]), Reply(text="Yes."))
    run = await ran(api, assistant)
    assert len(marks(told(upstream))) == 2
    assert (await called(api, run, QUERIES))["queries"] == queries
    assert "content" not in (await called(api, run, QUERIES))["results"][0]
    assert (await called(api, run, QUERIES, CONTENT))["results"][0]["content"]
    assert "queries" not in await called(api, run, CONTENT)
    assert "queries" not in await called(api, run)


async def test_queries_that_are_none(api: Api, upstream: ScriptedUpstream, assistant: Json) -> None:
    wrong: list[Json] = [{}, {"query": 5}, {"query": " "}, {"query": "x" * 5000}, {"queries": []}, {"queries": {}}]
    calls = [Call("file_search", arguments) for arguments in [*wrong, {"queries": ["a", 5]}]]
    upstream.script(Reply(tool_calls=calls), Reply(text="Sorry."))
    assert (await ran(api, assistant))["status"] == "completed"
    outputs = [one["content"] for one in upstream.requests[-1]["messages"] if one["role"] == "tool"]
    assert len(outputs) == len(calls)
    assert all(one.startswith("Error: 'queries' must be") for one in outputs)


async def test_options_of_the_tool(api: Api, upstream: ScriptedUpstream, assistant: Json) -> None:
    options = {"max_num_results": 1, "ranking_options": {"ranker": "auto", "score_threshold": 0}}
    upstream.default = answering("kestrel 明月", lambda shown: shown)
    run = await ran(api, {**assistant, "tools": [{"type": "file_search", "file_search": options}]})
    assert len(marks(told(upstream))) == 1
    assert (await called(api, run))["ranking_options"] == options["ranking_options"]
    options["ranking_options"] = {"score_threshold": 1}
    run = await ran(api, {**assistant, "tools": [{"type": "file_search", "file_search": options}]})
    assert (await called(api, run))["results"] == []
    used = {"ranker": "default_2024_08_21", "score_threshold": 1}
    assert (await called(api, run))["ranking_options"] == used


async def test_without_files_nothing_is_found(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("file_search", {"queries": ["x & | ! ' :* y"]})]), Reply(text="Sorry."))
    assert (await ran(api, {"tools": SEARCH}))["status"] == "completed"
    assert told(upstream).startswith("Nothing in the files")


# --- how much is told

#: Some 330 tokens each, by estimate, in chunks that do not touch.
BOOK = "\n\n".join(f"Chapter {number} of the whale. " + f"Word{number} follows. " * 60 for number in range(60))


async def book(api: Api, server: Server) -> Json:
    """What an assistant is made of that searches a long file."""
    store = await api.post("/vector_stores", {"file_ids": [await api.file(BOOK, "book.txt")]})
    await index(server)
    return {"tools": SEARCH, "tool_resources": {"file_search": {"vector_store_ids": [store["id"]]}}}


@pytest.mark.parametrize(
    ("most", "passages"),
    [
        pytest.param(16_000, 20, marks=pytest.mark.model_settings(context_length=128_000)),
        pytest.param(8_000, 5, marks=pytest.mark.model_settings(context_length=16_384)),
        pytest.param(1_500, 4, marks=pytest.mark.model_settings(context_length=4_096)),
        pytest.param(300, 1, marks=pytest.mark.model_settings(context_length=1_024)),
    ],
)
async def test_what_is_told_fits_the_context(
    api: Api, server: Server, upstream: ScriptedUpstream, most: int, passages: int
) -> None:
    upstream.default = answering("whale", lambda shown: ["Yes."])
    run = await ran(api, await book(api, server))
    assert run["status"] == "completed"
    assert len(marks(told(upstream))) == len((await called(api, run))["results"]) == passages
    assert estimate_tokens(told(upstream)) <= most


@pytest.mark.model_settings(context_length=128_000)
async def test_what_is_told_is_bounded(api: Api, server: Server, upstream: ScriptedUpstream) -> None:
    options = {"max_num_results": 50}
    upstream.default = answering("whale", lambda shown: ["Yes."])
    assistant = await book(api, server) | {"tools": [{"type": "file_search", "file_search": options}]}
    await ran(api, assistant)
    assert 15_000 < estimate_tokens(told(upstream)) <= 16_000
    # Two at once share what there is, and so do those that follow.
    upstream.script(*[Reply(tool_calls=[Call("file_search", {"queries": ["whale"]})] * 2)] * 4, Reply(text="Enough."))
    assert (await ran(api, assistant))["status"] == "completed"
    sizes = [estimate_tokens(one["content"]) for one in upstream.requests[-1]["messages"] if one["role"] == "tool"]
    assert len(sizes) == 8
    assert sum(sizes) < 127_000


@pytest.mark.settings(whole_files_tokens=1500)
async def test_short_files_are_given_whole(
    api: Api, server: Server, upstream: ScriptedUpstream, assistant: Json
) -> None:
    upstream.default = answering("nothing has this", lambda shown: shown)
    run = await ran(api, assistant)
    assert marks(told(upstream)) == ["【0:0†birds.txt】", "【0:1†诗 [1].txt】"]
    assert BIRDS in told(upstream)
    assert POEM in told(upstream)
    assert [one["score"] for one in (await called(api, run))["results"]] == [1, 1]
    # A threshold asks for what fits; and long files are searched.
    options = {"ranking_options": {"score_threshold": 0.1}}
    await ran(api, {**assistant, "tools": [{"type": "file_search", "file_search": options}]})
    assert told(upstream).startswith("Nothing in the files")
    await ran(api, await book(api, server))
    assert told(upstream).startswith("Nothing in the files")
