"""What the log of requests costs: the gate's work with it and without, writing rows, their size, and adding them up.

    python -m bench.request_log

Prints figures; needs no model.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from retinue.accounts.keys import Caller
from retinue.accounts.request_log import RequestLog
from retinue.api.middleware import Gate
from retinue.settings import Settings
from retinue.store.embedded import EmbeddedPostgres
from retinue.store.measures import REQUESTS, MeasureQuery
from retinue.store.migrate import migrate
from retinue.store.request_log import RequestRow, RequestRows
from retinue.store.store import Store

REQUESTS_SENT, ROUNDS, ROWS = 20_000, 5, 200_000
DAY = 86_400


class _Keys:
    async def caller_of(self, key: str) -> Caller:
        return Caller("proj_default", "key_0123456789abcdefghijklmn")


async def _app(scope: Any, receive: Any, send: Any) -> None:
    scope["route"] = SimpleNamespace(path="/v1/threads/{thread_id}/messages")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def _gate(days: float, rows: RequestRows) -> float:
    """Microseconds of CPU for a request that passes the gate; each batch of the log is written as it would be."""
    log = RequestLog(rows, days=days)
    gate = Gate(_app, organization="o", max_body_bytes=lambda _: 1 << 20, limited=(), signed="/-/")
    state = SimpleNamespace(keys=_Keys(), request_log=log, limits=None)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        pass

    begun = time.process_time()
    for number in range(REQUESTS_SENT):
        scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "path": "/v1/threads/thread_0123456789abcdefghijklmn/messages",
            "query_string": b"",
            "headers": [(b"authorization", b"Bearer sk-x")],
            "app": SimpleNamespace(state=state),
        }
        await gate(scope, receive, send)
        if number % 500 == 499:
            log._batches.waiting.clear()
    return (time.process_time() - begun) / REQUESTS_SENT * 1e6


def _row(at: float) -> RequestRow:
    model = random.choice(["local-large", "local-small", "gpt-4o"])
    thread, run = "thread_0123456789abcdefghijklmn", "run_0123456789abcdefghijklmn"
    took = random.randrange(1, 20_000)
    return RequestRow(
        *(f"{random.getrandbits(128):032x}", at, "proj_default", "key_0123456789abcdefghijklmn", None, False),
        *("POST", "/v1/threads/{thread_id}/runs", f"/v1/threads/{thread}/runs", model, True),
        *("asst_0123456789abcdefghijklmn", thread, run, 200, None, None, took // 4, took, 1234),
    )


async def _main(folder: Path) -> None:
    rows: Any = None
    for name, days in (("without the log", 0.0), ("with it", 30.0)):
        best = min([await _gate(days, cast(RequestRows, rows)) for _ in range(ROUNDS)])
        print(f"gate {name}: {best:.1f} µs of CPU a request")
    async with EmbeddedPostgres(folder / "postgres") as server:
        await migrate(server.conninfo)
        store = Store(server.conninfo, Settings(data=folder))
        await store.open()
        try:
            await _measure(store)
        finally:
            await store.close()


async def _database_cpu(store: Store) -> float:
    """Seconds of CPU that the database's connections have had so far (Linux)."""
    rows = await store.database.rows("select pid from pg_stat_activity where backend_type = 'client backend'", {})
    spent = 0.0
    for (process,) in rows:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        spent += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return spent


async def _measure(store: Store) -> None:
    now = time.time()
    made = [_row(now - 30 * DAY + 30 * DAY * number / ROWS) for number in range(ROWS)]
    cpu = time.process_time()
    of_database = await _database_cpu(store)
    for at in range(0, ROWS, 500):
        await store.request_log.add(made[at : at + 500])
    cpu, of_database = time.process_time() - cpu, await _database_cpu(store) - of_database
    print(f"writing: {cpu / ROWS * 1e6:.1f} µs of CPU a row, and {of_database / ROWS * 1e6:.1f} µs of PostgreSQL's")
    await store.database.execute("analyze request_log", {})
    row = await store.database.row(
        "select pg_table_size('request_log'), pg_indexes_size('request_log') from request_log limit 1", {}
    )
    assert row
    print(f"size: {row[0] / ROWS:.0f} bytes a row, and {row[1] / ROWS:.0f} in indexes")
    for title, days, groups in (("a day", 1, []), ("30 days by model", 30, ["model"])):
        query = MeasureQuery(int(now) - days * DAY, int(now), DAY, 0, groups, {})
        begun = time.perf_counter()
        await store.measures.measure(REQUESTS, query)
        print(f"adding up {title} of {ROWS:,} in 30 days: {time.perf_counter() - begun:.2f} s")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(_main(Path(name)))
