"""Asking a GPT where nobody follows its run: no functions are offered, and nobody is there to allow a call."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..accounts.keys import Caller
from ..errors import ApiError, InvalidRequest, ModelError
from ..runs.engine import Engine
from ..runs.events import EventStream
from ..store.objects import PageQuery
from ..store.store import Store
from ..wire.common import WireObject
from ..wire.events import EventName
from ..wire.messages import Annotation, FileCitation, Message, MessageDelta, TextContent, TextDeltaContent
from ..wire.runs import TERMINAL, CompletionUsage, Run, RunCreate, ToolOutput

#: What is said to calls that nobody can answer: those that a person would have to allow, and of functions.
_DENIED = "deny: nobody is here who could allow it. Answer without it, and say what you could not do."
_NO_FUNCTION = "Error: there is no such function. Answer without it."
#: Seconds between two looks whether a run that was cancelled has ended, and how many.
_LOOK, _MOST_LOOKS = 0.05, 100
_BETWEEN = "\n\n"
_ALL = PageQuery(limit=1000)


@dataclass(frozen=True, slots=True)
class Begun:
    """The model has begun to answer, or to work: what refuses a request at once has not come."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the answer's text."""

    text: str
    #: Where it begins.
    start: int
    #: With places in the whole answer.
    annotations: Sequence[Annotation] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is whole."""

    reason: Literal["stop", "length"]
    usage: CompletionUsage


Told = Begun | Piece | Ended


#: Is called when a run has ended, with the run; with None where none was created.
After = Callable[[Run | None], Coroutine[Any, Any, None]]


class _Ears(EventStream):
    """Hears a run's events as objects."""

    def __init__(self) -> None:
        super().__init__()
        self._heard: asyncio.Queue[tuple[EventName, WireObject] | ApiError | None] = asyncio.Queue()

    def send(self, name: EventName, data: WireObject, at: str) -> None:
        """Hear an event."""
        # The driver goes on writing into some objects.
        self._heard.put_nowait((name, data.model_copy() if isinstance(data, Run) else data))

    def fail(self, error: ApiError) -> None:
        """Hear that the run goes on elsewhere, or not at all."""
        self._heard.put_nowait(error)

    def close(self) -> None:
        """Hear that nothing follows."""
        self._heard.put_nowait(None)

    async def events(self) -> AsyncGenerator[tuple[EventName, WireObject]]:
        """All events. Raises what `fail` was given."""
        while (heard := await self._heard.get()) is not None:
            if isinstance(heard, ApiError):
                raise heard
            yield heard


@dataclass(slots=True)
class _Text:
    """The answer so far: all messages of the run as one text."""

    length: int = 0
    #: Where the current message begins.
    start: int = 0
    #: Whether the next text begins a further message.
    apart: bool = False

    def add(self, delta: MessageDelta) -> Piece | None:
        """A piece of a message."""
        parts = [part for part in delta.delta.content if isinstance(part, TextDeltaContent)]
        text = "".join(part.text.value for part in parts)
        if not text:
            return None
        if self.apart:
            between = _BETWEEN if self.length else ""
            text, self.start, self.apart = between + text, self.length + len(between), False
        begin, self.length = self.length, self.length + len(text)
        told = [mark for part in parts for mark in part.text.annotations or ()]
        return Piece(text, begin, [_moved(mark, self.start) for mark in told])


def _moved(mark: Annotation, by: int) -> Annotation:
    """An annotation whose text stands further behind."""
    return mark.model_copy(update={"start_index": mark.start_index + by, "end_index": mark.end_index + by})


