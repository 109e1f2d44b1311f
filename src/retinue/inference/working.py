"""The inside of a `Worker`'s process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .frames import Frame, read
from .local.child import live_under


def work(load: Callable[[dict[str, Any]], Callable[[Frame], Frame]]) -> None:
    """Answer questions until killed, or until the parent ends.

    Args:
        load: from the configuration, makes what answers; an error in it ends the process with status 1.
    """
    first = read(sys.stdin.buffer)
    if first is None:
        return
    live_under(first.head.pop("parent"))
    step_back(first.head.pop("nice"))
    # What libraries print must not come between the frames.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    answer = load(first.head)
    reply: Frame = Frame({"ready": True})
    while True:
        answers.write(reply.encoded())
        answers.flush()
        question = read(sys.stdin.buffer)
        if question is None:
            return
        reply = answer(question)


def step_back(nice: int) -> None:
    """Let other processes come before this one, which leads its session and has no threads yet.

    Args:
        nice: by how much, 0 to 19.
    """
    if not nice:
        return
    os.nice(nice)
    # Where the kernel groups processes by session, it weighs the groups, and this process is its group: sched(7).
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice))
