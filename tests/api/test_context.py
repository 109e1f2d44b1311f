"""What the model is shown of a thread: the newest that fits, never without the instructions."""

from __future__ import annotations

import base64

import pytest

from retinue.inference.tokens import estimate_tokens

from ..harness import Api, function, run_path
from ..scripted import Call, Json, Reply, ScriptedUpstream

OVERFLOW = Reply(status=400, error={"message": "too long", "code": "context_length_exceeded"})


def shown(upstream: ScriptedUpstream, number: int = -1) -> list[str]:
    """The contents of the thread's messages in a request."""
    return [message["content"] for message in upstream.requests[number]["messages"] if message["role"] != "system"]


async def test_the_whole_thread_in_order(api: Api, upstream: ScriptedUpstream) -> None:
    thread = await api.thread("1", "2", "3")
    await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": await api.assistant()}))
    await api.post(f"/threads/{thread}/messages", {"role": "user", "content": "4"})
    await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": await api.assistant()}))
    assert [(message["role"], message["content"]) for message in upstream.requests[1]["messages"]] == [
        ("user", "1"),
        ("user", "2"),
        ("user", "3"),
        ("assistant", "3"),
        ("user", "4"),
    ]


@pytest.mark.settings(answer_reserve=16)
@pytest.mark.model_settings(context_length=1016)
async def test_old_messages_drop_out_in_blocks(api: Api, upstream: ScriptedUpstream) -> None:
    """The window's beginning stays put for several turns, so that a prefix cache keeps hitting."""
    assistant = await api.assistant(instructions="Stay short.")
    thread = await api.thread()
    upstream.default = Reply(text="ok")
    said: list[str] = []
    beginnings: list[int] = []
    for number in range(40):
        words = f"message {number} " + "x" * 120
        said += [words, "ok"]
        body = {"assistant_id": assistant, "additional_messages": [{"role": "user", "content": words}]}
        await api.until(await api.post(f"/threads/{thread}/runs", body))
        assert upstream.requests[-1]["messages"][0] == {"role": "system", "content": "Stay short."}
        window = shown(upstream)
        assert window == said[-1 - len(window) : -1]
        assert sum(estimate_tokens(text) for text in window) <= 1000
        beginnings.append(len(said) - 1 - len(window))
    moves = [number for number in range(1, 40) if beginnings[number] != beginnings[number - 1]]
    assert 3 <= len(moves) <= 12
    assert sum(estimate_tokens(text) for text in shown(upstream)) > 500


@pytest.mark.settings(answer_reserve=16)
@pytest.mark.model_settings(context_length=516)
@pytest.mark.parametrize("text", ["x" * 9000, "汉" * 9000, "汉" * 400 + "x" * 9000])
async def test_a_message_longer_than_the_window_is_cut(api: Api, upstream: ScriptedUpstream, text: str) -> None:
    run = await api.run("before", text, assistant={"instructions": "Stay short."})
    assert run["status"] == "completed"
    (cut,) = shown(upstream)
    kept, _, note = cut.partition("\n[…")
    assert "longer than the model's context" in note
    assert text.startswith(kept)
    assert 300 <= estimate_tokens(cut) <= 500


async def test_a_prompt_that_proves_too_long_shrinks(api: Api, upstream: ScriptedUpstream) -> None:
    texts = [f"{number} " + "x" * 1200 for number in range(15)]
    upstream.script(OVERFLOW, OVERFLOW, Reply(text="fits"))
    run = await api.run(*texts, assistant={"instructions": "Stay short."})
    assert run["status"] == "completed"
    sizes = [len(shown(upstream, number)) for number in range(3)]
    assert sizes[0] == 15 > sizes[1] > sizes[2] > 0
    assert shown(upstream) == texts[-sizes[2] :]
    assert all(request["messages"][0]["content"] == "Stay short." for request in upstream.requests)


async def test_shrinking_has_an_end(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.default = OVERFLOW
    run = await api.run("Hi")
    assert (run["status"], run["last_error"]["code"]) == ("failed", "invalid_prompt")
    assert len(upstream.requests) == 6


@pytest.mark.parametrize("last", [1, 2, 5])
async def test_last_messages(api: Api, upstream: ScriptedUpstream, last: int) -> None:
    await api.run("1", "2", "3", truncation_strategy={"type": "last_messages", "last_messages": last})
    assert shown(upstream) == ["1", "2", "3"][-last:]


async def test_last_messages_beside_what_the_run_said_itself(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="One moment.", tool_calls=[Call("weather", id="call_1")]))
    strategy = {"type": "last_messages", "last_messages": 1}
    run = await api.run("1", "2", assistant={"tools": [function("weather")]}, truncation_strategy=strategy)
    outputs = [{"tool_call_id": "call_1", "output": "7°"}]
    await api.until(await api.post(run_path(run) + "/submit_tool_outputs", {"tool_outputs": outputs}))
    assert shown(upstream) == ["2", "One moment.", None, "7°"]


async def test_a_prompt_limit_narrows_the_window(api: Api, upstream: ScriptedUpstream) -> None:
    await api.run(*("x" * 300 for _ in range(20)), max_prompt_tokens=600)
    assert 0 < len(shown(upstream)) < 7


async def test_pictures_reach_the_model(api: Api, upstream: ScriptedUpstream) -> None:
    content: list[Json] = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
    ]
    upstream.script(Reply(text="A cat."))
    thread = (await api.post("/threads", {"messages": [{"role": "user", "content": content}]}))["id"]
    await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": await api.assistant()}))
    assert upstream.requests[0]["messages"] == [{"role": "user", "content": content}]


@pytest.mark.model_settings(vision=False)
async def test_a_model_that_does_not_see_is_not_shown_pictures(api: Api, upstream: ScriptedUpstream) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    thread = (await api.post("/threads", {"messages": [{"role": "user", "content": [picture]}]}))["id"]
    made = await api.assistant()
    run = await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": made}))
    assert (run["status"], run["last_error"]["code"]) == ("failed", "invalid_prompt")
    assert "does not see images" in run["last_error"]["message"]
    for message in await api.messages(thread):
        await api.delete(f"/threads/{thread}/messages/{message['id']}")
    more = [{"role": "user", "content": [picture]}]
    error = await api.refused("POST", f"/threads/{thread}/runs", {"assistant_id": made, "additional_messages": more})
    assert "does not see images" in error["message"]
    await api.refused("POST", "/threads/runs", {"assistant_id": made, "thread": {"messages": more}})
    assert await api.messages(thread) == []
    assert upstream.requests == []


PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


async def test_pictures_in_files_reach_the_model(api: Api, upstream: ScriptedUpstream) -> None:
    files = {
        "picture": (await api.upload(PNG, ("purpose", "vision"), filename="a.png")).body["id"],
        "text": (await api.upload(b"no picture", ("purpose", "vision"), filename="b.png")).body["id"],
        "deleted": (await api.upload(PNG, ("purpose", "vision"), filename="c.png")).body["id"],
    }
    content = [{"type": "image_file", "image_file": {"file_id": one, "detail": "high"}} for one in files.values()]
    thread = (await api.post("/threads", {"messages": [{"role": "user", "content": content}]}))["id"]
    await api.delete(f"/files/{files['deleted']}")
    await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": await api.assistant()}))
    shown, *others = upstream.requests[0]["messages"][0]["content"]
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert shown == {"type": "image_url", "image_url": {"url": url, "detail": "high"}}
    assert [part["text"] for part in others] == [
        f"[The picture in {files[name]} cannot be shown.]" for name in ("text", "deleted")
    ]
