"""Tools that Retinue runs itself, called by the default model. What it says is its own affair; what it does is held."""

from __future__ import annotations

from typing import Any

import openai
import pytest

pytestmark = [pytest.mark.model, pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore::DeprecationWarning")]


async def asked(client: openai.AsyncOpenAI, question: str, **assistant: Any) -> tuple[list[Any], Any]:
    """The tool calls that a question led to, and the answer's text with its annotations."""
    made = await client.beta.assistants.create(model="default", temperature=0, **assistant)
    thread: Any = {"messages": [{"role": "user", "content": question}]}
    run = await client.beta.threads.create_and_run_poll(assistant_id=made.id, thread=thread)
    assert run.status == "completed", run.last_error
    steps = await client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc")
    details = [step.step_details for step in steps.data]
    calls = [call for one in details if one.type == "tool_calls" for call in one.tool_calls]
    (answer,) = (await client.beta.threads.messages.list(run.thread_id, limit=1)).data[0].content
    assert answer.type == "text"
    return calls, answer.text


@pytest.mark.parametrize(
    ("passage", "question", "fact"),
    [
        ("The Zorblax festival of Lund takes place on 17 May.", "When is the Zorblax festival?", "17"),
        ("青石桥图书馆每周三闭馆。", "青石桥图书馆星期几闭馆？", "三"),
    ],
)
async def test_a_fact_from_a_file(client: openai.AsyncOpenAI, passage: str, question: str, fact: str) -> None:
    file = await client.files.create(file=("facts.txt", passage.encode()), purpose="assistants")
    store = await client.vector_stores.create(name="facts")
    await client.vector_stores.files.create_and_poll(file.id, vector_store_id=store.id)
    calls, answer = await asked(
        client,
        question,
        instructions="Answer from the user's files: search them.",
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )
    found = [result.file_id for call in calls for result in call.file_search.results or ()]
    assert file.id in found
    assert fact in answer.value
    for annotation in answer.annotations:
        assert annotation.file_citation.file_id == file.id
        assert answer.value[annotation.start_index : annotation.end_index] == annotation.text
