"""`code_interpreter` in runs: real Python in a real sandbox, its outputs in steps, events, files and links."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from retinue.inference.tokens import estimate_tokens

from ..harness import Api, Event, Json, Server, eventually, run_path
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


@pytest.mark.model_settings(context_length=4096)
async def test_variables_live_on_and_errors_go_back_to_the_model(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(
        code("import math\nroot = math.sqrt(1234567)\nprint('根', root)"),
        code("print('Here it begins.', '错误' * 9000)\n1/0"),
        code("root"),
        Reply(text="It is 1111.1."),
    )
    _, own = await streamed(api, CODE)
    run = of(own, "thread.run.completed")
    first, second, third = await outputs(api, run)
    assert first == [{"type": "logs", "logs": "根 1111.1107055554814\n"}]
    assert "ZeroDivisionError: division by zero" in second[0]["logs"]
    # Of much text the model sees the beginning and, above all, the end.
    (seen,) = [one["content"] for one in upstream.requests[2]["messages"] if "begins" in str(one["content"])]
    assert seen.startswith("Error: the code failed.\nHere it begins.")
    assert "ZeroDivisionError: division by zero" in seen
    assert estimate_tokens(seen) < 1600 < len(second[0]["logs"])
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
        "table['sales'].plot()\nplt.savefig('/mnt/data/chart.png')\nplt.show()\n"
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
    image, answer = of(own, "thread.message.completed")["content"]
    assert image == {"type": "image_file", "image_file": {"file_id": picture, "detail": "auto"}}
    text = answer["text"]
    assert said(own) == text["value"]
    (path,) = text["annotations"]
    assert path["type"] == "file_path"
    assert text["value"][path["start_index"] : path["end_index"]] == path["text"] == "sandbox:/mnt/data/total.csv"
    assert b"1,Tue,9" in await api.download(f"/files/{path['file_path']['file_id']}/content")
    # Later runs may link to these files too, and to that of the user, without a call.
    names = ["total.csv", "chart.png", "销售 sales.csv", "none.csv"]
    upstream.script(Reply(text=", ".join(f"[{name}](sandbox:/mnt/data/{name})" for name in names)))
    run = of(own, "thread.run.completed")
    again = await api.stream(run_path(run).removesuffix(f"/{run['id']}"), {"assistant_id": run["assistant_id"]})
    (answer,) = of(again, "thread.message.completed")["content"]
    first, chart, given = [one["file_path"]["file_id"] for one in answer["text"]["annotations"]]
    assert (first, given) == (path["file_path"]["file_id"], sales)
    assert chart != picture
    assert (await api.download(f"/files/{chart}/content")).startswith(b"\x89PNG")


async def test_files_that_come_later_replace_nothing(api: Api, v1: Api, upstream: ScriptedUpstream) -> None:
    show = "import os\nfor name in sorted(os.listdir('/mnt/data')): print(name, open(f'/mnt/data/{name}').read())"
    first, second, third = [await api.file(text, "a.txt") for text in ("first", "second", "third")]
    made = await v1.assistant(**CODE, file_ids=[first])
    thread = await v1.thread("Hi")
    upstream.script(code("mine = 1\nopen('/mnt/data/b.txt', 'w').write('made')"), Reply(text="Done."))
    await v1.until(await v1.post(f"/threads/{thread}/runs", {"assistant_id": made}))
    other = await api.file("given", "b.txt")
    await v1.post(f"/threads/{thread}/messages", {"role": "user", "content": "And?", "file_ids": [second, other]})
    attached = [{"file_id": third, "tools": CODE["tools"]}]
    await api.post(f"/threads/{thread}/messages", {"role": "user", "content": "And?", "attachments": attached})
    upstream.script(code(show), Reply(text="Done."))
    run = await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": made}))
    ((logs,),) = await outputs(api, run)
    files = {"a.txt": "first", f"{second}-a.txt": "second", f"{third}-a.txt": "third"}
    files |= {"b.txt": "made", f"{other}-b.txt": "given"}
    assert dict(line.rsplit(" ", 1) for line in logs["logs"].splitlines()) == files
    assert all(f"/mnt/data/{name}" in told(upstream) for name in files if name != "b.txt")
    # Another thread has the assistant's file, and nothing else of this one.
    upstream.script(code(show + "\nprint('mine' in globals(), 'here')"), Reply(text="Done."))
    run = await api.until(await api.post(f"/threads/{await api.thread('Hi')}/runs", {"assistant_id": made}))
    ((logs,),) = await outputs(api, run)
    assert logs["logs"] == "a.txt first\nFalse here\n"


async def begun(content: aiohttp.StreamReader) -> None:
    """Code that was streamed has written this."""
    async with asyncio.timeout(60):
        while b"begun\\n" not in (piece := await content.readany()):
            assert piece


async def test_files_and_pictures_in_version_1(v1: Api, upstream: ScriptedUpstream) -> None:
    draw = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nopen('/mnt/data/sums.csv', 'w').write('1,2')"
    upstream.script(code(draw), Reply(text="销售: [sums](sandbox:/mnt/data/sums.csv)."))
    run = await v1.run(assistant=CODE)
    picture, answer = (await v1.messages(run["thread_id"]))[-1]["content"]
    assert (await v1.download(f"/files/{picture['image_file']['file_id']}/content")).startswith(b"\x89PNG")
    (path,) = answer["text"]["annotations"]
    value = answer["text"]["value"]
    assert value[path["start_index"] : path["end_index"]] == path["text"] == "sandbox:/mnt/data/sums.csv"
    assert await v1.download(f"/files/{path['file_path']['file_id']}/content") == b"1,2"
    (outputs_shown,) = await outputs(v1, run)
    assert outputs_shown[0] == {"type": "image", "image": {"file_id": picture["image_file"]["file_id"]}}


async def test_what_stops_a_run_stops_its_code(api: Api, server: Server, upstream: ScriptedUpstream) -> None:
    made, thread = await api.assistant(**CODE), await api.thread("Hi")
    runs, body = f"/threads/{thread}/runs", {"assistant_id": made}
    endless = code("kept = 7\nprint('begun', flush=True)\nwhile True: pass")
    # A cancel interrupts it, and leaves the session.
    upstream.script(endless)
    async with api.open_stream(runs, body) as stream:
        await begun(stream.content)
        (run,) = (await api.get(runs))["data"]
        await api.post(run_path(run) + "/cancel")
        await stream.content.read()
    (step,) = await api.steps(run)
    assert (await api.get(run_path(run)))["status"] == step["status"] == "cancelled"
    assert step["step_details"]["tool_calls"][0]["code_interpreter"]["outputs"][0]["logs"].startswith("begun\n")
    upstream.script(code("print(kept)"), Reply(text="Done."))
    assert (await outputs(api, await api.until(await api.post(runs, body))))[0] == [{"type": "logs", "logs": "7\n"}]
    # So does the end of its time.
    engine = server.app.state.engine
    settings, engine._settings = engine._settings, engine._settings.model_copy(update={"run_expiry": 2})
    upstream.script(endless)
    run = await api.until(await api.post(runs, body))
    (step,) = await api.steps(run)
    assert run["status"] == step["status"] == "expired"
    engine._settings = settings
    # With the thread its session goes, and so do files that nobody has asked to keep.
    places = engine._toolbox._tools["code_interpreter"]._sessions._sandboxes._places
    (session,) = [place.session for place in places.values()]
    upstream.script(endless)
    async with api.open_stream(runs, body) as stream:
        await begun(stream.content)
        await api.delete(f"/threads/{thread}")
        await stream.content.read()
    await eventually(lambda: asyncio.sleep(0, not session.alive and not places))


async def test_a_session_that_dies_is_replaced_with_its_files(api: Api, upstream: ScriptedUpstream) -> None:
    file = await api.file("given", "a.txt")
    upstream.script(
        code("open('/mnt/data/a.txt', 'a').write(' and changed')\nx = 1"),
        code("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"),
        code("print(open('/mnt/data/a.txt').read(), os.listdir('/mnt/data'))"),
        code("import os\nprint(open('/mnt/data/a.txt').read(), os.listdir('/mnt/data'))"),
        Reply(text="[a](sandbox:/mnt/data/a.txt)"),
    )
    run = await api.run(assistant={**CODE, "tool_resources": {"code_interpreter": {"file_ids": [file]}}})
    tools = [one["content"] for one in upstream.requests[-1]["messages"] if one["role"] == "tool"]
    assert "its variables are lost" in tools[1]
    assert "NameError" in tools[2]
    assert tools[3].startswith("given and changed ['a.txt']\n")
    (part,) = (await api.messages(run["thread_id"]))[-1]["content"]
    (path,) = part["text"]["annotations"]
    assert await api.download(f"/files/{path['file_path']['file_id']}/content") == b"given and changed"


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


async def test_the_model_is_told_of_files_before_it_runs_code(api: Api, upstream: ScriptedUpstream) -> None:
    mine, attached = await api.file("day,sales\nMon,3\nTue,9\n", "sales.csv"), await api.file("Dear all", "letter.txt")
    made = await api.assistant(**CODE, tool_resources={"code_interpreter": {"file_ids": [mine]}})
    message = {"role": "user", "content": "How much?", "attachments": [{"file_id": attached, **CODE}]}
    thread = (await api.post("/threads", {"messages": [message]}))["id"]
    upstream.script(code("open('/mnt/data/sales.csv', 'w').write('mine')"), Reply(text="12"))
    await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": made}))
    first, second = [request["tools"][0]["function"]["description"] for request in upstream.requests]
    assert first.endswith(':\n"/mnt/data/sales.csv" begins "day,sales\\nMon,3"\n"/mnt/data/letter.txt"')
    assert second == first


async def test_of_a_traceback_the_model_reads_the_frames_of_its_code(api: Api, upstream: ScriptedUpstream) -> None:
    module = "import json\ndef read(text): return json.loads(text)"
    calls = f"import sys\nopen('/mnt/data/own.py', 'w').write({module!r})\nsys.path.append('/mnt/data')\n"
    upstream.script(code(calls + "import own\n\nown.read('{')"), Reply(text="Sorry."))
    ((logs,),) = await outputs(api, await api.run(assistant=CODE))
    assert "json/decoder.py" in logs["logs"]
    seen = told(upstream)
    assert "json/decoder.py" not in seen
    assert "----> 6 own.read('{')" in seen
    assert "File /mnt/data/own.py:2" in seen
    assert "\nJSONDecodeError: Expecting property name" in seen
