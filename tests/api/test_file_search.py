"""`file_search` in runs: what is found is told to the model, shown in steps, and cited at the right places."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ..harness import Api, Event, Json, text
from ..scripted import Call, Reply, ScriptedUpstream
from .test_joined_streams import join, whole
from .test_streams import of, said, streamed

SEARCH = [{"type": "file_search"}]
BIRDS = "The kestrel hovers over meadows. It eats voles."
POEM = "床前明月光，疑是地上霜。举头望明月，低头思故乡。"


@pytest.fixture
async def files(api: Api) -> dict[str, str]:
    """Two files, by name."""
    return {"birds.txt": await api.file(BIRDS, "birds.txt"), "诗 [1].txt": await api.file(POEM, "诗 [1].txt")}


@pytest.fixture
async def assistant(api: Api, files: dict[str, str]) -> Json:
    """What an assistant is made of that searches these files."""
    store = await api.post("/vector_stores", {"file_ids": list(files.values())})
    await api.settled(f"/vector_stores/{store['id']}")
    return {"tools": SEARCH, "tool_resources": {"file_search": {"vector_store_ids": [store["id"]]}}}


def marks(upstream: ScriptedUpstream) -> list[str]:
    """The marks that the model was shown last, without the one of the example."""
    (told,) = [one["content"] for one in upstream.requests[-1]["messages"] if one["role"] == "tool"][-1:]
    return re.findall(r"^【.*】$", told, re.MULTILINE)


def answering(query: str, answer: Any) -> Any:
    """A model that searches, and then says what `answer` makes of the marks it is shown."""

    def reply(request: Json) -> Reply:
        tools = [one for one in request["messages"] if one["role"] == "tool"]
        if not tools:
            return Reply(tool_calls=[Call("file_search", {"query": query})])
        return Reply(chunks=list(answer(re.findall(r"^【.*】$", tools[-1]["content"], re.MULTILINE))))

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
    (told,) = [one["content"] for one in upstream.requests[1]["messages"] if one["role"] == "tool"]
    assert passage in told
    content = "include[]=step_details.tool_calls[*].file_search.results[*].content"
    (step,) = [
        step
        for step in (await api.get(f"/threads/{run['thread_id']}/runs/{run['id']}/steps?{content}"))["data"]
        if step["type"] == "tool_calls"
    ]
    (result, *_) = step["step_details"]["tool_calls"][0]["file_search"]["results"]
    assert (result["file_id"], result["file_name"]) == (files[name], name)
    assert result["content"] == [{"type": "text", "text": passage}]
    assert 0 < result["score"] <= 1


async def test_marks_that_name_nothing_stay_text(api: Api, upstream: ScriptedUpstream, assistant: Json) -> None:
    upstream.default = answering("kestrel", lambda shown: ["【7:0†x】【0:99†y】【0:", "0†z", "】【no】【0:0】"])
    _, own = await streamed(api, assistant)
    found = of(own, "thread.message.completed")["content"][0]["text"]
    assert [one["text"] for one in found["annotations"]] == ["【0:0†z】", "【0:0】"]
    assert annotations(own) == found["annotations"]


async def test_several_searches_are_told_apart(
    api: Api, upstream: ScriptedUpstream, assistant: Json, files: Any
) -> None:
    upstream.script(
        Reply(tool_calls=[Call("file_search", {"query": "voles"}), Call("file_search", {"query": "故乡"})]),
        Reply(tool_calls=[Call("file_search", {"query": "nothing has this"})]),
        Reply(text="【0:0†a】 【1:0†b】 【2:0†c】"),
    )
    _, own = await streamed(api, assistant)
    assert marks(upstream) == []
    found = of(own, "thread.message.completed")["content"][0]["text"]["annotations"]
    assert [one["file_citation"]["file_id"] for one in found] == list(files.values())


async def test_files_attached_to_a_message_are_searched(api: Api, upstream: ScriptedUpstream, files: Any) -> None:
    attachment = {"file_id": files["birds.txt"], "tools": SEARCH}
    upstream.default = answering("voles", lambda shown: ["It does ", *shown])
    thread = await api.thread()
    await api.post(f"/threads/{thread}/messages", {"role": "user", "content": "?", "attachments": [attachment]})
    (store,) = (await api.get(f"/threads/{thread}"))["tool_resources"]["file_search"]["vector_store_ids"]
    await api.settled(f"/vector_stores/{store}")
    body = {"assistant_id": await api.assistant(tools=SEARCH)}
    run = await api.until(await api.post(f"/threads/{thread}/runs", body))
    assert run["status"] == "completed"
    message = (await api.messages(thread))[-1]
    assert text(message) == "It does 【0:0†birds.txt】"
    assert message["content"][0]["text"]["annotations"][0]["file_citation"]["file_id"] == files["birds.txt"]


async def test_options_of_the_tool(api: Api, upstream: ScriptedUpstream, assistant: Json) -> None:
    options = {"max_num_results": 1, "ranking_options": {"ranker": "auto", "score_threshold": 0}}
    upstream.default = answering("kestrel 明月", lambda shown: shown)
    await api.run(assistant={**assistant, "tools": [{"type": "file_search", "file_search": options}]})
    assert len(marks(upstream)) == 1
    options["ranking_options"] = {"score_threshold": 1}
    run = await api.run(assistant={**assistant, "tools": [{"type": "file_search", "file_search": options}]})
    step = next(step for step in await api.steps(run) if step["type"] == "tool_calls")
    assert step["step_details"]["tool_calls"][0]["file_search"]["results"] == []


@pytest.mark.parametrize("arguments", [{}, {"query": 5}, {"query": " "}, {"query": "x" * 5000}])
async def test_queries_that_are_none(api: Api, upstream: ScriptedUpstream, assistant: Json, arguments: Json) -> None:
    upstream.script(Reply(tool_calls=[Call("file_search", arguments)]), Reply(text="Sorry."))
    assert (await api.run(assistant=assistant))["status"] == "completed"
    assert upstream.requests[1]["messages"][-1]["content"].startswith("Error: 'query' must be")


async def test_without_files_nothing_is_found(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("file_search", {"query": "x & | ! ' :* y"})]), Reply(text="Sorry."))
    assert (await api.run(assistant={"tools": SEARCH}))["status"] == "completed"
    assert upstream.requests[1]["messages"][-1]["content"].startswith("Nothing in the files")


async def test_files_of_other_projects_are_not_searched(
    api: Api, other: Api, upstream: ScriptedUpstream, assistant: Json
) -> None:
    await other.refused("POST", "/assistants", {"model": "scripted", **assistant}, status=404)
