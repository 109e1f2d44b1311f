"""Tools as the model sees them: functions, whoever runs them."""

from __future__ import annotations

from typing import Any

from ..inference.chat import Json
from ..wire.runs import Run
from ..wire.tools import FunctionTool, NamedToolChoice
from .tool import Offered


def definitions(run: Run, offered: Offered) -> list[Json]:
    """All tools of a run, as chat completions take them: the client's functions, then those that Retinue runs."""
    own = [tool.model_dump() for tool in run.tools if isinstance(tool, FunctionTool)]
    return [*own, *(function.told for function in offered.values())]


def choice(run: Run, offered: Offered, *, called: bool) -> str | dict[str, Any]:
    """A run's `tool_choice`, as chat completions take it.

    Args:
        run: the run.
        offered: the functions of the run that Retinue runs itself.
        called: whether the run has called tools already. What must be called is called once: else no run would end.
    """
    wanted = run.tool_choice
    if wanted == "auto" and not called and not any(isinstance(tool, FunctionTool) for tool in run.tools):
        names = list(offered)
        return _named(names[0]) if len(names) == 1 and offered[names[0]].first else "auto"
    if wanted == "none" or not called:
        if not isinstance(wanted, NamedToolChoice):
            return wanted
        if wanted.function:
            return wanted.model_dump()
        for name, function in offered.items():
            if function.type == wanted.type:
                return _named(name)
    return "auto"


def _named(name: str) -> Json:
    return {"type": "function", "function": {"name": name}}
