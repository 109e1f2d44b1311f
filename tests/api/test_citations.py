"""Citations in answers of models that place no marks, or the marks of another run."""

from __future__ import annotations

import pytest

from ..harness import Api, Json, Server
from ..indexing import index
from ..scripted import Call, Reply, ScriptedUpstream
from .test_file_search import annotations
from .test_joined_streams import join, whole
from .test_streams import of, said

pytestmark = pytest.mark.settings(serve_worker=False)

BIRDS = "The kestrel hovers over meadows. It eats voles. In winter it moves to the coast."
SEARCHED = Reply(tool_calls=[Call("file_search", {"queries": ["kestrel"]})])
MARK = "【0:0†birds.txt】"


@pytest.fixture
async def assistant(api: Api, server: Server) -> str:
    """The id of an assistant that searches a file."""
    store = await api.post("/vector_stores", {"file_ids": [await api.file(BIRDS, "birds.txt")]})
    await index(server)
    resources = {"file_search": {"vector_store_ids": [store["id"]]}}
    return await api.assistant(tools=[{"type": "file_search"}], tool_resources=resources)


async def test_an_answer_without_marks_gets_them(api: Api, upstream: ScriptedUpstream, assistant: str) -> None:
    answer = "Sure! Kestrels eat voles. In winter they move to the coast. Do you like birds?"
    upstream.script(SEARCHED, Reply(chunks=list(answer)))
    events = await api.stream(f"/threads/{await api.thread('?')}/runs", {"assistant_id": assistant})
    text = of(events, "thread.message.completed")["content"][0]["text"]
    assert text["value"] == said(events) == answer.replace("voles.", f"voles.{MARK}")
    (found,) = text["annotations"]
    assert text["value"][found["start_index"] : found["end_index"]] == found["text"] == MARK
    assert annotations(events) == [found]
    joined = await join(api, of(events, "thread.run.completed"))
    assert whole(joined) == whole(events)
    assert annotations(joined) == [found]


async def test_an_answer_that_ends_early_tells_all_of_its_text(
    api: Api, upstream: ScriptedUpstream, assistant: str
) -> None:
    upstream.script(SEARCHED, Reply(chunks=["It eats ", "voles. ", "【0:0"], finish_reason="length"))
    events = await api.stream(f"/threads/{await api.thread('?')}/runs", {"assistant_id": assistant})
    text = of(events, "thread.message.incomplete")["content"][0]["text"]
    assert text["value"] == said(events) == f"It eats voles.{MARK} 【0:0"
    assert annotations(events) == text["annotations"]


async def test_json_stays_json(api: Api, upstream: ScriptedUpstream, assistant: str) -> None:
    upstream.script(SEARCHED, Reply(text='{"food": "It eats voles.", "source": "【0:0】"}'))
    body = {"assistant_id": assistant, "response_format": {"type": "json_object"}}
    events = await api.stream(f"/threads/{await api.thread('?')}/runs", body)
    text = of(events, "thread.message.completed")["content"][0]["text"]
    assert text["value"] == '{"food": "It eats voles.", "source": "【0:0】"}'
    assert [one["text"] for one in text["annotations"]] == ["【0:0】"]


async def test_the_model_does_not_see_the_marks_of_an_earlier_run(
    api: Api, upstream: ScriptedUpstream, assistant: str
) -> None:
    upstream.script(SEARCHED, Reply(text=f"Voles {MARK}, all year 【重要】."), Reply(text="Yes."))
    thread = await api.thread("?")
    for _ in range(2):
        await api.stream(f"/threads/{thread}/runs", {"assistant_id": assistant})
    told: list[Json] = upstream.requests[-1]["messages"]
    assert [one["content"] for one in told if one["role"] == "assistant"] == ["Voles, all year 【重要】."]
