"""One agent at work: think, act, remember, until it has done its task, must wait, or may not go on.

Every thought is committed before its command is done, and every command with what came of it and the files that it has
changed. So whoever takes over from a driver that died goes on there: a command whose result is kept is not done again;
one that was under way is done again only where that does no harm.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import structlog

from ..accounts.keys import Caller, Origin
from ..accounts.metering import Metering
from ..accounts.prices import dollars
from ..egress import Egress
from ..errors import ApiError, ContextOverflow, InvalidRequest, ModelError, NotFound
from ..inference.chat import Usage
from ..inference.models import Models, ServedModel
from ..inference.tokens import beginning, estimate_tokens
from ..settings import Settings
from ..store.agents import AgentCommit, Held, Spent
from ..store.ids import new_id
from ..store.store import Store
from ..store.workspaces import FileChanges
from ..tools.code_sessions import CodeSessions
from ..tools.tool import Offered, Scope, Toolbox
from ..wire.agents import OVER, TERMINAL, Agent, AgentCycle, CommandResult, Thoughts
from ..wire.agents import Command as CommandCall
from ..wire.runs import Amount, CompletionUsage
from . import abilities, memory, prompt, repetition
from .approval import needs_approval, under, would_ask
from .asking import Asking, Step, Tally, completion_usage
from .commands.command import Command, Outcome, Place
from .commands.files import DELETE, OVERWRITE
from .guide import Guide, made
from .limits import line_above, used_up
from .recall import Recall
from .reply import Reply, Unread
from .stand_in import run_of

log = structlog.get_logger(__name__)
T = TypeVar("T")

#: Cycles that are looked at for the short-term memory.
_MOST_CYCLES = 60
#: Shares of the model's context: of lines about what was before, of a command's result, of what it hears at once.
_LINES, _RESULT, _HEARD = 0.1, 0.2, 0.15
#: Characters of a result that are kept.
_LONGEST_RESULT = 40_000
#: Characters that are kept of what a model says instead of a reply.
_LONGEST_PROSE = 2000
_UNREAD = "Your reply could not be used: "
#: What is left of a context in which a prompt did not fit, and how often it is made smaller.
_SHRINK, _MOST_SHRINKS = 0.6, 5
#: How often a model's server is asked again that does not answer, and the seconds before the first time.
_RETRIES, _PAUSE = 5, 2.0
#: Seconds for which an agent waits for those that it has started, unless one ends, or somebody tells it something.
_REST = 3600.0
_UNKNOWN = (
    "The server stopped while this was being done, and it is not known whether it was done. It was not done again. "
    "Look before you do."
)


@dataclass(frozen=True, slots=True)
class Workshop:
    """What drivers work with."""

    store: Store
    models: Models
    metering: Metering
    toolbox: Toolbox
    sessions: CodeSessions
    egress: Egress
    recall: Recall
    settings: Settings


class Driver:
    """Drives one agent, which it holds."""

    def __init__(self, held: Held, workshop: Workshop, owner: str) -> None:
        """Of an agent that `owner` has claimed."""
        self._held = held
        self._workshop = workshop
        self._owner = owner
        agent = held.agent
        self._origin = Origin(agent.id, held.root, agent.id)
        self._caller = Caller(held.project, held.key, user=held.user, origin=self._origin)
        #: Functions of tools, and commands, as they were when it last thought.
        self._offered: Offered = {}
        self._commands: Mapping[str, Command] = {}
        #: What its model has taken since the last commit.
        self._taken = Tally()
        #: The agent, as its commands are judged.
        self._judged = held.agent
        self._since = time.monotonic()
        #: The share of its model's context that is used: less where estimates of tokens have proved too low.
        self._share = 1.0

    @property
    def agent(self) -> Agent:
        """The agent, as it was committed last."""
        return self._held.agent

    async def drive(self) -> None:
        """Work until there is nothing to do, or until somebody else must do something.

        Raises:
            AgentLost: somebody else drives it now.
            Unavailable: the database is away.
        """
        try:
            model = self._workshop.models.resolve(self.agent.model)
            asking = Asking(model, self._workshop.metering, self._caller, self._taken)
            await self._workshop.recall.catch_up(self._held, self._caller)
            while await self._turn(asking) or (self._held.wish and self.agent.status not in TERMINAL):
                pass
        except ModelError as error:
            await self._end("failed", last_error={"code": error.run_code, "message": error.message})
        except NotFound as error:
            await self._end("failed", last_error={"code": "not_found", "message": error.message})

    async def _turn(self, asking: Asking) -> bool:
        """One step; returns whether another follows."""
        if self._held.wish:
            await self._end("paused" if self._held.wish == "pause" else "cancelled")
            return False
        above = await line_above(self._workshop.store, self._held.project, self.agent)
        if any(one.status in TERMINAL for one in above) or not await self._workshop.store.agents.wanted(self._held):
            await self._end("cancelled")
            return False
        cycles = await self._workshop.store.agents.last_cycles(self.agent.id, _MOST_CYCLES)
        self._judged = under(self.agent, above)
        if cycles and cycles[-1][1].status == "in_progress":
            if not self._commands:
                await self._learn(asking.model)
            return await self._act(cycles[-1][1], asking)
        if reason := await used_up(self._workshop.store, [self.agent, *above], self._workshop.settings):
            await self._end("incomplete", incomplete_details={"reason": reason})
            return False
        waiting = await self._waiting(asking.model)
        if not waiting and (why := repetition.hopeless(cycles)):
            await self._end("failed", last_error={"code": "repetition", "message": why})
            return False
        await self._learn(asking.model)
        return await self._think(cycles, waiting, asking)

    # --- thinking

    async def _waiting(self, model: ServedModel) -> list[tuple[int, str]]:
        """What it was told and has not heard yet, with positions: as much as there is room for at once."""
        most = int(self._window(model) * _HEARD)
        left, found = most, list[tuple[int, str]]()
        for position, text in await self._workshop.store.agents.messages(self.agent.id):
            left -= estimate_tokens(text)
            if left < 0 and found:
                break
            found.append((position, beginning(text, most)))
        return found

    async def _think(
        self, cycles: list[tuple[list[str], AgentCycle]], waiting: list[tuple[int, str]], asking: Asking
    ) -> bool:
        heard, upto = [text for _, text in waiting], waiting[-1][0] if waiting else 0
        reply = await self._replied(cycles, heard, asking)
        cycle = self._cycle_of(reply)
        patch: dict[str, Any] = {"cycles": cycle.number, "seconds": self._seconds()}
        command = None if isinstance(reply, Unread) else await self._risked(cycle.command)
        if command is None:
            asks = False
        elif asks := needs_approval(self._judged, command):
            cycle.status = "awaiting_approval"
            action = {"type": "approve", "cycle_id": cycle.id, "command": cycle.command.model_dump()}
            patch |= {"status": "requires_action", "required_action": action}
        elif self.agent.allowed_commands and would_ask(self._judged, command):
            patch["allowed_commands"] = self.agent.allowed_commands - 1
        await self._commit(AgentCommit(patch, cycle, heard, upto, keep_lease=not asks))
        return not asks

    async def _replied(
        self, cycles: list[tuple[list[str], AgentCycle]], heard: list[str], asking: Asking
    ) -> Reply | Unread:
        """The model's reply. Where it is told more than it takes in, it is told less."""
        for attempt in range(_MOST_SHRINKS + 1):
            step = await self._step(cycles, heard, asking.model)
            try:
                return await self._patiently(partial(asking.reply, step, self._commands))
            except ContextOverflow:
                if attempt == _MOST_SHRINKS:
                    raise
                self._share *= _SHRINK
                await self._learn(asking.model)
        raise AssertionError

    async def _risked(self, call: CommandCall) -> Command | None:
        """A command with the risk that it has with its arguments; None if there is none of that name."""
        command = self._commands.get(call.name)
        if command is None or not (path := command.overwrites(call.args)):
            return command
        held = self._held
        others = await self._workshop.store.agents.files_of_others(held.project, held.root, self.agent.id)
        return replace(command, risky=True) if path in others else command

    def _cycle_of(self, reply: Reply | Unread) -> AgentCycle:
        """The next cycle: what the model wants, or that it said something else, such as that it will not."""
        cycle = AgentCycle(
            id=new_id("cycle_"),
            agent_id=self.agent.id,
            number=self.agent.cycles + 1,
            created_at=int(time.time()),
            status="in_progress",
            thoughts=Thoughts(),
            command=CommandCall(name="do_nothing"),
            usage=completion_usage(self._taken.usage),
            cost=Amount(value=dollars(self._origin.spent)),
        )
        if isinstance(reply, Reply):
            return cycle.model_copy(
                update={"thoughts": reply.thoughts, "command": reply.command, "repaired": reply.repaired}
            )
        said, result = Thoughts(text=reply.text[:_LONGEST_PROSE]), CommandResult(text=_UNREAD + reply.why, failed=True)
        return cycle.model_copy(
            update={
                "thoughts": said,
                "repaired": reply.why,
                "status": "completed",
                "completed_at": cycle.created_at,
                "result": result,
            }
        )

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What the model says; a server that does not answer is asked again for a while."""
        attempt = 0
        while True:
            try:
                return await ask()
            except ModelError as error:
                attempt += 1
                if attempt == _RETRIES or not (error.retriable or error.status >= 500):
                    raise
                log.info("an agent's model does not answer", agent=self.agent.id, error=error.message)
                await asyncio.sleep(_PAUSE * 2 ** (attempt - 1))

    async def _step(self, cycles: list[tuple[list[str], AgentCycle]], heard: list[str], model: ServedModel) -> Step:
        """What the model is asked for next."""
        agent, window = self.agent, self._window(model)
        language = agent.language
        told = "\n\n".join(abilities.sections(agent, self._commands, model, window).values())
        recent, first = memory.of_cycles(cycles, int(window * abilities.RECENT), language, thoughts=not model.local)
        remembered, room = list[str](), int(window * _LINES)
        if cycles:
            remembered.append(await self._workshop.recall.earlier(agent, first, room))
            remembered.append(await self._workshop.recall.similar(agent, cycles[-1][1], first, room))
        done = [cycle for _, cycle in cycles]
        nudge = repetition.nudge(done, language)
        files = await self._workshop.store.agents.files(self._held.project, self._held.root)
        guide = None
        if model.local:
            guide = Guide(agent.goals, 0 if heard else made(cycles), done, files, heard, language)
        goal = guide.goal if guide and len(agent.goals) > 1 else ""
        state = prompt.before_step(agent, done, [*heard, nudge] if nudge else heard, files, goal)
        now = f"{state}\n{prompt.next_step(language)}"
        # What pages and files said is in what it remembers: that has no place among its instructions.
        before = [{"role": "user", "content": text} for text in remembered if text]
        messages = [{"role": "system", "content": told}, *before, *recent, {"role": "user", "content": now}]
        return Step(messages, state, repetition.barred(done), guide, repetition.stuck(done))

    # --- acting

    async def _act(self, cycle: AgentCycle, asking: Asking) -> bool:
        """Do the command of a cycle, and keep what came of it."""
        command = self._commands.get(cycle.command.name)
        if command is None:
            outcome = Outcome(f'There is no command "{cycle.command.name}" any more.', failed=True)
        elif not command.repeatable and cycle.begun:
            outcome = Outcome(_UNKNOWN, failed=True)
        elif refused := repetition.refused(await self._before(cycle), cycle, self.agent.language):
            outcome = Outcome(refused, failed=True)
        else:
            if not command.repeatable:
                cycle = cycle.model_copy(update={"begun": True})
                await self._commit(AgentCommit({}, cycle))
                if self._held.wish == "stop":
                    return True
            outcome = await self._done(command, cycle, asking)
        return await self._keep(cycle, outcome)

    async def _before(self, cycle: AgentCycle) -> list[AgentCycle]:
        last = await self._workshop.store.agents.last_cycles(self.agent.id, _MOST_CYCLES)
        return [one for _, one in last if one.number < cycle.number]

    async def _done(self, command: Command, cycle: AgentCycle, asking: Asking) -> Outcome:
        workshop, room = self._workshop, int(asking.model.context_length * self._share * _RESULT)
        # Each cycle is a run of its own: `browse_max_pages` would count for an agent's whole life.
        run = run_of(self.agent, self._held).model_copy(update={"id": cycle.id})
        scope = Scope(self._caller, run, cycle.number, room)
        place = Place(
            self._held,
            scope,
            workshop.store,
            self._offered,
            workshop.sessions,
            workshop.egress,
            workshop.settings,
            lambda told, question: self._patiently(lambda: asking.answer(told, question)),
            may_delete=not would_ask(self._judged, DELETE),
            may_overwrite=not would_ask(self._judged, OVERWRITE),
        )
        seconds = min(command.seconds, workshop.settings.agent_command_timeout)
        try:
            async with asyncio.timeout(seconds):
                return await command.do(place, cycle.command.args)
        except TimeoutError:
            return Outcome(f"It took longer than {seconds:g} seconds and was given up.", failed=True)
        except ApiError as error:
            if isinstance(error, ModelError) and error.run_code == "rate_limit_exceeded" and not error.retriable:
                # A limit of its project, key or person: every other step would meet it, too.
                raise
            return Outcome(error.message, failed=True)
        except Exception as error:
            # A command of a plugin, or one of ours that is wrong: the agent goes on.
            log.exception("a command broke", command=command.name, agent=self.agent.id)
            return Outcome(f"The command broke ({type(error).__name__}). Try another way.", failed=True)

    async def _keep(self, cycle: AgentCycle, outcome: Outcome) -> bool:
        if outcome.effect == "ask":
            action = {"type": "answer", "cycle_id": cycle.id, "command": cycle.command.model_dump()}
            waits = {"status": "requires_action", "required_action": action, "seconds": self._seconds()}
            await self._commit(AgentCommit(waits, keep_lease=False))
            return False
        text = outcome.text.replace("\x00", "\ufffd")
        result = CommandResult(
            text=text[:_LONGEST_RESULT],
            failed=outcome.failed,
            truncated=len(text) > _LONGEST_RESULT,
            files=sorted({*outcome.files, *outcome.appended}),
        )
        done = cycle.model_copy(
            update={
                "status": "completed",
                "completed_at": int(time.time()),
                "result": result,
                "usage": _sum(cycle.usage, completion_usage(self._taken.usage)),
                "cost": Amount(value=cycle.cost.value + dollars(self._origin.spent)),
            }
        )
        ends = outcome.effect == "complete"
        rest = await self._rest() if outcome.effect == "wait" else 0
        patch: dict[str, Any] = {"seconds": self._seconds()}
        if ends:
            patch |= {"status": "completed", "result": outcome.text, "completed_at": int(time.time())}
        commit = AgentCommit(
            patch,
            done,
            files=FileChanges(outcome.files, outcome.appended),
            children=outcome.started,
            told=outcome.told,
            stopped=outcome.stopped,
            keep_lease=not ends,
        )
        try:
            await self._commit(commit)
        except InvalidRequest as error:
            # The workspace is full, or a file: the command is not done.
            failed = done.model_copy(update={"result": CommandResult(text=error.message, failed=True)})
            await self._commit(replace(commit, cycle=failed, files=FileChanges()))
        if not ends:
            await self._workshop.recall.remember(self._held, self._caller, done)
        if rest and not self._held.wish:
            # A commit of its own: what remembering has cost is on the account, too.
            await self._commit(AgentCommit({}, keep_lease=False, rest=rest))
        return not ends and not rest

    async def _rest(self) -> float:
        """Seconds for which it waits for those that it has started, unless one ends before; 0 if all have."""
        children = await self._workshop.store.agents.children(self._held.project, self.agent.id)
        return 0 if all(one.status in OVER for one in children) else _REST

    # --- keeping

    async def _learn(self, model: ServedModel) -> None:
        """See what it can do now."""
        workshop, context = self._workshop, int(model.context_length * self._share)
        self._offered, self._commands = await abilities.learned(
            self._held, workshop.store, workshop.toolbox, workshop.settings, context
        )

    async def _end(self, status: str, **fields: Any) -> None:
        patch: dict[str, Any] = {"status": status, "seconds": self._seconds(), **fields}
        if status != "paused":
            patch["required_action"] = None
        if status in ("failed", "cancelled"):
            patch["completed_at"] = int(time.time())
        await self._commit(AgentCommit(patch, keep_lease=False))

    async def _commit(self, commit: AgentCommit) -> None:
        taken = self._taken.usage
        spent = Spent(taken.prompt_tokens, taken.completion_tokens, self._origin.spent)
        self._held = await self._workshop.store.agents.commit(self._held, self._owner, replace(commit, spent=spent))
        self._taken.usage, self._origin.spent = Usage(), 0

    def _window(self, model: ServedModel) -> int:
        """Tokens that a prompt may have."""
        return int((model.context_length - self._workshop.settings.answer_reserve) * self._share)

    def _seconds(self) -> int:
        """Seconds of work so far; begins to count anew."""
        now = time.monotonic()
        whole = int(now - self._since)
        self._since += whole
        return self.agent.seconds + whole


def _sum(one: CompletionUsage, other: CompletionUsage) -> CompletionUsage:
    return CompletionUsage(
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        completion_tokens=one.completion_tokens + other.completion_tokens,
        total_tokens=one.total_tokens + other.total_tokens,
    )
