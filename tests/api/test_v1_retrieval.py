"""Retrieval through version 1: its calls in steps, and citations that quote."""

from __future__ import annotations

import pytest

from ..harness import Api, Event, Json, Server, function, run_path
from ..indexing import index
from ..scripted import Call, Reply, ScriptedUpstream
from .test_streams import of

pytestmark = pytest.mark.settings(serve_worker=False)

BIRDS = "The kestrel hovers over meadows. It eats voles."
#: The sentence of it that the answers rest on.
QUOTE = "It eats voles."
SEARCHED = Reply(tool_calls=[Call("file_search", {"query": "voles"})])


@pytest.fixture
async def assistant(v1: Api, server: Server) -> str:
    """The id of an assistant that retrieves from a file, which has been read."""
    tools = [{"type": "retrieval"}, function("weather")]
    made = await v1.assistant(tools=tools, file_ids=[await v1.file(BIRDS)])
    await index(server)
    return made


def citations(message: Json) -> list[Json]:
    """The annotations of a message's one text."""
    (part,) = message["content"]
    return part["text"]["annotations"]


def streamed_citations(events: list[Event]) -> list[Json]:
    """The annotations that deltas brought, without their places."""
    texts = [event.data["delta"]["content"][0]["text"] for event in events if event.name == "thread.message.delta"]
    found = [one for text in texts for one in text.get("annotations", [])]
    assert [one.pop("index") for one in found] == list(range(len(found)))
    return found


async def test_a_stream_tells_of_retrieval_and_quotes(
    v1: Api, api: Api, upstream: ScriptedUpstream, assistant: str
) -> None:
    upstream.script(SEARCHED, Reply(text="It eats voles 【0:0†notes.txt】 and more 【0:7†x】."))
    thread = await v1.thread("What do kestrels eat?")
    events = await v1.stream(f"/threads/{thread}/runs", {"assistant_id": assistant})
    message = of(events, "thread.message.completed")
    (found,) = citations(message)
    assert (found["text"], found["file_citation"]["quote"]) == ("【0:0†notes.txt】", QUOTE)
    assert streamed_citations(events) == [found]
    assert await v1.get(f"/threads/{thread}/messages/{message['id']}") == message
    assert (await v1.messages(thread))[-1] == message
    run = of(events, "thread.run.completed")
    call, _ = await v1.steps(run)
    (shown,) = call["step_details"]["tool_calls"]
    assert (shown["type"], shown["retrieval"]) == ("retrieval", {})
    (stored,) = citations((await api.messages(thread))[-1])
    assert "quote" not in stored["file_citation"]
    changed = await v1.post(f"/threads/{thread}/messages/{message['id']}", {"metadata": {"a": "b"}})
    assert changed == {**message, "metadata": {"a": "b"}}


async def test_a_stream_that_goes_on_knows_what_was_found_before(
    v1: Api, upstream: ScriptedUpstream, assistant: str
) -> None:
    upstream.script(SEARCHED, Reply(tool_calls=[Call("weather")]), Reply(text="Voles 【0:0†notes.txt】."))
    thread = await v1.thread("What do kestrels eat?")
    run = of(await v1.stream(f"/threads/{thread}/runs", {"assistant_id": assistant}), "thread.run.requires_action")
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "7°"}]}
    events = await v1.stream(run_path(run) + "/submit_tool_outputs", outputs)
    (found,) = streamed_citations(events)
    assert found["file_citation"]["quote"] == QUOTE
    assert citations((await v1.messages(thread))[-1]) == [found]
