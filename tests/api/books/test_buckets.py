"""Buckets and pages of the books, by the official client, and what is refused."""

from __future__ import annotations

import json
import time
from typing import Any

import openai
import psycopg
import pytest

from ...harness import Api, Server
from .amounts import DAY, exact, today


async def filled(postgres: str, start: int, minutes: list[int]) -> None:
    """One call in each of these minutes after a moment."""
    with psycopg.connect(postgres) as connection:
        for minute in minutes:
            connection.execute(
                "insert into usage_records (minute, project_id, endpoint, key_id, model, requests, prompt_tokens, "
                "cached_tokens, completion_tokens, images, cost) "
                "values (to_timestamp(%s), 'proj_a', 'chat.completions', 'key_a', 'm', 1, 7, 3, 5, 0, 11)",
                [start + 60 * minute],
            )


async def test_buckets_without_use_are_there(postgres: str, server: Server, admin: openai.AsyncOpenAI) -> None:
    start = int(time.time()) // DAY * DAY - 3 * DAY
    await filled(postgres, start, [0, 61, 119, 120])
    usage = admin.admin.organization.usage
    page = await usage.completions(start_time=start, end_time=start + 4 * 3600, bucket_width="1h")
    assert [bucket.start_time for bucket in page.data] == [start + 3600 * hour for hour in range(4)]
    assert [bucket.end_time - bucket.start_time for bucket in page.data] == [3600] * 4
    counts: list[Any] = [[one.num_model_requests for one in bucket.results] for bucket in page.data]  # pyright: ignore
    assert counts == [[1], [2], [1], []]
    (first,) = page.data[0].results
    assert json.loads(first.to_json()) == {
        "object": "organization.usage.completions.result",
        "input_tokens": 7,
        "input_cached_tokens": 3,
        "input_uncached_tokens": 4,
        "output_tokens": 5,
        "input_audio_tokens": 0,
        "output_audio_tokens": 0,
        "num_model_requests": 1,
        **dict.fromkeys(("project_id", "user_id", "api_key_id", "model", "batch", "service_tier", "api_source")),
    }
    # A bucket that the time asked for cuts has what lies inside.
    page = await usage.completions(start_time=start + 61 * 60, end_time=start + 118 * 60, bucket_width="1h")
    (bucket,) = page.data
    assert (bucket.start_time, bucket.end_time) == (start + 61 * 60, start + 118 * 60)
    assert [one.num_model_requests for one in bucket.results] == [1]  # pyright: ignore


async def test_pages_follow_each_other(postgres: str, server: Server, admin: openai.AsyncOpenAI) -> None:
    start = int(time.time()) // DAY * DAY - 3 * DAY
    await filled(postgres, start, list(range(0, 100, 7)))
    usage = admin.admin.organization.usage
    found: list[Any] = []
    params: dict[str, Any] = {"start_time": start + 30, "end_time": start + 100 * 60, "bucket_width": "1m", "limit": 9}
    page = await usage.completions(**params)
    while True:
        assert len(page.data) <= 9
        found += page.data
        if not page.has_more:
            break
        page = await usage.completions(**params, page=page.next_page or "")
    assert page.next_page is None
    assert [bucket.start_time for bucket in found[1:]] == [start + 60 * minute for minute in range(1, 100)]
    assert [bool(bucket.results) for bucket in found] == [minute % 7 == 0 for minute in range(100)]
    # By default, until now.
    page = await usage.completions(start_time=start)
    assert len(page.data) == 4
    assert page.data[-1].end_time == page.data[-1].start_time + DAY
    assert (await usage.completions(start_time=int(time.time()) + 3 * DAY)).data == []


async def test_every_kind_by_the_official_client(server: Server, admin: openai.AsyncOpenAI) -> None:
    usage = admin.admin.organization.usage
    start = today()
    for method in (
        *(usage.completions, usage.embeddings, usage.moderations, usage.images, usage.audio_speeches),
        *(usage.audio_transcriptions, usage.vector_stores, usage.code_interpreter_sessions),
        *(usage.file_search_calls, usage.web_search_calls, usage.costs),
    ):
        page = await method(start_time=start, project_ids=["proj_a", "proj_b"], group_by=["project_id"], limit=3)
        assert [bucket.results for bucket in page.data] == [[]] * len(page.data)
        assert 2 <= len(page.data) <= 3


async def test_filters_and_constant_groups(postgres: str, server: Server, admin: openai.AsyncOpenAI) -> None:
    start = int(time.time()) // DAY * DAY - 3 * DAY
    await filled(postgres, start, [1])
    usage = admin.admin.organization.usage
    wanted: dict[str, Any] = {"start_time": start, "end_time": start + DAY}
    for only, count in (
        ({"models": ["m", "x"], "api_key_ids": ["key_a"], "project_ids": ["proj_a"]}, 1),
        ({"models": ["x"]}, 0),
        ({"api_key_ids": ["key_b"]}, 0),
        ({"user_ids": ["user_a"]}, 0),
        ({"batch": True}, 0),
        ({"batch": False}, 1),
    ):
        page = await usage.completions(**wanted, **only)
        assert len(page.data[0].results) == count, only
    page = await usage.completions(**wanted, group_by=["batch", "service_tier", "api_source", "user_id", "model"])
    one: Any = page.data[0].results[0]
    assert (one.batch, one.service_tier, one.api_source, one.user_id, one.model) == (
        False, "default", "unlabeled", None, "m"
    )  # fmt: skip
    for items, cost in ((["m"], [11]), (["file search"], [])):
        costs = await usage.costs(**wanted, line_items=items)
        assert [exact(result.amount) for result in costs.data[0].results] == cost  # pyright: ignore


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("", "start_time"),
        ("start_time=x", "start_time"),
        ("start_time=-1", "start_time"),
        ("start_time=99999999999999999999", "start_time"),
        ("start_time=5&end_time=5", "end_time"),
        ("start_time=5&end_time=999999999999999", "end_time"),
        ("start_time=5&bucket_width=2d", "bucket_width"),
        ("start_time=5&limit=0", "limit"),
        ("start_time=5&limit=32", "limit"),
        ("start_time=5&bucket_width=1h&limit=169", "limit"),
        ("start_time=5&bucket_width=1m&limit=1441", "limit"),
        ("start_time=5&page=next", "page"),
        ("start_time=5&page=page_7", "page"),
        ("start_time=5&page=page_999999999999", "page"),
        ("start_time=5&group_by=thread_id", "group_by[0]"),
        ("start_time=5&group_by[]=model&group_by[]=x", "group_by[1]"),
        ("start_time=5&batch=perhaps", "batch"),
        ("start_time=5&colour=red", "colour"),
        ("start_time=5&" + "&".join(["models=m"] * 101), "models"),
    ],
)
async def test_what_makes_no_sense_is_refused(admin_api: Api, query: str, param: str) -> None:
    answer = await admin_api.request("GET", f"/organization/usage/completions?{query}", extension=True)
    assert answer.status == 400, answer.body
    assert answer.body["error"]["param"] == param


async def test_odd_text_is_no_defect(admin_api: Api) -> None:
    for value in ("%00", "%ff%fe", "%F0%9F%92%B0"):
        answer = await admin_api.request(
            "GET", f"/organization/usage/completions?start_time=5&models={value}", extension=True
        )
        assert answer.status in (200, 400)
