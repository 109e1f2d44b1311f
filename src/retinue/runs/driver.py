"""Driving one run: ask the model, pass its answer on, commit, until the run ends or must wait for its client."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Literal, Protocol

import structlog

from ..accounts.keys import Caller, Origin
from ..accounts.metering import Metering
from ..accounts.prices import dollars
from ..errors import ApiError, ContextOverflow, ModelError, Unavailable
from ..inference.chat import ChatRequest, Finished, Json, TextDelta, ToolCallDelta, Usage
from ..inference.models import Models, ServedModel
from ..inference.tokens import estimate_prompt, estimate_usage
from ..settings import Settings
from ..store.runs import Claim, Commit
from ..store.store import Store
from ..tools import functions
from ..tools.tool import Offered, Toolbox
from ..wire.common import WireObject
from ..wire.events import EventName
from ..wire.runs import Amount, CompletionUsage, LastError, Run, RunIncompleteDetails, RunStatus
from ..wire.steps import RunStep
from . import context, images
from .calls import storable
from .citations import Sources
from .follow import Watch
from .prompts import Prompts
from .replay import ended, moment
from .secrets import Secrets
from .serving import failures, serve
from .state import change, sources
from .turn import Turn

log = structlog.get_logger(__name__)

#: Each time that a prompt proves too long, the window shrinks to this share of itself.
_SHRINK = 0.6
_MOST_SHRINKS = 5
#: The share of a model's context that the functions which Retinue runs may take, and the most tokens.
_SHARE_OF_FUNCTIONS, _MOST_OF_FUNCTIONS = 0.25, 16_000


class Listener(Protocol):
    """Who is told what happens."""

    def send(self, name: EventName, data: WireObject, at: str) -> None:
        """Take an event; `at` tells it from other events of the same object."""
        ...


class LeaseLost(Exception):
    """Someone else drives the run now, or it is gone."""


class Driver:
    """Drives one claimed run. All writing goes through the lease: if it is lost, nothing more is written."""

    def __init__(
        self,
        claim: Claim,
        models: Models,
        store: Store,
        settings: Settings,
        owner: str,
        watch: Watch,
        toolbox: Toolbox,
        metering: Metering,
        listener: Listener | None,
    ) -> None:
        """Describe the drive.

        Args:
            claim: the run, its steps and its project.
            models: where the run's model is found.
            store: where everything is kept.
            settings: limits.
            owner: who holds the lease.
            watch: who reads along from elsewhere.
            toolbox: the tools that Retinue runs itself.
            metering: lets the calls of the model in, and counts them.
            listener: a client that reads the events, if there is one.
        """
        self.run = claim.run
        self._project = claim.project
        self._origin = Origin(self.run.assistant_id, self.run.thread_id, self.run.id, self.run.spent)
        self._caller = Caller(self._project, self.run.key, user=self.run.user, origin=self._origin)
        self._steps = list(claim.steps)
        self._models = models
        self._store = store
        self._settings = settings
        self._owner = owner
        self._watch = watch
        self._toolbox = toolbox
        self._offered: Offered = {}
        #: All tools of the run, as the model is told of them.
        self._tools: list[Json] = []
        self._metering = metering
        self._listener = listener
        self._turn: Turn | None = None
        #: Tokens that the last prompt could have.
        self._window = 0
        self._writing = asyncio.Lock()
        self._secrets = Secrets(store, claim.project, claim.run)
        self._prompts = Prompts(store, claim.project, claim.run)

    async def drive(self) -> None:
        """Drive the run until it has ended or waits for its client.

        Cancelling the task stops the work at once and leaves the run as it is, still leased: whoever cancelled
        decides what becomes of it (`end`).

        Raises:
            LeaseLost: see there.
            Unavailable: the database stayed away until the run's time was over.
        """
        try:
            await self._work_in_time()
        except (LeaseLost, Unavailable):
            raise
        except Exception:
            log.exception("run failed on a defect", run=self.run.id)
            # The answer may be what cannot be written: it must not keep the run from ending.
            self._turn = None
            await self._fail(ModelError("Something went wrong on the server."))

    async def _work_in_time(self) -> None:
        try:
            async with asyncio.timeout(max(0.0, (self.run.expires_at or 0) - time.time())):
                await self._work()
        except TimeoutError:
            await self.end("expired")
        except ModelError as error:
            await self._fail(error)
        except (LeaseLost, Unavailable):
            raise
        except ApiError as error:
            await self._fail(ModelError(error.message, run_code="invalid_prompt"))

    def emit(self, name: EventName, data: WireObject, at: str) -> None:
        """Tell the listener, if there is one; `at` tells the event from others of the same object."""
        if self._listener:
            self._listener.send(name, data, at)

    @property
    def heard(self) -> bool:
        """Whether anyone listens: what nobody reads need not be made."""
        return self._listener is not None

    async def _work(self) -> None:
        model = self._models.resolve(self.run.model)
        written = await self._written_before()
        self._window = model.context_length - self._settings.answer_reserve
        self._offered = await self._functions(model)
        self._tools = functions.definitions(self.run, self._offered)
        await self._prompts.keep(self._offered)
        await self._make_allowed_calls(written)
        while True:
            if limit := self._used_up():
                return await self.end("incomplete", RunIncompleteDetails(reason=limit))
            known = Sources(self._steps, written)
            await known.read()
            turn = self._turn = await self._begin_turn(known)
            if not await self._conclude(turn, await self._ask(model, turn)):
                return None

    async def _begin_turn(self, known: Sources) -> Turn:
        secrets = await self._secrets.now(known.texts) if self.run.protected else ()
        return Turn(self.run, self, self._offered, known, images.drawn(self._steps), secrets)

    async def _functions(self, model: ServedModel) -> Offered:
        """What Retinue runs itself for this run, as much of it as the model has room for."""
        room = min(_MOST_OF_FUNCTIONS, int(model.context_length * _SHARE_OF_FUNCTIONS))

        async def topic() -> str:
            messages = await self._store.messages.window(self._project, self.run.thread_id, budget=1000, limit=4)
            return "\n".join(context.text_of(message) for message in messages)

        return await self._toolbox.offered(self._project, self.run, room, topic)

    async def _make_allowed_calls(self, written: Mapping[str, str]) -> None:
        """Make the calls that waited for a person, who has allowed them."""
        for step in self._steps:
            if step.type == "tool_calls" and step.status == "in_progress":
                turn = self._turn = Turn.resumed(self.run, self, self._offered, Sources(self._steps, written), step)
                room = context.room(self.run, self._steps, self._tools, self._window)
                allowed = turn.begin_allowed()
                await self._commit({}, ["in_progress"], keep_lease=True, turn=turn)
                await serve(self._caller, self.run, turn.calls_before, allowed, turn, room)
                turn.finish_calls()
                await self._commit({}, ["in_progress"], keep_lease=True, turn=turn)
                turn.emit_end()
                self._turn = None

    async def _written_before(self) -> Mapping[str, str]:
        """The files that answers may link to although this run has not written them: see `Steps.files_before`."""
        if any(tool.type == "code_interpreter" for tool in self.run.tools):
            return await self._store.steps.files_before(self._project, self.run.thread_id, self.run.id)
        return {}

    @property
    def _closing(self) -> bool:
        """Whether the model has called tools often enough, or in vain often enough, and must answer now."""
        tries = failures(self._steps)
        return len(self._steps) >= self._settings.run_max_turns or tries >= self._settings.run_max_tries

    async def _ask(self, model: ServedModel, turn: Turn) -> Finished:
        """One call of the model; shrinks the window when the prompt proves too long."""
        window = model.context_length - self._settings.answer_reserve
        if self.run.max_prompt_tokens:
            window = min(window, self.run.max_prompt_tokens - self._used().prompt_tokens)
        for attempt in range(_MOST_SHRINKS + 1):
            self._window = window
            prompt = await context.build(
                self._store,
                self._project,
                self.run,
                self._steps,
                model,
                self._offered,
                self._tools,
                window,
                closing=self._closing,
            )
            request = replace(prompt.request, max_tokens=self._tokens_left())
            self._prompts.note(prompt, request, len(self._steps), closing=self._closing, prompted=model.prompted)
            try:
                return await self._listen(model, turn, request)
            except ContextOverflow:
                if turn.begun or attempt == _MOST_SHRINKS:
                    raise
                window = int(window * _SHRINK)
        raise AssertionError

    async def _listen(self, model: ServedModel, turn: Turn, request: ChatRequest) -> Finished:
        said: list[str] = []
        usage: Usage | None = None
        tokens = estimate_prompt(request) + (request.max_tokens or 0)
        with await self._metering.patiently(self._caller, "runs", model.name, tokens) as metered:
            try:
                finished = await self._hear(model, turn, request, said)
                usage = finished.usage
                return finished
            finally:
                # A call that was broken off has cost what it had said by then, and its prompt.
                if usage or said:
                    metered.usage = (usage or estimate_usage(request, "".join(said))).official()

    async def _hear(self, model: ServedModel, turn: Turn, request: ChatRequest, said: list[str]) -> Finished:
        """Hand a model's answer on to a turn as it comes; what has come of it is added to `said`."""
        finished: Finished | None = None
        async with aclosing(model.backend.stream(request)) as answer:
            async for event in answer:
                if isinstance(event, TextDelta):
                    said.append(event.text)
                    turn.add_text(event.text)
                    if turn.leaked and not turn.called:
                        # Closing the stream ends the call: what is left would be withheld, and cost tokens.
                        finished = Finished("stop", estimate_usage(request, "".join(said)))
                        break
                elif isinstance(event, Finished):
                    finished = event
                else:
                    said.append((event.name or "") + event.arguments)
                    await self._hear_call(turn, event)
                if turn.worth_showing(watched=self._watch.watched(self.run.id)):
                    await self._show(turn)
        if finished is None:
            raise ModelError("The model's server ended without a word.")
        return finished

    async def _hear_call(self, turn: Turn, event: ToolCallDelta) -> None:
        if not self._closing:
            if turn.writing:
                await self._close_message(turn)
            turn.add_call(event)

    async def _close_message(self, turn: Turn) -> None:
        """Calls follow the text: its step is finished, and committed before the next begins."""
        turn.close_message()
        await self._show(turn)
        turn.emit_end()

    async def _show(self, turn: Turn) -> None:
        """Write what is under way, so that whoever asks for it sees it; short answers are only written whole."""
        await self._commit({}, ["in_progress"], keep_lease=True, turn=turn)
        turn.shown()

    async def show_to_readers(self) -> None:
        """Write what there is of an answer that has fallen silent, for those who read along."""
        turn = self._turn
        if turn and turn.worth_showing(watched=True):
            # What the run's own drive has written meanwhile is more than this.
            with contextlib.suppress(LeaseLost, Unavailable):
                await self._show(turn)

    async def _conclude(self, turn: Turn, finished: Finished) -> bool:
        """Commit a whole answer, and with it the end of the run or what it waits for. Returns whether it goes on."""
        usage = CompletionUsage(
            prompt_tokens=finished.usage.prompt_tokens,
            completion_tokens=finished.usage.completion_tokens,
            total_tokens=finished.usage.prompt_tokens + finished.usage.completion_tokens,
        )
        if finished.reason == "length":
            turn.cut_off("max_tokens", usage)
            await self.end("incomplete", RunIncompleteDetails(reason="max_completion_tokens"))
            return False
        if finished.reason == "content_filter":
            turn.cut_off("content_filter", usage)
            error = ModelError("The model's content filter stopped the answer.", run_code="invalid_prompt")
            await self._fail(error)
            return False
        if self._closing and not turn.begun:
            raise ModelError(f"The run has made {len(self._steps)} steps and did not come to an answer.")
        turn.complete(usage)
        room = context.room(self.run, [*self._steps, *turn.steps], self._tools, self._window)
        await serve(self._caller, self.run, turn.calls_before, turn.pending(), turn, room)
        if action := turn.ask_client():
            patch = change("requires_action", required_action=action.model_dump())
            await self._commit(patch, sources("requires_action"), keep_lease=False, turn=turn)
            turn.emit_end()
            at = moment("requires_action", ended([*self._steps, *turn.steps]))
            self.emit("thread.run.requires_action", self.run, at)
            return False
        if not turn.called:
            await self.end("completed")
            return False
        turn.finish_calls()
        await self._commit({}, ["in_progress"], keep_lease=True, turn=turn)
        turn.emit_end()
        self._steps += turn.steps
        self._turn = None
        return True

    async def _fail(self, error: ModelError) -> None:
        error.message = storable(error.message)
        if self._turn:
            self._turn.stop("failed", "run_failed", error)
        code: Any = error.run_code
        await self.end("failed", last_error=LastError(code=code, message=error.message))

    async def end(
        self,
        status: RunStatus,
        incomplete: RunIncompleteDetails | None = None,
        last_error: LastError | None = None,
    ) -> None:
        """End the run in a terminal status, with what there is of its current answer.

        Raises:
            LeaseLost: see there; nothing was written.
        """
        if self._turn and status in ("cancelled", "expired"):
            self._turn.stop(status, "run_cancelled" if status == "cancelled" else "run_expired")
        patch = change(
            status,
            usage=self._used().model_dump(),
            cost=Amount(value=dollars(self._origin.spent)).model_dump(),
            incomplete_details=incomplete.model_dump() if incomplete else None,
            last_error=last_error.model_dump() if last_error else None,
        )
        waiting = [self._stopped(step, status) for step in self._waiting_steps()]
        await self._commit(patch, sources(status), keep_lease=False, turn=self._turn, steps=waiting)
        self._emit_end(status, waiting)

    def _emit_end(self, status: RunStatus, waiting: list[RunStep]) -> None:
        if status == "cancelled":
            if self._turn:
                self._turn.emit_end(completed_only=True)
            cancelling = self.run.model_copy(
                update={"status": "cancelling", "cancelled_at": None, "usage": None, "cost": None}
            )
            self.emit("thread.run.cancelling", cancelling, "cancelling")
        if self._turn:
            self._turn.emit_end()
        for step in waiting:
            step_event: Any = f"thread.run.step.{step.status}"
            self.emit(step_event, step, step.status)
        run_event: Any = f"thread.run.{status}"
        self.emit(run_event, self.run, status)

    def _waiting_steps(self) -> list[RunStep]:
        own = {step.id for step in self._turn.steps} if self._turn else set[str]()
        return [step for step in self._steps if step.status == "in_progress" and step.id not in own]

    def _stopped(self, step: RunStep, status: RunStatus) -> RunStep:
        ended: Literal["cancelled", "failed", "expired"] = (
            status if status in ("cancelled", "failed", "expired") else "failed"
        )
        return step.model_copy(update={"status": ended, f"{ended}_at": int(time.time())})

    async def _commit(
        self,
        patch: dict[str, Any],
        from_statuses: list[RunStatus],
        *,
        keep_lease: bool,
        turn: Turn | None,
        steps: list[RunStep] | None = None,
    ) -> None:
        async with self._writing:
            commit = Commit(
                run=self.run.id,
                project=self._project,
                patch={**patch, "spent": self._origin.spent, **self._prompts.news()},
                sources=from_statuses,
                owner=self._owner,
                next_owner=self._owner if keep_lease else None,
                messages=turn.new_messages() if turn else (),
                steps=[*(turn.steps if turn else ()), *(steps or ())],
                announce=self._watch.watched(self.run.id),
            )
            self.run = await self._insist(commit)

    async def _insist(self, commit: Commit) -> Run:
        """Commit, again and again while the database is away; a commit twice does no more than once."""
        pause = 0.1
        uncertain = False
        while True:
            try:
                run = await self._store.runs.commit(commit)
                if run is not None:
                    return run
                if uncertain:
                    run = await self._store.runs.get(self._project, self.run.id, self.run.thread_id)
                    if run.status == commit.patch.get("status"):
                        return run
                raise LeaseLost
            except Unavailable:
                if time.time() > (self.run.expires_at or 0):
                    raise
                uncertain = True
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2)

    def _used(self) -> CompletionUsage:
        """Tokens of all steps, the current ones included."""
        current = self._turn.steps if self._turn else []
        known = {step.id for step in current}
        total = CompletionUsage(prompt_tokens=0, completion_tokens=0, total_tokens=0)
        for step in [*(step for step in self._steps if step.id not in known), *current]:
            if step.usage:
                total.prompt_tokens += step.usage.prompt_tokens
                total.completion_tokens += step.usage.completion_tokens
                total.total_tokens += step.usage.total_tokens
        return total

    def _tokens_left(self) -> int | None:
        if self.run.max_completion_tokens is None:
            return None
        return max(1, self.run.max_completion_tokens - self._used().completion_tokens)

    def _used_up(self) -> Literal["max_prompt_tokens", "max_completion_tokens"] | None:
        """The token limit of the whole run that has been met, if one has."""
        used, run = self._used(), self.run
        if run.max_prompt_tokens is not None and used.prompt_tokens >= run.max_prompt_tokens:
            return "max_prompt_tokens"
        if run.max_completion_tokens is not None and used.completion_tokens >= run.max_completion_tokens:
            return "max_completion_tokens"
        return None
