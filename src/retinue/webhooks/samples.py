"""Sample events, one of each type, for tests of an endpoint. The objects in them do not exist."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from ..store.ids import new_id
from ..wire.vector_stores import DEFAULT_CHUNKING
from ..wire.webhooks import WebhookEvent

_CONTENT = b"A sample file."
_FUNCTION = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
_CALL = {"id": "call_sample", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
_ERROR = "A sample of an error."


def sample_event(event_type: str) -> WebhookEvent:
    """An event of one of the types of `EVENTS`, with ids that no other event or object has."""
    now = int(time.time())
    subject, status = event_type.rsplit(".", 1)
    makers = {
        "thread.run": _run,
        "agent": _agent,
        "file": _file,
        "vector_store.file": _vector_store_file,
        "project.spend_limit": _spend_limit,
    }
    return WebhookEvent(id=new_id("evt_"), created_at=now, type=event_type, data=makers[subject](status, now))


def _run(status: str, now: int) -> dict[str, Any]:
    run: dict[str, Any] = {
        "id": new_id("run_"),
        "created_at": now,
        "thread_id": new_id("thread_"),
        "assistant_id": new_id("asst_"),
        "status": status,
        "started_at": None if status == "queued" else now,
        "expires_at": now + 600,
        "model": "sample",
        "instructions": "You are a helpful assistant.",
        "tools": [{"type": "function", "function": _FUNCTION}],
    }
    if status in ("completed", "failed", "cancelled"):
        run[f"{status}_at"] = now
    if status in ("completed", "incomplete"):
        run["usage"] = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    if status == "requires_action":
        run["required_action"] = {"submit_tool_outputs": {"tool_calls": [_CALL]}}
    elif status == "failed":
        run["last_error"] = {"code": "server_error", "message": _ERROR}
    elif status == "incomplete":
        run["incomplete_details"] = {"reason": "max_completion_tokens"}
    return run


def _agent(status: str, now: int) -> dict[str, Any]:
    agent: dict[str, Any] = {
        "id": new_id("agent_"),
        "created_at": now,
        "started_at": now,
        "completed_at": now if status in ("completed", "failed", "cancelled") else None,
        "status": status,
        "name": "Sample-GPT",
        "role": "an AI that is a sample",
        "goals": ["Be a sample."],
        "constraints": [],
        "model": "sample",
        "language": "en",
        "commands": ["delete_file", "task_complete"],
        "connections": [],
        "approval": "risky",
        "limits": {},
        "cycles": 1,
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
        "cost": {"value": 0, "currency": "usd"},
    }
    if status == "requires_action":
        command = {"name": "delete_file", "args": {"file": "sample.txt"}}
        agent["required_action"] = {"type": "approve", "cycle_id": new_id("cycle_"), "command": command}
    elif status == "completed":
        agent["result"] = "It is a sample."
    elif status == "failed":
        agent["last_error"] = {"code": "server_error", "message": _ERROR}
    elif status == "incomplete":
        agent["incomplete_details"] = {"reason": "max_cycles"}
    return agent


def _file(change: str, now: int) -> dict[str, Any]:
    identifier = new_id("file-")
    if change == "deleted":
        return {"id": identifier, "object": "file"}
    return {
        "id": identifier,
        "bytes": len(_CONTENT),
        "created_at": now,
        "filename": "sample.txt",
        "purpose": "assistants",
        "sha256": hashlib.sha256(_CONTENT).hexdigest(),
    }


def _spend_limit(change: str, now: int) -> dict[str, Any]:
    reached = change == "reached"
    return {
        "project_id": new_id("proj_"),
        "threshold_amount": 5_000,
        "spent_amount": 5_000 if reached else 4_000,
        "enforcement": {"status": "enforcing" if reached else "inactive"},
    }


def _vector_store_file(status: str, now: int) -> dict[str, Any]:
    return {
        "id": new_id("file-"),
        "created_at": now,
        "vector_store_id": new_id("vs_"),
        "status": status,
        "usage_bytes": len(_CONTENT) if status == "completed" else 0,
        "last_error": {"code": "invalid_file", "message": _ERROR} if status == "failed" else None,
        "chunking_strategy": DEFAULT_CHUNKING.model_dump(),
    }
