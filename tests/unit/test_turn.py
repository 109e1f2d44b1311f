"""One answer of a model, as it becomes a message and tool calls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.errors import ModelError
from retinue.inference.chat import ToolCallDelta
from retinue.runs.citations import Sources
from retinue.runs.turn import Turn
from retinue.wire.common import WireObject
from retinue.wire.messages import Message, MessageDelta, TextContent
from retinue.wire.runs import CompletionUsage, Run
from retinue.wire.steps import ToolCallsDetails

RUN = Run(
    id="run_1",
    created_at=1,
    thread_id="thread_1",
    assistant_id="asst_1",
    status="in_progress",
    model="m",
    instructions="",
)
USAGE = CompletionUsage(prompt_tokens=1, completion_tokens=2, total_tokens=3)


class Sink:
    """Keeps the events."""

    def __init__(self, heard: bool = True) -> None:
        self.heard = heard
        self.events: list[tuple[str, WireObject]] = []

    def emit(self, name: str, data: WireObject, at: str) -> None:
        self.events.append((name, data.model_copy(deep=True)))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]


def text_of(message: Message) -> str:
    (part,) = message.content
    assert isinstance(part, TextContent)
    return part.text.value


@given(st.lists(st.text(min_size=1), min_size=1, max_size=10))
def test_deltas_add_up_to_the_message(pieces: list[str]) -> None:
    sink = Sink()
    turn = Turn(RUN, sink, {}, Sources([]))
    for piece in pieces:
        turn.add_text(piece)
    turn.complete(USAGE)
    (new,) = turn.new_messages()
    texts = [data.delta.content[0].text for _, data in sink.events if isinstance(data, MessageDelta)]
    deltas = [text.value for text in texts]
    assert [text.annotations for text in texts] == [[]] + [None] * (len(pieces) - 1)
    assert text_of(new.message) == "".join(deltas) == "".join(pieces).replace("\x00", "\ufffd")
    assert new.message.status == "completed"
    assert new.tokens >= 1
    assert [step.usage for step in turn.steps] == [USAGE]
    assert turn.ask_client() is None


def test_nothing_said_is_an_empty_message() -> None:
    turn = Turn(RUN, Sink(), {}, Sources([]))
    assert not turn.begun
    turn.complete(USAGE)
    (new,) = turn.new_messages()
    assert (text_of(new.message), new.message.status) == ("", "completed")


def test_calls_are_put_together_by_index() -> None:
    sink = Sink()
    turn = Turn(RUN, sink, {}, Sources([]))
    turn.add_call(ToolCallDelta(0, "call_a", "f", '{"a"'))
    turn.add_call(ToolCallDelta(0, arguments=": 1}"))
    turn.add_call(ToolCallDelta(1, None, "g"))
    turn.add_call(ToolCallDelta(1, arguments="{}"))
    turn.complete(USAGE)
    action = turn.ask_client()
    assert action is not None
    first, second = action.submit_tool_outputs.tool_calls
    assert (first.id, first.function.name, first.function.arguments) == ("call_a", "f", '{"a": 1}')
    assert (second.function.name, second.function.arguments) == ("g", "{}")
    assert second.id.startswith("call_")
    (step,) = turn.steps
    assert isinstance(step.step_details, ToolCallsDetails)
    assert [call.id for call in step.step_details.tool_calls] == [first.id, second.id]
    assert sink.names == ["thread.run.step.created", "thread.run.step.in_progress", *["thread.run.step.delta"] * 4]


@pytest.mark.parametrize("index", [1, 5, -1])
def test_calls_out_of_order_are_refused(index: int) -> None:
    with pytest.raises(ModelError, match="out of order"):
        Turn(RUN, Sink(), {}, Sources([])).add_call(ToolCallDelta(index, "call_a", "f"))


def test_what_was_begun_is_stopped_with_the_run() -> None:
    sink = Sink()
    turn = Turn(RUN, sink, {}, Sources([]))
    turn.add_text("half")
    turn.stop("failed", "run_failed", ModelError("broke", run_code="rate_limit_exceeded"))
    turn.emit_end()
    turn.emit_end()
    assert sink.names[-2:] == ["thread.message.incomplete", "thread.run.step.failed"]
    assert len(sink.names) == 7
    (step,) = turn.steps
    assert step.last_error is not None
    assert (step.last_error.code, step.last_error.message) == ("rate_limit_exceeded", "broke")
    (new,) = turn.new_messages()
    assert new.message.incomplete_details is not None
    assert (text_of(new.message), new.message.incomplete_details.reason) == ("half", "run_failed")


def test_a_finished_message_stays_finished_when_the_run_stops() -> None:
    turn = Turn(RUN, Sink(), {}, Sources([]))
    turn.add_text("One moment.")
    turn.close_message()
    turn.add_call(ToolCallDelta(0, "call_a", "f"))
    turn.stop("cancelled", "run_cancelled")
    assert [step.status for step in turn.steps] == ["completed", "cancelled"]
    assert turn.new_messages()[0].message.status == "completed"


def test_what_nobody_hears_is_not_made() -> None:
    sink = Sink(heard=False)
    turn = Turn(RUN, sink, {}, Sources([]))
    turn.add_text("a")
    turn.add_call(ToolCallDelta(0, "call_a", "f"))
    turn.emit_end()
    assert not [name for name in sink.names if name.endswith((".delta", ".completed"))]
