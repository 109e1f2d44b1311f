"""`/v1/agents`: the AutoGPT loop. An extension."""

from __future__ import annotations

import asyncio
import io
import zipfile
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from ..agents.engine import AgentEngine
from ..store.store import Store
from ..wire.agents import (
    Agent,
    AgentCommand,
    AgentCreate,
    AgentCycle,
    AgentDecide,
    AgentDraft,
    AgentDraftCreate,
    AgentFile,
    AgentModify,
    AgentPrompt,
    AgentSay,
    Status,
)
from ..wire.common import Deleted, Id, ObjectList
from .http import EVENT_STREAM_HEADERS, JsonRoute, Page, ProjectId, TheCaller, TheStore, ok, ok_list

router = APIRouter(prefix="/v1/agents", tags=["Extensions"], route_class=JsonRoute)


async def _agents(request: Request) -> AgentEngine:
    return request.app.state.agents


TheAgents = Annotated[AgentEngine, Depends(_agents)]
FilePath = Annotated[str, Query(max_length=300)]


@router.post("", response_model=Agent)
async def create_agent(body: AgentCreate, caller: TheCaller, agents: TheAgents) -> Response:
    """Make an agent, which begins at once."""
    if body.stream:
        agents.following.require_room()
    agent = await agents.create(caller, body)
    return await _events(agents, caller.project, agent.id, "") if body.stream else ok(agent)


@router.get("", response_model=ObjectList[Agent])
async def list_agents(
    page: Page, project: ProjectId, store: TheStore, status: Annotated[Status | None, Query()] = None
) -> Response:
    """List agents, those of a status if one is given."""
    return ok_list(await store.agents.of_status(project, page, status))


@router.post("/draft", response_model=AgentDraft)
async def draft_agent(body: AgentDraftCreate, caller: TheCaller, agents: TheAgents) -> Response:
    """Draft an agent's name, role and goals from one sentence; none is made."""
    return ok(await agents.draft(caller, body))


@router.get("/commands", response_model=ObjectList[AgentCommand])
async def list_agent_commands(caller: TheCaller, agents: TheAgents) -> Response:
    """List the commands that agents can be given."""
    known = await agents.commands(caller)
    return ok_list(ObjectList[AgentCommand](data=known, first_id=known[0].id, last_id=known[-1].id, has_more=False))


