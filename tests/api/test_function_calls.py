"""`function` tools: `requires_action`, outputs, and what the model sees of them."""

from __future__ import annotations

import asyncio
import json

from ..harness import Api, Json, function, run_path, text
from ..scripted import Call, Reply, ScriptedUpstream

TOOLS = [function("getCurrentWeather", city="string"), function("getNickname", city="string")]
CALLS = [Call("getCurrentWeather", {"city": "Oslo"}), Call("getNickname", {"city": "Oslo"})]


async def waiting(api: Api, upstream: ScriptedUpstream, *before: Reply) -> tuple[Json, list[str]]:
    """A run that waits for two outputs, and the ids of its calls."""
    upstream.script(*before, Reply(tool_calls=CALLS, usage=(20, 8)))
    run = await api.run("Weather in Oslo?", assistant={"tools": TOOLS, "instructions": "Use the tools."})
    return run, [call["id"] for call in run["required_action"]["submit_tool_outputs"]["tool_calls"]]


async def submit(api: Api, run: Json, outputs: dict[str, str]) -> Json:
    body = {"tool_outputs": [{"tool_call_id": call, "output": output} for call, output in outputs.items()]}
    return await api.post(run_path(run) + "/submit_tool_outputs", body)


async def test_parallel_calls_wait_for_their_outputs(api: Api, upstream: ScriptedUpstream) -> None:
    run, ids = await waiting(api, upstream)
    assert run["status"] == "requires_action"
    assert run["required_action"]["type"] == "submit_tool_outputs"
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls] == [
        (call.name, call.arguments) for call in CALLS
    ]
    (step,) = await api.steps(run)
    assert (step["type"], step["status"]) == ("tool_calls", "in_progress")
    assert [call["function"]["output"] for call in step["step_details"]["tool_calls"]] == [None, None]
    assert len(set(ids)) == 2


async def test_outputs_reach_the_model_in_the_order_of_the_calls(api: Api, upstream: ScriptedUpstream) -> None:
    run, (weather, nickname) = await waiting(api, upstream)
    upstream.script(Reply(text="It is 7° in the Tiger City.", usage=(40, 9)))
    queued = await submit(api, run, {nickname: "The Tiger City", weather: "7°"})
    assert (queued["status"], queued["required_action"]) == ("queued", None)
    run = await api.until(queued)
    assert run["status"] == "completed"
    assert run["usage"] == {"prompt_tokens": 60, "completion_tokens": 17, "total_tokens": 77}
    system, user, asked, *results = upstream.requests[1]["messages"]
    assert (system["role"], user["content"]) == ("system", "Weather in Oslo?")
    assert asked["role"] == "assistant"
    assert [(call["id"], call["function"]["name"]) for call in asked["tool_calls"]] == [
        (weather, "getCurrentWeather"),
        (nickname, "getNickname"),
    ]
    assert results == [
        {"role": "tool", "tool_call_id": weather, "content": "7°"},
        {"role": "tool", "tool_call_id": nickname, "content": "The Tiger City"},
    ]
    calls, message = await api.steps(run)
    assert [call["function"]["output"] for call in calls["step_details"]["tool_calls"]] == ["7°", "The Tiger City"]
    assert (calls["status"], message["type"]) == ("completed", "message_creation")
    assert text((await api.messages(run["thread_id"]))[-1]) == "It is 7° in the Tiger City."


async def test_calls_in_several_rounds(api: Api, upstream: ScriptedUpstream) -> None:
    run, ids = await waiting(api, upstream)
    upstream.script(Reply(tool_calls=[Call("getNickname", {"city": "Bergen"})]))
    run = await api.until(await submit(api, run, dict.fromkeys(ids, "x")))
    assert run["status"] == "requires_action"
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    run = await api.until(await submit(api, run, {call["id"]: "y"}))
    assert run["status"] == "completed"
    roles = [message["role"] for message in upstream.requests[2]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "tool", "assistant", "tool"]


async def test_text_before_calls_becomes_a_message(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="Let me look.", tool_calls=CALLS[:1]))
    run = await api.run("Weather?", assistant={"tools": TOOLS})
    said, called = await api.steps(run)
    assert (said["type"], said["status"]) == ("message_creation", "completed")
    assert (called["type"], called["status"]) == ("tool_calls", "in_progress")
    assert text((await api.messages(run["thread_id"]))[-1]) == "Let me look."
    await api.until(await submit(api, run, {called["step_details"]["tool_calls"][0]["id"]: "7°"}))
    shown = [(message["role"], message.get("content")) for message in upstream.requests[1]["messages"]]
    assert shown == [("user", "Weather?"), ("assistant", "Let me look."), ("assistant", None), ("tool", "7°")]


