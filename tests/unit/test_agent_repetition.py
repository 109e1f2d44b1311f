"""What agents do again and again."""

from __future__ import annotations

from typing import Any

import pytest

from retinue.agents import repetition
from retinue.agents.asking import _goes_round, _without_rounds  # pyright: ignore[reportPrivateUsage]
from retinue.agents.repetition import alike, barred, nudge, stuck
from retinue.wire.agents import AgentCycle, Command, CommandResult, Thoughts
from retinue.wire.runs import Amount, CompletionUsage

STORY = "Once there was a rose that stood in a garden by the sea, and every {} it looked at the waves. " * 3
CODE = "numbers = []\nfor number in range(100):\n    if all(number % one for one in range(2, number)):\n" * 3


def cycles(*done: tuple[str, dict[str, Any], str, bool]) -> list[AgentCycle]:
    none = CompletionUsage(prompt_tokens=0, completion_tokens=0, total_tokens=0)
    return [
        AgentCycle(
            id=f"cycle_{number}",
            agent_id="agent_1",
            number=number,
            created_at=0,
            completed_at=number,
            status="completed",
            thoughts=Thoughts(),
            command=Command(name=name, args=args),
            result=CommandResult(text=text, failed=failed),
            usage=none,
            cost=Amount(value=0),
        )
        for number, (name, args, text, failed) in enumerate(done, 1)
    ]


def written(word: str, size: int) -> tuple[str, dict[str, Any], str, bool]:
    text = STORY.format(*[word] * 3)
    return "write_to_file", {"file": "story.txt", "text": text}, f"story.txt has {size} bytes now.", False


def test_what_is_said_anew_is_the_same() -> None:
    twice = cycles(written("morning", 290), written("evening", 291))
    assert barred(twice) == "write_to_file"
    assert stuck(twice)
    assert "2 times" in nudge(twice, "en")
    assert not stuck(cycles(written("morning", 290)))


def test_another_file_or_another_text_is_not_the_same() -> None:
    name, args, result, _ = written("morning", 290)
    assert barred(cycles(written("morning", 290), (name, args | {"file": "b.txt"}, result, False))) == ""
    assert barred(cycles(written("morning", 290), (name, args | {"text": CODE}, result, False))) == ""


def test_a_correction_is_no_repetition() -> None:
    broken = ("evaluate_code", {"code": CODE}, "NameError: number", True)
    again = ("evaluate_code", {"code": CODE + "\nprint(numbers)"}, "2, 3, 5", False)
    assert barred(cycles(broken, broken)) == barred(cycles(broken, again)) == ""
    assert not stuck(cycles(broken, again))


def test_texts_that_repeat_themselves_take_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each word is looked at a few times, however often it comes: else one comparison takes seconds."""
    looked = list[int]()

    class Word(str):
        """A word that counts how often it is compared."""

        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            looked.append(1)
            return super().__eq__(other)

    class Words:
        """Finds words."""

        def findall(self, text: str) -> list[str]:
            return [Word(word) for word in text.split()]

    monkeypatch.setattr(repetition, "_WORD", Words())
    one, other = (Command(name="write_to_file", args={"text": text}) for text in (". " * 1000, ". . . . - " * 200))
    assert alike(one, other)
    assert len(looked) < 50 * 2000


@pytest.mark.parametrize("rest", ["", "The rose", "The rose was red and love"])
def test_a_text_that_goes_round_is_cut(rest: str) -> None:
    text = "Once upon a time… " + "The rose was red and lovely. " * 7 + rest
    kept = _without_rounds(text, '"')
    assert kept.endswith('"')
    assert kept.count("was red") <= 2
    assert text.startswith(kept[:-1])


@pytest.mark.parametrize(
    "text",
    ["", "-" * 500, "0, 0, 0, 1, " * 80, "The rose was red. " * 4, "".join(f"Rose {n} is red. " for n in range(99))],
)
def test_other_texts_are_left_alone(text: str) -> None:
    assert _goes_round(text) == 0


def test_chinese_goes_round_too() -> None:
    text = "从前，" + "莉莉是一朵非常美丽的花，大家都很喜欢她，她也喜欢大家。" * 6
    assert _without_rounds(text) == "从前，莉莉是一朵非常美丽的花，大家都很喜欢她，她也喜欢大家。"
