"""Agents that do the same again and again: noticed, told, refused, and in the end given up."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from ..wire.agents import AgentCycle, Command, Language

#: How often the same may be done with the same result before the agent is told, and before it is not done any more.
_TOLD, _REFUSED = 2, 3
#: Characters from which a text is long, and those that are compared.
_LONG, _COMPARED = 200, 2000
#: The shares of words, and of pairs of words, that similar texts have.
_SHARED, _SHARED_PAIRS = 0.75, 0.5
#: A word, or a sign of a script without spaces.
_WORD = re.compile(r"[A-Za-z0-9_]+|\S")
#: Cycles in a row that came to nothing before the agent is given up.
_HOPELESS = 8
_NUDGE = {
    "en": 'You have done "{name}" with these arguments {times} times, with the same result. Do something else now.',
    "zh": "你已用同样的参数执行“{name}” {times} 次，结果相同。现在请做别的事。",
}
_REFUSAL = {
    "en": "This was not done: you have done exactly this {times} times, with the same result. Do something else, or "
    'use "task_complete" if the goals are reached.',
    "zh": '没有执行：你已做过 {times} 次完全相同的事，结果相同。请做别的事；如果目标已达成，请使用 "task_complete"。',
}


def _times(cycles: Sequence[AgentCycle], like: AgentCycle) -> int:
    """How often in a row, whatever lies between of failures, the same was done with the same result."""
    same = [(one, one.result) for one in cycles if one.result and alike(one.command, like.command)]
    if not same or same[-1][0].number < like.number - _HOPELESS:
        return 0
    (newest, last), times = same[-1], 0
    for one, result in reversed(same):
        if one.command != newest.command and (result.failed or last.failed or not _similar(result.text, last.text)):
            # What is like something that failed may be its correction.
            break
        if one.command == newest.command and not result.failed and result.text != last.text:
            break
        times += 1
    return times


def alike(one: Command, other: Command) -> bool:
    """Whether a command is the same as another, but for a few words of long texts: models say the same anew."""
    if one.name != other.name or one.args.keys() != other.args.keys():
        return False
    return all(
        given == other.args[name]
        or (min(len(str(given)), len(str(other.args[name]))) >= _LONG and _similar(str(given), str(other.args[name])))
        for name, given in one.args.items()
    )


def _similar(one: str, other: str) -> bool:
    """Whether texts share most of their words, and which follows which; digits do not count.

    It is asked of many pairs before each step, and takes no longer for texts that say the same again and again.
    """
    if one == other:
        return True
    words = [_WORD.findall(re.sub(r"\d+", "0", text[:_COMPARED])) for text in (one, other)]
    if _shared(*words) < _SHARED:
        return False
    return _shared(*(pairwise(["", *told]) for told in words)) >= _SHARED_PAIRS


def _shared(one: Iterable[object], other: Iterable[object]) -> float:
    """The share of two texts' parts that both have; 1 if there are none."""
    counted, others = Counter(one), Counter(other)
    both = counted.total() + others.total()
    return 2 * (counted & others).total() / both if both else 1


def nudge(cycles: Sequence[AgentCycle], language: Language) -> str:
    """What an agent is told that did the same several times; "" if it did not."""
    if not cycles or (times := _times(cycles, cycles[-1])) < _TOLD:
        return ""
    return _NUDGE[language].format(name=cycles[-1].command.name, times=times)


def barred(cycles: Sequence[AgentCycle]) -> str:
    """The command that cannot be chosen now, since it was done several times with the same result; "" if none."""
    if not cycles or cycles[-1].failed or _times(cycles, cycles[-1]) < _TOLD:
        return ""
    name = cycles[-1].command.name
    return "" if name == "task_complete" else name


def stuck(cycles: Sequence[AgentCycle]) -> bool:
    """Whether what was done last failed, or was done before."""
    return bool(cycles) and (cycles[-1].failed or _times(cycles, cycles[-1]) >= _TOLD)


def refused(cycles: Sequence[AgentCycle], next_: AgentCycle, language: Language) -> str:
    """Why a command is not done once more; "" if it is."""
    if next_.command.name in ("task_complete", "ask_user", "do_nothing"):
        return ""
    times = _times(cycles, next_)
    return _REFUSAL[language].format(times=times) if times >= _REFUSED else ""


def hopeless(cycles: Sequence[tuple[Sequence[str], AgentCycle]]) -> str:
    """Why an agent is given up that comes to nothing; "" if it is not.

    Args:
        cycles: what it was told before each, and the cycle; oldest first. What was before it was told something last
            does not count.
    """
    told = max((number for number, (heard, _) in enumerate(cycles) if heard), default=0)
    last = [cycle for _, cycle in cycles[told:]][-_HOPELESS:]
    if len(last) < _HOPELESS:
        return ""
    idle = all(one.command.name == "do_nothing" for one in last)
    if idle or all(one.failed for one in last):
        return f"The last {_HOPELESS} cycles came to nothing: {last[-1].result.text[:300] if last[-1].result else ''}"
    return ""
