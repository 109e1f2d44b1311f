"""What a small model is asked for an agent's next step, one small question after the other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any, cast

import orjson

from retinue.accounts.keys import Caller
from retinue.agents.asking import Asking, Step, Tally
from retinue.agents.commands.all import built_in
from retinue.agents.guide import Guide
from retinue.agents.prompt import done
from retinue.agents.reply import Reply
from retinue.inference.chat import ChatEvent, ChatRequest, TextDelta
from retinue.inference.models import ServedModel
from retinue.model_settings import ModelSettings
from retinue.wire.agents import AgentCycle, AgentFile

from .test_agent_repetition import cycles

COMMANDS = {name: built_in()[name] for name in ("evaluate_code", "read_file", "write_to_file", "task_complete")}
THOUGHTS = dict.fromkeys(("text", "reasoning", "plan", "criticism", "speak"), "-")
WROTE = ("evaluate_code", {"code": "# Compute primes\nx = 1"}, "Files written: primes.csv", False)


class Says:
    """A model that says this, one thing after the other."""

    def __init__(self, *said: Any) -> None:
        self.said = list(said)
        self.asked: list[ChatRequest] = []

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        self.asked.append(request)
        said = self.said.pop(0)
        yield TextDelta(said if isinstance(said, str) else orjson.dumps(said).decode())


class Books:
    async def patiently(self, *_: object) -> AbstractContextManager[Any]:
        return nullcontext(SimpleNamespace())


async def replied(model: Says, goals: Sequence[str], steps: int, did: Sequence[AgentCycle]) -> Reply:
    """What comes of a step on a model that runs here, with one file in the workspace."""
    settings = ModelSettings(backend="local", weights="w")
    served = ServedModel("m", settings, cast(Any, None), cast(Any, model), prompted=True)
    files = [AgentFile(path="primes.csv", bytes=9, modified_at=0)]
    messages = [{"role": "system", "content": "S"}, {"role": "user", "content": "Now."}]
    step = Step(messages, "Your goals: primes.", "", Guide(goals, steps, did, files, (), "en"), stuck=False)
    reply = await Asking(served, cast(Any, Books()), Caller("proj_1"), Tally()).reply(step, COMMANDS)
    assert isinstance(reply, Reply)
    return reply


async def test_it_chooses_says_what_code_is_to_do_and_writes_it() -> None:
    said = {"thoughts": THOUGHTS, "command": {"name": "evaluate_code", "args": {"task": "Check\nprimes.csv"}}}
    model = Says({"command": "evaluate_code"}, said, "```python\n# Check primes.csv\nprint(1)\n```")
    reply = await replied(model, ["compute primes", "check them"], 1, cycles(WROTE))
    assert reply.command.args == {"code": "# Check primes.csv\nprint(1)"}
    # The next steps are told what it is for.
    assert "evaluate_code(Check primes.csv): 1" in done(cycles(("evaluate_code", reply.command.args, "1", False)), "en")
    choice, step, code = model.asked
    assert "Which command comes next?" in choice.messages[-1]["content"]
    assert step.messages[-1]["content"] == 'Now.\nUse "evaluate_code" now.'
    assert "What the code must do now: Check\nprimes.csv" in code.messages[-1]["content"]


async def test_code_that_failed_is_shown_with_its_error() -> None:
    said = {"thoughts": THOUGHTS, "command": {"name": "evaluate_code", "args": {"task": "Check"}}}
    model = Says(said, "```python\nprint(2)\n```")
    failed = ("evaluate_code", {"code": "print(x)"}, "NameError: x", True)
    reply = await replied(model, ["compute primes", "check them"], 1, cycles(WROTE, failed))
    assert reply.command.args == {"code": "print(2)"}
    # What is to be put right is not chosen.
    (_, code) = model.asked
    assert "print(x)\n```\nIt failed:\nNameError: x\nCorrect it." in code.messages[-1]["content"]


async def test_it_ends_once_it_finds_all_done() -> None:
    said = {"thoughts": THOUGHTS, "command": {"name": "task_complete", "args": {"reason": "Done."}}}
    reply = await replied(Says({"missing": "", "all_done": True}, said), ["compute primes"], 1, cycles(WROTE))
    assert reply.command.name == "task_complete"
