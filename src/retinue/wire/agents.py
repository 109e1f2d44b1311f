"""Agents: models that work towards goals by themselves, one command at a time. An extension.

The loop, its twenty commands and the shape of its replies are those of AutoGPT in 2023.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints

from .common import Id, Metadata, ModelName, WireObject, WireRequest, each_once, is_none
from .runs import Amount, CompletionUsage

Status = Literal["queued", "in_progress", "requires_action", "paused", "completed", "incomplete", "failed", "cancelled"]
#: Ended for good. What is `incomplete` can be gone on with, once its limits are raised.
TERMINAL: frozenset[Status] = frozenset({"completed", "failed", "cancelled"})
#: Statuses in which an agent does nothing more by itself.
OVER: frozenset[Status] = frozenset({*TERMINAL, "incomplete"})
#: Before which commands a person is asked: all of them; those that delete, publish, cost or overwrite what others
#: wrote; none.
Approval = Literal["always", "risky", "never"]
Language = Literal["en", "zh"]
Reason = Literal["max_cycles", "max_seconds", "max_tokens", "max_cost"]


_Line = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
_Lines = Annotated[list[_Line], Field(max_length=20)]
_CommandName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
_Commands = Annotated[list[_CommandName], Field(max_length=200), AfterValidator(each_once)]


class AgentLimits(WireRequest):
    """What an agent may take, with all its sub-agents. Null: no limit but the server's."""

    cycles: Annotated[int, Field(ge=1, le=1000)] | None = None
    #: Of work: waiting for people does not count.
    seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    tokens: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    #: In dollars.
    cost: Annotated[float, Field(gt=0, le=1_000_000)] | None = None


class AgentCreate(WireRequest):
    """Body of `POST /agents`."""

    #: What it is to do, in order of weight; or `task` instead.
    goals: Annotated[_Lines, Field(min_length=1)] | None = None
    #: One sentence, from which the model drafts name, role and goals.
    task: _Line | None = None
    name: _Name | None = None
    role: _Line | None = None
    #: Further constraints, beside those that every agent has.
    constraints: _Lines = Field(default_factory=list[str])
    model: ModelName = "default"
    #: Of its prompt; null: that of its goals.
    language: Language | None = None
    #: Names of commands; null: all that this server has ready.
    commands: _Commands | None = None
    #: Ids of connections whose operations are commands too.
    connections: Annotated[list[Id], Field(max_length=10), AfterValidator(each_once)] = Field(default_factory=list[str])
    approval: Approval = "risky"
    limits: AgentLimits = Field(default_factory=AgentLimits)
    #: Ids of uploaded files that its workspace begins with.
    file_ids: Annotated[list[Id], Field(max_length=100), AfterValidator(each_once)] = Field(default_factory=list[str])
    metadata: Metadata | None = None
    stream: bool = False


class AgentDraftCreate(WireRequest):
    """Body of `POST /agents/draft`."""

    #: One sentence.
    task: _Line
    #: Who drafts.
    model: ModelName = "default"
    #: Of what is drafted; null: that of the task.
    language: Language | None = None


class AgentDraft(WireObject):
    """What the model makes of a task, to be put right and then to be made an agent of."""

    object: Literal["agent.draft"] = "agent.draft"
    name: str
    role: str
    goals: list[str]
    language: Language


class AgentModify(WireRequest):
    """Body of `POST /agents/{agent_id}`: what is absent stays as it is; it counts from the next cycle on."""

    name: _Name | None = None
    role: _Line | None = None
    goals: Annotated[_Lines, Field(min_length=1)] | None = None
    constraints: _Lines | None = None
    commands: _Commands | None = None
    approval: Approval | None = None
    #: Commands that may always be done without asking.
    always_allowed: _Commands | None = None
    limits: AgentLimits | None = None
    metadata: Metadata | None = None


class AgentDecide(WireRequest):
    """Body of `POST /agents/{agent_id}/approve`."""

    #: Do it; do it and the next `times - 1` without asking; do it, and this command always; do not.
    decision: Literal["once", "times", "always", "deny"]
    times: Annotated[int, Field(ge=1, le=1000)] | None = None
    #: What the agent is told besides.
    feedback: Annotated[str, StringConstraints(max_length=4000)] | None = None


