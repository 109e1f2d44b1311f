"""Pictures that code has drawn, as parts of the message that follows. The tool is played: it draws what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from retinue.inference.chat import Json
from retinue.tools.tool import Scope, Served, ServerFunction, Toolbox
from retinue.wire.runs import Run
from retinue.wire.steps import (
    CodeInterpreterCall,
    CodeInterpreterToolCall,
    ImageOutput,
    LogsOutput,
    OutputFile,
    ToolCall,
)

from ..harness import Api, Event, Server, check_events, function, run_path
from ..scripted import Call, Reply, ScriptedUpstream
from .test_joined_streams import join, whole
from .test_streams import names, of, said, streamed
from .test_transfer import export, load

CODE = {"tools": [{"type": "code_interpreter"}]}
PNG = b"\x89PNG\r\n\x1a\n"


class Painter:
    """Shows the files that its code names, with a line of text between them."""

    type = "code_interpreter"

    async def functions(self, project: str, run: Run, wanted: Any) -> list[ServerFunction]:
        definition = {"description": "Draw.", "parameters": {"type": "object"}}
        return [ServerFunction(self.type, self.type, definition, self.serve, self.shown)]

    def shown(self, identifier: str, arguments: str) -> ToolCall:
        return CodeInterpreterToolCall(id=identifier, code_interpreter=CodeInterpreterCall(input=""))

    async def serve(self, scope: Scope, call: ToolCall, arguments: Json, report: Callable[[ToolCall], None]) -> Served:
        drawn = [ImageOutput(image=OutputFile(file_id=file)) for file in arguments["code"].split()]
        outputs = [output for image in drawn for output in (LogsOutput(logs="Look:\n"), image)]
        inside = CodeInterpreterCall(input=arguments["code"], outputs=outputs)
        files = {"/mnt/data/last.png": drawn[-1].image.file_id} if drawn else {}
        return Served(CodeInterpreterToolCall(id=call.id, code_interpreter=inside), "drawn", files=files)


@pytest.fixture(autouse=True)
def painter(server: Server) -> None:
    server.app.state.engine._toolbox = Toolbox([Painter()])


@pytest.fixture
async def pictures(api: Api) -> list[str]:
    """The ids of four files."""
    uploads = [await api.upload(PNG + b"%d" % number, filename=f"{number}.png") for number in range(4)]
    return [answer.body["id"] for answer in uploads]


def draw(*files: str) -> Call:
    return Call("code_interpreter", {"code": " ".join(files)})


def shown(message: Json) -> list[str]:
    """The parts of a message: its pictures' files, then its text."""
    return [
        part["image_file"]["file_id"] if part["type"] == "image_file" else part["text"]["value"]
        for part in message["content"]
    ]


def heard(events: list[Event]) -> list[tuple[int, str]]:
    """The parts that the deltas bring, with their index."""
    deltas = [event.data["delta"] for event in events if event.name == "thread.message.delta"]
    parts = [part for delta in deltas for part in delta["content"]]
    return [
        (part["index"], part["image_file"]["file_id"] if part["type"] == "image_file" else part["text"]["value"])
        for part in parts
    ]


async def test_pictures_come_before_the_text(api: Api, upstream: ScriptedUpstream, pictures: list[str]) -> None:
    first, second, third, fourth = pictures
    upstream.script(
        Reply(text="I draw.", tool_calls=[draw(first, second), draw(third)]),
        Reply(tool_calls=[draw(fourth)]),
        Reply(chunks=["Four", " charts."]),
    )
    thread, own = await streamed(api, CODE)
    assert heard(own) == [(0, "I"), (0, " draw."), *enumerate(pictures), (4, "Four"), (4, " charts.")]
    _, announced, answer = await api.messages(thread)
    assert (shown(announced), shown(answer)) == (["I draw."], [*pictures, "Four charts."])
    assert of(own, "thread.message.completed") == answer
    assert answer["content"][0]["image_file"] == {"file_id": first, "detail": "auto"}
    # Who reads along, from the start or from any event on, hears the same.
    run = of(own, "thread.run.completed")
    assert heard(await join(api, run)) == [(0, "I draw."), *enumerate(pictures), (4, "Four charts.")]
    for number, event in enumerate(own):
        if event.id:
            rest = await join(api, run, event.id)
            assert whole(rest) == whole(own[number + 1 :])
            images = [part for part in heard(own[number + 1 :]) if part[1] in pictures]
            assert [part for part in heard(rest) if part[1] in pictures] == images
            assert said(own[: number + 1]) + said(rest) == said(own)


async def test_a_model_that_says_nothing_more_shows_the_picture(
    api: Api, upstream: ScriptedUpstream, pictures: list[str]
) -> None:
    upstream.script(Reply(tool_calls=[draw(pictures[0])]), Reply(text=""))
    thread, own = await streamed(api, CODE)
    assert shown((await api.messages(thread))[-1]) == [pictures[0]]
    assert heard(own) == [(0, pictures[0])]
    assert heard(await join(api, of(own, "thread.run.completed"))) == heard(own)


