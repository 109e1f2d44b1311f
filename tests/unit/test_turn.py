"""One answer of a model, as it becomes a message and tool calls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.errors import ModelError
from retinue.inference.chat import Json, ToolCallDelta
from retinue.runs.citations import Sources
from retinue.runs.replay import Replay
from retinue.runs.turn import Turn
from retinue.store.runs import RunView
from retinue.wire.common import WireObject
from retinue.wire.messages import (
    ImageFile,
    ImageFileContent,
    Message,
    MessageDelta,
    TextContent,
    TextDelta,
    TextDeltaContent,
)
from retinue.wire.runs import CompletionUsage, Run
from retinue.wire.steps import (
    FileSearchCall,
    FileSearchResult,
    FileSearchToolCall,
    ResultText,
    RunStep,
    ServedCall,
    ToolCallsDetails,
)

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
    """The text, which a message with pictures may lack: marks of nothing are taken out."""
    texts = [part for part in message.content if not isinstance(part, ImageFileContent)]
    if not texts and message.content:
        return ""
    (part,) = texts
    assert isinstance(part, TextContent)
    return part.text.value


def texts_of(events: list[tuple[str, WireObject]]) -> list[TextDelta]:
    """What the deltas bring of the text."""
    parts = [data.delta.content[0] for _, data in events if isinstance(data, MessageDelta)]
    return [part.text for part in parts if isinstance(part, TextDeltaContent)]


@given(st.lists(st.text(min_size=1), min_size=1, max_size=10))
def test_deltas_add_up_to_the_message(pieces: list[str]) -> None:
    sink = Sink()
    turn = Turn(RUN, sink, {}, Sources([]))
    for piece in pieces:
        turn.add_text(piece)
    turn.complete(USAGE)
    (new,) = turn.new_messages()
    texts = texts_of(sink.events)
    deltas = [text.value for text in texts]
    assert [text.annotations for text in texts] == [[]] + [None] * (len(pieces) - 1)
    assert text_of(new.message) == "".join(deltas) == "".join(pieces).replace("\x00", "\ufffd")
    assert new.message.status == "completed"
    assert new.tokens >= 1
    assert [step.usage for step in turn.steps] == [USAGE]
    assert turn.ask_client() is None


PIECES = st.sampled_from(
    ["【0:0", "†x】", "【9:9】", "[0:0†", "]", " ", "\n", "Voles eat grass.", "s", "sandbox:/mnt/data/a", "。"]
)


PICTURES = [ImageFileContent(type="image_file", image_file=ImageFile(file_id=f"file-{number}")) for number in range(2)]


@given(
    st.lists(PIECES | st.text(min_size=1, max_size=3), min_size=1, max_size=12),
    st.booleans(),
    st.sampled_from([[], PICTURES]),
)
def test_citations_come_with_their_text_live_and_later(
    pieces: list[str], cut: bool, pictures: list[ImageFileContent]
) -> None:
    sink = Sink()
    turn = Turn(RUN, sink, {}, Sources([searched("Voles eat grass.")]), pictures)
    known: list[tuple[str, str, list[Json]]] = []
    for piece in pieces:
        turn.add_text(piece)
        known.append(read(replayed(turn)))
    if cut:
        turn.cut_off("max_tokens", USAGE)
    else:
        turn.complete(USAGE)
    whole = text_of(turn.new_messages()[0].message), annotations_of(turn.new_messages()[0].message)
    assert read(sink.events)[1:] == whole
    for last, value, told in known:
        _, rest, further = read(replayed(turn, after=last))
        assert (value + rest, told + further) == whole


def searched(passage: str) -> RunStep:
    result = FileSearchResult(file_id="file-1", file_name="a", score=1, content=[ResultText(text=passage)])
    call = FileSearchToolCall(id="call_1", file_search=FileSearchCall(results=[result]))
    written = ServedCall(name="code_interpreter", arguments="", files={"/mnt/data/a": "file-2"})
    return RunStep(
        id="step_0",
        created_at=1,
        assistant_id="asst_1",
        thread_id="thread_1",
        run_id="run_1",
        type="tool_calls",
        status="completed",
        step_details=ToolCallsDetails(tool_calls=[call]),
        served={"call_1": written},
    )


def replayed(turn: Turn, after: str | None = None) -> list[tuple[str, WireObject]]:
    """The events that a reader gets of what has been written, each under its id."""
    messages = {new.message.id: new.message for new in turn.new_messages()}
    view = RunView(RUN.model_copy(update={"started_at": 1}), turn.steps, messages)
    return [(event.id, event.data.model_copy(deep=True)) for event in Replay(after).advance(view)]


def read(events: list[tuple[str, WireObject]]) -> tuple[str, str, list[Json]]:
    """The last id, the text and the annotations of some events."""
    texts = texts_of(events)
    annotations = [one.model_dump(exclude={"index"}) for text in texts for one in text.annotations or ()]
    return events[-1][0] if events else "", "".join(text.value for text in texts), annotations


def annotations_of(message: Message) -> list[Json]:
    texts = [part.text for part in message.content if isinstance(part, TextContent)]
    return [one.model_dump() for text in texts for one in text.annotations]


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
