"""Who makes a GPT sees all that happened when they tried its draft; nobody else does."""

from __future__ import annotations

from retinue.accounts.keys import Keys

from ..harness import Api, Json, run_path
from ..scripted import Call, Reply, ScriptedUpstream
from .conftest import member
from .extensions import get, post
from .test_gpt_feedback import knowledge_of
from .test_gpts import made

INCLUDE = "include[]=step_details.tool_calls[*].file_search.results[*].content"


async def seen(client: Api, run: Json) -> tuple[str, bool, bool]:
    """Of a run: its instructions, whether its prompts are told, and whether what it found is."""
    path = run_path(run)
    instructions = (await client.get(path))["instructions"]
    prompts = (await get(client, f"{path}/prompts"))["data"]
    steps = (await client.get(f"{path}/steps?{INCLUDE}"))["data"]
    (step,) = [one for one in steps if one["type"] == "tool_calls"]
    one = await client.get(f"{path}/steps/{step['id']}?{INCLUDE}")
    found = [part["step_details"]["tool_calls"][0]["file_search"]["results"][0] for part in (step, one)]
    assert ("content" in found[0]) == ("content" in found[1])
    return instructions, all(prompt["body"] for prompt in prompts), "content" in found[0]


async def test_the_maker_sees_what_happened_in_trials(api: Api, keys: Keys, upstream: ScriptedUpstream) -> None:
    ada, bob = await member(api, keys, "Ada"), await member(api, keys, "Bob")
    file = await ada.file("Whist is played by four people.")
    gpt = await made(ada, knowledge=[file])
    await ada.settled(f"/vector_stores/{await knowledge_of(api, gpt)}")
    await post(ada, f"/gpts/{gpt['id']}/publish", {"visibility": "store"})
    draft = gpt["draft"]["assistant_id"]

    async def ran(client: Api, assistant: str) -> Json:
        upstream.script(Reply(tool_calls=[Call("file_search", {"query": "whist"})]), Reply(text="Four."))
        thread = {"messages": [{"role": "user", "content": "Whist?"}]}
        return await client.until(
            await client.post("/threads/runs", {"assistant_id": assistant, "thread": thread}), "completed"
        )

    trial = await ran(ada, draft)
    everything, nothing = ("Teach.", True, True), ("", False, False)
    assert await seen(ada, trial) == everything
    assert await seen(bob, trial) == nothing
    # Administrators see all runs; what they tried is theirs.
    theirs = await ran(api, draft)
    assert (await seen(api, theirs), await seen(ada, theirs)) == (everything, nothing)
    # Of what was published, its users are told nothing.
    used = await ran(bob, gpt["id"])
    assert (await seen(bob, used), await seen(ada, used)) == (nothing, nothing)
    # Lists and streams of several runs withhold as before.
    assert [one["instructions"] for one in (await ada.get(f"/threads/{trial['thread_id']}/runs"))["data"]] == [""]
