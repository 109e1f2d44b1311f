"""What vector stores hold is on the books by the hour."""

from __future__ import annotations

import asyncio
from pathlib import Path

import openai
import psycopg
import pytest

from retinue.settings import Settings

from ...harness import Api, Server, serving
from ...indexing import index
from .amounts import NANO, call


@pytest.mark.settings(serve_worker=False)
async def test_storage_is_counted_once_however_many_count(
    postgres: str, server: Server, settings: Settings, api: Api, admin: openai.AsyncOpenAI, tmp_path: Path
) -> None:
    await api.post("/vector_stores", {"file_ids": [await api.file("The kestrel eats voles.")]})
    await index(server)
    hours = 5
    with psycopg.connect(postgres) as connection:
        # A large store: what is small costs nothing that could be seen.
        connection.execute(
            "update vector_store_files set body = body || jsonb_build_object('usage_bytes', 3 * 2::bigint ^ 30)::jsonb"
        )
        row = connection.execute(
            "update storage_counts set counted_at = now() - %s * interval '1 hour' "
            "returning extract(epoch from counted_at)",
            [hours],
        ).fetchone()
    assert row
    async with serving(settings.model_copy(update={"data": tmp_path / "second"}), postgres) as second:
        meters = [one.app.state.metering.usage for one in (server, second) for _ in range(4)]
        await asyncio.gather(*(meter.sweep() for meter in meters))
        await asyncio.gather(*(meter.sweep() for meter in meters))
    held = 3 * 2**30
    with psycopg.connect(postgres) as connection:
        (counted, until, cost) = connection.execute(
            "select sum(byte_seconds), (select extract(epoch from counted_at) from storage_counts), sum(cost)::float "
            "from usage_records where endpoint = 'vector_storage'"
        ).fetchone()  # pyright: ignore[reportGeneralTypeIssues]
    assert abs(counted - held * (until - row[0])) <= hours + 1
    assert cost == pytest.approx(0.30 * NANO * hours / 24, rel=1e-3)
    usage = admin.admin.organization.usage
    start = int(row[0]) // 3600 * 3600 + 3600
    for width, count in (("1h", hours - 1), ("1m", 60 * (hours - 1))):
        page = await usage.vector_stores(
            start_time=start,
            end_time=start + 3600 * (hours - 1),
            bucket_width=width,
            limit=min(count, 168 * 4),  # pyright: ignore
        )
        assert [[one.usage_bytes for one in bucket.results] for bucket in page.data] == [[held]] * count  # pyright: ignore
    # After midnight the hours are those of two days.
    items = await call(usage.costs, group_by=["line_item"])
    assert {(item.line_item, item.quantity_unit) for item in items} == {("vector storage", "gibibyte_hours")}
    assert sum(item.quantity for item in items) == pytest.approx(3 * hours, rel=1e-3)


async def test_storage_is_not_counted_before_an_hour_is_over(postgres: str, server: Server) -> None:
    with psycopg.connect(postgres) as connection:
        connection.execute("update storage_counts set counted_at = now() - interval '59 minutes'")
    assert not await server.app.state.store.usage.count_storage(0)
