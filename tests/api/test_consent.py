"""Calls that a person has to allow: the run waits, as for a client's function, and goes on with what was said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from retinue.inference.chat import Json
from retinue.tools.tool import Report, Scope, Served, ServerFunction, Toolbox
from retinue.wire.runs import Run
from retinue.wire.steps import CallConsent, FunctionToolCall

from ..harness import Api, Event, Server, function, run_path, text
from ..scripted import Call, Reply, ScriptedUpstream
from .test_joined_streams import join, whole
from .test_streams import names, of, said, streamed

WEB: Json = {"tools": [{"type": "web_browsing"}]}


class Shop:
    """Two functions; one of them spends money."""

    type = "web_browsing"

    def __init__(self, server: Server) -> None:
        self.store = server.app.state.store
        self.calls: list[tuple[str, Json]] = []

    async def functions(self, project: str, run: Run, wanted: Any) -> Sequence[ServerFunction]:
        definition: Json = {"description": "Shop.", "parameters": {"type": "object"}}
        asked = CallConsent(key="shop.buy", reason="It spends money.")
        allowed = await self.store.connections.allowed(project, [asked.key], "")
        return [
            ServerFunction(self.type, "look", definition, self._serve),
            ServerFunction(self.type, "buy", definition, self._serve, consent=None if allowed else asked),
        ]

    async def _serve(self, scope: Scope, call: FunctionToolCall, arguments: Json, report: Report) -> Served:
        self.calls.append((call.function.name, arguments))
        return Served(call, f"{call.function.name}: {arguments.get('what')}")


@pytest.fixture
def shop(server: Server) -> Shop:
    shop = Shop(server)
    server.app.state.engine._toolbox = Toolbox([shop])
    return shop


def call(name: str, what: str) -> Call:
    return Call(name, {"what": what}, id=f"call_{name}_{what}")


def functions(step: Json) -> list[tuple[str, str | None]]:
    return [(one["id"], one["function"]["output"]) for one in step["step_details"]["tool_calls"]]


def told(upstream: ScriptedUpstream) -> list[tuple[str, str]]:
    return [(one["tool_call_id"], one["content"]) for one in upstream.requests[-1]["messages"] if one["role"] == "tool"]


async def submit(api: Api, run: Json, **outputs: str) -> Any:
    body = {"tool_outputs": [{"tool_call_id": name, "output": said} for name, said in outputs.items()]}
    return await api.post(f"{run_path(run)}/submit_tool_outputs", body)


async def waiting(api: Api, upstream: ScriptedUpstream, *calls: Call, **assistant: Any) -> Json:
    """A run that waits after these calls."""
    upstream.script(Reply(tool_calls=list(calls)), Reply(text="Done."))
    return await api.until(await api.start("Hi", assistant={**WEB, **assistant}), "requires_action")


def asked(run: Json) -> list[str]:
    return [one["id"] for one in run["required_action"]["submit_tool_outputs"]["tool_calls"]]


async def test_calls_wait_and_are_made_when_they_are_allowed(api: Api, shop: Shop, upstream: ScriptedUpstream) -> None:
    run = await waiting(api, upstream, call("look", "a"), call("buy", "b"), call("buy", "c"))
    assert shop.calls == [("look", {"what": "a"})]
    assert asked(run) == ["call_buy_b", "call_buy_c"]
    (step,) = await api.steps(run)
    assert functions(step) == [("call_look_a", "look: a"), ("call_buy_b", None), ("call_buy_c", None)]
    run = await api.until(await submit(api, run, call_buy_b="approve", call_buy_c="deny: too dear"))
    assert run["status"] == "completed"
    assert shop.calls[1:] == [("buy", {"what": "b"})]
    denied = "Error: the user did not allow this call: too dear."
    expected = [("call_look_a", "look: a"), ("call_buy_b", "buy: b"), ("call_buy_c", denied)]
    assert told(upstream) == expected
    step, _ = await api.steps(run)
    assert (functions(step), step["status"]) == (expected, "completed")


async def test_what_is_always_allowed_waits_no_more(api: Api, shop: Shop, upstream: ScriptedUpstream) -> None:
    run = await waiting(api, upstream, call("buy", "a"))
    assert (await api.until(await submit(api, run, call_buy_a=" Always ")))["status"] == "completed"
    upstream.script(Reply(tool_calls=[call("buy", "b")]), Reply(text="Done."))
    assert (await api.run(assistant=WEB))["status"] == "completed"
    assert shop.calls == [("buy", {"what": "a"}), ("buy", {"what": "b"})]


async def test_all_denied(api: Api, shop: Shop, upstream: ScriptedUpstream) -> None:
    run = await waiting(api, upstream, call("buy", "a"))
    assert (await api.until(await submit(api, run, call_buy_a="deny")))["status"] == "completed"
    assert told(upstream) == [("call_buy_a", "Error: the user did not allow this call.")]
    assert not shop.calls


async def test_something_else_is_refused_and_changes_nothing(api: Api, shop: Shop, upstream: ScriptedUpstream) -> None:
    run = await waiting(api, upstream, call("buy", "a"))
    for output in ("", "yes", '{"ok": true}', "approve it"):
        body = {"tool_outputs": [{"tool_call_id": "call_buy_a", "output": output}]}
        error = await api.refused("POST", f"{run_path(run)}/submit_tool_outputs", body)
        assert "'approve', 'always', or 'deny'" in error["message"]
        assert error["param"] == "tool_outputs"
    assert (await api.get(run_path(run)))["status"] == "requires_action"
    assert (await api.until(await submit(api, run, call_buy_a="approve")))["status"] == "completed"


async def test_beside_a_function_of_the_client(api: Api, shop: Shop, upstream: ScriptedUpstream) -> None:
    tools = [*WEB["tools"], function("weather", what="string")]
    run = await waiting(api, upstream, call("weather", "w"), call("buy", "b"), call("look", "l"), tools=tools)
    assert asked(run) == ["call_weather_w", "call_buy_b"]
    run = await api.until(await submit(api, run, call_buy_b="approve", call_weather_w="rain"))
    assert told(upstream) == [("call_weather_w", "rain"), ("call_buy_b", "buy: b"), ("call_look_l", "look: l")]


async def test_the_client_has_a_function_of_that_name(api: Api, shop: Shop, upstream: ScriptedUpstream) -> None:
    run = await waiting(api, upstream, call("look", "w"), tools=[*WEB["tools"], function("look", what="string")])
    offered = [tool["function"]["name"] for tool in upstream.requests[-1]["tools"]]
    assert offered == ["look", "look_", "buy"]
    assert asked(run) == ["call_look_w"]


async def test_readers_hear_the_same_from_any_event_on(api: Api, shop: Shop, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[call("look", "a"), call("buy", "b")]), Reply(text="Done."))
    _, first = await streamed(api, WEB)
    run = of(first, "thread.run.requires_action")
    body = {"tool_outputs": [{"tool_call_id": "call_buy_b", "output": "approve"}], "stream": True}
    own = [*first[:-1], *await api.stream(f"{run_path(run)}/submit_tool_outputs", body)]
    assert said(own) == "Done."
    assert outputs(own) == ["look: a", "buy: b"]
    assert names(own).count("thread.run.step.completed") == 2
    assert whole(await join(api, run)) == whole(own)
    for number, event in enumerate(own):
        if event.id:
            rest = await join(api, run, event.id)
            assert whole(rest) == whole(own[number + 1 :])
            assert outputs(rest) == outputs(own[number + 1 :])


def outputs(events: list[Event]) -> list[str]:
    """What the deltas tell of outputs."""
    deltas = [event.data["delta"] for event in events if event.name == "thread.run.step.delta"]
    pieces = [one["function"] for delta in deltas for one in delta["step_details"]["tool_calls"]]
    return [one["output"] for one in pieces if one.get("output")]


async def test_a_waiting_call_can_be_cancelled(api: Api, shop: Shop, upstream: ScriptedUpstream) -> None:
    run = await waiting(api, upstream, call("buy", "a"))
    run = await api.until(await api.post(f"{run_path(run)}/cancel"))
    assert (run["status"], shop.calls) == ("cancelled", [])
    await api.post(f"/threads/{run['thread_id']}/messages", {"role": "user", "content": "And now?"})
    run = await api.until(await api.post(f"/threads/{run['thread_id']}/runs", {"assistant_id": run["assistant_id"]}))
    assert text((await api.messages(run["thread_id"]))[-1]) == "Done."
