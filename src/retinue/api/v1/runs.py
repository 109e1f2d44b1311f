"""`/v1/threads/runs`, `/v1/threads/{thread_id}/runs` and their steps in version 1."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from ...runs.events import EventStream
from ...wire import v1
from ...wire.common import ObjectList, WireObject
from ...wire.events import EventName
from ...wire.runs import Run, RunModify, ToolOutputsSubmit
from ...wire.steps import RunStep
from ..http import EventStreamResponse, JsonRoute, Page, ProjectId, TheCaller, TheEngine, TheStore, ok, ok_list, ok_run
from ..runs import check_tool_outputs, with_assistant
from . import assistant_files, requests, views
from .quotes import Quotes, of_run

router = APIRouter(prefix="/v1/threads", tags=["Runs"], route_class=JsonRoute)


def _stream(wanted: bool | None, file_ids: Sequence[str], quotes: Quotes | None = None) -> EventStream | None:
    """Where a client that wants one reads the events of a run.

    Args:
        wanted: whether it wants one.
        file_ids: the files of the run's assistant.
        quotes: what the run has found before; None for a new run.
    """
    known = quotes or Quotes()

    def view(name: EventName, data: WireObject) -> tuple[EventName, WireObject]:
        if isinstance(data, RunStep):
            known.note(data)
        return views.event(name, data, file_ids, known)

    return EventStream(view) if wanted else None


def _answer(run: Run, file_ids: Sequence[str], request: Request, stream: EventStream | None = None) -> Response:
    settings = request.app.state.settings
    if stream:
        return EventStreamResponse(stream, run, settings.stream_keep_alive)
    return ok_run(run, settings, views.run(run, file_ids))


@router.post("/runs", response_model=v1.Run)
async def create_thread_and_run(
    body: v1.ThreadAndRunCreate, request: Request, project: ProjectId, store: TheStore, engine: TheEngine
) -> Response:
    """Create a thread and run an assistant on it."""
    wanted = await with_assistant(requests.thread_and_run_create(body), request)
    file_ids = await assistant_files.of_id(store, project, wanted.assistant_id)
    stream = _stream(body.stream, file_ids)
    run = await engine.create_with_thread(request.scope["caller"], wanted, stream)
    return _answer(run, file_ids, request, stream)


@router.post("/{thread_id}/runs", response_model=v1.Run)
async def create_run(
    thread_id: str, body: v1.RunCreate, request: Request, project: ProjectId, store: TheStore, engine: TheEngine
) -> Response:
    """Run an assistant on a thread."""
    wanted = await with_assistant(requests.run_create(body), request)
    file_ids = await assistant_files.of_id(store, project, wanted.assistant_id)
    stream = _stream(body.stream, file_ids)
    run = await engine.create(request.scope["caller"], thread_id, wanted, stream)
    return _answer(run, file_ids, request, stream)


@router.get("/{thread_id}/runs", response_model=ObjectList[v1.Run])
async def list_runs(thread_id: str, page: Page, project: ProjectId, store: TheStore) -> Response:
    """List the runs of a thread."""
    await store.threads.get(project, thread_id)
    runs = await store.runs.page(project, page, thread_id)
    files = {one: await assistant_files.of_id(store, project, one) for one in {run.assistant_id for run in runs.data}}
    return ok_list(views.listed(runs, lambda run: views.run(run, files[run.assistant_id])))


@router.get("/{thread_id}/runs/{run_id}", response_model=v1.Run)
async def get_run(thread_id: str, run_id: str, request: Request, project: ProjectId, store: TheStore) -> Response:
    """Retrieve a run."""
    run = await store.runs.get(project, run_id, thread_id)
    return _answer(run, await assistant_files.of_id(store, project, run.assistant_id), request)


@router.post("/{thread_id}/runs/{run_id}", response_model=v1.Run)
async def modify_run(
    thread_id: str, run_id: str, body: RunModify, request: Request, project: ProjectId, store: TheStore
) -> Response:
    """Modify a run's metadata."""
    patch = {"metadata": body.metadata or {}} if "metadata" in body.model_fields_set else {}
    run = await store.runs.patch(project, run_id, patch, thread_id)
    return _answer(run, await assistant_files.of_id(store, project, run.assistant_id), request)


@router.post("/{thread_id}/runs/{run_id}/cancel", response_model=v1.Run)
async def cancel_run(
    thread_id: str, run_id: str, request: Request, project: ProjectId, store: TheStore, engine: TheEngine
) -> Response:
    """Cancel a run."""
    run = await engine.cancel(project, thread_id, run_id)
    return _answer(run, await assistant_files.of_id(store, project, run.assistant_id), request)


@router.post("/{thread_id}/runs/{run_id}/submit_tool_outputs", response_model=v1.Run)
async def submit_tool_outputs(
    thread_id: str,
    run_id: str,
    body: ToolOutputsSubmit,
    request: Request,
    project: ProjectId,
    caller: TheCaller,
    store: TheStore,
    engine: TheEngine,
) -> Response:
    """Hand in the outputs of the calls that a run waits for."""
    check_tool_outputs(body, request.app.state.settings)
    run = await store.runs.get(project, run_id, thread_id)
    file_ids = await assistant_files.of_id(store, project, run.assistant_id)
    known = await of_run(store, project, run_id) if body.stream else None
    stream = _stream(body.stream, file_ids, known)
    run = await engine.submit(caller, thread_id, run_id, body.tool_outputs, stream)
    return _answer(run, file_ids, request, stream)


@router.get("/{thread_id}/runs/{run_id}/steps", response_model=ObjectList[v1.RunStep])
async def list_run_steps(thread_id: str, run_id: str, page: Page, project: ProjectId, store: TheStore) -> Response:
    """List the steps of a run."""
    await store.runs.get(project, run_id, thread_id)
    return ok_list(views.listed(await store.steps.page(project, page, run_id), views.run_step))


@router.get("/{thread_id}/runs/{run_id}/steps/{step_id}", response_model=v1.RunStep)
async def get_run_step(thread_id: str, run_id: str, step_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve a step of a run."""
    await store.runs.get(project, run_id, thread_id)
    return ok(views.run_step(await store.steps.get(project, step_id, run_id)))