@router.get("/{agent_id}", response_model=Agent)
async def get_agent(agent_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve an agent."""
    return ok(await store.agents.get(project, agent_id))


@router.post("/{agent_id}", response_model=Agent)
async def modify_agent(agent_id: str, body: AgentModify, caller: TheCaller, agents: TheAgents) -> Response:
    """Change an agent's goals, commands, limits or approval; they count from its next cycle on."""
    return ok(await agents.modify(caller, agent_id, body))


@router.delete("/{agent_id}", response_model=Deleted)
async def delete_agent(agent_id: str, project: ProjectId, agents: TheAgents) -> Response:
    """Delete an agent with its files and what it has started."""
    return ok(await agents.delete(project, agent_id))


@router.post("/{agent_id}/pause", response_model=Agent)
async def pause_agent(agent_id: str, project: ProjectId, agents: TheAgents) -> Response:
    """Have an agent pause after its present step."""
    return ok(await agents.pause(project, agent_id))


@router.post("/{agent_id}/resume", response_model=Agent)
async def resume_agent(agent_id: str, caller: TheCaller, agents: TheAgents) -> Response:
    """Have an agent go on."""
    return ok(await agents.resume(caller, agent_id))


@router.post("/{agent_id}/cancel", response_model=Agent)
async def cancel_agent(agent_id: str, project: ProjectId, agents: TheAgents) -> Response:
    """Stop an agent, with all that it has started."""
    return ok(await agents.cancel(project, agent_id))


@router.post("/{agent_id}/approve", response_model=Agent)
async def approve_command(agent_id: str, body: AgentDecide, caller: TheCaller, agents: TheAgents) -> Response:
    """Allow the command that an agent waits for, or refuse it."""
    return ok(await agents.decide(caller, agent_id, body))


@router.post("/{agent_id}/messages", response_model=Agent)
async def tell_agent(agent_id: str, body: AgentSay, caller: TheCaller, agents: TheAgents) -> Response:
    """Answer an agent's question, or tell it something."""
    return ok(await agents.say(caller, agent_id, body.text))


@router.get("/{agent_id}/prompt", response_model=AgentPrompt)
async def get_agent_prompt(agent_id: str, project: ProjectId, agents: TheAgents) -> Response:
    """What an agent's model is told."""
    return ok(await agents.told(project, agent_id))


@router.get("/{agent_id}/cycles", response_model=ObjectList[AgentCycle])
async def list_agent_cycles(agent_id: str, page: Page, project: ProjectId, store: TheStore) -> Response:
    """List what an agent thought and did."""
    await store.agents.get(project, agent_id)
    return ok_list(await store.agent_cycles.page(project, page, agent_id))


@router.get("/{agent_id}/agents", response_model=ObjectList[Agent])
async def list_started_agents(agent_id: str, project: ProjectId, store: TheStore) -> Response:
    """List the agents that an agent has started."""
    await store.agents.get(project, agent_id)
    children = await store.agents.children(project, agent_id)
    ends = (children[0].id, children[-1].id) if children else ("", "")
    return ok_list(ObjectList[Agent](data=children, first_id=ends[0], last_id=ends[1], has_more=False))


@router.get("/{agent_id}/events")
async def follow_agent(
    agent_id: str,
    project: ProjectId,
    agents: TheAgents,
    last_event_id: Annotated[Id | None, Header()] = None,
) -> Response:
    """Follow an agent: all that has happened so far, or since the event named, and what happens then."""
    return await _events(agents, project, agent_id, last_event_id or "")


# --- the workspace


@router.get("/{agent_id}/files", response_model=ObjectList[AgentFile])
async def list_agent_files(agent_id: str, project: ProjectId, store: TheStore) -> Response:
    """List the files in an agent's workspace."""
    files = await store.agents.files(project, await _root(store, project, agent_id))
    ends = (files[0].path, files[-1].path) if files else ("", "")
    return ok_list(ObjectList[AgentFile](data=files, first_id=ends[0], last_id=ends[1], has_more=False))


@router.get("/{agent_id}/files/content")
async def get_agent_file(agent_id: str, project: ProjectId, store: TheStore, path: FilePath = "") -> Response:
    """What is in a file of an agent's workspace."""
    content = await store.agents.read_file(project, await _root(store, project, agent_id), path)
    return _download(content, path.rpartition("/")[2], "application/octet-stream")


@router.get("/{agent_id}/files/archive")
async def get_agent_files(agent_id: str, project: ProjectId, store: TheStore) -> Response:
    """All files of an agent's workspace, as a zip."""
    root = await _root(store, project, agent_id)
    found = [
        (one.path, await store.agents.read_file(project, root, one.path))
        for one in await store.agents.files(project, root)
    ]
    return _download(await asyncio.to_thread(_zip, found), f"{agent_id}.zip", "application/zip")


def _zip(files: list[tuple[str, bytes]]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files:
            archive.writestr(path, content)
    return packed.getvalue()


def _download(content: bytes, name: str, kind: str) -> Response:
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "x-content-type-options": "nosniff",
    }
    return Response(content, media_type=kind, headers=headers)


async def _root(store: Store, project: str, agent: str) -> str:
    return await store.agents.root_of(project, agent)


# --- events


async def _events(agents: AgentEngine, project: str, agent: str, after: str) -> StreamingResponse:
    stream = await agents.following.open(project, agent, after)
    return StreamingResponse(stream, media_type="text/event-stream", headers=dict(EVENT_STREAM_HEADERS))
