"""Actions by three real OpenAPI documents, called by the default model: Retinue's own, OpenAI's, and JupyterLab's.

The services are real, too: Retinue serves the first two, JupyterLab's server the third.
"""

# pyright: reportDeprecated=false
from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from ..clients.environments import PINS, Unavailable, python_with
from ..contract.spec import DOCUMENTS
from ..faults.harness import KEY, Process, Site, client_of, until
from .conftest import long

pytestmark = [pytest.mark.model, pytest.mark.timeout(900), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

TOKEN = "jupyter-secret"
#: Tells the ids of the workspaces that there are.
Workspaces = Callable[[], Awaitable[list[str]]]


@pytest.fixture(scope="module")
async def server(default_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Process]:
    """`retinue serve`, which may reach loopback."""
    settings = {"RETINUE_MODEL_SOURCE": "pypi", "RETINUE_EGRESS_ALLOW": '["127.0.0.1"]'}
    site = Site(tmp_path_factory.mktemp("actions"), **settings)
    try:
        yield await site.serve()
    finally:
        await site.close()


async def connect(server: Process, **fields: Any) -> str:
    """The id of a new connection."""
    async with client_of(server) as client:
        return (await client.post("/connections", {"type": "action", **fields}))["id"]


async def asked(client: openai.AsyncOpenAI, connection: str, question: str, instructions: str) -> tuple[list[Any], str]:
    """The calls that a question led to, and the answer."""
    tool: Any = {"type": "action", "action": {"connection_id": connection}}
    made = await client.beta.assistants.create(model="default", temperature=0, instructions=instructions, tools=[tool])
    thread: Any = {"messages": [{"role": "user", "content": question}]}
    run = await client.beta.threads.create_and_run_poll(assistant_id=made.id, thread=thread)
    assert run.status == "completed", (run.status, run.last_error, run.required_action)
    steps = await client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc")
    details = [step.step_details for step in steps.data]
    calls = [call.function for one in details if one.type == "tool_calls" for call in one.tool_calls]  # pyright: ignore
    (answer,) = (await client.beta.threads.messages.list(run.thread_id, limit=1)).data[0].content
    assert answer.type == "text"
    print([(call.name, call.arguments, str(call.output)[:200]) for call in calls], answer.text.value)
    return calls, answer.text.value


async def test_an_assistant_manages_its_own_retinue(client: openai.AsyncOpenAI, server: Process) -> None:
    await client.beta.assistants.create(model="default", name="Glacier Guide")
    key = {"type": "api_key", "prefix": "Bearer", "key": KEY}
    url = server.base_url.removesuffix("/v1")
    connection = await connect(server, document_url=f"{url}/openapi.json", url=url, auth=key)
    question = "List the assistants that exist on this server. What are their names?"
    calls, answer = await asked(client, connection, question, "You manage a Retinue server by its API.")
    assert any("Glacier Guide" in call.output for call in calls)
    assert "Glacier Guide" in answer


@long
async def test_the_official_document_of_openai(client: openai.AsyncOpenAI, server: Process) -> None:
    await client.vector_stores.create(name="Tram timetables")
    key = {"type": "api_key", "prefix": "Bearer", "key": KEY}
    document = DOCUMENTS["v2"].read_text(encoding="utf-8")
    connection = await connect(server, document=document, url=server.base_url, auth=key)
    question = "List the vector stores. What are they called?"
    calls, answer = await asked(client, connection, question, "You answer by calling the API.")
    assert any("Tram timetables" in call.output for call in calls)
    assert "Tram timetables" in answer


@pytest.fixture
def jupyterlab(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The address of JupyterLab's server, and its own OpenAPI document."""
    try:
        python = python_with("jupyterlab-server")
    except Unavailable as error:
        pytest.skip(str(error))
    where = "import jupyterlab_server as one; print(one.__path__[0])"
    package = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True, timeout=60)
    document = (Path(package.stdout.strip()) / "rest-api.yml").read_text(encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = {"HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path / "config"), "PATH": os.environ["PATH"]}
    program = PINS.parent / "programs" / "jupyterlab.py"
    with (tmp_path / "log").open("wb") as log:
        command = [python, program, str(port), TOKEN, str(tmp_path)]
        process = subprocess.Popen(command, env=home, cwd=tmp_path, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}", document
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
async def workspaces(jupyterlab: tuple[str, str]) -> AsyncIterator[Workspaces]:
    """The workspaces of JupyterLab's server, one of which is `harbour-survey`."""
    async with aiohttp.ClientSession(headers={"authorization": f"token {TOKEN}"}) as session:
        url = f"{jupyterlab[0]}/lab/api/workspaces"
        workspace = {"data": {}, "metadata": {"id": "harbour-survey"}}

        async def written() -> bool:
            try:
                async with session.put(f"{url}/harbour-survey", json=workspace) as response:
                    return response.status == 204
            except aiohttp.ClientConnectionError:
                return False

        async def ids() -> list[str]:
            async with session.get(url) as response:
                return (await response.json())["workspaces"]["ids"]

        await until(written, 60)
        yield ids


JUPYTERLAB: Any = {"type": "api_key", "prefix": "token", "key": TOKEN}


@long
async def test_the_workspaces_of_jupyterlab(
    client: openai.AsyncOpenAI, server: Process, jupyterlab: tuple[str, str], workspaces: Workspaces
) -> None:
    url, document = jupyterlab
    connection = await connect(server, document=document, url=url, auth=JUPYTERLAB)
    question = "Which workspaces are there? Tell their ids."
    calls, answer = await asked(client, connection, question, "You look after a JupyterLab server by its API.")
    assert any("harbour-survey" in call.output for call in calls)
    assert "harbour-survey" in answer


async def test_what_changes_something_waits(
    client: openai.AsyncOpenAI, server: Process, jupyterlab: tuple[str, str], workspaces: Workspaces
) -> None:
    """The model asks for a deletion; nothing happens before a person has allowed it, and then it does."""
    url, document = jupyterlab
    connection = await connect(server, document=document, url=url, auth=JUPYTERLAB)
    allowed = ["delete_lab_api_workspaces_space_name"]
    tool: Any = {"type": "action", "action": {"connection_id": connection, "allowed_tools": allowed}}
    manager = await client.beta.assistants.create(model="default", temperature=0, tools=[tool])
    thread: Any = {"messages": [{"role": "user", "content": "Delete the workspace harbour-survey."}]}
    run = await client.beta.threads.create_and_run_poll(assistant_id=manager.id, thread=thread)
    assert run.status == "requires_action", run.last_error
    assert run.required_action
    waiting = run.required_action.submit_tool_outputs.tool_calls
    assert "harbour-survey" in waiting[0].function.arguments
    assert await workspaces() == ["harbour-survey"]
    outputs: Any = [{"tool_call_id": one.id, "output": "approve"} for one in waiting]
    runs = client.beta.threads.runs
    run = await runs.submit_tool_outputs_and_poll(run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs)
    assert run.status in ("completed", "requires_action"), run.last_error
    assert await workspaces() == []
