"""docs/curl.md, run from top to bottom by bash and curl: all is answered 2xx, and as the official document says."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from ..contract.operations import operations
from ..contract.spec import Version, validate
from ..harness import KEY, Api, Event, Json, Server, check_events, parse_chunks, parse_events, schema_of
from ..scripted import Call, Reply, ScriptedUpstream

PAGE = Path(__file__).parents[2] / "docs" / "curl.md"

#: Stands before the real curl on the PATH: notes each request and its answer, and fails unless that is 2xx.
_NOTING_CURL = """#!/bin/bash
note=$NOTES/$(printf %03d "$(ls "$NOTES" | wc -l)")
mkdir "$note"
echo "$*" >"$note/arguments"
{curl} --silent --show-error --fail-with-body --dump-header "$note/headers" --output "$note/body" \\
  --write-out '%{{method}} %{{url}}' "$@" >"$note/request"
status=$?
cat "$note/body"
exit $status
"""


def weatherman(request: Json) -> Reply:
    """A model that calls the function it is given, and else says something."""
    called = request["messages"][-1]["role"] == "tool"
    return Reply(tool_calls=[Call("get_weather", {"city": "Oslo"})] if request.get("tools") and not called else [])


def ends_well(events: list[Event]) -> None:
    """Hold a stream to the official document; those of the page are of runs that end."""
    check_events(events)
    assert events[-1].name == "done"
    assert events[-2].name in ("thread.run.completed", "thread.run.cancelled")


def blocks() -> str:
    """All code of the page."""
    return "\n".join(re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))


def operation_of(method: str, path: str, version: Version) -> str | None:
    """The name of the official operation that answers a request, None for those of ours."""
    fitting = [
        operation
        for operation in operations(version).values()
        if operation.method == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", operation.path), path)
    ]
    # Paths without parameters come first: /threads/runs is no thread.
    return min(fitting, key=lambda operation: len(operation.path_parameters)).name if fitting else None


async def run_page(server: Server, folder: Path) -> list[Path]:
    """Run the page; returns a folder for each request, in order."""
    notes, path = folder / "notes", folder / "bin"
    notes.mkdir()
    path.mkdir()
    (path / "curl").write_text(_NOTING_CURL.format(curl=shutil.which("curl")))
    (path / "curl").chmod(0o755)
    environment = {
        "PATH": f"{path}:{os.environ['PATH']}",
        "NOTES": str(notes),
        "OPENAI_BASE_URL": server.url + "/v1",
        "OPENAI_API_KEY": KEY,
    }
    pipe = asyncio.subprocess.PIPE
    bash = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", blocks(), env=environment, cwd=folder, stdout=pipe, stderr=pipe
    )
    output, errors = await bash.communicate()
    assert bash.returncode == 0, (errors.decode(), output.decode()[-2000:])
    return sorted(notes.iterdir())


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.settings(egress_allow=["localhost"])
async def test_the_page(server: Server, api: Api, upstream: ScriptedUpstream, tmp_path: Path) -> None:
    upstream.default = weatherman
    seen: dict[Version, set[str | None]] = {"v1": set(), "v2": set()}
    for note in await run_page(server, tmp_path):
        method, _, url = (note / "request").read_text().partition(" ")
        path = url.removeprefix(server.url)
        version: Version = "v1" if "assistants=v1" in (note / "arguments").read_text() else "v2"
        headers, body = (note / "headers").read_text(), (note / "body").read_text()
        if path == "/v1/chat/completions" and "text/event-stream" in headers:
            parse_chunks(body)
        elif "text/event-stream" in headers:
            ends_well(parse_events(body))
        elif name := schema_of(method, path, version):
            validate(name, json.loads(body), version=version)
        seen[version].add(operation_of(method, path.removeprefix("/v1").partition("?")[0], version))
    resources = ("/assistants", "/threads", "/chat/completions", "/models", "/files", "/uploads", "/vector_stores")
    wanted = {name for name, one in operations("v2").items() if one.path.startswith(resources)}
    assert wanted - seen["v2"] == {"DELETE /models/{model}", "POST /vector_stores/{vector_store_id}/search"}
    assert {name for name in operations("v1") if name.endswith("/files")} <= seen["v1"] | seen["v2"]
