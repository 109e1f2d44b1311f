"""Talks with the builder of GPTs: what its page does, without the page."""

# pyright: reportDeprecated=false
from __future__ import annotations

from typing import Any

import openai

from retinue.studio.pages.gpts.builder import Builder
from retinue.studio.texts import Language
from retinue.studio.visitor import Visitor


async def begun(client: openai.AsyncOpenAI, language: Language) -> Builder:
    """A builder of an administrator who has said nothing yet."""
    builder = Builder(Visitor(client, language, {"user": {"id": "user-test"}, "scopes": ["admin"]}))
    await builder.load()
    return builder


async def turn(client: openai.AsyncOpenAI, builder: Builder, text: str) -> str:
    """Say something; returns what the builder says in the end."""
    runs = client.beta.threads.runs
    await builder.say(text)
    options: Any = await builder.options()
    run = await runs.create_and_poll(thread_id=builder.thread, assistant_id=await builder.assistant(), **options)
    for _ in range(6):
        if run.status != "requires_action" or not run.required_action:
            break
        calls = run.required_action.submit_tool_outputs.tool_calls
        outputs: Any = [{"tool_call_id": call.id, "output": await builder.answer(call)} for call in calls]
        run = await runs.submit_tool_outputs_and_poll(run_id=run.id, thread_id=builder.thread, tool_outputs=outputs)
    assert run.status == "completed", run
    said = (await client.beta.threads.messages.list(builder.thread, run_id=run.id)).data
    return "".join(part.text.value for part in said[0].content if part.type == "text") if said else ""
