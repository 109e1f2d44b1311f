"""`function` tools: the model asks, the client runs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..inference.chat import Json
from ..wire.tools import FunctionTool, NamedToolChoice, Tool, ToolChoice


def definitions(tools: Sequence[Tool]) -> list[Json]:
    """The function tools among `tools`, as chat completions take them."""
    return [tool.model_dump() for tool in tools if isinstance(tool, FunctionTool)]


def choice(wanted: ToolChoice) -> str | dict[str, Any]:
    """A run's `tool_choice`, as chat completions take it. Tools that are no functions are the engine's own affair."""
    if isinstance(wanted, NamedToolChoice):
        return wanted.model_dump() if wanted.function else "auto"
    return wanted
