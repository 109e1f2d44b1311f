"""What agents do at this moment, told in a terminal's last lines."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from .common import console

#: Redrawn so often in a second, so that it is seen to go on.
_REDRAWN = 8
#: Agents that are told of: the first one, and those that it has started.
_MOST = 8


@dataclass(frozen=True, slots=True)
class Doing:
    """An agent, and what it does.

    Attributes:
        agent: its id.
        said: name and doing, for people.
        cycle: the number of its newest cycle: with another one it does something new.
    """

    agent: str
    said: str
    cycle: int


class LastLines:
    """A terminal's last lines, below all that is printed meanwhile; none where output is no terminal."""

    def __init__(self) -> None:
        """Shows nothing until it is entered."""
        self._doing: dict[Doing, tuple[Spinner, float]] = {}
        self._sum, self._begun = "", time.monotonic()
        redrawn = Live(get_renderable=self._lines, console=console, transient=True, refresh_per_second=_REDRAWN)
        self._live = redrawn if console.is_terminal else None

    def __enter__(self) -> LastLines:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    @contextmanager
    def aside(self) -> Generator[None]:
        """Leave the last line to a person who is asked something."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    def show(self, agent: dict[str, Any], doing: Sequence[Doing]) -> None:
        """Tell of these from now on, and what the first of all agents has taken."""
        now = time.monotonic()
        fresh = {one: self._doing.get(one) or (Spinner("dots"), now) for one in doing[:_MOST]}
        self._doing = fresh
        tokens, cost = agent["usage"]["total_tokens"], agent["cost"]["value"]
        self._sum = f"{agent['cycles']} cycles, {tokens:,} tokens, ${cost:.4f}"

    def _lines(self) -> Group:
        now = time.monotonic()
        lines: list[Any] = []
        # It is drawn by another thread.
        for one, (spinner, since) in tuple(self._doing.items()):
            spinner.update(text=Text(f"{one.said} · {_clock(now - since)}"), style="cyan")
            lines.append(spinner)
        return Group(*lines, Text(f"{self._sum} · {_clock(now - self._begun)}" if self._sum else "", style="dim"))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"
