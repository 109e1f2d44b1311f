"""What ends an agent, lets it wait, or asks a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .command import Argument, Both, Command, Outcome, Place


async def _nothing(place: Place, args: Mapping[str, Any]) -> Outcome:
    return Outcome("Nothing was done.", effect="wait")


async def _complete(place: Place, args: Mapping[str, Any]) -> Outcome:
    return Outcome(args["reason"], effect="complete")


async def _ask(place: Place, args: Mapping[str, Any]) -> Outcome:
    return Outcome(args["question"], effect="ask")


COMMANDS = (
    Command("do_nothing", Both("Do nothing", "什么都不做"), (), _nothing),
    Command(
        "task_complete",
        Both("Task complete (shutdown)", "任务完成（关闭）"),
        (Argument("reason", Both("<reason>", "<原因>"), most=4000),),
        _complete,
    ),
)
#: Not among the twenty, and only for agents that are told of it: people who start one may be far away.
ASK_USER = Command(
    "ask_user",
    Both("Ask the user", "询问用户"),
    (Argument("question", Both("<question>", "<问题>"), most=2000),),
    _ask,
)