async def test_calls_that_share_an_id_get_ids_of_their_own(api: Api, upstream: ScriptedUpstream) -> None:
    """Some servers give every call the same id; a client answers by id."""
    upstream.script(Reply(tool_calls=[Call("getNickname", id="call_0"), Call("getNickname", id="call_0")]))
    run = await api.run("Both?", assistant={"tools": TOOLS})
    ids = [call["id"] for call in run["required_action"]["submit_tool_outputs"]["tool_calls"]]
    assert len(set(ids)) == 2
    assert (await api.until(await submit(api, run, dict.fromkeys(ids, "x"))))["status"] == "completed"


async def test_outputs_must_be_those_that_were_asked_for(api: Api, upstream: ScriptedUpstream) -> None:
    run, (first, second) = await waiting(api, upstream)
    for given in ([], [first], [first, first], [first, second, second], [first, "call_none"], [second, "", first]):
        body = {"tool_outputs": [{"tool_call_id": call, "output": "x"} for call in given]}
        error = await api.refused("POST", run_path(run) + "/submit_tool_outputs", body)
        assert error["message"] == f"Expected tool outputs for call_ids {[first, second]}, got {given}"
        assert (await api.get(run_path(run)))["status"] == "requires_action"
    assert (await api.until(await submit(api, run, {first: "", second: "x"})))["status"] == "completed"


async def test_outputs_are_taken_once(api: Api, upstream: ScriptedUpstream) -> None:
    run, ids = await waiting(api, upstream)
    body = {"tool_outputs": [{"tool_call_id": call, "output": "x"} for call in ids]}
    path = run_path(run) + "/submit_tool_outputs"
    answers = await asyncio.gather(*(api.request("POST", path, body) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 7
    assert (await api.until(run, "completed"))["status"] == "completed"
    assert len(upstream.requests) == 2
    error = await api.refused("POST", path, body)
    assert error["message"] == 'Runs in status "completed" do not accept tool outputs.'


async def test_an_output_may_be_left_out(api: Api, upstream: ScriptedUpstream) -> None:
    run, ids = await waiting(api, upstream)
    body = {"tool_outputs": [{"tool_call_id": call} for call in ids]}
    assert (await api.until(await api.post(run_path(run) + "/submit_tool_outputs", body)))["status"] == "completed"


async def test_an_output_beyond_the_limit_is_refused(api: Api, upstream: ScriptedUpstream) -> None:
    run, ids = await waiting(api, upstream)
    outputs = [{"tool_call_id": ids[0], "output": "x"}, {"tool_call_id": ids[1], "output": "值" * 200_000}]
    error = await api.refused("POST", run_path(run) + "/submit_tool_outputs", {"tool_outputs": outputs})
    assert error["param"] == "tool_outputs[1].output"
    assert (await api.get(run_path(run)))["status"] == "requires_action"


async def test_arguments_that_are_no_json_are_passed_on_as_they_are(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("getNickname", '{"city": ')]))
    run = await api.run("Hi", assistant={"tools": TOOLS})
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert call["function"]["arguments"] == '{"city": '


async def test_128_functions_and_many_calls_at_once(api: Api, upstream: ScriptedUpstream) -> None:
    tools = [function(f"f{number}", value="string") for number in range(128)]
    calls = [Call(f"f{number}", {"value": str(number)}, id=f"call_{number}") for number in range(0, 128, 2)]
    upstream.script(Reply(tool_calls=calls), Reply(text="Done."))
    run = await api.run("All?", assistant={"tools": tools})
    assert [tool["function"]["name"] for tool in upstream.requests[0]["tools"]] == [f"f{n}" for n in range(128)]
    asked = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert [call["id"] for call in asked] == [call.id for call in calls]
    # The largest output that is taken, among others in another order.
    outputs = {f"call_{number}": f"output {number}" for number in range(126, -1, -2)} | {"call_64": "值" * 174_762}
    run = await api.until(await submit(api, run, outputs))
    assert run["status"] == "completed"
    told = [(one["tool_call_id"], one["content"]) for one in upstream.requests[1]["messages"] if one["role"] == "tool"]
    assert told == [(call.id, outputs[call.id or ""]) for call in calls]
    (step, _) = await api.steps(run)
    assert [call["function"]["output"] for call in step["step_details"]["tool_calls"]] == [said for _, said in told]
    error = await api.refused("POST", "/assistants", {"model": "scripted", "tools": [*tools, function("one_more")]})
    assert error["param"] == "tools"
    assert "128" in error["message"]
