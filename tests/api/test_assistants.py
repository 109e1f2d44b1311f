"""`/v1/assistants`: made, read, changed, deleted."""

from __future__ import annotations

from typing import Any

import pytest

from ..harness import Api, function

FULL: dict[str, Any] = {
    "model": "scripted",
    "name": "Math Tutor",
    "description": "Helps with mathematics",
    "instructions": "You are a personal math tutor.",
    "tools": [
        {"type": "code_interpreter"},
        {"type": "file_search", "file_search": {"max_num_results": 5, "ranking_options": {"score_threshold": 0.5}}},
        function("weather", city="string"),
    ],
    "tool_resources": {"code_interpreter": {"file_ids": []}, "file_search": {"vector_store_ids": []}},
    "metadata": {"课": "数学", "empty": ""},
    "temperature": 0.5,
    "top_p": 0.25,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
    },
}


async def test_everything_that_was_sent_comes_back(api: Api) -> None:
    made = await api.post("/assistants", FULL)
    assert {name: made[name] for name in FULL} == FULL
    assert made["id"].startswith("asst_")
    assert await api.get(f"/assistants/{made['id']}") == made


async def test_what_was_not_sent_has_the_official_defaults(api: Api) -> None:
    made = await api.post("/assistants", {"model": "scripted"})
    defaults = {"name": None, "description": None, "instructions": None, "tools": [], "metadata": {}}
    sampling = {"temperature": 1.0, "top_p": 1.0, "response_format": "auto"}
    assert {name: made[name] for name in (*defaults, *sampling)} == {**defaults, **sampling}


async def test_nulls_stand_for_the_defaults(api: Api) -> None:
    names = ("name", "description", "instructions", "tool_resources", "metadata", "temperature", "top_p")
    made = await api.post("/assistants", {"model": "scripted", "response_format": None, **dict.fromkeys(names)})
    assert made["metadata"] == {}
    assert made["temperature"] == 1.0


async def test_a_modification_changes_what_was_sent_and_nothing_else(api: Api) -> None:
    made = await api.post("/assistants", FULL)
    changed = await api.post(f"/assistants/{made['id']}", {"name": "Tutor", "metadata": {"new": "1"}, "tools": []})
    assert changed == {**made, "name": "Tutor", "metadata": {"new": "1"}, "tools": []}
    assert await api.get(f"/assistants/{made['id']}") == changed


async def test_an_empty_modification_changes_nothing(api: Api) -> None:
    made = await api.post("/assistants", FULL)
    assert await api.post(f"/assistants/{made['id']}", {}) == made


async def test_every_field_can_be_modified(api: Api) -> None:
    made = await api.assistant()
    changed = await api.post(f"/assistants/{made}", FULL)
    assert {name: changed[name] for name in FULL} == FULL


async def test_nulls_clear_fields(api: Api) -> None:
    made = await api.post("/assistants", FULL)
    cleared = await api.post(f"/assistants/{made['id']}", {name: None for name in FULL if name not in ("model",)})
    assert cleared["name"] is None
    assert cleared["instructions"] is None
    assert cleared["tools"] == []
    assert cleared["metadata"] == {}
    assert cleared["temperature"] == 1.0
    assert cleared["response_format"] == "auto"


async def test_a_deleted_assistant_is_gone(api: Api) -> None:
    made = await api.assistant()
    assert await api.delete(f"/assistants/{made}") == {"id": made, "object": "assistant.deleted", "deleted": True}
    for method in ("GET", "POST", "DELETE"):
        error = await api.refused(method, f"/assistants/{made}", {} if method == "POST" else None, status=404)
        assert error["message"] == f"No assistant found with id '{made}'."
    assert (await api.get("/assistants"))["data"] == []


async def test_threads_outlive_the_assistant(api: Api) -> None:
    run = await api.run("Hello")
    await api.delete(f"/assistants/{run['assistant_id']}")
    assert [message["role"] for message in await api.messages(run["thread_id"])] == ["user", "assistant"]
    error = await api.refused(
        "POST", f"/threads/{run['thread_id']}/runs", {"assistant_id": run["assistant_id"]}, status=404
    )
    assert run["assistant_id"] in error["message"]


@pytest.mark.parametrize("path", ["/assistants", "/assistants/{assistant}", "/threads/{thread}/runs", "/threads/runs"])
async def test_a_model_that_does_not_exist_is_404(api: Api, path: str) -> None:
    assistant, thread = await api.assistant(), await api.thread()
    body: dict[str, Any] = {"model": "no-such-model"}
    if path.endswith("runs"):
        body["assistant_id"] = assistant
    error = await api.refused("POST", path.format(assistant=assistant, thread=thread), body, status=404)
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "no-such-model" in error["message"]


async def test_old_openai_names_are_kept_and_served_by_the_default_model(api: Api) -> None:
    made = await api.post("/assistants", {"model": "gpt-4-1106-preview"})
    assert made["model"] == "gpt-4-1106-preview"
    run = await api.run("Hello", assistant={"model": "gpt-4o"})
    assert run["model"] == "scripted"
