"""The tool calls of one answer of the model: whose they are, what is shown of them, what came of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import ModelError
from ..inference.chat import ToolCallDelta
from ..store.ids import new_id
from ..tools.tool import Offered, Served, ServerTool
from ..wire.steps import FunctionCallResult, FunctionToolCall, ServedCall, ToolCall


def storable(text: str) -> str:
    """What a model's server sent, without the one character that PostgreSQL does not keep: NUL."""
    return text.replace("\x00", "\ufffd")


@dataclass(frozen=True, slots=True)
class Pending:
    """A call that Retinue is to run."""

    #: Position among the answer's calls.
    index: int
    tool: ServerTool
    call: ToolCall
    #: JSON text, as the model wrote it.
    arguments: str


class Calls:
    """The calls of one answer, by their position in it."""

    def __init__(self, offered: Offered) -> None:
        """`offered`: the tools that Retinue runs itself; all other calls are the client's."""
        self._offered = offered
        self._tools: dict[int, ServerTool] = {}
        self._calls: list[ToolCall] = []
        #: What passed between the model and the tools that Retinue runs, by the call's id.
        self.served: dict[str, ServedCall] = {}

    @property
    def all(self) -> list[ToolCall]:
        """The calls as their step shows them."""
        return list(self._calls)

    @property
    def of_client(self) -> list[FunctionToolCall]:
        """The calls that the client is to answer."""
        return [call for call in self._calls if isinstance(call, FunctionToolCall)]

    def add(self, delta: ToolCallDelta) -> ToolCall:
        """Take a piece of a call; returns the call as it is then.

        Raises:
            ModelError: pieces come out of order.
        """
        arguments = storable(delta.arguments)
        if delta.index > len(self._calls) or delta.index < 0:
            raise ModelError("The model's server sent tool calls out of order.")
        if delta.index == len(self._calls):
            self._calls.append(self._begin(delta, arguments))
            return self._calls[-1]
        call = self._calls[delta.index]
        if tool := self._tools.get(delta.index):
            served = self.served[call.id]
            served.arguments += arguments
            call = self._calls[delta.index] = tool.shown(call.id, served.arguments)
        elif isinstance(call, FunctionToolCall):
            call.function.arguments += arguments
        return call

    def pending(self) -> Iterator[Pending]:
        """The calls that Retinue is to run."""
        for index, tool in self._tools.items():
            call = self._calls[index]
            yield Pending(index, tool, call, self.served[call.id].arguments)

    def update(self, index: int, call: ToolCall) -> None:
        """Show a call that Retinue runs as it is now."""
        self._calls[index] = call

    def finish(self, index: int, done: Served) -> None:
        """Keep what came of a call that Retinue has run."""
        self._calls[index] = done.call
        served = self.served[done.call.id]
        served.output = storable(done.output)
        served.files = dict(done.files)
        served.failed = done.failed

    def _begin(self, delta: ToolCallDelta, arguments: str) -> ToolCall:
        identifier, name = self._identifier(delta.id), storable(delta.name or "")
        tool = self._offered.get(name)
        if tool is None:
            return FunctionToolCall(id=identifier, function=FunctionCallResult(name=name, arguments=arguments))
        self._tools[delta.index] = tool
        self.served[identifier] = ServedCall(name=name, arguments=arguments)
        return tool.shown(identifier, arguments)

    def _identifier(self, given: str | None) -> str:
        """The id that the model's server gave, unless it gave none or gave another call the same."""
        identifier = storable(given or "")
        taken = any(call.id == identifier for call in self._calls)
        return new_id("call_") if taken or not identifier else identifier