async def test_an_empty_message_behind_one_with_a_picture_is_told(
    api: Api, upstream: ScriptedUpstream, pictures: list[str]
) -> None:
    """The official Python client looks in the whole message for the part that it heard of last."""
    upstream.script(Reply(tool_calls=[draw(pictures[0])]), Reply(text="More.", tool_calls=[draw()]), Reply(text=""))
    _, own = await streamed(api, CODE)
    assert heard(own) == [(0, pictures[0]), (1, "More."), (0, "")]
    run, last = of(own, "thread.run.completed"), [event for event in own if event.name.endswith("message.delta")][-1]
    assert heard(await join(api, run)) == heard(own)
    assert names(await join(api, run, last.id))[0] == "thread.message.completed"


async def test_pictures_wait_for_the_clients_functions(
    api: Api, upstream: ScriptedUpstream, pictures: list[str]
) -> None:
    upstream.script(Reply(tool_calls=[draw(pictures[0]), Call("weather", id="call_w")]), Reply(text="Rain."))
    thread, own = await streamed(api, {"tools": [*CODE["tools"], function("weather")]})
    run = of(own, "thread.run.requires_action")
    outputs = [{"tool_call_id": "call_w", "output": "rain"}]
    events = await api.stream(run_path(run) + "/submit_tool_outputs", {"tool_outputs": outputs})
    assert heard(events) == [(0, pictures[0]), (1, "Rain.")]
    assert shown((await api.messages(thread))[-1]) == [pictures[0], "Rain."]


@pytest.mark.model_settings(vision=False)
async def test_models_are_told_of_pictures_in_words(api: Api, upstream: ScriptedUpstream, pictures: list[str]) -> None:
    upstream.script(Reply(tool_calls=[draw(*pictures[:2])]), Reply(text="There."), Reply(text="Yes."))
    run = await api.run(assistant=CODE)
    body = {"assistant_id": run["assistant_id"], "additional_messages": [{"role": "user", "content": "Nice?"}]}
    again = await api.until(await api.post(f"/threads/{run['thread_id']}/runs", body))
    assert again["status"] == "completed"
    said_before = "[A picture that the user sees.]\n" * 2 + "There."
    assert [one["content"] for one in upstream.requests[-1]["messages"]] == ["Hello", said_before, "Nice?"]
    # Those of the first run are not in the second one's message.
    assert shown((await api.messages(run["thread_id"]))[-1]) == ["Yes."]


async def test_a_fork_and_an_import_have_the_pictures(
    api: Api, other: Api, upstream: ScriptedUpstream, pictures: list[str]
) -> None:
    upstream.script(Reply(tool_calls=[draw(pictures[0])]), Reply(text="There."))
    run = await api.run(assistant=CODE)
    answer = await api.request("POST", f"/threads/{run['thread_id']}/fork", {}, extension=True)
    assert shown((await api.messages(answer.body["id"]))[-1]) == [pictures[0], "There."]
    ids = (await load(other, await export(api)))["ids"]
    copied = (await other.messages(ids[run["thread_id"]]))[-1]
    assert shown(copied) == [ids[pictures[0]], "There."]
    assert await other.download(f"/files/{ids[pictures[0]]}/content") == PNG + b"0"
    upstream.script(Reply(text="sandbox:/mnt/data/last.png"))
    body = {"assistant_id": ids[run["assistant_id"]]}
    await other.until(await other.post(f"/threads/{ids[run['thread_id']]}/runs", body))
    (path,) = (await other.messages(ids[run["thread_id"]]))[-1]["content"][0]["text"]["annotations"]
    assert path["file_path"]["file_id"] == ids[pictures[0]]
    # A thread that goes leaves its files, like those of users, to the project.
    await api.delete(f"/threads/{run['thread_id']}")
    assert await api.download(f"/files/{pictures[0]}/content") == PNG + b"0"


async def test_version_1_shows_them(api: Api, v1: Api, upstream: ScriptedUpstream, pictures: list[str]) -> None:
    upstream.script(Reply(tool_calls=[draw(pictures[0])]), Reply(text="There."))
    made, thread = await v1.assistant(**CODE), await v1.thread("Hi")
    own = await v1.stream(f"/threads/{thread}/runs", {"assistant_id": made})
    check_events(own, "v1")
    assert heard(own) == [(0, pictures[0]), (1, "There.")]
    message = (await v1.messages(thread))[-1]
    assert shown(message) == [pictures[0], "There."]
    assert (message["content"][0]["image_file"], message["file_ids"]) == ({"file_id": pictures[0]}, [pictures[0]])
    assert json.dumps(pictures[0]) in json.dumps((await v1.steps(of(own, "thread.run.completed")))[0])
