"""`/v1/threads/runs`, `/v1/threads/{thread_id}/runs` and their steps."""

from __future__ import annotations

from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import StringConstraints

from ..errors import InvalidRequest
from ..gpts.registry import Gpts
from ..runs import prompts
from ..runs.events import EventStream
from ..settings import Settings
from ..wire.common import ObjectList
from ..wire.runs import Run, RunCreate, RunModify, RunPrompt, ThreadAndRunCreate, ToolOutputsSubmit
from ..wire.steps import RunStep
from .http import (
    EVENT_STREAM_HEADERS,
    EventStreamResponse,
    JsonRoute,
    Page,
    ProjectId,
    TheCaller,
    TheEngine,
    TheStore,
    ok,
    ok_list,
    ok_run,
)
from .included import Shown, as_shown

#: An id of an object and a place in its life: no id of ours is longer.
EventId = Annotated[str, StringConstraints(max_length=256)]

router = APIRouter(prefix="/v1/threads", tags=["Runs"], route_class=JsonRoute)


def _answer(run: Run, stream: EventStream | None, request: Request) -> Response:
    settings: Settings = request.app.state.settings
    return EventStreamResponse(stream, run, settings.stream_keep_alive) if stream else ok_run(run, settings)


RunBody = TypeVar("RunBody", RunCreate, ThreadAndRunCreate)


async def with_assistant(body: RunBody, request: Request) -> RunBody:
    """A request for a run, with the assistant of the GPT that it names, if it names one.

    Raises:
        NotFound: the caller may use no such GPT.
    """
    gpts: Gpts = request.app.state.gpts
    assistant = await gpts.assistant_of(request.scope["caller"], body.assistant_id)
    return body if assistant == body.assistant_id else body.model_copy(update={"assistant_id": assistant})


def check_tool_outputs(body: ToolOutputsSubmit, settings: Settings) -> None:
    """See that no output is larger than the setting `max_tool_output_bytes`."""
    most = settings.max_tool_output_bytes
    for number, output in enumerate(body.tool_outputs):
        if len(output.output.encode()) > most:
            param = f"tool_outputs[{number}].output"
            raise InvalidRequest(f"Invalid '{param}': longer than {most} bytes.", param=param)


@router.post("/runs", response_model=Run)
async def create_thread_and_run(
    body: ThreadAndRunCreate, request: Request, caller: TheCaller, engine: TheEngine, shown: Shown
) -> Response:
    """Create a thread and run an assistant on it."""
    body = await with_assistant(body, request)
    stream = EventStream(shown) if body.stream else None
    return _answer(await engine.create_with_thread(caller, body, stream), stream, request)


@router.post("/{thread_id}/runs", response_model=Run)
async def create_run(
    thread_id: str, body: RunCreate, request: Request, caller: TheCaller, engine: TheEngine, shown: Shown
) -> Response:
    """Run an assistant on a thread."""
    body = await with_assistant(body, request)
    stream = EventStream(shown) if body.stream else None
    return _answer(await engine.create(caller, thread_id, body, stream), stream, request)


@router.get("/{thread_id}/runs", response_model=ObjectList[Run])
async def list_runs(thread_id: str, page: Page, project: ProjectId, store: TheStore) -> Response:
    """List the runs of a thread."""
    await store.threads.get(project, thread_id)
    return ok_list(await store.runs.page(project, page, thread_id))


@router.get("/{thread_id}/runs/{run_id}", response_model=Run)
async def get_run(thread_id: str, run_id: str, request: Request, project: ProjectId, store: TheStore) -> Response:
    """Retrieve a run."""
    return ok_run(await store.runs.get(project, run_id, thread_id), request.app.state.settings)


@router.post("/{thread_id}/runs/{run_id}", response_model=Run)
async def modify_run(
    thread_id: str, run_id: str, body: RunModify, request: Request, project: ProjectId, store: TheStore
) -> Response:
    """Modify a run's metadata."""
    patch = {"metadata": body.metadata or {}} if "metadata" in body.model_fields_set else {}
    return ok_run(await store.runs.patch(project, run_id, patch, thread_id), request.app.state.settings)


@router.post("/{thread_id}/runs/{run_id}/cancel", response_model=Run)
async def cancel_run(thread_id: str, run_id: str, request: Request, project: ProjectId, engine: TheEngine) -> Response:
    """Cancel a run."""
    return ok_run(await engine.cancel(project, thread_id, run_id), request.app.state.settings)


@router.post("/{thread_id}/runs/{run_id}/submit_tool_outputs", response_model=Run)
async def submit_tool_outputs(
    thread_id: str,
    run_id: str,
    body: ToolOutputsSubmit,
    request: Request,
    caller: TheCaller,
    engine: TheEngine,
    shown: Shown,
) -> Response:
    """Hand in the outputs of the calls that a run waits for."""
    check_tool_outputs(body, request.app.state.settings)
    stream = EventStream(shown) if body.stream else None
    run = await engine.submit(caller, thread_id, run_id, body.tool_outputs, stream)
    return _answer(run, stream, request)


@router.get("/{thread_id}/runs/{run_id}/stream")
async def join_run_stream(
    thread_id: str,
    run_id: str,
    request: Request,
    project: ProjectId,
    engine: TheEngine,
    shown: Shown,
    after: Annotated[EventId | None, Query()] = None,
) -> Response:
    """Read along with a run, on any server process: from the start, or after the event with this id."""
    known = after or request.headers.get("last-event-id")
    events = await engine.watch.open(project, thread_id, run_id, known, shown)
    return StreamingResponse(events, media_type="text/event-stream", headers=EVENT_STREAM_HEADERS)


@router.get("/{thread_id}/runs/{run_id}/prompts", response_model=ObjectList[RunPrompt])
async def list_run_prompts(thread_id: str, run_id: str, page: Page, project: ProjectId, store: TheStore) -> Response:
    """List what the run's model was sent, request by request."""
    return ok_list(await prompts.page(store, project, thread_id, run_id, page))


@router.get("/{thread_id}/runs/{run_id}/steps", response_model=ObjectList[RunStep])
async def list_run_steps(
    thread_id: str, run_id: str, page: Page, project: ProjectId, store: TheStore, shown: Shown
) -> Response:
    """List the steps of a run."""
    await store.runs.get(project, run_id, thread_id)
    steps = await store.steps.page(project, page, run_id)
    return ok_list(steps.model_copy(update={"data": [as_shown(step, shown) for step in steps.data]}))


@router.get("/{thread_id}/runs/{run_id}/steps/{step_id}", response_model=RunStep)
async def get_run_step(
    thread_id: str, run_id: str, step_id: str, project: ProjectId, store: TheStore, shown: Shown
) -> Response:
    """Retrieve a step of a run."""
    await store.runs.get(project, run_id, thread_id)
    return ok(as_shown(await store.steps.get(project, step_id, run_id), shown))
