"""Lists: cursors both ways, order, limits, held against a simple model of what a page is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ..harness import Api, Json, function, run_path
from ..scripted import Call, Reply, ScriptedUpstream

COUNT = 7


def expected(ids: list[str], order: str, after: str | None, before: str | None, limit: int) -> tuple[list[str], bool]:
    """The page of a list (oldest first), and whether there is more."""
    ordered = ids if order == "asc" else ids[::-1]
    start = ordered.index(after) + 1 if after else 0
    end = ordered.index(before) if before else len(ordered)
    span = ordered[start:end] if start < end else []
    page = span[-limit:] if before and not after else span[:limit]
    return page, len(span) > limit


async def assistants(api: Api, upstream: ScriptedUpstream) -> tuple[str, list[str]]:
    return "/assistants", [await api.assistant() for _ in range(COUNT)]


async def messages(api: Api, upstream: ScriptedUpstream) -> tuple[str, list[str]]:
    thread = await api.thread("one", "two", "three")
    for number in range(COUNT - 3):
        await api.post(f"/threads/{thread}/messages", {"role": "user", "content": f"more {number}"})
    return f"/threads/{thread}/messages", [message["id"] for message in await api.messages(thread)]


async def runs(api: Api, upstream: ScriptedUpstream) -> tuple[str, list[str]]:
    assistant, thread = await api.assistant(), await api.thread("Hello")
    made: list[str] = []
    for _ in range(COUNT):
        run = await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": assistant}))
        made.append(run["id"])
    return f"/threads/{thread}/runs", made


async def steps(api: Api, upstream: ScriptedUpstream) -> tuple[str, list[str]]:
    upstream.script(*[Reply(tool_calls=[Call("weather")])] * (COUNT - 1))
    run = await api.run(assistant={"tools": [function("weather")]})
    while run["status"] == "requires_action":
        calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = [{"tool_call_id": call["id"], "output": ""} for call in calls]
        await api.post(run_path(run) + "/submit_tool_outputs", {"tool_outputs": outputs})
        run = await api.until(run)
    return run_path(run) + "/steps", [step["id"] for step in await api.steps(run)]


Filled = Callable[[Api, ScriptedUpstream], Awaitable[tuple[str, list[str]]]]


@pytest.fixture(params=[assistants, messages, runs, steps], ids=lambda fill: fill.__name__)
async def filled(request: pytest.FixtureRequest, api: Api, upstream: ScriptedUpstream) -> tuple[str, list[str]]:
    fill: Filled = request.param
    path, ids = await fill(api, upstream)
    assert len(ids) == len(set(ids)) == COUNT
    return path, ids


def summary(page: Json) -> tuple[list[str], str, str, bool]:
    return [item["id"] for item in page["data"]], page["first_id"], page["last_id"], page["has_more"]


async def test_newest_first_unless_told_otherwise(api: Api, filled: tuple[str, list[str]]) -> None:
    path, ids = filled
    assert summary(await api.get(path))[0] == ids[::-1]
    assert summary(await api.get(path + "?order=asc"))[0] == ids


async def test_walks_meet_every_object_once(api: Api, filled: tuple[str, list[str]]) -> None:
    path, ids = filled
    for order in ("asc", "desc"):
        for limit in (1, 2, 3, COUNT):
            seen: list[str] = []
            cursor = ""
            while True:
                page = await api.get(f"{path}?order={order}&limit={limit}{cursor}")
                seen += [item["id"] for item in page["data"]]
                if not page["has_more"]:
                    break
                cursor = f"&after={page['last_id']}"
            assert seen == (ids if order == "asc" else ids[::-1])


async def test_pages_are_what_the_model_says(api: Api, filled: tuple[str, list[str]]) -> None:
    path, ids = filled
    cursors = [None, ids[0], ids[3], ids[-1]]
    for order in ("asc", "desc"):
        for after in cursors:
            for before in cursors:
                for limit in (1, 3, 100):
                    query = {"order": order, "limit": limit, "after": after, "before": before}
                    shown = urlencode({key: value for key, value in query.items() if value})
                    page = await api.get(f"{path}?{shown}")
                    data, has_more = expected(ids, order, after, before, limit)
                    ends = (data[0], data[-1]) if data else ("", "")
                    assert summary(page) == (data, *ends, has_more), shown


async def test_objects_of_one_second_keep_their_order(api: Api) -> None:
    made = [await api.post("/assistants", {"model": "scripted", "name": str(number)}) for number in range(30)]
    assert len({assistant["created_at"] for assistant in made}) < 30
    first = await api.get("/assistants?order=asc&limit=15")
    second = await api.get(f"/assistants?order=asc&limit=15&after={first['last_id']}")
    assert [item["name"] for item in first["data"] + second["data"]] == [str(number) for number in range(30)]
    assert (first["has_more"], second["has_more"]) == (True, False)


async def test_a_page_has_20_objects_unless_told_otherwise(api: Api) -> None:
    thread = await api.thread(*(str(number) for number in range(21)))
    page = await api.get(f"/threads/{thread}/messages")
    assert (len(page["data"]), page["has_more"]) == (20, True)


async def test_an_empty_list(api: Api) -> None:
    assert await api.get("/assistants") == {
        "object": "list",
        "data": [],
        "first_id": "",
        "last_id": "",
        "has_more": False,
    }


async def test_cursors_of_another_list_are_refused(api: Api) -> None:
    mine, foreign = await api.thread("a"), await api.thread("b")
    message = (await api.messages(foreign))[0]["id"]
    for name in ("after", "before"):
        error = await api.refused("GET", f"/threads/{mine}/messages?{name}={message}")
        assert error["param"] == name


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=many", "limit"),
        ("limit=1.5", "limit"),
        ("limit=", "limit"),
        ("limit=99999999999999999999999", "limit"),
        ("order=up", "order"),
        ("after=nothing", "after"),
        ("before=nothing", "before"),
        ("after=" + "x" * 129, "after"),
    ],
)
async def test_wrong_list_parameters_are_refused(api: Api, query: str, param: str) -> None:
    assert (await api.refused("GET", f"/assistants?{query}"))["param"] == param


ids_and_pages = st.lists(st.integers(0, 50), unique=True, max_size=12).flatmap(
    lambda numbers: st.tuples(
        st.just([str(number) for number in numbers]),
        st.sampled_from([None, *map(str, numbers)]),
        st.integers(1, 5),
        st.sampled_from(["asc", "desc"]),
    )
)


@given(ids_and_pages)
@settings(max_examples=200, phases=[Phase.generate, Phase.shrink], suppress_health_check=[HealthCheck.too_slow])
def test_the_model_of_a_page_walks_back_as_it_walks_forth(drawn: tuple[list[str], str | None, int, str]) -> None:
    """The model that judges the server is itself sound: `before` undoes `after`."""
    ids, after, limit, order = drawn
    page, _ = expected(ids, order, after, None, limit)
    if page and after:
        back, _ = expected(ids, order, None, page[0], len(ids) or 1)
        assert back[-1] == after
