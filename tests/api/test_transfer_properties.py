"""Whatever a project holds: what is exported, imported and exported again is the same."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retinue.accounts.keys import Caller
from retinue.settings import Settings
from retinue.store.store import Store
from retinue.transfer import lines
from retinue.transfer.export import export
from retinue.transfer.load import load

from ..harness import Json, empty

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)
TIME = st.integers(0, 2**33)
METADATA = st.dictionaries(TEXT, TEXT, max_size=3)
FUNCTION = st.fixed_dictionaries(
    {"name": st.from_regex(r"[a-zA-Z0-9_-]{1,10}", fullmatch=True)},
    optional={
        "description": TEXT,
        "strict": st.booleans(),
        "parameters": st.dictionaries(TEXT, st.recursive(TEXT | st.none() | st.booleans(), st.lists, max_leaves=4)),
    },
)
TOOLS = st.lists(
    st.one_of(
        st.just({"type": "code_interpreter"}),
        st.just({"type": "file_search"}),
        FUNCTION.map(lambda function: {"type": "function", "function": function}),
    ),
    max_size=3,
)


class Project:
    """Draws the lines of an export, each object naming earlier ones."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._count = 0
        self.lines: list[Json] = []
        files = [self._file() for _ in range(draw(st.integers(0, 2)))]
        stores = [self._add("vector_store", last_active_at=1, name=draw(TEXT)) for _ in range(draw(st.integers(0, 2)))]
        for store in stores:
            for file in files:
                self._store_file(store, file)
        resources = {
            "code_interpreter": {"file_ids": files},
            "file_search": {"vector_store_ids": stores[:1]},
        }
        assistants = [self._assistant(resources) for _ in range(draw(st.integers(0, 2)))]
        threads = [self._add("thread", tool_resources=resources) for _ in range(draw(st.integers(0, 3)))]
        # An assistant that was deleted is named too.
        runs = [(thread, self._run(thread, draw(st.sampled_from([*assistants, "asst_gone"])))) for thread in threads]
        messages = [self._message(thread, run, files) for thread, run in runs for _ in range(draw(st.integers(0, 3)))]
        for thread, run in runs:
            self._step(thread, run, draw(st.sampled_from([*messages, "msg_gone"])))

    def _add(self, kind: str, **fields: Any) -> str:
        self._count += 1
        identifier = f"old_{self._count}"
        base = {"object": kind, "id": identifier, "created_at": self._draw(TIME), "metadata": self._draw(METADATA)}
        self.lines.append(base | fields)
        return identifier

    def _file(self) -> str:
        content = self._draw(st.binary(max_size=20))
        fields = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "purpose": "assistants"}
        identifier = self._add("file", filename=self._draw(TEXT), **fields)
        del self.lines[-1]["metadata"]
        if content:
            self.lines.append(json.loads(lines.content(identifier, content)))
        return identifier

    def _store_file(self, store: str, file: str) -> None:
        chunking = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}
        error = {"code": "invalid_file", "message": self._draw(TEXT)}
        self._add("vector_store.file", vector_store_id=store, chunking_strategy=chunking, status="failed")
        self.lines[-1] |= {"id": file, "last_error": error, "attributes": self._draw(METADATA)}
        del self.lines[-1]["metadata"]

    def _assistant(self, resources: Json) -> str:
        return self._add(
            "assistant",
            model="m",
            instructions=self._draw(TEXT),
            tools=self._draw(TOOLS),
            tool_resources=resources,
            reasoning_effort=self._draw(st.sampled_from([None, "low"])),
        )

    def _run(self, thread: str, assistant: str) -> str:
        status = self._draw(st.sampled_from(["completed", "failed", "cancelled", "expired", "incomplete"]))
        fields = {"status": status, "model": "m", "instructions": self._draw(TEXT), "tools": self._draw(TOOLS)}
        usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
        return self._add("thread.run", thread_id=thread, assistant_id=assistant, usage=usage, **fields)

    def _message(self, thread: str, run: str, files: list[str]) -> str:
        citation = {"type": "file_citation", "text": "x", "start_index": 0, "end_index": 1}
        annotations = [citation | {"file_citation": {"file_id": file}} for file in files]
        content: list[Json] = [{"type": "text", "text": {"value": self._draw(TEXT), "annotations": annotations}}]
        content += [{"type": "image_file", "image_file": {"file_id": file}} for file in files]
        attachments = [{"file_id": file, "tools": [{"type": "file_search"}]} for file in files]
        fields = {"role": "assistant", "content": content, "attachments": attachments}
        return self._add("thread.message", thread_id=thread, run_id=run, **fields)

    def _step(self, thread: str, run: str, message: str) -> None:
        details = {"type": "message_creation", "message_creation": {"message_id": message}}
        fields = {"assistant_id": "asst_gone", "type": "message_creation", "status": "completed"}
        self._add("thread.run.step", thread_id=thread, run_id=run, step_details=details, **fields)


