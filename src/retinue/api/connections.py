"""`/v1/connections`, the way back from a sign-in, and the calls of a run that wait for a person: extensions."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import StringConstraints

from ..accounts.keys import Caller
from ..accounts.sessions import Sessions
from ..errors import ApiError, InvalidRequest, NotFound
from ..tools.connections.consent import sign_in_to
from ..tools.connections.oauth import CALLBACK_PATH
from ..tools.connections.people import named, signed_in
from ..tools.connections.registry import ConnectionRegistry
from ..wire.common import Deleted, ObjectList
from ..wire.connections import (
    Connection,
    ConnectionCreate,
    ConnectionModify,
    ConnectionTool,
    RunConsent,
    SignIn,
    SignInCreate,
    ToolCallCreate,
    ToolCalled,
)
from ..wire.steps import CallConsent, FunctionToolCall, RunStep, ServedCall, ToolCallsDetails
from .cookies import session_token
from .http import JsonRoute, Page, ProjectId, TheCaller, TheStore, ok, ok_list

router = APIRouter(prefix="/v1", tags=["Connections"], route_class=JsonRoute)
_CONNECTION = "/connections/{connection_id}"
_User = Annotated[str, StringConstraints(max_length=512)]
_Answered = Annotated[str, StringConstraints(max_length=8192)]

#: The page that a person sees after signing in. It loads nothing, and its address, which holds a code, is told nobody.
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Retinue</title><link rel="icon" href="data:,">
<style>body{{font:1.1rem system-ui;max-width:32rem;margin:4rem auto;padding:0 1rem}}</style>
<h1>{title}</h1><p>{text}</p></html>"""
_PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}


async def _registry(request: Request) -> ConnectionRegistry:
    return request.app.state.connections


TheRegistry = Annotated[ConnectionRegistry, Depends(_registry)]


@router.post("/connections", response_model=Connection)
async def create_connection(body: ConnectionCreate, project: ProjectId, connections: TheRegistry) -> Response:
    """Create a connection."""
    return ok(await connections.create(project, body))


@router.get("/connections", response_model=ObjectList[Connection])
async def list_connections(page: Page, project: ProjectId, store: TheStore) -> Response:
    """List connections."""
    return ok_list(await store.connections.page(project, page))


