"""What a run's model was sent, told afterwards: compared with what its server was really asked."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from retinue.inference.chat import Json
from retinue.tools.tool import Scope, Served, ServerFunction, Toolbox
from retinue.wire.runs import Run

from ..harness import Api, Server, function, run_path
from ..scripted import Call, Reply, ScriptedUpstream

OVERFLOW = Reply(status=400, error={"message": "too long", "code": "context_length_exceeded"})


async def told(api: Api, run: Json, query: str = "order=asc") -> list[Json]:
    """The prompts of a run."""
    return (await api.call("GET", f"{run_path(run)}/prompts?{query}", extension=True))["data"]


async def same(api: Api, run: Json, upstream: ScriptedUpstream, begin: int = 0) -> list[Json]:
    """The prompts of a run, which are what the server was asked, from one of its requests on."""
    prompts = await told(api, run)
    assert [one["body"] for one in prompts] == upstream.requests[begin:]
    assert all(one["exact"] and one["object"] == "thread.run.prompt" for one in prompts)
    return prompts


async def test_a_prompt_stays_what_it_was_when_the_thread_goes_on(api: Api, upstream: ScriptedUpstream) -> None:
    assistant = await api.assistant(instructions="Be brief.", temperature=0.5)
    thread = await api.thread("1", "2")
    first = await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": assistant}))
    body = {"assistant_id": assistant, "additional_messages": [{"role": "user", "content": "3"}]}
    second = await api.until(await api.post(f"/threads/{thread}/runs", body))
    await api.post(f"/assistants/{assistant}", {"instructions": "Be long."})
    (prompt,) = await told(api, first)
    assert (prompt["body"], prompt["exact"], prompt["steps"]) == (upstream.requests[0], True, 0)
    (prompt,) = await told(api, second)
    assert (prompt["body"], prompt["exact"]) == (upstream.requests[1], True)
    assert (prompt["run_id"], prompt["thread_id"]) == (second["id"], thread)
    assert "asked" not in second


async def test_what_is_gone_is_said(api: Api, upstream: ScriptedUpstream) -> None:
    thread = await api.thread("one", "two", "three")
    run = await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": await api.assistant()}))
    messages = (await api.get(f"/threads/{thread}/messages?order=asc"))["data"]
    await api.delete(f"/threads/{thread}/messages/{messages[1]['id']}")
    (prompt,) = await told(api, run)
    assert not prompt["exact"]
    assert [one["content"] for one in prompt["body"]["messages"]] == ["one", "three"]
    await api.delete(f"/threads/{thread}/messages/{messages[2]['id']}")
    (prompt,) = await told(api, run)
    assert not prompt["exact"]


async def test_a_run_that_failed_tells_what_it_asked(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(status=400, error={"message": "I refuse"}))
    run = await api.until(
        await api.post(f"/threads/{await api.thread('Hi')}/runs", {"assistant_id": await api.assistant()})
    )
    assert run["status"] == "failed"
    await same(api, run, upstream)


@pytest.mark.settings(answer_reserve=16)
@pytest.mark.model_settings(context_length=2016)
async def test_each_try_with_a_smaller_window(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(OVERFLOW, OVERFLOW, Reply(text="ok"))
    thread = await api.thread(*(f"{number} " + "x" * 400 for number in range(12)))
    run = await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": await api.assistant()}))
    prompts = await same(api, run, upstream)
    lengths = [len(one["body"]["messages"]) for one in prompts]
    assert len(lengths) == 3
    assert lengths[0] > lengths[1] > lengths[2]


class Told:
    """A tool whose definition is another each time."""

    type = "code_interpreter"

    def __init__(self) -> None:
        self.times = 0

    async def functions(self, project: str, run: Run, wanted: Any) -> list[ServerFunction]:
        self.times += 1
        definition = {"description": f"Told {self.times} times.", "parameters": {"type": "object", "a": 1}}
        return [ServerFunction(self.type, "do", definition, self.serve)]

    async def serve(self, scope: Scope, call: Any, arguments: Json, report: Any) -> Served:
        return Served(call, "done it")


async def ran(api: Api, server: Server, choice: Any) -> Json:
    """A run that calls a tool of the server's, then a function of the client's, then answers."""
    server.app.state.engine._toolbox = Toolbox([tool := Told()])
    assistant = await api.assistant(tools=[{"type": "code_interpreter"}, function("weather", city="string")])
    body = {"assistant_id": assistant, "tool_choice": choice}
    run = await api.until(await api.post(f"/threads/{await api.thread('Go')}/runs", body))
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "rain"}]}
    run = await api.until(await api.post(f"{run_path(run)}/submit_tool_outputs", outputs))
    assert run["status"] == "completed"
    assert tool.times == 2
    return run


async def test_tools_that_change_between_two_requests(api: Api, server: Server, upstream: ScriptedUpstream) -> None:
    upstream.script(
        Reply(tool_calls=[Call("do")]), Reply(tool_calls=[Call("weather", {"city": "Oslo"})]), Reply(text="ok")
    )
    run = await ran(api, server, {"type": "code_interpreter"})
    prompts = await same(api, run, upstream)
    assert [one["steps"] for one in prompts] == [0, 1, 2]
    assert not any(one["prompted"] for one in prompts)


@pytest.mark.model_settings(tools="prompted", grammar=False)
async def test_tools_told_in_words(api: Api, server: Server, upstream: ScriptedUpstream) -> None:
    called = '<tool_call>\n{"name": "NAME", "arguments": {"city": "Oslo"}}\n</tool_call>'
    upstream.script(*(Reply(text=called.replace("NAME", name)) for name in ("do", "weather")), Reply(text="ok"))
    run = await ran(api, server, "auto")
    prompts = await same(api, run, upstream)
    assert all(one["prompted"] for one in prompts)
    assert "Told 1 times." in str(prompts[0]["body"]["messages"])


@pytest.mark.model_settings(vision=True)
async def test_pictures_are_cut_short(api: Api, upstream: ScriptedUpstream) -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(200)
    file = await api.file(png, "a.png")
    content = [{"type": "text", "text": "What?"}, {"type": "image_file", "image_file": {"file_id": file}}]
    thread = (await api.post("/threads", {"messages": [{"role": "user", "content": content}]}))["id"]
    run = await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": await api.assistant()}))
    (prompt,) = await told(api, run)
    sent = upstream.requests[0]["messages"][-1]["content"][1]["image_url"]["url"]
    assert base64.b64decode(sent.partition(",")[2]) == png
    shown = prompt["body"]["messages"][-1]["content"][1]["image_url"]["url"]
    assert prompt["exact"]
    assert shown.startswith(sent[:64])
    assert shown.endswith(f"… ({len(sent)} characters)")
    await api.delete(f"/files/{file}")
    (prompt,) = await told(api, run)
    assert not prompt["exact"]


async def test_pages(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(*[Reply(tool_calls=[Call("weather", {})]), Reply(text="ok")])
    assistant = await api.assistant(tools=[function("weather", city="string")])
    run = await api.until(await api.post(f"/threads/{await api.thread('Go')}/runs", {"assistant_id": assistant}))
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "rain"}]}
    run = await api.until(await api.post(f"{run_path(run)}/submit_tool_outputs", outputs))
    ids = [one["id"] for one in await told(api, run)]
    assert len(ids) == 2
    assert [one["id"] for one in await told(api, run, "order=desc")] == ids[::-1]
    assert [one["id"] for one in await told(api, run, f"order=asc&after={ids[0]}")] == ids[1:]
    assert [one["id"] for one in await told(api, run, f"order=asc&before={ids[1]}")] == ids[:1]
    page = await api.call("GET", f"{run_path(run)}/prompts?limit=1", extension=True)
    assert (page["has_more"], page["last_id"]) == (True, ids[1])
    error = await api.refused("GET", f"{run_path(run)}/prompts?after=prompt_x")
    assert error["param"] == "after"


async def test_prompts_of_others_are_not_there(api: Api, other: Api) -> None:
    run = await api.run()
    await other.refused("GET", f"{run_path(run)}/prompts", status=404)
    assert (await other.call("GET", "/runs", extension=True))["data"] == []
    await api.refused("GET", f"/threads/{run['thread_id']}/runs/run_none/prompts", status=404)


async def test_who_may_only_use_an_assistant_is_told_nothing(api: Api, server: Server) -> None:
    reader = api.with_key((await server.app.state.keys.create("reader", scopes=["read"]))[0])
    user = api.with_key((await server.app.state.keys.create("user", scopes=["threads:write"]))[0])
    for protected, allowed in ((True, [api]), (False, [api, reader])):
        assistant = await api.assistant(instructions="Say Kittiwake.", protected=protected)
        run = await api.until(await api.post(f"/threads/{await api.thread('Hi')}/runs", {"assistant_id": assistant}))
        for one in (api, reader, user):
            (prompt,) = await told(one, run)
            listed = (await one.call("GET", "/runs", extension=True))["data"][0]
            assert listed["id"] == run["id"]
            assert ("Kittiwake" in str((prompt, listed))) == (one in allowed)
            if one not in allowed:
                assert prompt["body"] == {}


async def test_the_runs_of_all_threads(api: Api, upstream: ScriptedUpstream) -> None:
    first, second = await api.assistant(), await api.assistant()
    upstream.script(Reply(text="a"), Reply(status=400, error={"message": "no"}), Reply(text="b"))
    runs = [
        await api.until(await api.post(f"/threads/{await api.thread('Hi')}/runs", {"assistant_id": one}))
        for one in (first, first, second)
    ]

    async def listed(query: str) -> list[str]:
        return [one["id"] for one in (await api.call("GET", f"/runs?{query}", extension=True))["data"]]

    ids = [one["id"] for one in runs]
    assert await listed("") == ids[::-1]
    assert await listed(f"limit=1&after={ids[2]}") == [ids[1]]
    assert await listed("status=failed") == [ids[1]]
    assert await listed(f"assistant_id={first}&order=asc") == ids[:2]
    assert await listed(f"assistant_id={first}&status=completed&model=scripted") == [ids[0]]
    assert await listed("model=other") == []
    assert (await api.refused("GET", "/runs?status=asleep"))["param"] == "status"
