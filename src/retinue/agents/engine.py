"""Agents: what clients may do with them, and who drives them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from ..accounts.keys import Caller
from ..errors import Forbidden, InvalidRequest, NotFound, Unavailable
from ..inference.models import ServedModel
from ..runs.readings import is_unspaced
from ..store.agent_changes import CHANGED, AgentChange, Wish
from ..store.agents import AgentLost, Held
from ..store.files import blob_of
from ..store.ids import new_id
from ..wire.agents import (
    TERMINAL,
    Agent,
    AgentCommand,
    AgentCreate,
    AgentCycle,
    AgentDecide,
    AgentDraft,
    AgentDraftCreate,
    AgentModify,
    AgentPrompt,
    CommandResult,
    Language,
    Status,
)
from ..wire.common import Deleted
from . import stand_in
from .abilities import learned, sections
from .commands.all import built_in
from .commands.files import clean
from .commands.others import OTHERS
from .draft import drafted
from .driver import Driver, Workshop
from .following import Following
from .limits import require_left

log = structlog.get_logger(__name__)

#: Seconds between two looks for agents that nobody drives.
_LOOK_EVERY = 2.0
_BROKEN = {"code": "server_error", "message": "The agent broke. The server's log says why."}
#: What an agent is told that was given up because it repeated itself.
_GO_ON = {
    "en": "A person lets you go on. What you did last came to nothing: do something else.",
    "zh": "有人让你继续。你最近做的事没有结果：请换一种做法。",
}
#: Tokens that definitions of tools may have, where it is only looked at which there are.
_ROOM = 16_000
#: Statuses from which an agent can be gone on with.
_RESUMABLE = ("paused", "incomplete", "failed")


@dataclass(slots=True)
class _Drive:
    """An agent that is driven here."""

    task: asyncio.Task[None] | None = None
    #: What a client wants, once it is known.
    wish: Wish | None = None


class AgentEngine:
    """The agents of one process, and the way to all others."""

    def __init__(self, workshop: Workshop) -> None:
        """Before the store is opened."""
        self._workshop = workshop
        self._store, self._settings = workshop.store, workshop.settings
        self._owner = new_id("proc_")
        self._drives: dict[str, _Drive] = {}
        self._looking: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        #: Who follows agents by their events.
        self.following = Following(self._store, self._settings)
        self._store.notices.on(CHANGED, lambda _: self._wanted.set())

    async def start(self, *, work: bool) -> None:
        """Begin to drive agents, if `work`."""
        if work:
            self._looking = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """Stop where all are, and let go of them, so that others go on at once."""
        tasks = [drive.task for drive in self._drives.values() if drive.task]
        if self._looking:
            tasks.append(self._looking)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(Unavailable):
            await self._store.agents.release(self._owner)

    # --- what clients ask for

    async def create(self, caller: Caller, body: AgentCreate) -> Agent:
        """Make an agent, which begins at once.

        Raises:
            NotFound: there is no such model, file or connection.
            InvalidRequest: goals are missing, or a command is not known.
            ModelError, RateLimited: the goals cannot be drafted.
        """
        model = self._workshop.models.resolve(body.model)
        if not body.goals and not body.task:
            raise InvalidRequest("Give 'goals', or a 'task' from which they are drafted.", param="goals")
        usual = body.commands is None
        commands = self._usual(await self._doable(caller), model) if usual else self._named(body.commands or ())
        for connection in body.connections:
            await self._store.connections.get(caller.project, connection)
        files = await self._files(caller.project, body.file_ids)
        about = " ".join([body.task or "", *(body.goals or [])])
        language = body.language or _language_of(about)
        made = await drafted(body, language, model, self._workshop.metering, caller)
        agent = Agent(
            id=new_id("agent_"),
            created_at=int(time.time()),
            status="queued",
            name=made.name,
            role=made.role,
            goals=made.goals,
            constraints=body.constraints,
            model=body.model,
            language=language,
            commands=commands,
            connections=body.connections,
            approval=body.approval,
            limits=body.limits,
            usage=made.usage,
            cost=made.cost,
            metadata=body.metadata or {},
        )
        await self._store.agents.add(caller.project, agent, files, key=caller.key, user=caller.user)
        self._wanted.set()
        return agent

    async def draft(self, caller: Caller, body: AgentDraftCreate) -> AgentDraft:
        """What the model makes of a task; no agent is made. Raises as `create`."""
        model = self._workshop.models.resolve(body.model)
        language = body.language or _language_of(body.task)
        wanted = AgentCreate(task=body.task, model=body.model)
        made = await drafted(wanted, language, model, self._workshop.metering, caller)
        return AgentDraft(name=made.name, role=made.role, goals=made.goals, language=language)

    async def commands(self, caller: Caller) -> list[AgentCommand]:
        """The commands that agents of this server can be given, and which of them one has by itself."""
        known, can = built_in(), await self._doable(caller)
        given = self._usual(can, self._workshop.models.resolve("default"))
        return [
            AgentCommand(
                id=name,
                title={"en": one.title.en, "zh": one.title.zh},
                arguments=[argument.name for argument in one.arguments],
                risky=one.risky,
                default=name in given,
                ready=name in can,
            )
            for name, one in known.items()
        ]

    async def modify(self, caller: Caller, identifier: str, body: AgentModify) -> Agent:
        """Change an agent; it counts from its next cycle on. Raises `NotFound`, `InvalidRequest`."""
        patch = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
        if body.commands is not None:
            patch["commands"] = self._named(body.commands)
        async with self._store.agents.changing(caller.project, identifier) as change:
            _require_own(change, caller)
            return await change.keep(patch, change.wish)

    async def pause(self, project: str, identifier: str) -> Agent:
        """Have an agent pause when its present step is done, with all that it has started.

        Raises:
            NotFound: there is no such agent.
            InvalidRequest: its status does not allow it.
        """
        async with self._store.agents.changing(project, identifier) as change:
            if change.agent.status not in ("queued", "in_progress"):
                raise _cannot("paused", change.agent)
            agent = await (change.keep({}, "pause") if change.driven else change.keep({"status": "paused"}))
        await self._with_started(project, identifier, ("queued", "in_progress"), self.pause)
        return agent

    async def resume(self, caller: Caller, identifier: str) -> Agent:
        """Have an agent go on that is paused, has failed, or had used up limits that were raised. Raises as `pause`.

        Those that it has started, and that are paused, go on with it.
        """
        known = await self._store.agents.get(caller.project, identifier)
        if known.status == "incomplete":
            await require_left(self._store, caller.project, known, self._settings)
        async with self._store.agents.changing(caller.project, identifier) as change:
            _require_own(change, caller)
            agent, patch = change.agent, dict[str, Any]()
            if agent.status not in ("queued", "in_progress") or change.wish != "pause":
                if agent.status not in _RESUMABLE:
                    raise _cannot("resumed", agent)
                if agent.last_error and agent.last_error.code == "repetition":
                    await change.say(_GO_ON[agent.language])
                waits = agent.required_action is not None
                ended = dict.fromkeys(("last_error", "incomplete_details", "completed_at"))
                patch = {"status": "requires_action" if waits else "queued", **ended}
            agent = await change.keep(patch)
        begun = ("queued", "in_progress", "paused")
        await self._with_started(caller.project, identifier, begun, lambda _, child: self.resume(caller, child))
        self._wanted.set()
        return agent

    async def cancel(self, project: str, identifier: str) -> Agent:
        """Stop an agent with all that it has started, at once. Raises as `pause`."""
        async with self._store.agents.changing(project, identifier) as change:
            if change.agent.status in TERMINAL:
                raise _cannot("stopped", change.agent)
            if change.driven:
                return await change.keep({}, "stop")
            ended = {"status": "cancelled", "required_action": None, "completed_at": int(time.time())}
            return await change.keep(ended)

    async def _with_started(
        self, project: str, identifier: str, statuses: Container[Status], do: Callable[[str, str], Awaitable[Agent]]
    ) -> None:
        """Do the same with those that an agent has started and that have one of these statuses."""
        for child in await self._store.agents.children(project, identifier):
            if child.status in statuses:
                with contextlib.suppress(InvalidRequest, NotFound):
                    await do(project, child.id)

    async def decide(self, caller: Caller, identifier: str, body: AgentDecide) -> Agent:
        """Allow the command that an agent waits for, or do not. Raises as `pause`."""
        if body.decision == "times" and not body.times:
            raise InvalidRequest("Give 'times' with the decision 'times'.", param="times")
        async with self._store.agents.changing(caller.project, identifier) as change:
            _require_own(change, caller)
            cycle = await _awaited(change, "approve")
            patch: dict[str, Any] = {"status": "queued", "required_action": None}
            if body.decision == "times":
                patch["allowed_commands"] = (body.times or 1) - 1
            elif body.decision == "always":
                patch["always_allowed"] = sorted({*change.agent.always_allowed, cycle.command.name})
            denied = body.decision == "deny"
            update: dict[str, Any] = {"status": "denied" if denied else "in_progress", "feedback": body.feedback}
            if denied:
                update["completed_at"] = int(time.time())
            await change.put_cycle(cycle.model_copy(update=update))
            agent = await change.keep(patch)
        self._wanted.set()
        return agent

    async def say(self, caller: Caller, identifier: str, text: str) -> Agent:
        """Answer an agent's question, or tell it something that it hears before its next step. Raises as `pause`."""
        async with self._store.agents.changing(caller.project, identifier) as change:
            _require_own(change, caller)
            agent = change.agent
            if agent.status in TERMINAL:
                raise _cannot("told anything", agent)
            if agent.required_action and agent.required_action.type == "answer":
                cycle = await _awaited(change, "answer")
                done = {"status": "completed", "completed_at": int(time.time()), "result": CommandResult(text=text)}
                await change.put_cycle(cycle.model_copy(update=done))
                agent = await change.keep({"status": "queued", "required_action": None})
            else:
                await change.say(text)
        self._wanted.set()
        return agent

    async def delete(self, project: str, identifier: str) -> Deleted:
        """Delete an agent that has ended or waits, with all that it has started. Raises as `pause`."""
        return await self._store.agents.remove(project, identifier)

    async def told(self, project: str, identifier: str) -> AgentPrompt:
        """What an agent's model is told, section by section. Raises `NotFound`."""
        held, toolbox = await self._store.agents.held(project, identifier), self._workshop.toolbox
        model = self._workshop.models.resolve(held.agent.model)
        _, commands = await learned(held, self._store, toolbox, self._settings, model.context_length)
        found = sections(held.agent, commands, model, model.context_length - self._settings.answer_reserve)
        return AgentPrompt(agent_id=identifier, sections=found, text="\n\n".join(found.values()))

    # --- driving

    async def _look(self) -> None:
        """Take agents that nobody drives, as long as there is room; hold on to those that are driven here."""
        while True:
            self._wanted.clear()
            try:
                await self._renew()
                while len(self._drives) < self._settings.agent_concurrency:
                    held = await self._store.agents.claim(self._owner)
                    if held is None:
                        break
                    self._launch(held)
            except Unavailable:
                log.info("agents wait: the database is away")
            except Exception:
                log.exception("agents cannot be looked for")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._wanted.wait()

    async def _renew(self) -> None:
        if not self._drives:
            return
        wishes = await self._store.agents.renew(self._owner, list(self._drives))
        for identifier, drive in self._drives.items():
            if identifier not in wishes or wishes[identifier] == "stop":
                self._interrupt(drive, wishes.get(identifier))

    def _launch(self, held: Held) -> None:
        drive = self._drives[held.agent.id] = _Drive()
        drive.task = asyncio.create_task(self._drive(held, drive))

    async def _drive(self, held: Held, drive: _Drive) -> None:
        identifier = held.agent.id
        try:
            await Driver(held, self._workshop, self._owner).drive()
        except asyncio.CancelledError:
            if drive.wish != "stop":
                raise
            await self._end(held, "cancelled")
        except AgentLost:
            log.info("an agent is driven elsewhere, or is gone", agent=identifier)
        except Unavailable as error:
            log.warning("an agent's drive broke off", agent=identifier, error=error.message)
        except Exception:
            # Else it would be taken up again and again, and break again.
            log.exception("an agent's drive broke", agent=identifier)
            await self._end(held, "failed", last_error=_BROKEN)
        finally:
            self._drives.pop(identifier, None)
            self._wanted.set()

    async def _end(self, held: Held, status: Status, **fields: Any) -> None:
        """End an agent whose drive was stopped because a client wanted it, or broke."""
        ended = {"status": status, "required_action": None, "completed_at": int(time.time()), **fields}
        with contextlib.suppress(Unavailable, NotFound):
            async with self._store.agents.changing(held.project, held.agent.id) as change:
                if change.owner not in (self._owner, None):
                    return
                # Its last commit may have come before.
                if change.agent.status not in TERMINAL:
                    await change.keep(ended)
                await change.release()

    def _interrupt(self, drive: _Drive, wish: Wish | None) -> None:
        if drive.task and drive.wish is None:
            drive.wish = wish or "pause"
            drive.task.cancel()

    # --- the parts

    async def _doable(self, caller: Caller) -> list[str]:
        """The commands that can be done on this server."""
        run = stand_in.of_tools(caller)
        functions = await self._workshop.toolbox.offered(caller.project, run, _ROOM, stand_in.no_topic)
        return [name for name, one in built_in().items() if one.ready(functions, self._settings)]

    @staticmethod
    def _usual(names: Sequence[str], model: ServedModel) -> list[str]:
        """Those of some commands that an agent has for which nobody has named any."""
        # A model that runs here thinks for one agent at a time: others would only wait for each other.
        unasked = {"ask_user", *((*OTHERS, "do_nothing") if model.local else ())}
        return [name for name in names if name not in unasked]

    def _named(self, wanted: Sequence[str]) -> list[str]:
        known = built_in()
        for name in wanted:
            if name not in known:
                raise InvalidRequest(
                    f"There is no command '{name}'. Commands are: {', '.join(known)}.", param="commands"
                )
        # Without it an agent could never end.
        return [*wanted, *({"task_complete"} - set(wanted))]

    async def _files(self, project: str, ids: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        files = await self._store.files.require(project, ids)
        if sum(file.bytes for file in files) > self._settings.agent_max_bytes:
            raise InvalidRequest("The files are too large for a workspace.", param="file_ids", code="workspace_full")
        for file in files:
            path, number = clean(file.filename), 1
            while path in found:
                number += 1
                path = f"{number}-{clean(file.filename)}"
            try:
                found[path] = await self._store.blobs.read_whole(blob_of(file.id))
            except FileNotFoundError:
                raise InvalidRequest(f"The content of file '{file.id}' is gone.", param="file_ids") from None
        return found


def _language_of(text: str) -> Language:
    letters = [one for one in text if one.isalpha()]
    return "zh" if 2 * sum(map(is_unspaced, letters)) > len(letters) else "en"


async def _awaited(change: AgentChange, kind: str) -> AgentCycle:
    action = change.agent.required_action
    if action is None or action.type != kind or change.agent.status != "requires_action":
        raise InvalidRequest(f"The agent waits for no such thing; its status is '{change.agent.status}'.")
    return await change.cycle(action.cycle_id)


def _require_own(change: AgentChange, caller: Caller) -> None:
    """See that nobody has an agent do something in another person's name: it has that person's connections.

    Raises:
        Forbidden: somebody else began it.
    """
    if change.agent.connections and change.user not in ("", caller.user):
        raise Forbidden(
            "The agent has connections, and works in the name of the person who began it. Only they, signed in, can "
            "allow its commands, tell it something or change it. You can pause or stop it.",
            code="consent_of_another",
        )


def _cannot(what: str, agent: Agent) -> InvalidRequest:
    return InvalidRequest(f"An agent with the status '{agent.status}' cannot be {what}.", code="agent_status")
