"""The tool calls of one answer of the model: whose they are, what is shown of them, what came of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..errors import ModelError
from ..inference.chat import ToolCallDelta
from ..store.ids import new_id
from ..tools.tool import Offered, Served, ServerFunction
from ..wire.steps import FunctionCallResult, FunctionToolCall, RunStep, ServedCall, ToolCall, ToolCallsDetails


def storable(text: str) -> str:
    """What a model's server sent, without the one character that PostgreSQL does not keep: NUL."""
    return text.replace("\x00", "\ufffd")


def of_client(calls: Sequence[ToolCall], served: Mapping[str, ServedCall]) -> list[FunctionToolCall]:
    """Those of a step's calls that the client was or is to answer.

    Args:
        calls: all of them.
        served: of the step.
    """
    functions = [call for call in calls if isinstance(call, FunctionToolCall)]
    return [call for call in functions if call.id not in served or served[call.id].consent]


#: Told of a call that was allowed and begun when its server died.
_UNKNOWN = "Error: the server stopped while this call was made. Whether it took effect is not known: find out first."


@dataclass(frozen=True, slots=True)
class Pending:
    """A call that Retinue is to run."""

    #: Position among the answer's calls.
    index: int
    #: None where it is no more among the run's tools.
    function: ServerFunction | None
    call: ToolCall
    #: JSON text, as the model wrote it.
    arguments: str


class Calls:
    """The calls of one answer, by their position in it."""

    def __init__(self, offered: Offered) -> None:
        """`offered`: the functions that Retinue runs itself; all other calls are the client's."""
        self._offered = offered
        self._functions: dict[int, ServerFunction] = {}
        self._calls: list[ToolCall] = []
        #: What passed between the model and the tools that Retinue runs, by the call's id.
        self.served: dict[str, ServedCall] = {}

    @classmethod
    def of(cls, step: RunStep, offered: Offered) -> Calls:
        """The calls of a step that is there already."""
        calls = cls(offered)
        calls._calls = list(step.step_details.tool_calls) if isinstance(step.step_details, ToolCallsDetails) else []
        calls.served = step.served
        return calls

    @property
    def all(self) -> list[ToolCall]:
        """The calls as their step shows them."""
        return list(self._calls)

    @property
    def of_client(self) -> list[FunctionToolCall]:
        """The calls that the client is to answer: those of its functions, and those that a person has to allow."""
        return of_client(self._calls, self.served)

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
        if function := self._functions.get(delta.index):
            served = self.served[call.id]
            served.arguments += arguments
            call = self._calls[delta.index] = function.show(call.id, served.arguments)
        elif isinstance(call, FunctionToolCall):
            call.function.arguments += arguments
        return call

    def pending(self) -> Iterator[Pending]:
        """The calls that Retinue is to run now: those that nobody has to allow first."""
        for index, function in self._functions.items():
            call = self._calls[index]
            if not self.served[call.id].consent:
                yield Pending(index, function, call, self.served[call.id].arguments)

    def allowed(self) -> Iterator[Pending]:
        """The calls that waited for a person, who has allowed them."""
        for index, call in enumerate(self._calls):
            served = self.served.get(call.id)
            if served and served.consent and served.consent.allowed and not served.consent.begun:
                yield Pending(index, self._offered.get(served.name), call, served.arguments)

    def begin_allowed(self) -> None:
        """The allowed calls are about to be made. Of what an earlier driver had begun nobody knows what came of it."""
        for index, call in enumerate(self._calls):
            served = self.served.get(call.id)
            if served and served.consent and served.consent.allowed:
                if served.consent.begun:
                    self.finish(index, Served(call, _UNKNOWN, failed=True))
                served.consent.begun = True

    def update(self, index: int, call: ToolCall) -> None:
        """Show a call that Retinue runs as it is now."""
        self._calls[index] = call

    def finish(self, index: int, done: Served) -> None:
        """Keep what came of a call that Retinue has run."""
        served = self.served[done.call.id]
        served.output = storable(done.output)
        if isinstance(done.call, FunctionToolCall):
            done.call.function.output = served.output
        self._calls[index] = done.call
        served.files = dict(done.files)
        served.addresses = list(done.addresses)
        served.pictures = list(done.pictures)
        served.failed = done.failed

    def _begin(self, delta: ToolCallDelta, arguments: str) -> ToolCall:
        identifier, name = self._identifier(delta.id), storable(delta.name or "")
        function = self._offered.get(name)
        if function is None:
            return FunctionToolCall(id=identifier, function=FunctionCallResult(name=name, arguments=arguments))
        self._functions[delta.index] = function
        consent = function.consent.model_copy() if function.consent else None
        self.served[identifier] = ServedCall(name=name, arguments=arguments, consent=consent)
        return function.show(identifier, arguments)

    def _identifier(self, given: str | None) -> str:
        """The id that the model's server gave, unless it gave none or gave another call the same."""
        identifier = storable(given or "")
        taken = any(call.id == identifier for call in self._calls)
        return new_id("call_") if taken or not identifier else identifier
