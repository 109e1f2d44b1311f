"""The judge itself: it lets good bodies pass, refuses bad ones, and says where the fault lies."""

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.contract import spec
from tests.contract.spec import ContractBreach, validate, validate_event

Json = dict[str, Any]

THREAD: Json = {"id": "thread_1", "object": "thread", "created_at": 1, "tool_resources": None, "metadata": {}}
MESSAGE: Json = {
    "id": "msg_1",
    "object": "thread.message",
    "created_at": 1,
    "thread_id": "thread_1",
    "status": "completed",
    "incomplete_details": None,
    "completed_at": 2,
    "incomplete_at": None,
    "role": "assistant",
    "content": [{"type": "text", "text": {"value": "Hi", "annotations": []}}],
    "assistant_id": "asst_1",
    "run_id": "run_1",
    "attachments": None,
    "metadata": {},
}
MESSAGE_DELTA: Json = {
    "id": "msg_1",
    "object": "thread.message.delta",
    "delta": {"content": [{"index": 0, "type": "text", "text": {"value": "Hi"}}]},
}
FUNCTION_TOOL: Json = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {"anything": {"type": "string"}}}},
}
RUN: Json = {
    "id": "run_1",
    "object": "thread.run",
    "created_at": 1,
    "thread_id": "thread_1",
    "assistant_id": "asst_1",
    "status": "queued",
    "required_action": None,
    "last_error": None,
    "expires_at": 601,
    "started_at": None,
    "cancelled_at": None,
    "failed_at": None,
    "completed_at": None,
    "incomplete_details": None,
    "model": "m",
    "instructions": "",
    "tools": [FUNCTION_TOOL],
    "metadata": {"colour": "blue"},
    "usage": None,
    "temperature": 1.0,
    "top_p": 1.0,
    "max_prompt_tokens": None,
    "max_completion_tokens": None,
    "truncation_strategy": {"type": "auto", "last_messages": None},
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "response_format": "auto",
}
STEP: Json = {
    "id": "step_1",
    "object": "thread.run.step",
    "created_at": 1,
    "assistant_id": "asst_1",
    "thread_id": "thread_1",
    "run_id": "run_1",
    "type": "tool_calls",
    "status": "in_progress",
    "step_details": {
        "type": "tool_calls",
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}", "output": None}}
        ],
    },
    "last_error": None,
    "expired_at": None,
    "cancelled_at": None,
    "failed_at": None,
    "completed_at": None,
    "metadata": {},
    "usage": None,
}
STEP_DELTA: Json = {
    "id": "step_1",
    "object": "thread.run.step.delta",
    "delta": {
        "step_details": {
            "type": "tool_calls",
            "tool_calls": [
                {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{"}}
            ],
        }
    },
}
ERROR: Json = {"code": None, "message": "m", "param": None, "type": "server_error"}
UPLOAD: Json = {
    "id": "upload_1",
    "object": "upload",
    "created_at": 1,
    "expires_at": 2,
    "filename": "a.txt",
    "bytes": 3,
    "purpose": "assistants",
    "status": "pending",
    "file": None,
}
GOOD = {
    "ThreadObject": THREAD,
    "MessageObject": MESSAGE,
    "MessageDeltaObject": MESSAGE_DELTA,
    "RunObject": RUN,
    "RunStepObject": STEP,
    "RunStepDeltaObject": STEP_DELTA,
    "Error": ERROR,
    "ErrorResponse": {"error": ERROR},
    "Upload": UPLOAD,
}
RUN_EVENTS = [
    *("created", "queued", "in_progress", "requires_action", "completed"),
    *("incomplete", "failed", "cancelling", "cancelled", "expired"),
]
EVENT_DATA = {
    "thread.created": THREAD,
    **{f"thread.run.{status}": RUN for status in RUN_EVENTS},
    **{
        f"thread.run.step.{status}": STEP
        for status in ("created", "in_progress", "completed", "failed", "cancelled", "expired")
    },
    "thread.run.step.delta": STEP_DELTA,
    **{f"thread.message.{status}": MESSAGE for status in ("created", "in_progress", "completed", "incomplete")},
    "thread.message.delta": MESSAGE_DELTA,
    "error": ERROR,
    "done": "[DONE]",
}


def changed(body: Json, path: str, value: Any) -> Json:
    """A copy of `body` with `value` at `path`, dotted, list places as numbers."""
    copied = copy.deepcopy(body)
    node: Any = copied
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    for part in parents:
        node = node[part]
    node[last] = value
    return copied


def without(body: Json, field: str) -> Json:
    """A copy of `body` that lacks `field`."""
    return {name: value for name, value in body.items() if name != field}


@pytest.mark.parametrize(("name", "body"), GOOD.items(), ids=GOOD)
def test_good_bodies_pass(name: str, body: Json):
    validate(name, body)


@pytest.mark.parametrize("name", ["ThreadObject", "MessageObject", "RunObject", "RunStepObject", "Upload", "Error"])
def test_every_required_field_is_missed(name: str):
    body = GOOD[name]
    required = spec.load_document()["components"]["schemas"][name]["required"]
    for field in required:
        with pytest.raises(ContractBreach, match=field):
            validate(name, without(body, field))


@pytest.mark.parametrize(
    ("name", "path", "value", "place"),
    [
        ("RunObject", "status", "running", "status"),
        ("RunObject", "created_at", "yesterday", "created_at"),
        ("RunObject", "object", "run", "object"),
        ("RunObject", "model", None, "model"),
        ("MessageObject", "content.0.text.value", 3, "content"),
        ("MessageDeltaObject", "delta.content.0.type", "words", "delta.content"),
        ("RunStepObject", "step_details.tool_calls.0.function.arguments", None, "step_details"),
    ],
)
def test_wrong_values_are_refused_with_their_place(name: str, path: str, value: Any, place: str):
    with pytest.raises(ContractBreach, match=f"{name}, at {place}"):
        validate(name, changed(GOOD[name], path, value))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("ThreadObject", "project"),
        ("ErrorResponse", "error.hint"),
        ("RunObject", "lease"),
        ("RunObject", "tools.0.extra"),
        ("RunObject", "tools.0.function.extra"),
        ("RunObject", "truncation_strategy.extra"),
        ("MessageObject", "content.0.extra"),
        ("MessageObject", "content.0.text.extra"),
        ("MessageDeltaObject", "delta.content.0.text.extra"),
        ("RunStepObject", "step_details.tool_calls.0.function.extra"),
        ("RunStepDeltaObject", "delta.step_details.extra"),
    ],
)
def test_unknown_fields_are_refused_only_when_strict(name: str, path: str):
    body = changed(GOOD[name], path, "ours")
    with pytest.raises(ContractBreach, match=path.rpartition(".")[2]):
        validate(name, body)
    validate(name, body, strict=False)


