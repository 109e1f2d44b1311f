"""The local model's process, on real weights."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from retinue.inference.local.process import LocalModel

pytestmark = pytest.mark.model

_CONTEXT = 2048

_PARENT = """
import asyncio, sys
from pathlib import Path
from retinue.inference.local.process import LocalModel
async def main():
    model = LocalModel("small", Path(sys.argv[1]), context_length=512, slots=1, threads=0)
    await model.start()
    if sys.argv[2] == "ready":
        await model.wait_ready(120)
    while model.pid is None:
        await asyncio.sleep(0.001)
    print(model.pid, model.socket_path.parent, file=sys.stderr, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def weights(small_weights: Path) -> Path:
    return small_weights


def local_model(weights: Path) -> LocalModel:
    return LocalModel("small", weights, context_length=_CONTEXT, slots=2, threads=0)


@pytest.fixture(scope="module")
async def model(weights: Path) -> AsyncIterator[LocalModel]:
    model = local_model(weights)
    await model.start()
    assert await model.wait_ready(120), model.reason
    yield model
    await model.stop()


class Client:
    """Calls the model's socket."""

    def __init__(self, model: LocalModel, key: str | None = None) -> None:
        self.session = aiohttp.ClientSession(
            "http://local",
            connector=aiohttp.UnixConnector(str(model.socket_path), force_close=True),
            headers={"authorization": f"Bearer {key or model.api_key}"},
        )

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def post(self, path: str, **body: Any) -> tuple[int, Any]:
        async with self.session.post(path, json=body) as response:
            return response.status, await response.json()

    async def chat(self, text: str, **options: Any) -> tuple[int, Any]:
        return await self.post("/v1/chat/completions", messages=[{"role": "user", "content": text}], **options)

    async def busy(self) -> int:
        """How many slots are at work."""
        async with self.session.get("/slots") as response:
            return sum(slot["is_processing"] for slot in await response.json())


def answer(result: tuple[int, Any]) -> Any:
    status, body = result
    assert status == 200, body
    return json.loads(body["choices"][0]["message"]["content"])


async def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition`, which nothing announces, holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_the_socket_is_private_and_asks_for_the_key(model: LocalModel) -> None:
    assert stat.S_IMODE(model.socket_path.parent.stat().st_mode) == 0o700
    assert len(os.fsencode(model.socket_path)) <= 107
    async with Client(model, key="wrong") as client:
        assert (await client.chat("Hi"))[0] == 401


async def test_it_streams_with_usage_and_tells_what_was_cached(model: LocalModel) -> None:
    body = {
        "messages": [{"role": "user", "content": "Name the days of the week, please, one after another."}],
        "stream": True,
        "max_tokens": 8,
        "stream_options": {"include_usage": True},
    }
    cached = []
    async with Client(model) as client:
        for _ in range(2):
            async with client.session.post("/v1/chat/completions", json=body) as response:
                assert response.content_type == "text/event-stream"
                lines = [line.strip() async for line in response.content if line.startswith(b"data: ")]
            assert lines[-1] == b"data: [DONE]"
            chunks = [json.loads(line.removeprefix(b"data: ")) for line in lines[:-1]]
            assert "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
            usage = chunks[-1]["usage"]
            assert 0 < usage["completion_tokens"] <= 8
            cached.append(usage["prompt_tokens_details"]["cached_tokens"])
        assert cached[1] > cached[0]
        assert cached[1] <= usage["prompt_tokens"]


async def test_a_grammar_holds_the_answer(model: LocalModel) -> None:
    grammar = '%llguidance {}\nstart: "[" number ("," number){0,9} "]"\nnumber: /[1-9][0-9]?/\n'
    async with Client(model) as client:
        numbers = answer(await client.chat("Write a poem.", grammar=grammar, max_tokens=64))
    assert all(isinstance(number, int) and number < 100 for number in numbers)


async def test_json_formats_hold_the_answer(model: LocalModel) -> None:
    properties = {"city": {"enum": ["Paris", "Rome"]}, "capital": {"type": "boolean"}}
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    wanted = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": schema}}
    async with Client(model) as client:
        city = answer(await client.chat("Sing a song about Paris.", response_format=wanted, max_tokens=128))
        assert city["city"] in ("Paris", "Rome")
        assert isinstance(city["capital"], bool)
        plain = await client.chat("Two colours as JSON.", response_format={"type": "json_object"}, max_tokens=256)
        assert isinstance(answer(plain), dict)


async def test_a_prompt_beyond_the_context_is_refused_with_its_length(model: LocalModel) -> None:
    async with Client(model) as client:
        status, body = await client.chat("hello world " * _CONTEXT)
    assert status == 400
    assert body["error"]["type"] == "exceed_context_size_error"
    assert body["error"]["n_prompt_tokens"] > body["error"]["n_ctx"] == _CONTEXT


async def test_tokens_are_counted_by_the_model(model: LocalModel) -> None:
    async with Client(model) as client:
        status, body = await client.post("/tokenize", content="<|im_start|>", parse_special=True)
    assert (status, len(body["tokens"])) == (200, 1)


async def test_more_requests_than_slots_are_all_answered_while_health_is_told(model: LocalModel) -> None:
    async with Client(model) as client:
        calls = [asyncio.create_task(client.chat(f"Count to {number}.", max_tokens=4)) for number in range(8)]
        async with client.session.get("/health") as response:
            assert response.status == 200
        assert [status for status, _ in await asyncio.gather(*calls)] == [200] * 8


async def test_hanging_up_frees_the_slot_even_while_the_prompt_is_read(model: LocalModel) -> None:
    message = {"role": "user", "content": "alpha beta gamma delta " * 200}
    body = {"messages": [message], "stream": True, "return_progress": True}
    async with Client(model) as client:
        response = await client.session.post("/v1/chat/completions", json=body)
        progress: list[Any] = []
        async for line in response.content:
            if line.startswith(b"data: "):
                progress.append(json.loads(line.removeprefix(b"data: "))["prompt_progress"])
            if len(progress) == 2:
                break
        response.close()
        assert progress[1]["processed"] < progress[1]["total"] / 2
        async with asyncio.timeout(60):
            while await client.busy():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        # What was read of the prompt stays cached. Much less than the whole shows that reading ended early.
        body = {**body, "stream": False, "max_tokens": 1}
        usage = (await client.post("/v1/chat/completions", **body))[1]["usage"]
        assert usage["prompt_tokens_details"]["cached_tokens"] < usage["prompt_tokens"] * 0.9


async def test_a_killed_child_is_replaced_on_the_same_socket(weights: Path) -> None:
    model = local_model(weights)
    await model.start()
    assert model.state == "loading"
    assert not await model.wait_ready(0)
    assert await model.wait_ready(120), model.reason
    first = model.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: model.state == "loading")
    assert "SIGKILL" in str(model.reason)
    assert await model.wait_ready(120)
    assert model.pid != first
    async with Client(model) as client:
        assert (await client.chat("Hi", max_tokens=1))[0] == 200
    last = model.pid
    assert last is not None
    await model.stop()
    assert model.state == "stopped"
    assert not is_alive(last)
    assert not model.socket_path.parent.exists()


async def test_a_stopped_model_starts_again(weights: Path) -> None:
    model = local_model(weights)
    await model.start()
    await model.stop()
    await model.start()
    await model.start()
    assert await model.wait_ready(120), model.reason
    await model.stop()


@pytest.mark.parametrize(("content", "reason"), [(b"junk" * 100, "GGUF"), (None, "No such file")])
async def test_weights_that_cannot_be_loaded_fail_with_the_reason(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "bad.gguf"
    if content is not None:
        path.write_bytes(content)
    model = local_model(path)
    await model.start()
    assert not await model.wait_ready(60)
    assert model.state == "failed"
    assert reason in str(model.reason)
    await model.stop()


async def test_a_failed_model_may_be_started_again(tmp_path: Path, weights: Path) -> None:
    path = tmp_path / "late.gguf"
    model = local_model(path)
    await model.start()
    await model.wait_ready(60)
    path.symlink_to(weights)
    await model.start()
    assert await model.wait_ready(120), model.reason
    await model.stop()


@pytest.mark.parametrize("moment", ["loading", "ready"])
async def test_the_child_dies_with_a_killed_parent(weights: Path, moment: str) -> None:
    command = [sys.executable, "-c", _PARENT, str(weights), moment]
    parent = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert parent.stderr
    try:
        pid, folder = (await parent.stderr.readline()).split()
        assert is_alive(int(pid))
    finally:
        parent.kill()
        await parent.wait()
    await until(lambda: not is_alive(int(pid)))
    socket = Path(os.fsdecode(folder)) / "model.sock"
    socket.unlink(missing_ok=True)
    socket.parent.rmdir()
