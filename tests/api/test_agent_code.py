"""Agents' code, in the real sandbox, and the files of their workspace."""

from __future__ import annotations

import pytest

from ..harness import Api, Json
from ..scripted import ScriptedUpstream
from .extensions import get
from .test_agents import DONE, begin, content, cycles, thinks, until


async def files(api: Api, agent: Json) -> list[str]:
    return [one["path"] for one in (await get(api, f"/agents/{agent['id']}/files"))["data"]]


async def done(api: Api, upstream: ScriptedUpstream, *codes: str | tuple[str, Json]) -> tuple[Json, list[Json]]:
    """An agent that runs these codes, or does these commands, and what came of each."""
    for one in codes:
        upstream.script(thinks("evaluate_code", code=one) if isinstance(one, str) else thinks(one[0], **one[1]))
    upstream.script(DONE)
    agent = await until(api, await begin(api, approval="never"), "completed", "failed")
    assert agent["status"] == "completed"
    return agent, [one["result"] for one in await cycles(api, agent)]


async def test_files_go_into_the_code_and_come_out_of_it(api: Api, upstream: ScriptedUpstream) -> None:
    write = ("write_to_file", {"file": "data/numbers.txt", "text": "1\n2\n3\n"})
    total = "print(sum(int(line) for line in open('data/numbers.txt')))\nopen('sum.txt', 'w').write('six')"
    save = ("write_to_file", {"file": "again.py", "text": "print(open('sum.txt').read() * 2)"})
    agent, results = await done(api, upstream, write, total, save, ("execute_python_file", {"file": "again.py"}))
    assert "6" in results[1]["text"].splitlines()[0]
    assert results[1]["files"] == ["sum.txt"]
    assert "sixsix" in results[3]["text"]
    assert await content(api, agent, "sum.txt") == "six"
    assert await files(api, agent) == ["again.py", "data/numbers.txt", "sum.txt"]


async def test_what_was_deleted_does_not_come_back(api: Api, upstream: ScriptedUpstream) -> None:
    write, delete = ("write_to_file", {"file": "a.txt", "text": "x"}), ("delete_file", {"file": "a.txt"})
    agent, _ = await done(api, upstream, write, "print(1)", delete, "print(2)")
    assert await files(api, agent) == []


async def test_code_that_dies_takes_no_file_with_it(api: Api, upstream: ScriptedUpstream) -> None:
    write = ("write_to_file", {"file": "a.txt", "text": "x"})
    agent, results = await done(api, upstream, write, "import os\nos._exit(1)", "print(open('a.txt').read())")
    assert [one["failed"] for one in results] == [False, True, False, False]
    assert "x" in results[2]["text"]
    assert await files(api, agent) == ["a.txt"]


@pytest.mark.settings(sandbox_seconds_per_day=1)
async def test_its_code_takes_the_projects_time(api: Api, upstream: ScriptedUpstream) -> None:
    _, results = await done(api, upstream, "import time\ntime.sleep(1.5)", "print(1)")
    assert not results[0]["failed"]
    assert results[1]["failed"]
    assert "used up the time" in results[1]["text"]