def test_free_objects_stay_free_when_strict():
    validate("RunObject", changed(RUN, "metadata", {"any": "thing"}))
    validate("RunObject", changed(RUN, "tools.0.function.parameters", {"type": "object", "x-mine": [1]}))


def test_null_is_allowed_where_the_document_says_nullable():
    for field in ("truncation_strategy", "tool_choice", "response_format", "required_action", "temperature"):
        validate("RunObject", changed(RUN, field, None))
    for field in ("id", "tools", "metadata.colour"):
        with pytest.raises(ContractBreach):
            validate("RunObject", changed(RUN, field, None))


def test_a_run_may_have_as_many_tools_as_an_assistant():
    validate("RunObject", changed(RUN, "tools", [FUNCTION_TOOL] * 128))
    with pytest.raises(ContractBreach):
        validate("RunObject", changed(RUN, "tools", [FUNCTION_TOOL] * 129))


def test_filters_nest():
    leaf = {"type": "eq", "key": "year", "value": 2024}
    validate("CompoundFilter", {"type": "and", "filters": [leaf, {"type": "or", "filters": [leaf]}]})
    with pytest.raises(ContractBreach):
        validate("CompoundFilter", {"type": "and", "filters": [leaf, {"type": "or", "filters": [{"type": "eq"}]}]})


