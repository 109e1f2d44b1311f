"""Tools as the model sees them: functions, whoever runs them."""

from __future__ import annotations

from typing import Any

from ..inference.chat import Json
from ..wire.runs import Run
from ..wire.tools import FunctionTool, NamedToolChoice
from .tool import Offered


async def definitions(project: str, run: Run, offered: Offered) -> list[Json]:
    """All tools of a run, as chat completions take them: the client's functions, then those that Retinue runs."""
    own = [tool.model_dump() for tool in run.tools if isinstance(tool, FunctionTool)]
    served = [
        {"type": "function", "function": {"name": name, **await tool.definition(project, run)}}
        for name, tool in offered.items()
    ]
    return [*own, *served]


def choice(run: Run, offered: Offered, *, called: bool) -> str | dict[str, Any]:
    """A run's `tool_choice`, as chat completions take it.

    Args:
        run: the run.
        offered: the tools of the run that Retinue runs itself.
        called: whether the run has called tools already. What must be called is called once: else no run would end.
    """
    wanted = run.tool_choice
    if wanted == "none" or not called:
        if not isinstance(wanted, NamedToolChoice):
            return wanted
        if wanted.function:
            return wanted.model_dump()
        for name, tool in offered.items():
            if tool.type == wanted.type:
                return {"type": "function", "function": {"name": name}}
    return "auto"
