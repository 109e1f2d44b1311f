"""`kill -9` of the server at every point of a run's life: after a restart each run goes on or ends, once."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

from tests.faults.harness import TAKEN_OVER, TERMINAL, Client, Json, Site, client_of, until
from tests.scripted import Call, Reply, ScriptedUpstream

WEATHER: Json = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


async def test_in_the_middle_of_an_answer(site: Site, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(chunks=["Half ", "an ", "answer"], hang=True))
    first = await site.serve()
    async with client_of(first) as client:
        run = await client.run(await client.assistant())
        await upstream.wait_for_requests(1)
    await first.kill()
    async with client_of(await site.serve()) as client:
        await client.becomes(run, "completed")
        assert await client.answers(run) == [("completed", "Hello")]
        assert [step["status"] for step in await client.steps(run)] == ["completed"]
        await client.unlocked(run)


async def test_after_half_an_answer_was_shown(site: Site, upstream: ScriptedUpstream) -> None:
    more = asyncio.Event()
    upstream.script(Reply(chunks=["Half ", more, "an ", "answer"], hang=True))
    first = await site.serve()
    async with client_of(first) as client:
        run = await client.run(await client.assistant())
        await upstream.wait_for_requests(1)
        # Answers are written while they come in once they have taken half a second.
        asyncio.get_running_loop().call_later(0.7, more.set)
        await until(lambda: client.answers(run))
    await first.kill()
    async with client_of(await site.serve()) as client:
        await client.becomes(run, "completed")
        assert await client.answers(run) == [("completed", "Hello")]
        assert [step["status"] for step in await client.steps(run)] == ["completed"]
    # The half that died is no part of what the model is asked again.
    assert upstream.requests[1]["messages"] == upstream.requests[0]["messages"]


async def test_after_half_a_tool_call_was_shown(site: Site, upstream: ScriptedUpstream) -> None:
    calls = [Call("weather", {"city": "Oslo"}), Call("weather", {"city": "Rome"})]
    # What has taken half a second is written as it comes.
    upstream.script(Reply(chunks=[""], tool_calls=calls, hang=True, delay_before=0.6))
    upstream.script(Reply(text="Let me look.", tool_calls=calls))
    first = await site.serve()
    async with client_of(first) as client:
        run = await client.run(await client.assistant(tools=[WEATHER]))
        await until(lambda: client.steps(run))
    await first.kill()
    async with client_of(await site.serve()) as client:
        waiting = await client.becomes(run, "requires_action")
        assert await client.answers(run) == [("completed", "Let me look.")]
        steps = await client.steps(run)
        assert [(step["type"], step["status"]) for step in steps] == [
            ("message_creation", "completed"),
            ("tool_calls", "in_progress"),
        ]
        wanted = waiting["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = [{"tool_call_id": call["id"], "output": "rain"} for call in wanted]
        await client.post(
            f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs", {"tool_outputs": outputs}
        )
        await client.becomes(run, "completed")
        assert [step["status"] for step in await client.steps(run)] == ["completed"] * 3


async def _submit(client: Client, run: Json, outputs: dict[str, str]) -> Json:
    body = {"tool_outputs": [{"tool_call_id": call, "output": output} for call, output in outputs.items()]}
    return await client.post(f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs", body)


async def test_while_it_waits_for_tool_outputs(site: Site, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("weather", id="call_a")]), Reply(text="It rains."))
    first = await site.serve()
    async with client_of(first) as client:
        run = await client.run(await client.assistant(tools=[WEATHER]))
        before = await client.becomes(run, "requires_action")
    await first.kill()
    async with client_of(await site.serve()) as client:
        assert await client.look(run) == before
        await _submit(client, run, {"call_a": "rain"})
        await client.becomes(run, "completed")
        assert await client.answers(run) == [("completed", "It rains.")]
    assert len(upstream.requests) == 2


async def test_just_after_tool_outputs(site: Site, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("weather", id="call_a")]))
    upstream.default = Reply(hang=True)
    first = await site.serve()
    async with client_of(first) as client:
        run = await client.run(await client.assistant(tools=[WEATHER]))
        await client.becomes(run, "requires_action")
        await _submit(client, run, {"call_a": "rain"})
    await first.kill()
    # Whether the killed server had asked the model once more or not.
    upstream.default = Reply(text="It rains.")
    async with client_of(await site.serve()) as client:
        ended = await client.becomes(run, "completed")
        call, message = await client.steps(run)
        assert call["step_details"]["tool_calls"][0]["function"]["output"] == "rain"
        assert (call["status"], message["status"]) == ("completed", "completed")
        assert len(await client.answers(run)) == 1
        assert ended["usage"]["total_tokens"] == 24
    assert upstream.requests[-1]["messages"][-1] == {"role": "tool", "tool_call_id": "call_a", "content": "rain"}


async def test_between_two_steps_nothing_is_done_again(site: Site, upstream: ScriptedUpstream) -> None:
    upstream.script(
        Reply(tool_calls=[Call("weather", id="call_a")]),
        Reply(tool_calls=[Call("weather", id="call_b")]),
        Reply(hang=True),
        Reply(text="It rains."),
    )
    first = await site.serve()
    async with client_of(first) as client:
        run = await client.run(await client.assistant(tools=[WEATHER]))
        await client.becomes(run, "requires_action")
        await _submit(client, run, {"call_a": "rain"})
        await client.becomes(run, "requires_action")
        await _submit(client, run, {"call_b": "snow"})
        await upstream.wait_for_requests(3)
        before = await client.steps(run)
    await first.kill()
    async with client_of(await site.serve()) as client:
        await client.becomes(run, "completed")
        after = await client.steps(run)
        assert after[:2] == before
        assert [step["type"] for step in after] == ["tool_calls", "tool_calls", "message_creation"]
    assert len(upstream.requests) == 4
    assert upstream.requests[3]["messages"] == upstream.requests[2]["messages"]


async def test_while_runs_are_queued(site: Site, upstream: ScriptedUpstream) -> None:
    first = await site.serve(RETINUE_SERVE_WORKER="false")
    async with client_of(first) as client:
        assistant = await client.assistant()
        runs = [await client.run(assistant, f"number {number}") for number in range(5)]
        assert {(await client.look(run))["status"] for run in runs} == {"queued"}
    await first.kill()
    async with client_of(await site.serve()) as client:
        for number, run in enumerate(runs):
            await client.becomes(run, "completed")
            assert await client.answers(run) == [("completed", f"number {number}")]


async def test_while_it_is_being_cancelled(site: Site, upstream: ScriptedUpstream) -> None:
    more = asyncio.Event()
    upstream.script(Reply(chunks=["Half ", more, "an ", "answer"], hang=True))
    first = await site.serve()
    # This one drives nothing, so that it cannot end the other's run at once.
    second = await site.serve(RETINUE_SERVE_WORKER="false")
    async with client_of(first) as client:
        run = await client.run(await client.assistant())
        await upstream.wait_for_requests(1)
        asyncio.get_running_loop().call_later(0.7, more.set)
        await until(lambda: client.answers(run))
    await first.kill()
    async with client_of(second) as client:
        cancelled = await client.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
        assert cancelled["status"] in ("cancelling", "cancelled")
    await second.kill()
    async with client_of(await site.serve()) as client:
        await client.becomes(run, "cancelled")
        assert "in_progress" not in [status for status, _ in await client.answers(run)]
        assert "in_progress" not in [step["status"] for step in await client.steps(run)]
        await client.unlocked(run)


async def test_at_any_moment(site: Site, upstream: ScriptedUpstream) -> None:
    seed = int(os.environ.get("FAULTS_SEED", random.randrange(1_000_000)))
    print(f"FAULTS_SEED={seed}")
    dice = random.Random(seed)

    def reply(request: Json) -> Reply:
        text = next(message["content"] for message in request["messages"] if message["role"] == "user")
        last = request["messages"][-1]["role"]
        pause = dice.choice([0, 0.01, 0.3])
        if text == "tools" and last != "tool":
            return Reply(tool_calls=[Call("weather")], delay_before=pause)
        return Reply(text=f"An answer to {text}", delay_before=pause)

    upstream.default = reply
    runs: list[Json] = []
    cancelled: set[str] = set()
    for _ in range(12):
        server = await site.serve()
        async with client_of(server) as client:
            load = asyncio.create_task(_load(client, runs, cancelled, dice))
            await asyncio.sleep(dice.uniform(0, 0.6))  # this is the random moment
            await server.kill()
            load.cancel()
            await asyncio.gather(load, return_exceptions=True)
    async with client_of(await site.serve()) as client:
        await asyncio.gather(*(_settle(client, run) for run in runs))
        for run in runs:
            await _check(client, run, cancelled)
    assert len(runs) > 15


async def _load(client: Client, runs: list[Json], cancelled: set[str], dice: random.Random) -> None:
    """Start runs of all kinds until the server is gone."""
    assistant = await client.assistant(tools=[WEATHER])

    async def polled(kind: str) -> Json:
        run = await client.run(assistant, kind)
        runs.append(run)
        return run

    async def streamed() -> None:
        thread = {"messages": [{"role": "user", "content": "stream"}]}
        async with client.stream("/threads/runs", {"assistant_id": assistant, "thread": thread}) as events:
            async for name, data in events:
                if name == "thread.run.created":
                    runs.append(data)

    async def cancel() -> None:
        run = await polled("cancel")
        cancelled.add(run["id"])
        await client.ask("POST", f"/threads/{run['thread_id']}/runs/{run['id']}/cancel", {})

    async def tools() -> None:
        await _settle(client, await polled("tools"))

    kinds: list[Any] = [lambda: polled("plain"), streamed, cancel, tools]
    while True:
        await asyncio.gather(*(dice.choice(kinds)() for _ in range(4)))


async def _settle(client: Client, run: Json) -> None:
    """Wait until the run has ended, handing in what it asks for."""

    async def ended() -> bool:
        now = await client.look(run)
        if now["status"] == "requires_action":
            wanted = now["required_action"]["submit_tool_outputs"]["tool_calls"]
            await _submit(client, run, {call["id"]: "rain" for call in wanted})
        return now["status"] in TERMINAL

    await until(ended, 2 * TAKEN_OVER)


async def _check(client: Client, run: Json, cancelled: set[str]) -> None:
    """All that must hold for a run that has ended, however often its server was killed."""
    now = await client.look(run)
    expected = {"completed", "cancelled"} if run["id"] in cancelled else {"completed"}
    assert now["status"] in expected, now
    user, *said = await client.messages(run)
    assert user["role"] == "user"
    statuses = [message["status"] for message in said]
    # The cancel may come when the answer is whole, or half written: what there is of it is kept.
    allowed = [["completed"]] if now["status"] == "completed" else [[], ["completed"], ["incomplete"]]
    assert statuses in allowed, (now, said)
    steps = await client.steps(run)
    assert all(step["status"] != "in_progress" for step in steps), steps
    kind = user["content"][0]["text"]["value"]
    if now["status"] == "completed":
        assert said[0]["content"][0]["text"]["value"] == f"An answer to {kind}"
        expected_steps = ["tool_calls", "message_creation"] if kind == "tools" else ["message_creation"]
        assert [step["type"] for step in steps] == expected_steps
        assert now["usage"]["total_tokens"] == 12 * len(steps)
    await client.unlocked(run)
