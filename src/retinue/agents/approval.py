"""Before which commands a person is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..settings import Settings
from ..wire.agents import Agent, Approval
from .commands.command import Command

#: From lax to strict.
_STRICTER: tuple[Approval, ...] = ("never", "risky", "always")
#: What changes nothing but the agent itself.
_NEVER_ASKED = frozenset({"do_nothing", "task_complete", "ask_user"})


def under(agent: Agent, above: Iterable[Agent]) -> Agent:
    """The agent as its commands are judged: none is laxer than those by which it was started.

    Args:
        agent: the agent.
        above: whoever has started it, and whoever has started that.
    """
    strictest = max((agent.approval, *(one.approval for one in above)), key=_STRICTER.index)
    return agent if strictest == agent.approval else agent.model_copy(update={"approval": strictest})


def would_ask(agent: Agent, command: Command) -> bool:
    """Whether a person is asked before a command, were there no allowance for some further ones."""
    if command.name in _NEVER_ASKED or command.name in agent.always_allowed:
        return False
    return command.guarded or agent.approval == "always" or (agent.approval == "risky" and command.risky)


def needs_approval(agent: Agent, command: Command) -> bool:
    """Whether a person is asked before a command."""
    return would_ask(agent, command) and not agent.allowed_commands


def judged(command: Command, settings: Settings) -> Command:
    """A command with its risk on this server: kernels of a gateway may have a network, by which code could publish."""
    return replace(command, risky=True) if command.runs_code and settings.sandbox_gateway else command
