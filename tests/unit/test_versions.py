"""The versions of an assistant on a page: undo, redo, and back to one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from retinue.studio.pages.playground.draft import Draft
from retinue.studio.pages.playground.history import History


def state(**fields: Any) -> dict[str, Any]:
    return {"name": "A", "tools": [], "temperature": 1.0, **fields}


def test_back_and_forth() -> None:
    history = History(state())
    history.saved(state(temperature=0.2))
    history.saved(state(temperature=0.2, name="B"))
    assert [one.changed for one in history.versions] == [(), ("temperature",), ("name",)]
    assert history.to(0) == {"name": "A", "temperature": 1.0}
    history.at = 0
    assert history.to(2) == {"name": "B", "temperature": 0.2}
    assert history.to(0) == {}


def test_a_change_after_undo_ends_what_was_undone() -> None:
    history = History(state())
    history.saved(state(name="B"))
    history.at = 0
    history.saved(state(name="C"))
    assert [one.state["name"] for one in history.versions] == ["A", "C"]
    assert history.at == 1
    with pytest.raises(IndexError):
        history.to(2)


def test_what_changes_nothing_is_no_version_and_what_is_kept_does_not_change() -> None:
    tools: list[Any] = []
    history = History(state(tools=tools))
    history.saved(state(object="assistant"))
    tools.append({"type": "file_search"})
    assert len(history.versions) == 1
    assert history.state["tools"] == []


def test_old_versions_are_forgotten() -> None:
    history = History(state())
    for number in range(500):
        history.saved(state(name=str(number)))
    assert len(history.versions) == 200
    assert history.at == 199
    assert history.state["name"] == "499"


class Slow(Draft):
    """One that is saved when it may be."""

    def __init__(self) -> None:
        super().__init__(cast(Any, None), {"id": "asst_1", **state()})
        self.may_save = asyncio.Event()

    async def _save(self, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        await self.may_save.wait()
        return {**self.state, **changes}


async def test_undo_takes_back_the_change_that_is_being_saved() -> None:
    draft = Slow()
    draft.may_save.set()
    await draft.set(name="B")
    draft.may_save.clear()
    change = asyncio.create_task(draft.set(name="C"))
    await asyncio.sleep(0)
    undo = asyncio.create_task(draft.step(-1))
    await asyncio.sleep(0)
    draft.may_save.set()
    await asyncio.gather(change, undo)
    assert draft.name == "B"
    await draft.step(1)
    assert draft.name == "C"
    # Further than there are versions is nowhere.
    await draft.step(1)
    assert draft.name == "C"