class Transfers:
    """A store, on a loop that turns only while something is asked of it."""

    def __init__(self, folder: Path, conninfo: str) -> None:
        self._runner = asyncio.Runner()
        self._conninfo = conninfo
        self._settings = Settings(data=folder)
        self._store = self._runner.run(self._open())

    async def _open(self) -> Store:
        store = Store(self._conninfo, self._settings)
        await store.open()
        return store

    def close(self) -> None:
        self._runner.run(self._store.close())
        self._runner.close()

    def forget(self) -> None:
        empty(self._conninfo)

    def load(self, data: list[Json], *, keep_ids: bool) -> dict[str, str]:
        async def work() -> dict[str, str]:
            async def pieces() -> AsyncIterator[bytes]:
                for line in data:
                    yield json.dumps(line).encode() + b"\n"

            return (await load(self._store, self._settings, Caller("proj"), pieces(), keep_ids=keep_ids)).ids

        return self._runner.run(work())

    def export(self) -> list[Json]:
        async def work() -> list[Json]:
            return [json.loads(line) async for line in export(self._store, "proj")]

        return self._runner.run(work())


@pytest.fixture(scope="module")
def transfers(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transfers]:
    transfers = Transfers(tmp_path_factory.mktemp("transfers"), postgres)
    yield transfers
    transfers.forget()
    transfers.close()


@st.composite
def projects(draw: st.DrawFn) -> list[Json]:
    drawn = Project(draw).lines
    count = len([line for line in drawn if "id" in line])
    return [{"object": "export", "version": 1}, *drawn, {"object": "export.end", "objects": count}]


#: Messages come thread by thread, threads in the order of their ids; the rest in the order in which it came.
def ordered(data: list[Json]) -> list[Json]:
    messages = [line for line in data[1:] if line["object"] == "thread.message"]
    others = [line for line in data[1:] if line["object"] != "thread.message"]
    return others + sorted(messages, key=lambda line: line["thread_id"])


def named(data: list[Json]) -> list[Json]:
    """The objects, with ids replaced by their places in the export."""
    places: dict[str, str] = {}
    for line in data:
        if "id" in line:
            places.setdefault(line["id"], f"{line['object']} {len(places)}")

    def rename(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: inner if key == "metadata" else rename(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [rename(inner) for inner in value]
        return places.get(value, value) if isinstance(value, str) else value

    return [rename(line) for line in data]


def holds(full: Any, given: Any) -> bool:
    """Whether `full` has everything that `given` has; fields that were not given may be there too."""
    if isinstance(given, dict):
        return isinstance(full, dict) and all(key in full and holds(full[key], given[key]) for key in given)
    if isinstance(given, list):
        return isinstance(full, list) and len(full) == len(given) and all(map(holds, full, given))
    return full == given


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(projects())
def test_an_import_exports_what_it_was_given(transfers: Transfers, project: list[Json]) -> None:
    transfers.forget()
    transfers.load(project, keep_ids=True)
    first = transfers.export()
    assert holds(ordered(first), ordered(project))
    transfers.forget()
    transfers.load(first, keep_ids=True)
    assert transfers.export()[1:] == first[1:]
    transfers.forget()
    ids = transfers.load(first, keep_ids=False)
    again = transfers.export()
    assert {line["id"] for line in again if "id" in line}.isdisjoint(line["id"] for line in first if "id" in line)
    assert set(ids) <= {line["id"] for line in first if "id" in line}
    # New ids order the messages of threads anew.
    order = {new: old for old, new in ids.items()}
    messages = sorted(
        (line for line in again if line["object"] == "thread.message"), key=lambda line: order[line["thread_id"]]
    )
    others = [line for line in again if line["object"] != "thread.message"]
    steps = next(index for index, line in enumerate(others) if line["object"] in ("thread.run.step", "export.end"))
    assert named([*others[1:steps], *messages, *others[steps:]]) == named(first[1:])
