"""`code_interpreter`: the model's Python, run in the session of its thread."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from dataclasses import dataclass, field

from pydantic_core import from_json

from ..errors import InvalidRequest
from ..inference.chat import Json
from ..sandbox.manager import Key
from ..sandbox.session import Failure, FileInfo, FileRefused, Image, Output, Result, Session
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
)
from ..wire.tools import CodeInterpreterTool
from .code_sessions import CodeSessions
from .outputs import keep_output
from .shortened import shortened
from .tool import Report, Scope, Served, ServerFunction
from .user_files import FOLDER, listed, place

#: Longest code, in characters.
_LONGEST = 100_000
#: Most files that are kept of what one call has written.
_MOST_FILES = 20
#: Most files of which the model is told that they were not kept.
_MOST_LOST = 5
#: Threads whose files are remembered: more than can have a session.
_MOST_THREADS = 2_000

#: In a traceback, the frames that are not of the model's code: long, and of no use to it.
_FRAMES_OF_LIBRARIES = re.compile(rf"^File (?!{FOLDER})[^\n]*\n(?:[^\n]+\n)*\n", re.MULTILINE)

_DESCRIPTION = (
    "Run Python 3 in a Jupyter session, which keeps its variables, without network: for calculations, data, files and "
    "charts. pandas, numpy, matplotlib, scipy, sympy and openpyxl can be imported. Print what you need to read; of a "
    'table whole rows, such as print(table.loc[table["price"].idxmax()]) for the one with the largest value. Show each '
    "chart as a figure of its own with plt.show(). The user's files are in /mnt/data; write files for the user there "
    "and link to them as sandbox:/mnt/data/NAME."
)
_CODE = {"type": "string", "contentMediaType": "text/x-python"}
#: Said first of code that failed, as of all calls that did.
_FAILED = "Error: the code failed."


@dataclass(slots=True)
class _Folder:
    """What is known of the files in a thread's session.

    Attributes:
        session: the id of the session.
        given: the ids of the files that it was given, by the name that they have there.
        brought: those of them that the current call has brought.
        refused: why files could not be brought, each time that it is tried.
    """

    session: str
    given: dict[str, str]
    brought: dict[str, str] = field(default_factory=dict[str, str])
    refused: list[str] = field(default_factory=list[str])


class CodeInterpreter:
    """The tool."""

    type = "code_interpreter"

    def __init__(self, store: Store, sessions: CodeSessions, settings: Settings) -> None:
        self._store = store
        self._sessions = sessions
        self._settings = settings
        self._folders: dict[Key, _Folder] = {}
        self._forgetting: set[asyncio.Task[None]] = set()

    def forget(self, project: str, thread: str) -> None:
        """A thread is no more: its code ends, and its session goes."""
        self._folders.pop((project, thread), None)
        task = asyncio.create_task(self._sessions.forget(project, thread))
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    async def functions(self, project: str, run: Run, wanted: CodeInterpreterTool) -> list[ServerFunction]:
        """See `ServerTool`."""
        files = await self._store.files.of_code_interpreter(project, run.assistant_id, run.thread_id)
        folder = self._folders.get((project, run.thread_id))
        files_told = await listed(self._store.blobs, files, folder.given if folder else {})
        parameters = {"type": "object", "properties": {"code": _CODE}, "required": ["code"]}
        definition = {"description": _DESCRIPTION + files_told, "parameters": parameters}
        return [ServerFunction(self.type, self.type, definition, self._serve, _shown)]

    async def _serve(self, scope: Scope, call: CodeInterpreterToolCall, arguments: Json, report: Report) -> Served:
        code = arguments.get("code")
        if not isinstance(code, str) or not code.strip() or len(code) > _LONGEST:
            raise InvalidRequest(f"'code' must be Python of 1 to {_LONGEST} characters. Call the tool again.")
        async with self._sessions.session(scope.caller, scope.run.thread_id) as session:
            folder = await self._bring(scope, session)
            before = {file.name: file for file in await session.list()}
            done, result = await self._run(scope, session, call.id, code, report)
            written = [file for file in await session.list() if before.get(file.name) != file]
            kept, lost = await self._keep(scope, session, written)
        notes = "\n".join(filter(None, [result.note, *folder.refused, lost]))
        output = _told(result, notes, kept, list(folder.given), scope.room)
        files = {FOLDER + name: file for name, file in folder.brought.items()} | kept
        return Served(done, output, files=files, failed=result.status != "ok")

    async def _run(
        self, scope: Scope, session: Session, call_id: str, code: str, report: Report
    ) -> tuple[CodeInterpreterToolCall, Result]:
        """Run the code; the call with its outputs, and how it went."""
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
        return call(), result

    async def _add(self, scope: Scope, outputs: list[CodeOutput], output: Output) -> None:
        """Add an output: pictures become files; texts that follow each other become one."""
        if isinstance(output, Image):
            try:
                file = await keep_output(self._store, scope.project, f"image-{len(outputs)}.png", output.png)
            except InvalidRequest as error:
                outputs.append(LogsOutput(logs=f"A picture was not kept: {error}\n"))
            else:
                outputs.append(ImageOutput(image=OutputFile(file_id=file.id)))
            return
        text = (output.traceback if isinstance(output, Failure) else output.text).replace("\x00", "\ufffd")
        if outputs and isinstance(outputs[-1], LogsOutput):
            outputs[-1] = LogsOutput(logs=outputs[-1].logs + text)
        elif text:
            outputs.append(LogsOutput(logs=text))

    async def _bring(self, scope: Scope, session: Session) -> _Folder:
        """See that the files of the assistant and the thread are in the session."""
        wanted = await self._store.files.of_code_interpreter(scope.project, scope.run.assistant_id, scope.run.thread_id)
        folder = await self._folder((scope.project, scope.run.thread_id), session)
        there: set[str] | None = None
        for file in wanted:
            if file.id in folder.given.values():
                continue
            if there is None:
                there = {other.name for other in await session.list()}
            name = place(file, there)
            try:
                async with aclosing(self._store.blobs.read(blob_of(file.id))) as content:
                    await session.put(name, content)
            except FileNotFoundError:
                continue
            except FileRefused as error:
                folder.refused.append(f"A file of the user is not there: {error}")
                continue
            there.add(name)
            folder.given[name] = folder.brought[name] = file.id
        return folder

    async def _folder(self, key: Key, session: Session) -> _Folder:
        """What is known of the files in a session, before a call brings further ones."""
        known = self._folders.pop(key, None)
        given = known.given if known else {}
        if known and known.session != session.id:
            # A session that took the place of one that died has that one's files.
            there = {file.name for file in await session.list()}
            given = {name: file for name, file in given.items() if name in there}
        while len(self._folders) >= _MOST_THREADS:
            self._folders.pop(next(iter(self._folders)))
        folder = self._folders[key] = _Folder(session.id, given)
        return folder

    async def _keep(self, scope: Scope, session: Session, written: list[FileInfo]) -> tuple[dict[str, str], str]:
        """Make files of what code has written: their ids by path, and what the model should know of the others."""
        kept: dict[str, str] = {}
        lost: list[str] = []
        # A file with holes is longer than the room that it takes.
        left = self._settings.sandbox_disk_bytes
        for file in written[:_MOST_FILES]:
            try:
                content = session.read(file.name, most=left)
                made = await keep_output(self._store, scope.project, file.name.rpartition("/")[2], content)
            except (FileRefused, InvalidRequest) as error:
                lost.append(f"The user does not get a file: {error}")
                continue
            kept[FOLDER + file.name] = made.id
            left -= made.bytes
        if len(written) > _MOST_FILES:
            lost.append(f"Of {len(written)} files written, the user gets {_MOST_FILES}. Put many into one archive.")
        return kept, "\n".join(lost[-_MOST_LOST:])


def _shown(identifier: str, arguments: str) -> CodeInterpreterToolCall:
    """A call while its code comes in."""
    try:
        code = from_json(arguments or "{}", allow_partial="trailing-strings").get("code", "")
    except (ValueError, AttributeError):
        code = ""
    text = code.replace("\x00", "\ufffd") if isinstance(code, str) else ""
    return CodeInterpreterToolCall(id=identifier, code_interpreter=CodeInterpreterCall(input=text))


def _told(result: Result, note: str, kept: dict[str, str], given: list[str], room: int) -> str:
    """What the model reads: of the outputs, as many tokens as there is `room` for."""
    parts = [] if result.status == "ok" else [_FAILED]
    if text := "".join(map(_in_words, result.outputs)).strip("\n"):
        parts.append(shortened(text, room))
    if kept:
        parts.append("Files written: " + ", ".join(f"sandbox:{path}" for path in kept))
    if not parts and not note:
        parts.append("The code ran and wrote nothing. Print what you need to read.")
    if given:
        parts.append("Files of the user: " + ", ".join(FOLDER + name for name in given))
    if note:
        parts.append(note)
    return "\n".join(parts)


def _in_words(output: Output) -> str:
    if isinstance(output, Image):
        return "\n[A picture was drawn. The user sees it.]\n"
    if isinstance(output, Failure):
        return "\n" + _FRAMES_OF_LIBRARIES.sub("", output.traceback)
    return output.text
