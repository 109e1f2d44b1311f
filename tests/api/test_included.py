"""`include[]`: the passages that file search found are shown to those who ask for them."""

from __future__ import annotations

import time

import pytest

from retinue.store.runs import Commit
from retinue.wire.steps import (
    FileSearchCall,
    FileSearchResult,
    FileSearchToolCall,
    ResultText,
    RunStep,
    ToolCallsDetails,
    UsedRanking,
)

from ..harness import Api, Json, Server, parse_events, run_path

CONTENT = "step_details.tool_calls[*].file_search.results[*].content"


@pytest.fixture
async def run(api: Api, server: Server) -> Json:
    """A run that has searched."""
    run = await api.run()
    result = FileSearchResult(file_id="file-1", file_name="a.txt", score=0.5, content=[ResultText(text="The passage")])
    ranking = UsedRanking(ranker="auto", score_threshold=0)
    call = FileSearchToolCall(id="call_1", file_search=FileSearchCall(ranking_options=ranking, results=[result]))
    now = int(time.time())
    step = RunStep(
        id="step_search",
        created_at=now,
        completed_at=now,
        assistant_id=run["assistant_id"],
        thread_id=run["thread_id"],
        run_id=run["id"],
        type="tool_calls",
        status="completed",
        step_details=ToolCallsDetails(tool_calls=[call]),
    )
    project = (await server.app.state.keys.caller_of("sk-test-first-key")).project
    commit = Commit(run["id"], project, {}, ["completed"], None, steps=[step])
    assert await server.app.state.store.runs.commit(commit)
    return run


def found(step: Json) -> Json:
    return step["step_details"]["tool_calls"][0]["file_search"]["results"][0]


@pytest.mark.parametrize(("query", "shown"), [("", False), (f"include[]={CONTENT}", True)])
async def test_passages_are_shown_on_demand(api: Api, run: Json, query: str, shown: bool) -> None:
    path = run_path(run)
    step = await api.get(f"{path}/steps/step_search?{query}")
    listed = [one for one in (await api.get(f"{path}/steps?{query}"))["data"] if one["id"] == step["id"]]
    assert listed == [step]
    assert found(step)["score"] == 0.5
    assert found(step).get("content") == ([{"type": "text", "text": "The passage"}] if shown else None)
    async with api.open_get_stream(f"{path}/stream?{query}") as response:
        events = parse_events(await response.text())
    (streamed,) = [
        event.data for event in events if event.name == "thread.run.step.completed" and event.data["id"] == step["id"]
    ]
    assert streamed == step
    (delta,) = [event.data for event in events if event.name == "thread.run.step.delta"]
    assert found({"step_details": delta["delta"]["step_details"]}) == found(step)


async def test_what_cannot_be_included(api: Api, run: Json) -> None:
    error = await api.refused("GET", f"{run_path(run)}/steps?include[]=everything")
    assert error["param"].startswith("include[]")
