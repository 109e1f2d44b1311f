"""Version 1 as a view: what it sends comes back unchanged, and whatever version 2 holds shows in a valid shape."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.api.v1 import requests, views
from retinue.api.v1.quotes import Quotes
from retinue.runs import compose
from retinue.wire import v1
from retinue.wire.assistants import Assistant
from retinue.wire.common import TextFormat, WireObject, to_json
from retinue.wire.events import EVENT_NAMES, ErrorDetail, EventName
from retinue.wire.messages import (
    AnnotationDelta,
    Attachment,
    Citation,
    FileCitation,
    FileCitationDelta,
    FilePath,
    FilePathDelta,
    Message,
    MessageDelta,
    MessageDeltaBody,
    RefusalContent,
    Text,
    TextContent,
    TextDelta,
    TextDeltaContent,
)
from retinue.wire.runs import Run, RunStatus
from retinue.wire.steps import RunStep, RunStepDelta, ToolCallsDetails
from retinue.wire.threads import Thread
from tests.contract.spec import event_pointers, validate, validate_event

Json = dict[str, Any]

words = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)
files = st.lists(st.from_regex(r"file-[a-z0-9]{6}", fullmatch=True), max_size=10, unique=True)
metadata = st.dictionaries(words, words, max_size=3)
functions = st.fixed_dictionaries(
    {"name": names}, optional={"description": words, "parameters": st.dictionaries(words, words, max_size=2)}
)
tools = st.one_of(
    st.sampled_from([{"type": "code_interpreter"}, {"type": "retrieval"}]),
    functions.map(lambda function: {"type": "function", "function": function}),
)
tool_lists = st.lists(tools, max_size=5, unique_by=lambda tool: tool.get("function", tool).get("name"))
formats = st.sampled_from(["auto", {"type": "text"}, {"type": "json_object"}])
choices = st.one_of(
    st.sampled_from(["none", "auto", {"type": "code_interpreter"}, {"type": "retrieval"}]),
    names.map(lambda name: {"type": "function", "function": {"name": name}}),
)
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant"]), "content": words},
    optional={"file_ids": files, "metadata": metadata},
)
assistants = st.fixed_dictionaries(
    {"model": words},
    optional={
        "name": words,
        "description": words,
        "instructions": words,
        "tools": tool_lists,
        "file_ids": files,
        "metadata": metadata,
    },
)


def shown(value: WireObject) -> Json:
    """An object as the wire carries it."""
    return json.loads(to_json(value))


def agree(sent: Json, answered: Json) -> None:
    """Whether every field that was sent is answered as it was sent."""
    assert {name: answered[name] for name in sent} == sent


# --- there and back


@given(assistants)
def test_an_assistant_comes_back_as_it_was_sent(sent: Json):
    stored = compose.assistant(requests.assistant_create(v1.AssistantCreate(**sent)))
    answered = shown(views.assistant(stored, sent.get("file_ids", [])))
    agree(sent, answered)
    validate("AssistantObject", answered, version="v1")


@given(assistants, st.sampled_from(["name", "tools", "metadata"]))
def test_a_modification_changes_what_was_sent_and_nothing_else(sent: Json, left_out: str):
    body = v1.AssistantModify(**{name: value for name, value in sent.items() if name != left_out})
    assert requests.assistant_modify(body).model_fields_set == body.model_fields_set - {"file_ids"}


@given(messages)
def test_a_message_comes_back_as_it_was_sent(sent: Json):
    stored = compose.message("thread_1", requests.message_create(v1.MessageCreate(**sent))).message
    answered = shown(views.message(stored))
    agree({**sent, "content": [{"type": "text", "text": {"value": sent["content"], "annotations": []}}]}, answered)
    assert answered["file_ids"] == sent.get("file_ids", [])
    validate("MessageObject", answered, version="v1")
    kinds = {tool.type for attachment in stored.attachments or () for tool in attachment.tools}
    assert kinds == ({"code_interpreter", "file_search"} if sent.get("file_ids") else set())


@given(st.lists(messages, max_size=3), metadata)
def test_a_thread_comes_back_as_it_was_sent(sent: list[Json], pairs: dict[str, str]):
    body = v1.ThreadCreate(messages=[v1.MessageCreate(**one) for one in sent], metadata=pairs)
    thread, kept = compose.thread(requests.thread_create(body))
    agree({"metadata": pairs}, shown(views.thread(thread)))
    validate("ThreadObject", shown(views.thread(thread)), version="v1")
    assert [shown(views.message(one.message))["file_ids"] for one in kept] == [one.get("file_ids", []) for one in sent]


@given(
    st.fixed_dictionaries(
        {"assistant_id": st.just("asst_1")},
        optional={
            "model": st.just("m"),
            "instructions": words,
            "tools": tool_lists,
            "metadata": metadata,
            "temperature": st.floats(0, 2),
            "top_p": st.floats(0, 1),
            "max_prompt_tokens": st.integers(256, 10_000),
            "max_completion_tokens": st.integers(256, 10_000),
            "truncation_strategy": st.just({"type": "last_messages", "last_messages": 3}),
            "response_format": formats,
        },
    ),
    files,
)
def test_a_run_comes_back_as_it_was_sent(sent: Json, file_ids: list[str]):
    of = Assistant(id="asst_1", created_at=1, model="m")
    stored = compose.run(requests.run_create(v1.RunCreate(**sent)), "thread_1", of, "m", 600)
    answered = shown(views.run(stored, file_ids))
    agree({**sent, "file_ids": file_ids}, answered)
    validate("RunObject", answered, version="v1")


@given(choices, formats)
def test_choices_and_formats_come_back_as_they_were_sent(choice: Any, wanted: Any):
    body = v1.RunCreate(assistant_id="a", tool_choice=choice, response_format=wanted)
    stored = requests.run_create(body)
    assert stored.tool_choice
    assert stored.response_format
    assert views.tool_choice(stored.tool_choice) == body.tool_choice
    assert views.response_format(stored.response_format) == body.response_format


def test_the_format_none_counts_as_auto_and_one_without_type_as_text():
    assert requests.response_format("none") == "auto"
    assert requests.response_format(v1.ResponseFormatObject()) == TextFormat(type="text")


@given(messages, metadata)
def test_a_thread_with_a_run_is_the_thread_and_the_run(sent: Json, pairs: dict[str, str]):
    body = v1.ThreadAndRunCreate(
        assistant_id="a", metadata=pairs, thread=v1.ThreadCreate(messages=[v1.MessageCreate(**sent)])
    )
    made = requests.thread_and_run_create(body)
    assert made.thread
    assert made.thread.messages == [requests.message_create(v1.MessageCreate(**sent))]
    assert made.metadata == pairs


def test_messages_that_come_with_a_run_are_messages():
    sent = v1.MessageCreate(role="user", content="Hi", file_ids=["file-1"])
    made = requests.run_create(v1.RunCreate(assistant_id="a", additional_messages=[sent]))
    assert made.additional_messages == [requests.message_create(sent)]
    assert requests.run_create(v1.RunCreate(assistant_id="a")).additional_messages is None


# --- what version 1 has no place for

ATTACHMENTS = [Attachment.model_validate({"file_id": f"file-{number}", "tools": []}) for number in range(12)]
PATH = FilePath(text="a.csv", file_path=Citation(file_id="file-made"), start_index=0, end_index=5)
CITATION = FileCitation(text="[1]", file_citation=Citation(file_id="file-1"), start_index=5, end_index=8)


def message(*content: Any, **fields: Any) -> Message:
    return Message.model_validate(
        {"id": "msg_1", "created_at": 1, "thread_id": "thread_1", "role": "assistant", "content": content, **fields}
    )


def run(**fields: Any) -> Run:
    base = {"id": "run_1", "created_at": 1, "thread_id": "thread_1", "assistant_id": "asst_1", "model": "m"}
    return Run.model_validate({**base, "status": "completed", "instructions": "", **fields})


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}, "[image https://a.example/b.png]"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, "[image]"),
        (RefusalContent(refusal="No."), "No."),
    ],
)
def test_parts_that_version_1_lacks_show_as_text(part: Any, text: str):
    answered = shown(views.message(message(part)))
    assert answered["content"] == [{"type": "text", "text": {"value": text, "annotations": []}}]
    validate("MessageObject", answered, version="v1")


def test_a_message_shows_its_attachments_and_what_its_text_and_pictures_name_each_once():
    picture = {"type": "image_file", "image_file": {"file_id": "file-drawn", "detail": "high"}}
    content = [TextContent(text=Text(value="a.csv[1]", annotations=[PATH, CITATION])), picture, picture]
    answered = shown(views.message(message(*content, attachments=ATTACHMENTS[:2])))
    assert answered["file_ids"] == ["file-0", "file-1", "file-made", "file-drawn"]
    assert answered["content"][0]["text"]["annotations"][1]["file_citation"] == {"file_id": "file-1", "quote": ""}
    assert answered["content"][1]["image_file"] == {"file_id": "file-drawn"}
    validate("MessageObject", answered, version="v1")


def test_no_more_files_show_than_version_1_allows():
    answered = shown(views.message(message(attachments=ATTACHMENTS)))
    assert len(answered["file_ids"]) == 10
    validate("MessageObject", answered, version="v1")
    many = [f"file-{number}" for number in range(30)]
    stored = Assistant(id="asst_1", created_at=1, model="m")
    assert views.assistant(stored, many).file_ids == many[:20]
    assert views.run(run(), many).file_ids == many[:20]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"tool_choice": "required"}, {"tool_choice": "auto"}),
        ({"tool_choice": {"type": "file_search"}}, {"tool_choice": {"type": "retrieval"}}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}},
            {"response_format": {"type": "json_object"}},
        ),
        (
            {"tools": [{"type": "file_search", "file_search": {"max_num_results": 3}}]},
            {"tools": [{"type": "retrieval"}]},
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]},
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_completion_tokens"}},
            {"status": "completed", "incomplete_details": {"reason": "max_completion_tokens"}},
        ),
        ({"reasoning_effort": "low", "parallel_tool_calls": False}, {}),
    ],
)
def test_options_that_version_1_lacks_show_in_the_nearest_way(fields: Json, expected: Json):
    answered = shown(views.run(run(**fields), []))
    agree(expected, answered)
    validate("RunObject", answered, version="v1")


@pytest.mark.parametrize("status", get_args(RunStatus))
def test_every_status_of_a_run_shows(status: str):
    validate("RunObject", shown(views.run(run(status=status), ["file-1"])), version="v1")


CODE = {"input": "1", "outputs": [{"type": "logs", "logs": "1"}, {"type": "image", "image": {"file_id": "file-1"}}]}
FOUND = {"results": [{"file_id": "file-1", "file_name": "a", "score": 0.5, "content": [{"type": "text", "text": "t"}]}]}
CALLS: list[Json] = [
    {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}", "output": None}},
    {"id": "call_2", "type": "code_interpreter", "code_interpreter": CODE},
    {"id": "call_3", "type": "file_search", "file_search": FOUND},
]
STEP = RunStep.model_validate(
    {
        "id": "step_1",
        "created_at": 1,
        "assistant_id": "asst_1",
        "thread_id": "thread_1",
        "run_id": "run_1",
        "type": "tool_calls",
        "status": "completed",
        "step_details": {"type": "tool_calls", "tool_calls": CALLS},
    }
)
STEP_DELTA = RunStepDelta.model_validate(
    {
        "id": "step_1",
        "delta": {
            "step_details": {
                "tool_calls": [
                    {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}},
                    {
                        "index": 1,
                        "id": "call_2",
                        "type": "code_interpreter",
                        "code_interpreter": {"outputs": [{"index": 0, "type": "logs", "logs": "1"}]},
                    },
                    {"index": 2, "id": "call_3", "type": "file_search", "file_search": FOUND},
                ]
            }
        },
    }
)


def test_calls_of_file_search_are_calls_of_retrieval():
    answered = shown(views.run_step(STEP))
    details = answered["step_details"]
    assert details["tool_calls"] == [*CALLS[:2], {"id": "call_3", "type": "retrieval", "retrieval": {}}]
    validate("RunStepObject", answered, version="v1")


def test_citations_quote_what_their_marks_name():
    quotes = Quotes([STEP.model_copy(update={"id": "step_0"})])
    quotes.note(STEP.model_copy(update={"step_details": ToolCallsDetails(tool_calls=[])}))
    quotes.note(STEP)
    marks = [f"【{call}:0†a】" for call in range(7)] + ["【2:1†a】", "[1]", "【2:0】", ""]
    cited = [CITATION.model_copy(update={"text": mark}) for mark in marks]
    assert [quotes.of(one, "a") for one in cited] == ["", "", "t", "", "", "t", "", "", "", "t", ""]
    marks = [CITATION.model_copy(update={"text": "【2:0†a】"}), CITATION, PATH]
    answered = shown(views.message(message(TextContent(text=Text(value="a", annotations=marks))), quotes))
    annotations = answered["content"][0]["text"]["annotations"]
    assert [mark["file_citation"]["quote"] for mark in annotations[:2]] == ["t", ""]
    validate("MessageObject", answered, version="v1")


# --- events


ANNOTATIONS: list[AnnotationDelta] = [
    FilePathDelta.model_validate({**PATH.model_dump(), "index": 0}),
    FileCitationDelta.model_validate({**CITATION.model_dump(), "index": 1}),
]
MESSAGE_DELTA = MessageDelta(
    id="msg_1",
    delta=MessageDeltaBody(content=[TextDeltaContent(index=0, text=TextDelta(value="a", annotations=ANNOTATIONS))]),
)
DATA: dict[str, WireObject] = {
    "thread.created": Thread(id="thread_1", created_at=1),
    "thread.run.step.delta": STEP_DELTA,
    "thread.message.delta": MESSAGE_DELTA,
    "error": ErrorDetail(message="m", type="server_error"),
}


def data_of(name: str) -> WireObject:
    """Something that an event of this name carries."""
    if name in DATA:
        return DATA[name]
    if name.startswith("thread.run.step."):
        return STEP
    return message(TextContent(text=Text(value="a"))) if name.startswith("thread.message.") else run()


@pytest.mark.parametrize("name", [name for name in EVENT_NAMES if name != "done"])
def test_every_event_shows(name: EventName):
    seen, data = views.event(name, data_of(name), ["file-1"], Quotes())
    assert seen == ("thread.run.completed" if name == "thread.run.incomplete" else name)
    validate_event(seen, shown(data), version="v1")


def test_version_1_has_all_events_but_that_of_an_incomplete_run():
    assert set(EVENT_NAMES) - set(event_pointers("v1")) == {"thread.run.incomplete"}


def test_pieces_of_a_stream_keep_their_places():
    _, data = views.event("thread.message.delta", MESSAGE_DELTA, [], Quotes())
    marks = shown(data)["delta"]["content"][0]["text"]["annotations"]
    assert [mark["index"] for mark in marks] == [0, 1]
    assert marks[1]["file_citation"] == {"file_id": "file-1", "quote": ""}
    _, data = views.event("thread.run.step.delta", STEP_DELTA, [], Quotes())
    call = shown(data)["delta"]["step_details"]["tool_calls"][2]
    assert call == {"index": 2, "id": "call_3", "type": "retrieval", "retrieval": {}}
