"""Branches of a chat: where they part, and which thread a fork leaves."""

from __future__ import annotations

import pytest

from retinue.studio.elements.composer import Chosen
from retinue.studio.pages.chat.branches import Branch, branch_of, chosen, owner_of, partings
from retinue.studio.pages.chat.threads import title_of
from retinue.studio.pages.chat.uploads import CODE, SEARCH, tool_for

#: The chat began with `a`. Its message 2 was asked anew in `b` and in `c`, the message 5 of `b` in `d`.
TREE = [
    Branch("a", created_at=1),
    Branch("b", "a", 2, created_at=2),
    Branch("c", "a", 2, created_at=3),
    Branch("d", "b", 5, created_at=4),
]
BY_ID = {one.id: one for one in TREE}


def test_where_branches_part() -> None:
    assert partings(TREE, "a") == {2: ["a", "b", "c"]}
    assert partings(TREE, "c") == {2: ["a", "b", "c"]}
    assert partings(TREE, "b") == {2: ["a", "b", "c"], 5: ["b", "d"]}
    assert partings(TREE, "d") == {2: ["a", "b", "c"], 5: ["b", "d"]}


def test_later_partings_of_another_branch_are_not_shown() -> None:
    tree = [*TREE, Branch("e", "a", 7, created_at=5)]
    assert partings(tree, "a") == {2: ["a", "b", "c"], 7: ["a", "e"]}
    assert partings(tree, "b") == {2: ["a", "b", "c"], 5: ["b", "d"]}


def test_which_branch_is_gone_on_with() -> None:
    assert [chosen(BY_ID, "d", at) for at in (2, 5)] == ["b", "d"]
    assert [chosen(BY_ID, "b", at) for at in (2, 5)] == ["b", "b"]
    assert [chosen(BY_ID, one, 2) for one in "abcd"] == ["a", "b", "c", "b"]


def test_a_fork_leaves_the_thread_that_the_message_belongs_to() -> None:
    assert owner_of(BY_ID, "d", 9) == "d"
    assert owner_of(BY_ID, "d", 5) == "b"
    assert owner_of(BY_ID, "d", 3) == "b"
    assert owner_of(BY_ID, "d", 2) == "a"
    assert owner_of(BY_ID, "d", 0) == "a"
    assert owner_of({}, "new", 3) == "new"


def test_metadata_that_makes_no_sense_harms_nothing() -> None:
    thread: dict[str, object] = {"id": "t", "created_at": 9}
    assert branch_of(thread) == Branch("t", created_at=9)
    assert branch_of({**thread, "metadata": {"parent": "x", "at": "-1"}}) == Branch("t", created_at=9)
    assert branch_of({**thread, "metadata": {"parent": "x", "at": "3"}}) == Branch("t", "x", 3, 9)
    ring = {"a": Branch("a", "b", 2), "b": Branch("b", "a", 2)}
    assert owner_of(ring, "a", 1) in ring
    assert set(partings(ring.values(), "a")) == {2}
    assert chosen(ring, "a", 1) in ring


def test_titles() -> None:
    assert title_of("  Why is\nthe **sky** blue? ") == "Why is the sky blue?"
    assert title_of("word " * 40) == "word " * 11 + "word…"
    assert title_of("天" * 100) == "天" * 60 + "…"


@pytest.mark.parametrize(
    ("name", "kind", "tools", "tool"),
    [
        ("plan.md", "text/markdown", (), SEARCH),
        ("plan.md", "text/markdown", (CODE,), CODE),
        ("sales.csv", "text/csv", (), CODE),
        ("sales.CSV", "", (SEARCH,), SEARCH),
        ("sales.csv", "text/csv", (SEARCH, CODE), CODE),
        ("cat.png", "image/png", (SEARCH,), CODE),
    ],
)
def test_which_tool_reads_a_file(name: str, kind: str, tools: tuple[str, ...], tool: str) -> None:
    assert tool_for(Chosen(name, b"", kind), tools) == tool
