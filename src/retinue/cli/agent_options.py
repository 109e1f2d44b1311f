"""What people may say of an agent at the terminal, and the limits that come of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

#: What `AgentLimits` of the API takes.
_CYCLES, _SECONDS, _TOKENS, _DOLLARS = 1000, 86_400, 100_000_000, 1_000_000

OutputOption = Annotated[Path | None, typer.Option(help="A folder for its files; none is written without it.")]
CyclesOption = Annotated[int | None, typer.Option(help="The most commands that it does in all.", min=1, max=_CYCLES)]
SecondsOption = Annotated[
    int | None, typer.Option(help="The most seconds that it works; waiting does not count.", min=1, max=_SECONDS)
]
TokensOption = Annotated[int | None, typer.Option(help="The most tokens that its model takes.", min=1, max=_TOKENS)]
CostOption = Annotated[float | None, typer.Option(help="The most dollars that it costs.", max=_DOLLARS)]


def limits_of(cycles: int | None, seconds: int | None, tokens: int | None, cost: float | None) -> dict[str, Any]:
    """The limits that were given, as the API takes them. Raises `typer.BadParameter`."""
    if cost is not None and not cost > 0:
        raise typer.BadParameter("Give more than 0 dollars.", param_hint="--cost")
    given = {"cycles": cycles, "seconds": seconds, "tokens": tokens, "cost": cost}
    return {name: value for name, value in given.items() if value is not None}
