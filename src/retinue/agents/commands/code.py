"""Code: run in the sandbox, or written about by the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import InvalidRequest
from ...inference.prompted.python import mended
from ...inference.tokens import beginning
from ...sandbox.session import Failure, FileInfo, FileRefused, Logs, Output, Session
from ...store.workspaces import MOST_FILE_BYTES
from .command import Argument, Both, Command, Outcome, Place
from .files import FILE, clean, some, sparing_others

_CODE = Argument("code", Both("<full_code_string>", "<完整代码>"), most=50_000)
#: Bytes of all files together that code has written and that are kept.
_MOST_ALTOGETHER = 16 * 1024 * 1024
_MOST_FILES = 50
_NOT_DELETED = 'Not deleted or emptied: {files}. Code may not do that; use "delete_file", which a person has to allow.'
#: Files of which the model is told that they were not brought, or are not kept.
_MOST_TOLD = 5

_IMPROVE = (
    "You improve Python code. Follow the suggestions. Answer with the whole improved code in one ```python block and "
    "nothing else."
)
_TEST = (
    "You write tests for Python code with unittest. Answer with the whole test file in one ```python block and nothing "
    "else."
)


async def _evaluate(place: Place, args: Mapping[str, Any]) -> Outcome:
    return await _run(place, mended(args["code"]))


async def _execute(place: Place, args: Mapping[str, Any]) -> Outcome:
    path = clean(args["file"])
    await place.read(path)
    return await _run(place, f"import runpy\n_ = runpy.run_path({path!r}, run_name='__main__')")


async def _improve(place: Place, args: Mapping[str, Any]) -> Outcome:
    return Outcome(
        await place.ask(_IMPROVE, f"Suggestions:\n{args['suggestions']}\n\nCode:\n```python\n{args['code']}\n```")
    )


async def _write_tests(place: Place, args: Mapping[str, Any]) -> Outcome:
    return Outcome(await place.ask(_TEST, f"Focus on:\n{args['focus']}\n\nCode:\n```python\n{args['code']}\n```"))


async def _run(place: Place, code: str) -> Outcome:
    """Run code where the workspace lies, and keep the files that it has written or deleted."""
    outputs = list[Output]()
    async with place.sessions.session(place.scope.caller, place.held.root) as session:
        given, refused = await _bring(place, session)
        before = {info.name: info for info in await session.list()}
        result = await session.run(code, outputs.append, timeout=place.settings.sandbox_timeout)
        there = await session.list()
        files, lost = await _written(session, [info for info in there if before.get(info.name) != info])
        if session.alive and there:
            names = {info.name for info in there}
            files |= {path: None for path in given if path in before and path not in names}
    if not place.may_delete:
        files, undeleted = _without_deletions(files, given)
        lost += undeleted
    files, spared = await sparing_others(place, files)
    lost += spared
    text = "".join(_in_words(one) for one in outputs).strip("\n")
    parts = [beginning(text, place.scope.room), result.note, *refused, *lost]
    if files:
        parts.append("Files written: " + ", ".join(_size(path, content) for path, content in files.items() if content))
    told = "\n".join(filter(None, parts)) or "The code ran without output."
    return Outcome(told, failed=result.status != "ok", files=files)


async def _bring(place: Place, session: Session) -> tuple[dict[str, int], list[str]]:
    """See that the session has the files of the workspace, as they are.

    Returns:
        The bytes of each, and why some could not be brought.
    """
    held, given, refused = place.held, dict[str, int](), list[str]()
    for file in await place.store.agents.files(held.project, held.root):
        try:
            await session.put(file.path, await place.read(file.path))
            given[file.path] = file.bytes
        except FileRefused as error:
            refused.append(f"The code had no file {file.path}: {error}")
    return given, refused[:_MOST_TOLD]


async def _written(session: Session, changed: Sequence[FileInfo]) -> tuple[dict[str, bytes | None], list[str]]:
    """What code has written, by path, and what of it is not kept."""
    files: dict[str, bytes | None] = {}
    lost: list[str] = []
    left = _MOST_ALTOGETHER
    for info in changed:
        if len(files) >= _MOST_FILES:
            lost.append(f"Only {_MOST_FILES} files are kept.")
            break
        try:
            path = clean(info.name)
            content = b"".join([piece async for piece in session.read(info.name, most=min(MOST_FILE_BYTES, left))])
        except (FileRefused, InvalidRequest) as error:
            lost.append(f"A file is not kept: {error}")
            continue
        files[path] = content
        left -= len(content)
    return files, lost[:_MOST_TOLD]


def _size(path: str, content: bytes) -> str:
    """A file that was written, with as much as tells whether it is what it should be."""
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    return f"{path} ({lines} {'line' if lines == 1 else 'lines'}, {len(content)} bytes)"


def _without_deletions(
    files: Mapping[str, bytes | None], given: Mapping[str, int]
) -> tuple[dict[str, bytes | None], list[str]]:
    """What code has written but for what it has deleted or emptied, and a note of that."""
    gone = sorted(path for path, content in files.items() if not content and given.get(path))
    left: dict[str, bytes | None] = {path: content for path, content in files.items() if path not in gone}
    return left, [_NOT_DELETED.format(files=some(gone))] if gone else []


def _in_words(output: Output) -> str:
    if isinstance(output, Logs):
        return output.text
    if isinstance(output, Failure):
        return output.traceback
    return "[a picture]\n"


COMMANDS = (
    Command(
        "evaluate_code",
        Both(
            "Run Python code, to compute, count or check something, or to make a data file",
            "运行 Python 代码，用来计算、统计、检查或生成数据文件",
        ),
        (_CODE,),
        _evaluate,
        in_words=Argument("task", Both("<what the code must do, in a sentence>", "<用一句话说明代码要做的事>")),
        seconds=180,
        runs_code=True,
    ),
    Command(
        "improve_code",
        Both("Get improved code", "改进代码"),
        (Argument("suggestions", Both("<list_of_suggestions>", "<建议>")), _CODE),
        _improve,
        seconds=600,
    ),
    Command(
        "write_tests",
        Both("Write tests", "编写测试"),
        (_CODE, Argument("focus", Both("<list_of_focus_areas>", "<重点>"))),
        _write_tests,
        seconds=600,
    ),
    Command(
        "execute_python_file",
        Both("Execute Python file", "执行 Python 文件"),
        (FILE,),
        _execute,
        seconds=180,
        runs_code=True,
    ),
)
