"""What belongs to assistants is withheld from callers who may only use them: in one place, for every answer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..accounts.scopes import Need, allowed
from ..errors import Forbidden
from ..store.conversations import Assistants
from ..store.files import Files
from ..store.gpts import Gpts

Json = dict[str, Any]

#: How the paths begin whose answers or requests may have to do with assistants.
CONCERNED = (
    "/v1/threads",
    "/v1/runs",
    "/v1/assistants",
    "/v1/files/",
    "/v1/vector_stores",
    "/v1/export",
    "/v1/gpts",
    "/v1/agents",
)
#: What takes forms, which name nothing that is withheld; they are large, and read as they come.
_FORMS = frozenset({"/v1/gpts/import"})
_ASSISTANT = re.compile(r"/v1/assistants/([^/]+)(?:/.*)?")
_FILE_CONTENT = re.compile(r"/v1/(?:files|vector_stores/[^/]+/files)/([^/]+)/content")
_VECTOR_STORE = re.compile(r"/v1/vector_stores/([^/]+)(?:/.*)?")
#: A run, its steps, and what its model was sent.
_RUN = re.compile(r"/v1/threads/[^/]+/runs/([^/]+)(?:/(?:steps|prompts)(?:/.*)?)?")
_FILE_ID, _STORE_ID = re.compile(r"file-\w{1,128}"), re.compile(r"vs_\w{1,128}")


class Confidential:
    """The layer inside the gate that withholds. Plain ASGI; streams pass event by event.

    Who administers assistants sees everything. Who may read them sees all but what is protected. Who may do neither
    sees nothing of them: only threads, and what runs have answered. Who makes a GPT sees everything of the runs
    in which they try its draft.
    """

    def __init__(self, app: ASGIApp) -> None:
        """`app`: what answers; what it keeps of answers is whole, so that others are given theirs."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        caller = scope.get("caller")
        if caller and scope["path"].startswith(CONCERNED) and not allowed(caller.scopes, Need("assistants", "admin")):
            # Of what is not protected, nothing is withheld from those who may read it.
            protected_only = allowed(caller.scopes, Need("assistants", "read"))
            body = await _Check(scope, protected_only).received(receive)
            await self._app(scope, body, _Withholding(send, protected_only, _trial(scope)).send)
        else:
            await self._app(scope, receive, send)


def _trial(scope: Scope) -> Callable[[], Awaitable[bool]] | None:
    """What finds out whether a request asks for a run in which the caller tries their GPT; None where it cannot."""
    found = _RUN.fullmatch(scope["path"])
    if found is None or scope["method"] != "GET":
        return None
    gpts: Gpts = scope["app"].state.store.gpts
    return lambda: gpts.is_trial(scope["project"], found[1])


# --- requests


class _Check:
    """Refuses what would bring a caller to files or settings that are withheld."""

    def __init__(self, scope: Scope, protected_only: bool) -> None:
        self._assistants: Assistants = scope["app"].state.store.assistants
        self._files: Files = scope["app"].state.store.files
        self._gpts: Gpts = scope["app"].state.store.gpts
        self._project: str = scope["project"]
        self._path: str = scope["path"]
        self._changes = scope["method"] not in ("GET", "HEAD", "OPTIONS")
        self._protected_only = protected_only

    async def received(self, receive: Receive) -> Receive:
        """The request's messages, once it has been seen that it may be sent.

        Raises:
            Forbidden: it may not.
        """
        if self._path == "/v1/export":
            if not self._protected_only or await self._assistants.any_protected(self._project):
                raise _refused("An export of the project holds what is confidential.")
        elif found := _FILE_CONTENT.fullmatch(self._path):
            await self._check_files({found[1]})
        elif found := _ASSISTANT.fullmatch(self._path):
            if self._changes and await self._assistants.is_protected(self._project, found[1]):
                raise _refused("The assistant is protected.")
        elif (found := _VECTOR_STORE.fullmatch(self._path)) and self._changes:
            await self._check_store(found[1])
        return await self._read(receive) if self._changes and self._path not in _FORMS else receive

    async def _read(self, receive: Receive) -> Receive:
        """Read a request whole, since it may name files: a model would read them to whoever asks."""
        messages = [await receive()]
        while messages[-1]["type"] == "http.request" and messages[-1].get("more_body"):
            messages.append(await receive())
        names = set(_texts(b"".join(message.get("body", b"") for message in messages)))
        if files := {name for name in names if _FILE_ID.fullmatch(name)}:
            await self._check_files(files)
        for name in sorted(names):
            if _STORE_ID.fullmatch(name):
                await self._check_store(name)
        waiting = iter(messages)

        async def again() -> Message:
            return next(waiting, None) or await receive()

        return again

    async def _check_files(self, files: set[str]) -> None:
        uploads = await self._files.uploads(self._project, files)
        # Who has uploaded a file knows what is in it.
        files = {file for file in files if not uploads.get(file)}
        if not files:
            return
        # Nor is it a secret to whoever got it with the copy of a GPT.
        files -= await self._gpts.given(self._project, files)
        found = await self._assistants.files_of_any(self._project, files, protected_only=self._protected_only)
        if found:
            raise _refused(f"The file '{min(found)}' belongs to an assistant.")
        if not self._protected_only and (others := files & uploads.keys()):
            raise _refused(f"The file '{min(others)}' was uploaded by somebody else.")

    async def _check_store(self, vector_store: str) -> None:
        if await self._assistants.has_files_in(self._project, vector_store, protected_only=self._protected_only):
            raise _refused(f"The vector store '{vector_store}' has files of an assistant.")
        if not self._protected_only and await self._files.others_in(self._project, vector_store):
            raise _refused(f"The vector store '{vector_store}' has files that somebody else uploaded.")


