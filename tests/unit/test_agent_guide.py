"""Small models are led: to one goal after the other, to the command for it, and to the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from retinue.agents.commands.all import built_in
from retinue.agents.guide import Guide, made, parts
from retinue.agents.prompt import unread
from retinue.wire.agents import AgentCycle, AgentFile, Language

from .test_agent_repetition import cycles, written

READ = ("read_file", {"file": "a.txt"}, "A text.", False)
CODE = ("evaluate_code", {"code": "# Check primes.csv\nprint(1)"}, "50 primes", False)
FAILED = ("evaluate_code", {"code": "x"}, "NameError", True)


def guide(
    done: Sequence[AgentCycle] = (), files: Sequence[str] = (), heard: Sequence[str] = (), language: Language = "en"
) -> Guide:
    lying = [AgentFile(path=path, bytes=3, modified_at=0) for path in files]
    return Guide(["write a story", "read it"], made([([], one) for one in done]), done, lying, heard, language)


@pytest.mark.parametrize(
    ("task", "goals"),
    [
        ("write a story", ["write a story"]),
        ("compute primes and save them, then check the file", ["compute primes and save them", "check the file"]),
        ("Read a.txt. Then write b.txt; and then delete a.txt.", ["Read a.txt", "write b.txt", "delete a.txt"]),
        ("say what is right if it rains, and what then", ["say what is right if it rains, and what then"]),
        ("写一个故事，然后翻译成英文。", ["写一个故事", "翻译成英文"]),
        ("读取 a.txt；写出时间", ["读取 a.txt", "写出时间"]),
        (" ; ", [" ; "]),
        ("a;" * 30, ["a"] * 19 + ["a;" * 10 + "a"]),
    ],
)
def test_goals_are_parts_of_the_task(task: str, goals: list[str]) -> None:
    assert parts(task) == goals


def test_steps_that_made_something_are_counted_once() -> None:
    told = [([], one) for one in cycles(READ, written("morning", 290), written("evening", 291), CODE)]
    assert [made(told[:upto]) for upto in range(5)] == [0, 0, 1, 1, 2]
    assert made([([], cycles(FAILED)[0])]) == 0
    # Told something else, it begins anew.
    assert made([*told[:3], (["And now a poem."], told[3][1])]) == 1


def test_it_works_for_one_goal_after_the_other_and_is_asked_after_the_last() -> None:
    one, read, code = cycles(written("morning", 290), READ, CODE)
    assert (guide().goal, guide().check()) == ("write a story", None)
    assert (guide([one]).goal, guide([one]).check()) == ("read it", None)
    assert guide([one, code]).check()
    # What was read last is still to be used.
    assert guide([one, code, read]).check() is None
    assert guide(cycles(written("morning", 290), CODE, FAILED)).check() is None


def test_the_questions_name_goals_steps_and_files() -> None:
    asked = guide(cycles(written("morning", 290), CODE), language="zh").check()
    assert asked
    (system, question), wanted = asked
    assert system["role"] == "system"
    assert question["content"].startswith(
        "任务：\n- write a story\n- read it\n\n已完成的步骤：\n1. write_to_file(story.txt)"
    )
    assert question["content"].endswith("\n2. evaluate_code(Check primes.csv): 50 primes")
    # What failed on the way is no part of what was done.
    mended = guide(cycles(written("morning", 290), FAILED, CODE)).check()
    assert mended
    assert mended[0][1]["content"].endswith("has 290 bytes now.\n3. evaluate_code(Check primes.csv): 50 primes")
    assert list(wanted["properties"]) == ["missing", "all_done"]
    known = built_in()
    commands = [known["read_file"], known["evaluate_code"]]
    (system, question), wanted = guide(files=["a.txt"], heard=["Be quick."]).choice(commands)
    assert "\nread_file: Read file\nevaluate_code: Run Python code" in system["content"]
    assert question["content"].startswith("Be quick.\nGoal: write a story\nFiles: a.txt (3 bytes, not read yet)\n")
    assert "\nnothing yet\n" in question["content"]
    assert wanted["properties"]["command"]["enum"] == ["read_file", "evaluate_code"]


def test_what_was_changed_is_read_again() -> None:
    (read,) = cycles(READ)
    lying = AgentFile(path="a.txt", bytes=3, modified_at=0)
    assert unread([lying], [read]) == []
    assert unread([lying.model_copy(update={"modified_at": 60})], [read])


def test_commands_that_make_no_sense_are_left_out() -> None:
    nothing = guide().pointless()
    assert {"read_file", "append_to_file", "delete_file", "search_files", "task_complete", "do_nothing"} <= nothing
    assert not {"write_to_file", "evaluate_code"} & nothing
    assert "read_file" not in guide(cycles(READ), ["a.txt", "b.txt"]).pointless()
    # There is no code yet that could be improved or tested.
    assert {"improve_code", "write_tests"} <= guide(cycles(READ), ["a.txt"]).pointless()
    assert not {"improve_code", "write_tests"} & guide(cycles(CODE)).pointless()
    assert not {"improve_code", "write_tests"} & guide(files=["x.py"]).pointless()
    assert "append_to_file" not in guide(cycles(written("morning", 290)), ["story.txt", "x.py"]).pointless()


def test_small_models_do_not_end_what_they_have_not_done() -> None:
    assert "task_complete" in guide().pointless()
    assert "task_complete" in guide(cycles(CODE, FAILED)).pointless()
    assert "task_complete" not in guide(cycles(FAILED, CODE)).pointless()
    # What was asked for may be an answer, for which nothing has to be made.
    assert "task_complete" in guide(cycles(READ, READ), ["a.txt"]).pointless()
    assert "task_complete" in guide(cycles(READ, READ, READ), ["a.txt", "b.txt"]).pointless()
    assert "task_complete" not in guide(cycles(READ, READ, READ), ["a.txt"]).pointless()
    # What cannot be done at all comes to an end, whatever is still to be read.
    assert "task_complete" in guide(cycles(*[FAILED] * 4)).pointless()
    assert "task_complete" not in guide(cycles(*[FAILED] * 5), ["a.txt"]).pointless()


def follows(led: Guide) -> str:
    """The name of the command that follows without a choice."""
    following = led.follows(built_in().values())
    return following.name if following else ""


def test_code_that_failed_is_put_right_first() -> None:
    assert follows(guide(cycles(FAILED))) == "evaluate_code"
    assert follows(guide(cycles(FAILED, FAILED, CODE))) == follows(guide()) == follows(guide(cycles(READ))) == ""
    assert follows(guide(cycles(CODE, FAILED, FAILED, FAILED))) == "evaluate_code"
    assert follows(guide(cycles(FAILED, FAILED, FAILED, FAILED))) == ""
    assert guide(cycles(FAILED)).follows([]) is None
    # Whoever writes the code anew is told of it all the same.
    assert guide(cycles(FAILED, FAILED, FAILED, FAILED)).broken
    assert guide(cycles(FAILED, CODE)).broken is guide().broken is None


def test_who_has_begun_to_read_files_reads_them_all() -> None:
    assert follows(guide(files=["a.txt", "b.txt"])) == ""
    following = guide(cycles(READ), ["a.txt", "b.txt", "c.txt"]).follows(built_in().values())
    assert following
    assert following.schema["properties"] == {"file": {"type": "string", "enum": ["b.txt", "c.txt"]}}
    assert guide(cycles(READ), ["a.txt", "b.txt"]).follows([]) is None
    assert follows(guide(cycles(READ), ["a.txt"])) == follows(guide(cycles(READ, CODE), ["a.txt", "b.txt"])) == ""
    missed = ("read_file", {"file": "c.txt"}, "There is no file c.txt.", True)
    assert follows(guide(cycles(missed), ["a.txt"])) == ""
    assert follows(guide(cycles(READ), [f"{number}.txt" for number in range(20)])) == ""
    # Where the goal names files, those are meant.
    named = replace(guide(cycles(READ), ["a.txt", "b.txt"]), goals=["count the words of a.txt"])
    assert follows(named) == ""
    assert follows(replace(named, goals=["compare a.txt with b.txt"])) == "read_file"


def test_what_it_is_told_names_the_command_or_the_end() -> None:
    messages = [{"role": "system", "content": "S"}, {"role": "user", "content": "Reply."}]
    assert guide().using(messages, "read_file")[-1]["content"] == 'Reply.\nUse "read_file" now.'
    assert "All goals are reached." in guide().ending(messages)[-1]["content"]
    assert messages[-1]["content"] == "Reply."
