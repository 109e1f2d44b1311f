"""`code_interpreter`: the model's Python, run in the session of its thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable
from contextlib import aclosing

from pydantic_core import from_json

from ..errors import InvalidRequest
from ..inference.chat import Json
from ..sandbox.manager import Sandboxes
from ..sandbox.session import Failure, FileInfo, FileRefused, Image, Output, SandboxError, Session
from ..settings import Settings
from ..store.files import blob_of
from ..store.store import Store
from ..wire.runs import Run
from ..wire.steps import (
    CodeInterpreterCall,
    CodeInterpreterToolCall,
    CodeOutput,
    ImageOutput,
    LogsOutput,
    OutputFile,
    ToolCall,
)
from .tool import Scope, Served

#: Where the files of a session are, as code and answers name it.
FOLDER = "/mnt/data/"

#: Longest code, and the most that the model reads of what it wrote, in characters.
_LONGEST = 100_000
_MOST_TOLD = 16_000
#: Most files that are kept of what one call has written.
_MOST_FILES = 20
#: Sessions whose files are remembered: more than can be alive.
_MOST_SESSIONS = 2_000

_DESCRIPTION = (
    "Run Python 3 in a Jupyter session that keeps its variables. For calculations, data, files and charts. There is no "
    "network. numpy, pandas, matplotlib, scipy, sympy and openpyxl are there. The user's files are in /mnt/data; "
    "write files for the user there and link to them as sandbox:/mnt/data/NAME. Print what you need to read."
)


class CodeInterpreter:
    """The tool."""

    type = "code_interpreter"

    def __init__(self, store: Store, sandboxes: Sandboxes, settings: Settings) -> None:
        self._store = store
        self._sandboxes = sandboxes
        self._settings = settings
        #: The files that each session has been given: name to id.
        self._given: dict[str, dict[str, str]] = {}

    def definition(self, run: Run) -> Json:
        """See `ServerTool`."""
        parameters = {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]}
        return {"description": _DESCRIPTION, "parameters": parameters}

    def shown(self, identifier: str, arguments: str) -> ToolCall:
        """See `ServerTool`."""
        try:
            code = from_json(arguments or "{}", allow_partial="trailing-strings").get("code", "")
        except (ValueError, AttributeError):
            code = ""
        text = code.replace("\x00", "\ufffd") if isinstance(code, str) else ""
        return CodeInterpreterToolCall(id=identifier, code_interpreter=CodeInterpreterCall(input=text))

    async def serve(self, scope: Scope, call: ToolCall, arguments: Json, report: Callable[[ToolCall], None]) -> Served:
        """See `ServerTool`."""
        code = arguments.get("code")
        if not isinstance(code, str) or not code.strip() or len(code) > _LONGEST:
            raise InvalidRequest(f"'code' must be Python of 1 to {_LONGEST} characters. Call the tool again.")
        try:
            await self._sandboxes.start()
            async with self._sandboxes.session(scope.project, scope.run.thread_id) as session:
                given = await self._bring(scope, session)
                before = {file.name: file for file in await session.list()}
                done, note = await self._run(scope, session, call.id, code, report)
                written = [file for file in await session.list() if before.get(file.name) != file]
                kept = await self._keep(scope, session, written[:_MOST_FILES])
        except SandboxError as error:
            raise InvalidRequest(str(error)) from error
        return Served(done, _told(done, note, kept, given), kept)

    async def _run(
        self, scope: Scope, session: Session, call_id: str, code: str, report: Callable[[ToolCall], None]
    ) -> tuple[CodeInterpreterToolCall, str]:
        """Run the code; the call with its outputs, and what else the model must know."""
        queue: asyncio.Queue[Output | None] = asyncio.Queue()
        code_input = code.replace("\x00", "\ufffd")
        outputs: list[CodeOutput] = []

        def call() -> CodeInterpreterToolCall:
            inside = CodeInterpreterCall(input=code_input, outputs=list(outputs))
            return CodeInterpreterToolCall(id=call_id, code_interpreter=inside)

        async def show() -> None:
            while (output := await queue.get()) is not None:
                await self._add(scope, outputs, output)
                report(call())

        async with asyncio.TaskGroup() as group:
            group.create_task(show())
            result = await session.run(code, queue.put_nowait, timeout=self._settings.sandbox_timeout)
            queue.put_nowait(None)
        return call(), result.note

    async def _add(self, scope: Scope, outputs: list[CodeOutput], output: Output) -> None:
        """Add an output: pictures become files; texts that follow each other become one."""
        if isinstance(output, Image):
            file = await self._add_file(scope, _pieces(output.png), f"image-{len(outputs)}.png")
            outputs.append(ImageOutput(image=OutputFile(file_id=file)))
            return
        text = (output.traceback if isinstance(output, Failure) else output.text).replace("\x00", "\ufffd")
        if outputs and isinstance(outputs[-1], LogsOutput):
            outputs[-1] = LogsOutput(logs=outputs[-1].logs + text)
        elif text:
            outputs.append(LogsOutput(logs=text))

    async def _bring(self, scope: Scope, session: Session) -> list[str]:
        """See that the files of the assistant and the thread are in the session; their names."""
        wanted = await self._store.files.of_code_interpreter(scope.project, scope.run.assistant_id, scope.run.thread_id)
        while len(self._given) > _MOST_SESSIONS:
            self._given.pop(next(iter(self._given)))
        given = self._given.setdefault(session.id, {})
        for file in wanted:
            if file.id in given.values():
                continue
            name = file.filename if file.filename not in given else f"{file.id}-{file.filename}"
            try:
                async with aclosing(self._store.blobs.read(blob_of(file.id))) as content:
                    await session.put(name, content)
            except (FileNotFoundError, FileRefused):
                continue
            given[name] = file.id
        return list(given)

    async def _keep(self, scope: Scope, session: Session, written: list[FileInfo]) -> dict[str, str]:
        """Make files of what code has written: their ids by path."""
        kept: dict[str, str] = {}
        for file in written:
            try:
                content = session.read(file.name, most=self._settings.sandbox_disk_bytes)
                kept[FOLDER + file.name] = await self._add_file(scope, content, file.name.rpartition("/")[2])
            except FileRefused:
                continue
        return kept

    async def _add_file(self, scope: Scope, content: AsyncIterable[bytes], name: str) -> str:
        received = await self._store.files.receive(content)
        file = received.file(name.replace("\x00", "\ufffd"), "assistants_output")
        await self._store.files.add(scope.project, file)
        return file.id


async def _pieces(content: bytes) -> AsyncIterable[bytes]:
    yield content


def _told(call: CodeInterpreterToolCall, note: str, kept: dict[str, str], given: list[str]) -> str:
    """What the model reads."""
    parts: list[str] = []
    for output in call.code_interpreter.outputs:
        if isinstance(output, LogsOutput):
            parts.append(_shortened(output.logs))
        else:
            parts.append("[A picture was drawn. The user sees it.]")
    if note:
        parts.append(note)
    if kept:
        parts.append("Files written: " + ", ".join(f"sandbox:{path}" for path in kept))
    if not parts:
        parts.append("The code ran and wrote nothing. Print what you need to read.")
    if given:
        parts.append("Files of the user: " + ", ".join(FOLDER + name for name in given))
    return "\n".join(parts)


def _shortened(text: str) -> str:
    if len(text) <= _MOST_TOLD:
        return text
    half = _MOST_TOLD // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[-half:]}"