def _refused(reason: str) -> Forbidden:
    message = f"{reason} This takes a key with the scope assistants:admin, or assistants:read if it is not protected."
    return Forbidden(message, code="confidential")


def _texts(body: bytes) -> Iterator[str]:
    """All texts in a JSON body; none where it is no JSON, which is refused later."""
    try:
        waiting: list[Any] = [orjson.loads(body)]
    except orjson.JSONDecodeError:
        return
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()


# --- answers


class _Withholding:
    """An answer on its way."""

    def __init__(self, send: Send, protected_only: bool, trial: Callable[[], Awaitable[bool]] | None) -> None:
        """`trial`: finds out whether the caller may see all of the answer; asked only where something is withheld."""
        self._send = send
        self._protected_only = protected_only
        self._trial = trial
        #: The head of an answer that is read whole before it is sent.
        self._head: Message | None = None
        #: What lines of JSON begin with; None where there are none.
        self._mark: bytes | None = None
        self._rest = b""

    async def send(self, message: Message) -> None:
        """Pass a message on, without what is withheld."""
        if message["type"] == "http.response.start":
            kind = dict(message.get("headers", ())).get(b"content-type", b"").partition(b";")[0]
            if kind == b"application/json":
                self._head = message
                return
            self._mark = {b"text/event-stream": b"data: ", b"application/jsonl": b""}.get(kind)
        elif message["type"] == "http.response.body":
            body, more = message.get("body", b""), message.get("more_body", False)
            if self._head:
                self._rest += body
                if more:
                    return
                message = {**message, "body": await self._whole(self._head)}
            elif self._mark is not None:
                message = {**message, "body": self._lines(body, self._mark, more=more)}
        await self._send(message)

    async def _whole(self, head: Message) -> bytes:
        """The body of an answer in JSON; its head is sent."""
        body = self._object(self._rest) if self._rest else b""
        if self._trial and b'"protected":true' in body and await self._trial():
            body = self._rest
        others = [(name, value) for name, value in head.get("headers", ()) if name != b"content-length"]
        await self._send({**head, "headers": [*others, (b"content-length", b"%d" % len(body))]})
        return body

    def _lines(self, piece: bytes, mark: bytes, *, more: bool) -> bytes:
        """The lines that are whole, with what is in those of JSON; the last is kept until it has ended."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if not more:
            lines, self._rest = [*lines, self._rest], b""
        begin = mark + b"{"
        shown = [mark + self._object(line[len(mark) :]) if line.startswith(begin) else line for line in lines]
        return b"\n".join(shown) + (b"\n" if more and shown else b"")

    def _object(self, body: bytes) -> bytes:
        value = orjson.loads(body)
        for one in value["data"] if value.get("object") == "list" else [value]:
            kind = one.get("object")
            if kind in _WITHHELD and (one.get("protected") or not self._protected_only):
                _WITHHELD[kind](one)
        return orjson.dumps(value)


def _assistant(value: Json) -> None:
    _run(value)
    if "tool_resources" in value:
        value["tool_resources"] = None


def _run(value: Json) -> None:
    value["instructions"] = ""
    value["tools"] = [_tool(tool) for tool in value["tools"]]
    if "file_ids" in value:
        value["file_ids"] = []


def _prompt(value: Json) -> None:
    value["body"] = {}


def _tool(tool: Json) -> Json:
    """A tool, with what a client needs to answer its calls, or to know whom it calls."""
    kind = tool["type"]
    needed = ("name", "parameters", "strict") if kind == "function" else ("connection_id",)
    kept = {name: value for name, value in (tool.get(kind) or {}).items() if name in needed}
    return {"type": kind, kind: kept} if kept else {"type": kind}


def _step(value: Json) -> None:
    for call in value["step_details"].get("tool_calls", ()):
        if call["type"] == "file_search":
            for result in call["file_search"].get("results") or ():
                result.pop("content", None)
        elif call["type"] == "code_interpreter":
            _code(call["code_interpreter"])
    # What the model was told, which exports have.
    if "served" in value:
        value["served"] = {}


def _code(call: Json) -> None:
    if call.get("input"):
        call["input"] = ""
    for output in call.get("outputs") or ():
        if output["type"] == "logs":
            output["logs"] = ""


def _message(value: Json) -> None:
    """Version 1 quotes files where it cites them."""
    for part in value["content"]:
        for mark in (part.get("text") or {}).get("annotations") or () if part["type"] == "text" else ():
            if "quote" in mark.get("file_citation", ()):
                mark["file_citation"]["quote"] = ""


#: What is withheld of an object, by its `object`.
_WITHHELD: Mapping[str, Callable[[Json], None]] = {
    "assistant": _assistant,
    "thread.run": _run,
    "thread.run.prompt": _prompt,
    "thread.run.step": _step,
    "thread.run.step.delta": lambda value: _step(value["delta"]),
    "thread.message": _message,
    "thread.message.delta": lambda value: _message(value["delta"]),
}