class AgentSay(WireRequest):
    """Body of `POST /agents/{agent_id}/messages`: an answer to its question, or a word on the way."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=20_000)]


class Thoughts(WireObject):
    """What a model thinks before it acts."""

    text: str = ""
    reasoning: str = ""
    plan: str = ""
    criticism: str = ""
    speak: str = ""


class Command(WireObject):
    """What it does then."""

    name: str
    args: dict[str, Any] = Field(default_factory=dict[str, Any])


class AgentCommand(WireObject):
    """A command that agents of this server can be given."""

    object: Literal["agent.command"] = "agent.command"
    #: What replies call it.
    id: str
    #: What it does, as prompts tell it.
    title: dict[Language, str]
    #: Names of its arguments, in order.
    arguments: list[str]
    #: Whether a person is asked first, where an agent's approval is `risky`.
    risky: bool
    #: Whether agents have it that are not told which commands they have.
    default: bool
    #: Whether this server can do it.
    ready: bool


class CommandResult(WireObject):
    """What came of a command, as the model is told."""

    text: str
    #: Whether it did not work.
    failed: bool = False
    #: Whether the text was longer.
    truncated: bool = False
    #: Paths in the workspace that were written or deleted.
    files: list[str] = Field(default_factory=list[str])


#: Of a cycle: waiting for a person; being done; done; refused by a person.
CycleStatus = Literal["awaiting_approval", "in_progress", "completed", "denied"]


class AgentCycle(WireObject):
    """One round of an agent: thoughts, a command, and what came of it."""

    internal: ClassVar[frozenset[str]] = frozenset({"begun"})

    id: str
    object: Literal["agent.cycle"] = "agent.cycle"
    agent_id: str
    #: From 1.
    number: int
    created_at: int
    completed_at: int | None = None
    status: CycleStatus
    thoughts: Thoughts
    command: Command
    #: What was wrong with the model's reply, where it had to be repaired or could not be used.
    repaired: str | None = Field(default=None, exclude_if=is_none)
    #: What a person said when they were asked.
    feedback: str | None = Field(default=None, exclude_if=is_none)
    result: CommandResult | None = None
    usage: CompletionUsage
    cost: Amount
    #: Whether a command that must not be done twice was begun.
    begun: bool = False

    @property
    def failed(self) -> bool:
        """Whether its command was tried, and did not work."""
        return self.result is not None and self.result.failed


class AgentAction(WireObject):
    """What an agent waits for."""

    type: Literal["approve", "answer"]
    #: The cycle whose command is to be allowed, or whose question is to be answered.
    cycle_id: str
    command: Command


class AgentError(WireObject):
    """Why an agent failed."""

    code: str
    message: str


class Passed(WireObject):
    """A status that an agent came to."""

    #: How many it had come to before, and this one.
    number: Annotated[int, Field(ge=1)]
    status: Status
    #: How many events of its cycles came before: two of each that is over, one of one that is not.
    after: Annotated[int, Field(ge=0)]


class Agent(WireObject):
    """An agent."""

    internal: ClassVar[frozenset[str]] = frozenset({"passed"})

    id: str
    object: Literal["agent"] = "agent"
    created_at: int
    started_at: int | None = None
    completed_at: int | None = None
    status: Status
    name: str
    role: str
    goals: list[str]
    constraints: list[str]
    model: str
    language: Language
    commands: list[str]
    connections: list[str]
    approval: Approval
    #: Commands that may always be done without asking.
    always_allowed: list[str] = Field(default_factory=list[str])
    #: How many further commands may be done without asking.
    allowed_commands: int = 0
    limits: AgentLimits
    #: The agent that started it.
    parent_id: str | None = None
    cycles: int = 0
    #: Seconds of work.
    seconds: int = 0
    #: With those of its sub-agents, as what follows.
    usage: CompletionUsage
    cost: Amount
    required_action: AgentAction | None = None
    incomplete_details: dict[Literal["reason"], Reason] | None = None
    last_error: AgentError | None = None
    #: What it said when it was done.
    result: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    #: The statuses that it came to last, oldest first: its events follow from them, and from its cycles.
    passed: Annotated[list[Passed], Field(max_length=1000)] = Field(default_factory=list[Passed])


class AgentPrompt(WireObject):
    """What an agent's model is told, section by section."""

    object: Literal["agent.prompt"] = "agent.prompt"
    agent_id: str
    sections: dict[str, str]
    text: str


class AgentFile(WireObject):
    """A file in an agent's workspace."""

    object: Literal["agent.file"] = "agent.file"
    path: str
    bytes: int
    modified_at: int
