"""What a tool is that Retinue runs itself, and which of them a run has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..inference.chat import Json
from ..wire.runs import Run
from ..wire.steps import ToolCall
from ..wire.tools import FunctionTool

#: The name under which the model calls each tool of a run.
Offered = Mapping[str, "ServerTool"]


@dataclass(frozen=True, slots=True)
class Scope:
    """For what a tool works.

    Attributes:
        project: the project.
        run: its run.
        number: of the call, among all tool calls of the run, from 0.
        room: tokens that what the model is told may have.
    """

    project: str
    run: Run
    number: int
    room: int


@dataclass(frozen=True, slots=True)
class Served:
    """What came of a call.

    Attributes:
        call: the call as its step shows it, whole.
        output: what the model reads of it.
        files: ids of files that it has read or written, by the path under which an answer may link to them.
        failed: whether it did not work, so that the model should try in another way.
    """

    call: ToolCall
    output: str
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    failed: bool = False


class ServerTool(Protocol):
    """A tool that Retinue runs itself."""

    @property
    def type(self) -> str:
        """What assistants call it in their `tools`; the model is offered a function of this name."""
        ...

    async def definition(self, project: str, run: Run) -> Json:
        """What the model is told: ``{"description", "parameters"}`` of a function, for a run of this project."""
        ...

    def shown(self, identifier: str, arguments: str) -> ToolCall:
        """A call as its step shows it while it comes in and before it is run.

        Args:
            identifier: the call's id.
            arguments: JSON text as far as the model has written it.
        """
        ...

    async def serve(self, scope: Scope, call: ToolCall, arguments: Json, report: Callable[[ToolCall], None]) -> Served:
        """Do what the model asked for, within a time limit of its own. Cancelling it stops the work.

        Args:
            scope: for whom.
            call: what `shown` made of it.
            arguments: the arguments, which nobody has checked.
            report: to be called with the call as it stands, whenever there is more to show.

        Raises:
            ApiError: it cannot be done; the model is told why.
        """
        ...


class Toolbox:
    """The tools that Retinue runs itself."""

    def __init__(self, tools: Sequence[ServerTool] = ()) -> None:
        self._tools = {tool.type: tool for tool in tools}

    def offered(self, run: Run) -> Offered:
        """The ones that a run has, by the name under which the model calls them: no function of the client has it."""
        taken = {tool.function.name for tool in run.tools if isinstance(tool, FunctionTool)}
        offered: dict[str, ServerTool] = {}
        for wanted in run.tools:
            if tool := self._tools.get(wanted.type):
                name = tool.type
                while name in taken:
                    name += "_"
                offered[name] = tool
        return offered