class Asking:
    """Asks GPTs. What was asked is stopped when whoever asked goes away."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self._store = store
        self._engine = engine
        self._ending: set[asyncio.Task[None]] = set()

    async def answer(self, caller: Caller, thread: str, body: RunCreate, after: After) -> AsyncGenerator[Told]:
        """Run an assistant on a thread, and tell what it says as it comes. Closing this cancels the run.

        Args:
            caller: for whom; where this is nobody, no person's grants are used.
            thread: the thread's id.
            body: the run.
            after: is called once, before the end is told; also where it never is.

        Raises:
            ApiError: the run could not begin, or has failed.
        """
        ears, text = _Ears(), _Text()
        creating = asyncio.create_task(self._engine.create(caller, thread, body, ears))
        try:
            run = await asyncio.shield(creating)
        except BaseException:
            # Whoever asked may have gone: then it is created all the same, and ended.
            self.later(self._abandon(caller.project, creating, after))
            raise
        begun = False
        try:
            while run.status not in TERMINAL:
                async for name, data in ears.events():
                    if isinstance(data, Run):
                        run = data
                    elif not begun:
                        begun = True
                        yield Begun()
                    if name == "thread.message.created":
                        text.apart = True
                    elif isinstance(data, MessageDelta) and (piece := text.add(data)):
                        yield piece
                if run.status == "requires_action":
                    ears = _Ears()
                    outputs = await self._refusals(caller.project, run)
                    run = await self._engine.submit(caller, thread, run.id, outputs, ears)
                elif run.status not in TERMINAL:
                    raise ModelError("The answer broke off. Please try again.", retriable=True)
        finally:
            settled = self.later(self._settle(caller.project, run, after))
        await asyncio.shield(settled)
        yield _ended(run)

    async def stop(self) -> None:
        """Wait until all that is left to do has been done."""
        while self._ending:
            await asyncio.wait(set(self._ending))

    async def forget(self, project: str, thread: str) -> None:
        """Delete a thread once its run has ended. What cannot be deleted now goes with the sweep."""
        with contextlib.suppress(ApiError):
            for _ in range(_MOST_LOOKS):
                if await self._store.passing.remove(project, thread):
                    return
                await asyncio.sleep(_LOOK)
            await self._store.passing.add(project, thread, 0)

    def later(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something although whoever asked may be gone."""
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    async def _abandon(self, project: str, creating: asyncio.Task[Run], after: After) -> None:
        """See to it that what is being created ends, if it comes to be, and say so."""
        await asyncio.wait([creating])
        if creating.cancelled() or creating.exception():
            await after(None)
        else:
            await self._settle(project, creating.result(), after)

    async def _settle(self, project: str, run: Run, after: After) -> None:
        """See to it that a run has ended, and say so."""
        with contextlib.suppress(ApiError):
            if run.status not in TERMINAL:
                # It may have ended in this moment; or the thread is gone.
                with contextlib.suppress(InvalidRequest):
                    await self._engine.cancel(project, run.thread_id, run.id)
                for _ in range(_MOST_LOOKS):
                    run = await self._store.runs.get(project, run.id, run.thread_id)
                    if run.status in TERMINAL:
                        break
                    await asyncio.sleep(_LOOK)
        await after(run)

    async def _refusals(self, project: str, run: Run) -> list[ToolOutput]:
        """What to say to the calls that a run waits for."""
        action = run.required_action
        calls = action.submit_tool_outputs.tool_calls if action else []
        steps = await self._store.steps.page(project, _ALL, run.id)
        served = {call for step in steps.data for call, one in step.served.items() if one.consent}
        return [
            ToolOutput(tool_call_id=call.id, output=_DENIED if call.id in served else _NO_FUNCTION) for call in calls
        ]


def _ended(run: Run) -> Ended:
    """How a run has ended.

    Raises:
        ApiError: it has failed.
    """
    usage = run.usage or CompletionUsage(prompt_tokens=0, completion_tokens=0, total_tokens=0)
    if run.status == "completed":
        return Ended("stop", usage)
    if run.status == "incomplete":
        return Ended("length", usage)
    if run.status == "failed" and run.last_error:
        code, message = run.last_error.code, run.last_error.message
        if code == "rate_limit_exceeded":
            raise ModelError(message, status=429, type="requests", code="rate_limit_exceeded")
        raise InvalidRequest(message) if code == "invalid_prompt" else ModelError(message)
    if run.status == "expired":
        raise ModelError("The answer took too long and was broken off.", status=504)
    raise ModelError("The answer was broken off.")


def without_marks(text: str, annotations: Sequence[Annotation], start: int) -> str:
    """A piece of text without the marks that cite files.

    Args:
        text: the piece.
        annotations: those of it.
        start: where it begins in the text that the annotations tell places of.
    """
    cuts = sorted(
        {(one.start_index - start, one.end_index - start) for one in annotations if isinstance(one, FileCitation)}
    )
    kept, at = [], 0
    for begin, end in cuts:
        if at <= begin < end <= len(text):
            kept.append(text[at:begin])
            at = end
    return "".join([*kept, text[at:]])


def text_of(message: Message) -> str:
    """What a message says, without marks."""
    parts = [part.text for part in message.content if isinstance(part, TextContent)]
    return "".join(without_marks(part.value, part.annotations, 0) for part in parts)
