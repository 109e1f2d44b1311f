"""`code_interpreter` in runs: real Python in a real sandbox, its outputs in steps, events, files and links."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ..harness import Api, Event, Json, run_path
from ..scripted import Call, Reply, ScriptedUpstream
from .test_joined_streams import join, whole
from .test_streams import names, of, said, streamed

CODE = {"tools": [{"type": "code_interpreter"}]}


def code(text: str) -> Reply:
    return Reply(tool_calls=[Call("code_interpreter", {"code": text})])


def pieces(events: list[Event]) -> list[Json]:
    """What the deltas brought of the calls."""
    deltas = [event.data["delta"] for event in events if event.name == "thread.run.step.delta"]
    return [delta["step_details"]["tool_calls"][0]["code_interpreter"] for delta in deltas]


def told(upstream: ScriptedUpstream) -> str:
    """What the model was last told."""
    return next(one["content"] for one in reversed(upstream.requests[-1]["messages"]) if one["role"] == "tool")


async def outputs(api: Api, run: Json) -> list[Any]:
    """The outputs of a run's calls."""
    steps = [step for step in await api.steps(run) if step["type"] == "tool_calls"]
    return [call["code_interpreter"]["outputs"] for step in steps for call in step["step_details"]["tool_calls"]]


async def test_variables_live_on_and_errors_go_back_to_the_model(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(
        code("import math\nroot = math.sqrt(1234567)\nprint('根', root)"),
        code("1/0"),
        code("root"),
        Reply(text="It is 1111.1."),
    )
    _, own = await streamed(api, CODE)
    run = of(own, "thread.run.completed")
    first, second, third = await outputs(api, run)
    assert first == [{"type": "logs", "logs": "根 1111.1107055554814\n"}]
    assert "ZeroDivisionError: division by zero" in second[0]["logs"]
    assert third[0]["logs"].strip() == "1111.1107055554814"
    assert "1111.11" in told(upstream)
    shown = pieces(own)
    assert "".join(one.get("input", "") for one in shown).startswith("import math\nroot")
    logs = "".join(output["logs"] for one in shown for output in one.get("outputs", []))
    assert logs == "".join(output["logs"] for each in (first, second, third) for output in each)
    assert whole(await join(api, run)) == whole(own)
    # The next run of the thread finds the same session.
    upstream.script(code("print(root + 1)"), Reply(text="Done."))
    again = await api.until(await api.post(f"/threads/{run['thread_id']}/runs", {"assistant_id": run["assistant_id"]}))
    assert (await outputs(api, again))[0][0]["logs"].startswith("1112.11")


async def test_files_go_in_and_come_out(api: Api, upstream: ScriptedUpstream) -> None:
    sales = await api.file("day,sales\nMon,3\nTue,9\n", "销售 sales.csv")
    resources = {"code_interpreter": {"file_ids": [sales]}}
    draw = (
        "import pandas, matplotlib.pyplot as plt\n"
        "table = pandas.read_csv('/mnt/data/销售 sales.csv')\n"
        "table['sales'].plot()\nplt.show()\n"
        "table.to_csv('/mnt/data/total.csv')\nprint(table['sales'].sum())"
    )
    link = "[here](sandbox:/mnt/data/total.csv)"
    upstream.script(code(draw), Reply(chunks=list(f"It is 12, see {link}")))
    _, own = await streamed(api, {**CODE, "tool_resources": resources})
    (shown,) = await outputs(api, of(own, "thread.run.completed"))
    assert sorted(output["type"] for output in shown) == ["image", "logs"]
    assert [output["logs"] for output in shown if output["type"] == "logs"] == ["12\n"]
    (picture,) = [output["image"]["file_id"] for output in shown if output["type"] == "image"]
    assert (await api.download(f"/files/{picture}/content")).startswith(b"\x89PNG")
    assert (await api.get(f"/files/{picture}"))["purpose"] == "assistants_output"
    text = of(own, "thread.message.completed")["content"][0]["text"]
    assert said(own) == text["value"]
    (path,) = text["annotations"]
    assert path["type"] == "file_path"
    assert text["value"][path["start_index"] : path["end_index"]] == path["text"] == "sandbox:/mnt/data/total.csv"
    assert b"1,Tue,9" in await api.download(f"/files/{path['file_path']['file_id']}/content")


async def test_a_cancel_interrupts_the_code(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(code("print('begun', flush=True)\nwhile True: pass"))
    made, thread = await api.assistant(**CODE), await api.thread("Hi")
    async with api.open_stream(f"/threads/{thread}/runs", {"assistant_id": made}) as stream:
        async with asyncio.timeout(60):
            while b"begun\\n" not in (piece := await stream.content.readany()):
                assert piece
        (run,) = (await api.get(f"/threads/{thread}/runs"))["data"]
        await api.post(run_path(run) + "/cancel")
        await stream.content.read()
    (step,) = await api.steps(run)
    assert (await api.get(run_path(run)))["status"] == step["status"] == "cancelled"
    assert step["step_details"]["tool_calls"][0]["code_interpreter"]["outputs"][0]["logs"].startswith("begun\n")


@pytest.mark.settings(sandbox_timeout=2)
async def test_code_that_does_not_end_is_told_to_the_model(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(code("while True: pass"), Reply(text="Sorry."))
    assert (await api.run(assistant=CODE))["status"] == "completed"
    assert "2 seconds" in told(upstream) or "KeyboardInterrupt" in told(upstream)


@pytest.mark.parametrize("arguments", [{}, {"code": 5}, {"code": " "}, {"code": "x" * 100_001}])
async def test_code_that_is_none(api: Api, upstream: ScriptedUpstream, arguments: Json) -> None:
    upstream.script(Reply(tool_calls=[Call("code_interpreter", arguments)]), Reply(text="Sorry."))
    assert (await api.run(assistant=CODE))["status"] == "completed"
    assert told(upstream).startswith("Error: 'code' must be")


async def test_the_events_are_in_the_official_order(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(code("print(1)"), Reply(text="Done."))
    _, own = await streamed(api, CODE)
    assert names(own)[3:8] == [
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.run.step.delta",
        "thread.run.step.completed",
        "thread.run.step.created",
    ]
