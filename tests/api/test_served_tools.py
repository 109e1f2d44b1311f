"""Tools that Retinue runs itself: called, run side by side, told to the model, shown in steps and events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pydantic_core import from_json

from retinue.errors import InvalidRequest
from retinue.inference.chat import Json
from retinue.tools.tool import Scope, Served, ServerFunction, Toolbox
from retinue.wire.runs import Run
from retinue.wire.steps import CodeInterpreterCall, CodeInterpreterToolCall, LogsOutput, ToolCall

from ..harness import Api, Server, function, run_path, text
from ..scripted import Call, Reply, ScriptedUpstream
from .test_joined_streams import join
from .test_streams import names, of, said, streamed

CODE = {"tools": [{"type": "code_interpreter"}]}


class Echo:
    """Runs no code: shows it, and says it back in two pieces."""

    type = "code_interpreter"

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = 0
        self.most = 0
        self.scopes: list[Scope] = []

    async def functions(self, project: str, run: Run, wanted: Any) -> list[ServerFunction]:
        definition = {"description": "Say it back.", "parameters": {"type": "object"}}
        return [ServerFunction(self.type, self.type, definition, self.serve, self.shown)]

    def shown(self, identifier: str, arguments: str) -> ToolCall:
        try:
            code = from_json(arguments or "{}", allow_partial="trailing-strings").get("code", "")
        except (ValueError, AttributeError):
            code = ""
        return CodeInterpreterToolCall(id=identifier, code_interpreter=CodeInterpreterCall(input=str(code)))

    async def serve(self, scope: Scope, call: ToolCall, arguments: Json, report: Callable[[ToolCall], None]) -> Served:
        self.scopes.append(scope)
        assert isinstance(call, CodeInterpreterToolCall)
        code = str(arguments["code"])
        if code == "refuse":
            raise InvalidRequest("not that one")
        if code == "break":
            raise RuntimeError("secret")
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            report(_with_logs(call, "You said "))
            await asyncio.sleep(0)
            await self.gate.wait()
        finally:
            self.running -= 1
        return Served(_with_logs(call, f"You said {code}"), f"said: {code}\x00")


def _with_logs(call: CodeInterpreterToolCall, logs: str) -> CodeInterpreterToolCall:
    code = call.code_interpreter.model_copy(update={"outputs": [LogsOutput(logs=logs)]})
    return call.model_copy(update={"code_interpreter": code})


@pytest.fixture
def echo(server: Server) -> Echo:
    echo = Echo()
    server.app.state.engine._toolbox = Toolbox([echo])
    return echo


def told(upstream: ScriptedUpstream) -> list[tuple[str, str]]:
    """What the model was last told by tools."""
    return [(one["tool_call_id"], one["content"]) for one in upstream.requests[-1]["messages"] if one["role"] == "tool"]


async def test_a_call_is_run_and_told_to_the_model(api: Api, echo: Echo, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("code_interpreter", {"code": "你好 1"}, id="call_a")]), Reply(text="Done."))
    _, own = await streamed(api, CODE)
    assert names(own)[3:8] == [
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.run.step.delta",
        "thread.run.step.completed",
        "thread.run.step.created",
    ]
    assert said(own) == "Done."
    assert upstream.requests[0]["tools"][0]["function"]["name"] == "code_interpreter"
    assert told(upstream) == [("call_a", "said: 你好 1\ufffd")]
    call = upstream.requests[1]["messages"][-2]["tool_calls"][0]
    assert (call["id"], call["function"]["name"]) == ("call_a", "code_interpreter")
    run = of(own, "thread.run.completed")
    step, message = await api.steps(run)
    expected = {"input": "你好 1", "outputs": [{"type": "logs", "logs": "You said 你好 1"}]}
    assert step["step_details"]["tool_calls"] == [
        {"id": "call_a", "type": "code_interpreter", "code_interpreter": expected}
    ]
    assert step["status"] == message["status"] == "completed"
    assert run["usage"]["total_tokens"] == step["usage"]["total_tokens"] + message["usage"]["total_tokens"] == 24
    pieces = [event.data["delta"]["step_details"]["tool_calls"][0] for event in own if "step.delta" in event.name]
    assert "".join(one["code_interpreter"].get("input", "") for one in pieces) == "你好 1"
    logs = [output["logs"] for one in pieces for output in one["code_interpreter"].get("outputs", [])]
    assert logs == ["You said ", "你好 1"]
    assert whole_calls(await join(api, run)) == whole_calls(own)


def whole_calls(events: list[Any]) -> list[tuple[str, Any]]:
    """The events that are no pieces, without their cut."""
    return [(event.id, event.data) for event in events if not event.name.endswith(".delta")]


async def test_several_calls_run_side_by_side(api: Api, echo: Echo, upstream: ScriptedUpstream) -> None:
    calls = [Call("code_interpreter", {"code": code}, id=f"call_{code}") for code in "abc"]
    upstream.script(Reply(text="Wait.", tool_calls=calls), Reply(text="Done."))
    run = await api.run(assistant=CODE)
    assert echo.most == 3
    assert told(upstream) == [(f"call_{code}", f"said: {code}\ufffd") for code in "abc"]
    assert [step["type"] for step in await api.steps(run)] == ["message_creation", "tool_calls", "message_creation"]
    assert {scope.run.id for scope in echo.scopes} == {run["id"]}


async def test_functions_of_the_client_wait_beside_it(api: Api, echo: Echo, upstream: ScriptedUpstream) -> None:
    upstream.script(
        Reply(tool_calls=[Call("weather", id="call_w"), Call("code_interpreter", {"code": "x"}, id="call_c")]),
        Reply(text="Done."),
    )
    _, own = await streamed(api, {"tools": [*CODE["tools"], function("weather")]})
    run = await api.get(run_path(of(own, "thread.run.created")))
    assert run["status"] == "requires_action"
    wanted = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert [call["id"] for call in wanted] == ["call_w"]
    for event in own:
        if event.id:
            after = own[own.index(event) + 1 :]
            assert whole_calls(await join(api, run, event.id)) == whole_calls(after)
    outputs = [{"tool_call_id": "call_w", "output": "rain"}]
    run = await api.until(await api.post(run_path(run) + "/submit_tool_outputs", {"tool_outputs": outputs}))
    assert run["status"] == "completed"
    assert told(upstream) == [("call_w", "rain"), ("call_c", "said: x\ufffd")]


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        ({"code": "refuse"}, "Error: not that one"),
        ({"code": "break"}, "Error: something went wrong on the server."),
        ('{"code": ', "Error: the arguments are not valid JSON"),
        ("[1]", "Error: the arguments must be a JSON object"),
        ({}, "Error: something went wrong on the server."),
    ],
)
async def test_what_goes_wrong_is_told_to_the_model(
    api: Api, echo: Echo, upstream: ScriptedUpstream, arguments: Any, output: str
) -> None:
    upstream.script(Reply(tool_calls=[Call("code_interpreter", arguments)]), Reply(text="Sorry."))
    run = await api.run(assistant=CODE)
    assert run["status"] == "completed"
    ((_, content),) = told(upstream)
    assert content.startswith(output)


async def test_a_cancel_stops_the_tool(api: Api, echo: Echo, upstream: ScriptedUpstream) -> None:
    echo.gate.clear()
    upstream.script(Reply(tool_calls=[Call("code_interpreter", {"code": "x"})]))
    run = await api.start(assistant=CODE)
    async with asyncio.timeout(10):
        while not echo.running:  # noqa: ASYNC110 (the tool runs inside the server)
            await asyncio.sleep(0.01)
    await api.post(run_path(run) + "/cancel")
    await api.until(run, "cancelled")
    assert echo.running == 0
    (step,) = await api.steps(run)
    assert step["status"] == "cancelled"
    await api.post(f"/threads/{run['thread_id']}/messages", {"role": "user", "content": "unlocked"})


@pytest.mark.settings(run_max_turns=3)
async def test_a_model_that_only_calls_tools_comes_to_an_end(api: Api, echo: Echo, upstream: ScriptedUpstream) -> None:
    upstream.default = lambda request: Reply(tool_calls=[Call("code_interpreter", {"code": "x"})])
    run = await api.run(assistant=CODE)
    assert run["status"] == "failed"
    assert len(await api.steps(run)) == len(echo.scopes) == 3
    assert [request.get("tool_choice", "auto") for request in upstream.requests] == ["auto"] * 3 + ["none"]


@pytest.mark.settings(run_max_tries=3)
async def test_a_model_that_tries_in_vain_is_asked_to_answer(api: Api, echo: Echo, upstream: ScriptedUpstream) -> None:
    refused, fine = ([Call("code_interpreter", {"code": code})] for code in ("refuse", "x"))
    tries = [refused, refused, [*refused, *fine], refused, refused, refused]
    # Some servers let a model call tools although it may not: that is not heard.
    upstream.script(*(Reply(tool_calls=calls) for calls in tries), Reply(text="It does not work.", tool_calls=fine))
    run = await api.run(assistant=CODE, tool_choice="required")
    assert run["status"] == "completed"
    assert [step["type"] for step in await api.steps(run)] == ["tool_calls"] * 6 + ["message_creation"]
    assert text((await api.messages(run["thread_id"]))[-1]) == "It does not work."
    wanted = [request.get("tool_choice", "auto") for request in upstream.requests]
    assert wanted == ["required"] + ["auto"] * 5 + ["none"]
    assert "No more tools" in told(upstream)[-1][1]
    assert all("No more tools" not in content for _, content in told(upstream)[:-1])


async def test_what_must_be_called_is_called_once(api: Api, echo: Echo, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("code_interpreter", {"code": "x"})]), Reply(text="Done."))
    run = await api.run(assistant=CODE, tool_choice={"type": "code_interpreter"})
    assert run["status"] == "completed"
    assert upstream.requests[0]["tool_choice"] == {"type": "function", "function": {"name": "code_interpreter"}}
    assert upstream.requests[1].get("tool_choice", "auto") == "auto"


async def test_a_function_of_the_same_name_is_the_clients(api: Api, echo: Echo, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("code_interpreter")]))
    run = await api.run(assistant={"tools": [*CODE["tools"], function("code_interpreter")]})
    assert run["status"] == "requires_action"
    assert [tool["function"]["name"] for tool in upstream.requests[0]["tools"]] == [
        "code_interpreter",
        "code_interpreter_",
    ]


async def test_the_next_run_sees_the_answer_and_not_the_calls(api: Api, echo: Echo, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("code_interpreter", {"code": "x"})]), Reply(text="Done."))
    run = await api.run(assistant=CODE)
    await api.until(await api.post(f"/threads/{run['thread_id']}/runs", {"assistant_id": run["assistant_id"]}))
    assert [one["content"] for one in upstream.requests[2]["messages"]] == ["Hello", "Done."]
    assert [text(message) for message in await api.messages(run["thread_id"])][1] == "Done."
