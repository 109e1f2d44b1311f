"""What a command is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

from ...egress import Egress
from ...inference.chat import Json
from ...inference.prompted.schema import object_of
from ...settings import Settings
from ...store.agents import Held
from ...store.store import Store
from ...tools.code_sessions import CodeSessions
from ...tools.tool import Scope, ServerFunction
from ...wire.agents import Agent, Language

#: What becomes of the agent by a command: nothing; it has done its task; it waits for a person's answer; it waits until
#: something happens with those that it has started.
Effect = Literal["none", "complete", "ask", "wait"]


@dataclass(frozen=True, slots=True)
class Both:
    """A text in English and Chinese."""

    en: str
    zh: str

    def in_(self, language: Language) -> str:
        """The text in a language."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a command.

    Attributes:
        name: its name.
        told: what stands in its place in the prompt, such as ``<file>``.
        most: characters that it may have.
        required: whether it must be there.
        schema: its JSON schema, where it is no text.
    """

    name: str
    told: Both
    _: KW_ONLY
    most: int = 20_000
    required: bool = True
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command has done; the loop keeps all of it, or nothing.

    Attributes:
        text: what the model is told.
        failed: whether it did not work.
        files: what is in files now, by their paths in the workspace; None: the file is gone.
        appended: what is added to the end of files, by their paths.
        effect: see `Effect`.
        started: agents that are to begin.
        told: what other agents are told, by their ids.
        stopped: ids of agents that are to end, and to be forgotten.
    """

    text: str
    _: KW_ONLY
    failed: bool = False
    files: Mapping[str, bytes | None] = field(default_factory=dict[str, bytes | None])
    appended: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    effect: Effect = "none"
    started: Sequence[Agent] = ()
    told: Sequence[tuple[str, str]] = ()
    stopped: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command is done.

    Attributes:
        held: the agent.
        scope: for whom tools work.
        store: everything that is remembered.
        tools: functions that Retinue runs, by name.
        sessions: where code runs.
        egress: the way to addresses that others named.
        settings: all settings.
        ask: asks the agent's model something, from instructions and a question to its answer. Raises `ApiError`.
        may_delete: whether files may be deleted, or emptied, without a person having been asked.
        may_overwrite: whether that holds for overwriting files that others have written, too.
    """

    held: Held
    scope: Scope
    store: Store
    tools: Mapping[str, ServerFunction]
    sessions: CodeSessions
    egress: Egress
    settings: Settings
    ask: Callable[[str, str], Awaitable[str]]
    _: KW_ONLY
    may_delete: bool
    may_overwrite: bool

    @property
    def agent(self) -> Agent:
        """The agent."""
        return self.held.agent

    async def read(self, path: str) -> bytes:
        """What is in a file of the workspace. Raises `NotFound`."""
        return await self.store.agents.read_file(self.held.project, self.held.root, path)


#: Does a command: from where it is done and its arguments, which fit the schema. Raises `ApiError` where it cannot.
Do = Callable[[Place, Mapping[str, Any]], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Command:
    """Something that an agent can do.

    Attributes:
        name: what replies call it.
        title: what the prompt calls it.
        arguments: in order.
        do: does it.
        risky: whether a person is asked first, unless the agent's `approval` says otherwise: it deletes, publishes or
            costs.
        overwrites: the path that it overwrites, from its arguments; "" if it overwrites none. It is risky where others
            have written what is there.
        guarded: whether a person is asked whatever that says: somebody else has set that one is to be asked.
        repeatable: whether doing it again is no worse than doing it once. What is not is never done twice: if the
            server died meanwhile, the agent is told that nobody knows.
        runs_code: whether the model's code runs in a sandbox.
        in_words: of a command whose one argument is code: what a small model says instead. Its code is then written in
            a call of its own, in which it does that better.
        seconds: that it may take.
        ready: whether it can be done on this server, from the functions that tools offer and the settings. What cannot
            is not among the commands of an agent unless it is asked for by name.
    """

    name: str
    title: Both
    arguments: Sequence[Argument]
    do: Do
    _: KW_ONLY
    risky: bool = False
    overwrites: Callable[[Mapping[str, Any]], str] = lambda args: ""
    guarded: bool = False
    repeatable: bool = True
    runs_code: bool = False
    in_words: Argument | None = None
    seconds: float = 120
    ready: Callable[[Mapping[str, ServerFunction], Settings], bool] = lambda functions, settings: True

    @property
    def schema(self) -> Json:
        """The JSON schema of the arguments."""
        required = [one.name for one in self.arguments if one.required]
        return object_of({one.name: dict(one.schema) for one in self.arguments}, required)