def test_the_document_names_the_25_events():
    assert set(spec.event_pointers()) == set(EVENT_DATA)
    assert len(EVENT_DATA) == 25


@pytest.mark.parametrize(("event", "data"), EVENT_DATA.items(), ids=EVENT_DATA)
def test_events(event: str, data: Any):
    validate_event(event, data)
    for wrong in ({}, None, "data", {**data, "ours": 1} if isinstance(data, dict) else "[done]"):
        with pytest.raises(ContractBreach, match=event):
            validate_event(event, wrong)


def test_an_event_that_is_not_of_the_document_is_refused():
    with pytest.raises(ContractBreach, match=r"thread\.run\.paused"):
        validate_event("thread.run.paused", RUN)


def test_a_schema_that_is_not_of_the_document_is_an_error_of_the_test():
    with pytest.raises(KeyError, match="RunsObject"):
        validate("RunsObject", RUN)


def test_a_changed_document_is_parsed_anew(tmp_path: Path):
    source, kept = tmp_path / "api.yaml", tmp_path / "cache"
    source.write_text("components: {schemas: {A: {type: string}}}")
    first = spec.load_document(source, kept)
    assert spec.load_document(source, kept) == first == {"components": {"schemas": {"A": {"type": "string"}}}}
    source.write_text("components: {schemas: {A: {type: integer}}}")
    assert spec.load_document(source, kept)["components"]["schemas"]["A"] == {"type": "integer"}
    assert len(list(kept.iterdir())) == 2


# --- version 1

V1_ASSISTANT: Json = {
    "id": "asst_1",
    "object": "assistant",
    "created_at": 1,
    "name": None,
    "description": None,
    "model": "m",
    "instructions": None,
    "tools": [{"type": "retrieval"}, FUNCTION_TOOL],
    "file_ids": ["file-1"],
    "metadata": {},
}
V1_FILES: Json = {
    "object": "list",
    "data": [{"id": "file-1", "object": "assistant.file", "created_at": 1, "assistant_id": "asst_1"}],
    "first_id": "file-1",
    "last_id": "file-1",
    "has_more": False,
}


def test_version_1_has_a_document_of_its_own():
    validate("AssistantObject", V1_ASSISTANT, version="v1")
    with pytest.raises(ContractBreach, match="tools"):
        validate("AssistantObject", changed(V1_ASSISTANT, "tools.0.type", "file_search"), version="v1")
    with pytest.raises(ContractBreach, match="tool_resources"):
        validate("ThreadObject", THREAD, version="v1")
    with pytest.raises(ContractBreach):
        validate("AssistantObject", V1_ASSISTANT)


@pytest.mark.parametrize("field", list(V1_ASSISTANT))
def test_every_field_of_a_version_1_assistant_is_missed(field: str):
    with pytest.raises(ContractBreach, match=field):
        validate("AssistantObject", without(V1_ASSISTANT, field), version="v1")


def test_lists_of_files_need_no_items():
    validate("ListAssistantFilesResponse", V1_FILES, version="v1")
    with pytest.raises(ContractBreach, match="data"):
        validate("ListAssistantFilesResponse", without(V1_FILES, "data"), version="v1")


def test_version_1_has_24_events():
    assert set(spec.event_pointers("v1")) == set(EVENT_DATA) - {"thread.run.incomplete"}
    validate_event("done", "[DONE]", version="v1")
    with pytest.raises(ContractBreach, match=r"thread\.created"):
        validate_event("thread.created", THREAD, version="v1")
    with pytest.raises(ContractBreach, match=r"thread\.run\.incomplete"):
        validate_event("thread.run.incomplete", RUN, version="v1")