@router.get(_CONNECTION, response_model=Connection)
async def get_connection(connection_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve a connection."""
    return ok(await store.connections.get(project, connection_id))


@router.post(_CONNECTION, response_model=Connection)
async def modify_connection(
    connection_id: str, body: ConnectionModify, project: ProjectId, connections: TheRegistry
) -> Response:
    """Modify a connection: fields that are not sent stay as they are."""
    return ok(await connections.modify(project, connection_id, body))


@router.delete(_CONNECTION, response_model=Deleted)
async def delete_connection(connection_id: str, project: ProjectId, connections: TheRegistry) -> Response:
    """Delete a connection with its sign-ins and consents."""
    return ok(await connections.delete(project, connection_id))


@router.get(_CONNECTION + "/tools", response_model=ObjectList[ConnectionTool])
async def list_connection_tools(connection_id: str, project: ProjectId, connections: TheRegistry) -> Response:
    """List what assistants can call of a connection: all of it, on one page."""
    tools = await connections.tools(project, connection_id)
    first, last = (tools[0].name, tools[-1].name) if tools else ("", "")
    return ok_list(ObjectList(data=tools, first_id=first, last_id=last, has_more=False))


@router.post(_CONNECTION + "/tools/{name}/call", response_model=ToolCalled)
async def call_connection_tool(
    connection_id: str, name: str, caller: TheCaller, connections: TheRegistry, body: ToolCallCreate
) -> Response:
    """Call one operation or tool, to see what comes. Whoever sends this has decided it: no consent is asked for."""
    served = await connections.call(caller.project, connection_id, name, body.arguments, _person(caller, ""))
    return ok(
        ToolCalled(
            connection_id=connection_id,
            name=name,
            output=served.output,
            failed=served.failed,
            files=list(dict.fromkeys(served.files.values())),
        )
    )


@router.post(_CONNECTION + "/sign_in", response_model=SignIn)
async def create_connection_sign_in(
    connection_id: str, caller: TheCaller, connections: TheRegistry, body: SignInCreate | None = None
) -> Response:
    """Begin the sign-in of a person, who goes on in a browser."""
    person = _person(caller, body.user if body else "")
    return ok(await connections.sign_in(caller.project, connection_id, person))


@router.delete(_CONNECTION + "/sign_in", response_model=Deleted)
async def delete_connection_sign_in(
    connection_id: str, caller: TheCaller, connections: TheRegistry, user: Annotated[_User, Query()] = ""
) -> Response:
    """Forget that a person has signed in."""
    return ok(await connections.sign_out(caller.project, connection_id, _person(caller, user)))


@router.delete(_CONNECTION + "/consents", response_model=Deleted)
async def delete_connection_consents(connection_id: str, project: ProjectId, store: TheStore) -> Response:
    """Ask again for all calls of a connection that were allowed for ever."""
    await store.connections.forget_consents(project, connection_id)
    return ok(Deleted(id=connection_id, object="connection.consents.deleted"))


@router.get(CALLBACK_PATH.removeprefix("/v1"), response_class=HTMLResponse, openapi_extra={"security": []})
async def finish_sign_in(
    request: Request,
    connections: TheRegistry,
    state: Annotated[_Answered, Query()] = "",
    code: Annotated[_Answered, Query()] = "",
    error: Annotated[_Answered, Query()] = "",
) -> Response:
    """Where a person's browser comes back to. Needs no key: the state was given to this person only.

    Somebody may have been sent the address of another one's sign-in. Whoever is signed in here finishes none but their
    own, and nobody else finishes that.
    """
    sessions: Sessions = request.app.state.people.sessions
    try:
        found = await sessions.look(session_token(dict(request.scope["headers"])))
        name = await connections.finish_sign_in(state, code, error, signed_in(found.person) if found else None)
    except ApiError as refused:
        return _page("You are not signed in", refused.message, refused.status)
    return _page("You are signed in", f"“{name}” can be used now. You may close this window.", 200)


def _person(caller: Caller, named_by_key: str) -> str:
    """Who signs in, or out: whoever is signed in to Retinue, else whom the key names."""
    if caller.user and named_by_key:
        raise InvalidRequest("You are signed in, so this is about you. Leave 'user' out.", param="user")
    return signed_in(caller.user) if caller.user else named(named_by_key)


@router.get("/threads/{thread_id}/runs/{run_id}/consents", response_model=ObjectList[RunConsent])
async def list_run_consents(
    thread_id: str, run_id: str, caller: TheCaller, connections: TheRegistry, store: TheStore
) -> Response:
    """List the calls of a run that wait for a person: all of them, on one page.

    Where somebody who is signed in goes to sign in, only they are told: others could have them finish something else.
    """
    view = await store.runs.view(caller.project, run_id, thread_id)
    calls = [one for step in view.steps for one in _waiting(step)] if view.run.status == "requires_action" else []
    urls: dict[str, str | None] = {}
    if caller.user and caller.user == view.run.user:
        for key in {consent.key for _, _, consent in calls}:
            urls[key] = await _sign_in_url(connections, caller, key)
    waiting = [
        RunConsent(
            tool_call_id=identifier,
            name=served.name,
            arguments=served.arguments,
            reason=consent.reason,
            authorize_url=consent.authorize_url or urls.get(consent.key),
        )
        for identifier, served, consent in calls
    ]
    first, last = (waiting[0].tool_call_id, waiting[-1].tool_call_id) if waiting else ("", "")
    return ok_list(ObjectList(data=waiting, first_id=first, last_id=last, has_more=False))


def _waiting(step: RunStep) -> Iterator[tuple[str, ServedCall, CallConsent]]:
    calls = step.step_details.tool_calls if isinstance(step.step_details, ToolCallsDetails) else []
    for call in calls:
        served = step.served.get(call.id)
        if isinstance(call, FunctionToolCall) and served and served.consent and served.consent.allowed is None:
            yield call.id, served, served.consent


async def _sign_in_url(connections: ConnectionRegistry, caller: Caller, key: str) -> str | None:
    """Where the caller signs in before calls that wait for this; None: nowhere, or the connection has changed."""
    connection = sign_in_to(key)
    if connection is None:
        return None
    try:
        return (await connections.sign_in(caller.project, connection, signed_in(caller.user))).authorize_url
    except (NotFound, InvalidRequest):
        return None


def _page(title: str, text: str, status: int) -> Response:
    page = _PAGE.format(title=html.escape(title), text=html.escape(text))
    return HTMLResponse(page, status_code=status, headers=_PAGE_HEADERS)
