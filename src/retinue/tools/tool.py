"""What a tool is that Retinue runs itself, and which functions of them a run has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Protocol

import structlog

from ..accounts.keys import Caller
from ..errors import ApiError
from ..inference.chat import Json
from ..wire.runs import Run
from ..wire.steps import CallConsent, FunctionCallResult, FunctionToolCall, ToolCall
from ..wire.tools import FunctionTool
from .relevance import Topic, chosen

log = structlog.get_logger(__name__)

#: The functions that a run has of tools that Retinue runs itself, by the name under which the model calls them.
Offered = Mapping[str, "ServerFunction"]


@dataclass(frozen=True, slots=True)
class Scope:
    """For what a tool works.

    Attributes:
        caller: who it is for: a project, and one of its runs.
        run: the run.
        number: of the call, among all tool calls of the run, from 0.
        room: tokens that what the model is told may have.
    """

    caller: Caller
    run: Run
    number: int
    room: int

    @property
    def project(self) -> str:
        """The run's project."""
        return self.caller.project


@dataclass(frozen=True, slots=True)
class Served:
    """What came of a call.

    Attributes:
        call: the call as its step shows it, whole; of a function call, without its output.
        output: what the model reads of it.
        files: ids of files that it has read or written, by the path under which an answer may link to them.
        addresses: of the web that were read: an answer that rests on them names them.
        pictures: ids of files that the user is shown with the next message.
        failed: whether it did not work, so that the model should try in another way.
    """

    call: ToolCall
    output: str
    _: KW_ONLY
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    addresses: Sequence[str] = ()
    pictures: Sequence[str] = ()
    failed: bool = False


class Told(Protocol):
    """For what a tool's answer is told: a `Scope`, or a `Trial`."""

    @property
    def project(self) -> str:
        """Whose the files of the answer are."""
        ...

    @property
    def number(self) -> int:
        """See `Scope`."""
        ...

    @property
    def room(self) -> int:
        """See `Scope`."""
        ...


@dataclass(frozen=True, slots=True)
class Trial:
    """A call that a person makes to see what comes, without a run. Attributes as of `Scope`."""

    project: str
    room: int
    number: int = 0


#: Shows a call as it stands.
Report = Callable[[ToolCall], None]


@dataclass(frozen=True, slots=True)
class ServerFunction:
    """A function that the model may call and Retinue runs.

    Attributes:
        type: of its tool.
        name: what the model calls it.
        definition: ``{"description", "parameters"}``.
        serve: does what the model asked for, within a time limit of its own; cancelling it stops the work. It is given
            for whom, the call as `show` made it, the arguments, which nobody has checked, and a function to be called
            with the call as it stands whenever there is more to show. Raises `ApiError` where it cannot be done: the
            model is told why.
        shown: from a call's id and its arguments, as far as the model has written them, to the call as its step shows
            it. None: as a function call, with its output.
        consent: what a person must allow before it is called; None: nothing.
        optional: whether it may be left out where there are too many and the question is about others.
        first: whether a run that has this function alone begins with a call of it, unless its client says otherwise.
    """

    type: str
    name: str
    definition: Json
    serve: Callable[[Scope, Any, Json, Report], Awaitable[Served]]
    shown: Callable[[str, str], ToolCall] | None = None
    consent: CallConsent | None = None
    optional: bool = False
    first: bool = False

    def show(self, identifier: str, arguments: str) -> ToolCall:
        """A call as its step shows it while it comes in and before it is run."""
        if self.shown:
            return self.shown(identifier, arguments)
        return FunctionToolCall(id=identifier, function=FunctionCallResult(name=self.name, arguments=arguments))

    @property
    def told(self) -> Json:
        """The function as chat completions take it."""
        return {"type": "function", "function": {"name": self.name, **self.definition}}


class ServerTool(Protocol):
    """A tool that Retinue runs itself."""

    @property
    def type(self) -> str:
        """What assistants call it in their `tools`."""
        ...

    async def functions(self, project: str, run: Run, wanted: Any) -> Sequence[ServerFunction]:
        """What the model may call.

        Args:
            project: the run's project.
            run: the run.
            wanted: the tool as the run has it, with its options.

        Raises:
            ApiError: it cannot be had now; the run goes on without it.
        """
        ...


class Toolbox:
    """The tools that Retinue runs itself."""

    def __init__(self, tools: Sequence[ServerTool] = ()) -> None:
        self._tools = {tool.type: tool for tool in tools}

    async def offered(self, project: str, run: Run, room: int, topic: Topic) -> Offered:
        """The functions that a run has, each under a name that no function of the client has.

        Args:
            project: the run's project.
            run: the run.
            room: tokens that their definitions may have together; those that fit the topic least are left out then.
            topic: tells what the user asks about.
        """
        functions: list[ServerFunction] = []
        for wanted in run.tools:
            if tool := self._tools.get(wanted.type):
                try:
                    functions += await tool.functions(project, run, wanted)
                except ApiError as error:
                    log.warning("a run goes on without a tool", tool=tool.type, run=run.id, error=error.message)
        taken = {tool.function.name for tool in run.tools if isinstance(tool, FunctionTool)}
        offered: dict[str, ServerFunction] = {}
        for function in await chosen(functions, room, topic):
            name = function.name
            while name in taken or name in offered:
                name += "_"
            offered[name] = function if name == function.name else replace(function, name=name)
        return offered
