"""Small models are led: to one goal after the other, to the command for it, and to the end.

With its goals and all that it may do before it, a small model begins the first goal anew after each step, and writes
down numbers that it should compute. Asked in a few lines which command comes next, and what is still missing, it knows.
That all is done it says too easily: it is asked only once there are as many steps that made something as goals.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..inference.chat import Json
from ..inference.prompted.schema import object_of
from ..wire.agents import AgentCycle, AgentFile, Language
from . import prompt
from .commands.command import Both, Command
from .prompt import unread
from .repetition import alike

#: Commands that find out, wait, or speak with others: they reach no goal by themselves.
_LOOKING = frozenset(
    {
        *("google", "browse_website", "read_file", "search_files", "improve_code", "write_tests"),
        *("start_agent", "message_agent", "list_agents", "do_nothing", "ask_user"),
    }
)
#: Where a task says that one thing follows another.
_THEN = re.compile(
    r"[,.]\s*(?:and\s+)?then\s+|\s+and\s+then\s+|\s*;\s*(?:(?:and\s+)?then\s+)?|\s*；\s*(?:然后|接着)?|[，。]\s*(?:然后|接着)",
    re.IGNORECASE,
)
_CHECK = Both(
    "You check the work of an agent. It is told what to do and what was done. Say in a few words what is still "
    "missing, or “nothing”, and whether all is done.",
    "你负责检查一个智能体的工作。下面是它的任务和已经做过的步骤。请用几个词说明还缺少什么（没有则写“无”），以及是否全部完成。",
)
_QUESTION = Both("Task:\n{goals}\n\nSteps done:\n{done}", "任务：\n{goals}\n\n已完成的步骤：\n{done}")
_END = Both(
    '\nAll goals are reached. Use "task_complete" now, and say in a sentence what you did.',
    '\n所有目标都已达成。现在请使用 "task_complete"，并用一句话说明做了什么。',
)
_CHOOSE = Both(
    "Choose the command for the next step of an agent.\nCommands:\n{commands}",
    "为智能体的下一步选择命令。\n命令：\n{commands}",
)
_STATE = Both(
    "Goal: {goal}\nFiles: {files}\nDone so far:\n{done}\n\nWhich command comes next?",
    "目标：{goal}\n文件：{files}\n已经做过：\n{done}\n\n下一步用哪个命令？",
)
_NO_FILES = Both("none", "无")
_USE = Both('\nUse "{command}" now.', '\n现在请使用 "{command}"。')
#: Parts of a task; what is left over is in the last.
_MOST_PARTS = 20
#: Given files that it reads, one after the other, before it writes about them.
_READ_AT_ONCE = 8
#: How often in a row code may fail before something else is tried.
_MENDS = 4
#: Steps that only look, after which it may end all the same: what was asked for may be an answer.
_LOOKS = 3
#: Failures in a row after which it may say that it cannot do it.
_UNABLE = 5


def parts(task: str) -> list[str]:
    """A task as the goals that it names one after the other, in its own words."""
    return [part for one in _THEN.split(task, maxsplit=_MOST_PARTS - 1) if (part := one.strip(" ,;.，；。"))] or [task]


def made(cycles: Sequence[tuple[Sequence[str], AgentCycle]]) -> int:
    """How many steps have made something since the agent was told something last.

    Args:
        cycles: what it was told before each, and the cycle; oldest first. What is done again counts once.
    """
    found = list[AgentCycle]()
    for heard, cycle in cycles:
        if heard:
            found.clear()
        if _makes(cycle) and not any(alike(one.command, cycle.command) for one in found):
            found.append(cycle)
    return len(found)


@dataclass(frozen=True, slots=True)
class Guide:
    """Leads a small model through its next step.

    Attributes:
        goals: of the agent.
        steps: how many have made something.
        cycles: what was done, oldest first.
        files: what lies in the workspace.
        heard: what others have told it since.
        language: of the agent.
    """

    goals: Sequence[str]
    steps: int
    cycles: Sequence[AgentCycle]
    files: Sequence[AgentFile]
    heard: Sequence[str]
    language: Language

    @property
    def goal(self) -> str:
        """The goal that is worked for now."""
        return self.goals[min(self.steps, len(self.goals) - 1)]

    def pointless(self) -> set[str]:
        """The names of commands that make no sense now."""
        found = set[str]()
        did = [one.command.name for one in self.cycles]
        if not unread(self.files, self.cycles):
            found.add("read_file")
        if "write_to_file" not in did:
            found.add("append_to_file")
        if "start_agent" not in did:
            found.add("do_nothing")
        if not self.files:
            found |= {"delete_file", "search_files"}
        if not any(one.path.endswith(".py") for one in self.files):
            found.add("execute_python_file")
            if not any("code" in one.command.args for one in self.cycles):
                found |= {"improve_code", "write_tests"}
        if not self._may_end():
            found.add("task_complete")
        return found

    def _may_end(self) -> bool:
        """Whether it may end without being asked to: it would, with nothing done, or because something failed."""
        if len(self.cycles) >= _UNABLE and all(one.failed for one in self.cycles[-_UNABLE:]):
            return True
        if not self.cycles or self.cycles[-1].failed:
            return False
        return self.steps > 0 or (len(self.cycles) >= _LOOKS and not self._to_read())

    def _to_read(self) -> list[str]:
        """The files that it has still to read: those that its goal names, else all; none where they are many."""
        left = [one.path for one in unread(self.files, self.cycles)]
        if any(one.path in self.goal for one in self.files):
            left = [path for path in left if path in self.goal]
        return left if len(left) <= _READ_AT_ONCE else []

    @property
    def broken(self) -> AgentCycle | None:
        """The last cycle, where its code failed."""
        return self.cycles[-1] if self.cycles and _is_broken(self.cycles[-1]) else None

    def follows(self, commands: Iterable[Command]) -> Command | None:
        """The one of these commands that comes next whatever else could; None if it is to be chosen.

        Code that has failed is put right, while there is hope; and who has begun to read files reads them all.
        """
        named = {one.name: one for one in commands}
        hopeless = len(self.cycles) >= _MENDS and all(map(_is_broken, self.cycles[-_MENDS:]))
        if self.broken and not hopeless:
            return named.get(self.broken.command.name)
        last = self.cycles[-1] if self.cycles else None
        left = self._to_read() if last and last.command.name == "read_file" and not last.failed else []
        if not left or "read_file" not in named:
            return None
        (file,) = named["read_file"].arguments
        return replace(named["read_file"], arguments=(replace(file, schema={"type": "string", "enum": left}),))

    def choice(self, commands: Sequence[Command]) -> tuple[list[Json], Json]:
        """The question which of these commands comes next, and the JSON schema of its answer: its `command`."""
        language = self.language
        listed = "\n".join(f"{one.name}: {one.title.in_(language)}" for one in commands)
        state = _STATE.in_(language).replace("{goal}", self.goal)
        state = state.replace("{files}", prompt.named(self.files, self.cycles, language) or _NO_FILES.in_(language))
        state = "\n".join([*self.heard, state.replace("{done}", prompt.done(self.cycles, language))])
        names: Json = {"type": "string", "enum": [one.name for one in commands]}
        return _asked(_CHOOSE.in_(language).replace("{commands}", listed), state), object_of({"command": names})

    def using(self, messages: Sequence[Json], command: str) -> list[Json]:
        """What the model is told, and the command that it is to use."""
        return _adding(messages, _USE.in_(self.language).replace("{command}", command))

    def check(self) -> tuple[list[Json], Json] | None:
        """The question whether `all_done`, and the JSON schema of its answer; None where that cannot be."""
        if not self.cycles or not _makes(self.cycles[-1]) or self.steps < len(self.goals):
            return None
        listed = "\n".join(f"- {goal}" for goal in self.goals)
        question = _QUESTION.in_(self.language).replace("{goals}", listed)
        # What failed was mended since, or is not missed: told of it, small models find nothing missing, and all undone.
        worked = [one for one in self.cycles if not one.failed]
        question = question.replace("{done}", prompt.done(worked, self.language))
        answer: Json = {"missing": {"type": "string", "maxLength": 100}, "all_done": {"type": "boolean"}}
        return _asked(_CHECK.in_(self.language), question), object_of(answer)

    def ending(self, messages: Sequence[Json]) -> list[Json]:
        """What the model is told, and that it is to end."""
        return _adding(messages, _END.in_(self.language))


def _makes(cycle: AgentCycle) -> bool:
    return cycle.result is not None and not cycle.failed and cycle.command.name not in _LOOKING


def _is_broken(cycle: AgentCycle) -> bool:
    return cycle.failed and "code" in cycle.command.args


def _asked(instructions: str, question: str) -> list[Json]:
    return [{"role": "system", "content": instructions}, {"role": "user", "content": question}]


def _adding(messages: Sequence[Json], text: str) -> list[Json]:
    *before, last = messages
    return [*before, {**last, "content": last["content"] + text}]
